"""What a model would be sent, for tables of exact bodies: nothing is sent, and no task runs."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from direct_anyio import (
    ModelMessage,
    ModelRequest,
    ModelRequestParameters,
    ModelResponse,
    OutputObjectDefinition,
    ToolCallPart,
    ToolDefinition,
    ToolReturnPart,
    UserError,
    UserPromptPart,
    infer_model,
)
from direct_anyio._core.codec import HTTPCall
from direct_anyio._core.encoding import encode_request
from direct_anyio.content import BinaryContent, UserContent

from .test_gateways import sent as request_of

JSONObject = dict[str, Any]

Row = tuple[JSONObject, Any]
"""What is asked, as `sent` takes it, and what must come of it: members of the body beside
those of every row's, or the text of the `UserError`."""

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt("Hello")]
CALL_ID = "call12345"
"""An id that every provider takes."""

SCHEMA: JSONObject = {
    "type": "object",
    "properties": {"x": {"type": "integer"}},
    "required": ["x"],
    "additionalProperties": False,
}
"""A schema that every provider takes as it is."""

LOOSE = ToolDefinition(name="f", description="Does f.", parameters_json_schema=SCHEMA, strict=False)
"""A tool that the model is not held to."""

STRICT = ToolDefinition(name="g", parameters_json_schema=SCHEMA, strict=True)
OUTPUT = ToolDefinition(name="out", parameters_json_schema=SCHEMA, strict=False, kind="output")
SHAPE = OutputObjectDefinition(json_schema=SCHEMA, name="point", description="A point.")

PNG = BinaryContent(b"\xfb\xff", media_type="image/png")
WAV = BinaryContent(b"\xfb\xff", media_type="audio/wav")
MP3 = BinaryContent(b"\xfb\xff", media_type="audio/mpeg")
MP4 = BinaryContent(b"\xfb\xff", media_type="video/mp4")
PDF = BinaryContent(b"\xfb\xff", media_type="application/pdf")
TEXT = BinaryContent("é".encode(), media_type="text/plain", identifier="t")
JSON = BinaryContent(b"{}", media_type="application/json", identifier="j")
"""Files; the bytes of those that are not text are `+/8=` in base64, `-_8=` where it is URL-safe."""


CALL = ToolCallPart("f", {"x": 1}, CALL_ID)

# What the chat protocols write of these.
HELLO_SAID: JSONObject = {"role": "user", "content": "Hello"}
F: JSONObject = {
    "type": "function",
    "function": {"name": "f", "description": "Does f.", "parameters": SCHEMA},
}
CALL_SAID: JSONObject = {
    "id": CALL_ID,
    "type": "function",
    "function": {"name": "f", "arguments": '{"x":1}'},
}
TEXT_FILE = '-----BEGIN FILE id="t" type="text/plain"-----\né\n-----END FILE id="t"-----'
BY_BYTES = (
    "The file at {} must be downloaded before it can be sent: pass `downloads=True` to "
    "`infer_model`, or send the bytes as `BinaryContent`."
)
ELSEWHERE = (
    "The file {!r} was uploaded to {!r}: upload it to {!r}, or send its bytes as `BinaryContent`."
)


NATIVE: JSONObject = {"output_mode": "native", "output_object": SHAPE}
PROMPTED: JSONObject = {
    "output_mode": "prompted",
    "output_object": SHAPE,
    "prompted_output_template": "As {schema}.",
}
PROMPT = (
    'As {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], '
    '"additionalProperties": false, "title": "point", "description": "A point."}.'
)
"""What a model is told of an output that is prompted."""


def tool_said(text: str) -> JSONObject:
    """Return the message of a result of that call."""
    return {"role": "tool", "tool_call_id": CALL_ID, "content": text}


def user(*content: UserContent) -> list[ModelMessage]:
    """Return a request in which the user says pieces of content."""
    return [ModelRequest([UserPromptPart(list(content))])]


def turn(*parts: Any, provider: str | None = None, **more: Any) -> list[ModelMessage]:
    """Return a conversation with a response of these parts in it; calls of tools are answered."""
    answered = [
        ToolReturnPart(part.tool_name, "ok", part.tool_call_id)
        for part in parts
        if isinstance(part, ToolCallPart)
    ]
    response = ModelResponse(parts, provider_name=provider, **more)
    return [*HELLO, response, *([ModelRequest(answered)] if answered else HELLO)]


def returned(*parts: Any) -> list[ModelMessage]:
    """Return a conversation in which a call of the tool f is answered by these parts."""
    return [*HELLO, ModelResponse([CALL]), ModelRequest(parts)]


def result(content: Any, **more: Any) -> ToolReturnPart:
    """Return a result of that call."""
    return ToolReturnPart("f", content, CALL_ID, **more)


@cache
def _model(name: str, url: str | None) -> Any:
    return infer_model(name, api_key="key", base_url=url)


def sent(
    model: str,
    messages: Sequence[ModelMessage] = HELLO,
    settings: Any = None,
    *,
    stream: bool = False,
    profile: Any = None,
    url: str | None = None,
    **parameters: Any,
) -> HTTPCall:
    """Return what a model of this name is sent; it is sendable, and nothing was changed for it."""
    asked: Any = _model(model, url)
    if profile is not None:
        asked = infer_model(model, api_key="key", base_url=url, profile=profile)
    before = copy.deepcopy((messages, settings))
    prepared, offered = asked.prepare_request(settings, ModelRequestParameters(**parameters))
    call = encode_request(asked.codec, list(messages), prepared, offered, stream=stream)
    assert json.dumps(call.body, allow_nan=False)
    again = encode_request(asked.codec, list(messages), prepared, offered, stream=stream)
    assert (again, messages, settings) == (call, *before)
    return call


# Headers that every request has.
_COMMON = (
    *("accept", "accept-encoding", "connection", "content-length", "content-type"),
    *("host", "idempotency-key", "user-agent"),
)


async def addressed(model: str, url: str | None = None) -> tuple[str, JSONObject]:
    """Return the URL that a request goes to without its query, and its own headers and query."""
    request = await request_of(model, base_url=url)
    headers = {name: value for name, value in request.headers.items() if name not in _COMMON}
    return str(request.url).partition("?")[0], headers | dict(request.url.params)


# Where a codec itself refuses a part, the place is told in front of what it says.
_PLACE = re.compile(r"(Part \d+ of m|M)essage \d+(, a \w+,)? cannot be sent: (?!\w+Error: )")


def compared(
    rows: Mapping[str, Row], plain: JSONObject, **common: Any
) -> tuple[JSONObject, JSONObject]:
    """Return what each row is sent as and what it must be, by what the row is about.

    Args:
        rows: The rows.
        plain: The members that every body has; a row may have others in their place.
        common: What every row asks, unless it asks otherwise.
    """
    made: JSONObject = {}
    wanted: JSONObject = {}
    for name, (asked, expected) in rows.items():
        wanted[name] = expected if isinstance(expected, str) else plain | expected
        try:
            made[name] = sent(**{**common, **asked}).body
        except UserError as error:
            made[name] = _PLACE.sub("", str(error))
    return made, wanted


def also(row: Row, **members: Any) -> Row:
    """Return a row with more members in its body."""
    asked, expected = row
    return asked, expected | members
