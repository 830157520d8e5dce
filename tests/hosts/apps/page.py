"""A Streamlit page."""

import asking
import streamlit

streamlit.write(asking.whole())
streamlit.write_stream(asking.pieces("Go on."))
