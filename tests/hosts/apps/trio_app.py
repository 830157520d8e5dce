"""Quart on trio, for hypercorn."""

import asking
import trio
from quart_trio import QuartTrio

from direct_anyio import model_request, model_request_stream

app = QuartTrio(__name__)


@app.get("/whole")
async def whole():
    return (await model_request(asking.MODEL, asking.messages())).text


@app.get("/thread")
async def thread():
    return await trio.to_thread.run_sync(asking.whole)


@app.get("/stream/<prompt>")
async def stream(prompt):
    async def pieces():
        async with model_request_stream(asking.MODEL, asking.messages(prompt)) as stream:
            async for text in stream.text_deltas():
                yield text.encode()

    return pieces(), {"content-type": "text/plain"}
