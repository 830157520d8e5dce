"""Flask, for the WSGI servers."""

import asking
import flask

app = flask.Flask(__name__)
kept = []


@app.get("/whole")
def whole():
    return asking.whole()


@app.get("/stream/<prompt>")
def stream(prompt):
    return flask.Response(asking.pieces(prompt), mimetype="text/plain")


@app.get("/keep")
def keep():
    """Keep an exception whose traceback holds a stream that is half read."""
    pieces = asking.pieces("endless")
    try:
        flask.abort(next(pieces))
    except LookupError as exc:
        kept.append(exc)
        del kept[:-2]
    return "kept"
