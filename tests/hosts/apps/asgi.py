"""FastAPI, with each kind of handler."""

import asking
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from direct_anyio import model_request, model_request_stream

app = FastAPI()


@app.get("/whole")
def whole() -> str:
    return asking.whole()


@app.get("/async")
async def whole_async() -> str:
    return (await model_request(asking.MODEL, asking.messages())).text


@app.get("/stream/{prompt}")
def stream(prompt: str):
    return StreamingResponse(asking.pieces(prompt), media_type="text/plain")


@app.get("/stream-async/{prompt}")
def stream_async(prompt: str):
    async def pieces():
        async with model_request_stream(asking.MODEL, asking.messages(prompt)) as stream:
            async for text in stream.text_deltas():
                yield text

    return StreamingResponse(pieces(), media_type="text/plain")
