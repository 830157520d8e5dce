"""What each host asks: the provider whose address the environment holds."""

import os

from direct_anyio import ModelRequest, infer_model, model_request_stream_sync, model_request_sync

MODEL = infer_model("openai:x", api_key="k", base_url=os.environ.get("PROVIDER"))


def messages(prompt="Go on."):
    return [ModelRequest.user_text_prompt(prompt)]


def whole():
    """Return a whole answer."""
    return model_request_sync(MODEL, messages()).text


def pieces(prompt):
    """Yield an answer piece by piece, as a sync generator that a host may drop at any time."""
    with model_request_stream_sync(MODEL, messages(prompt)) as stream:
        yield from stream.text_deltas()


if os.environ.get("CALL_BEFORE_FORK"):
    whole()
