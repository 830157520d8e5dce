"""Reports of errors show the local variables of all frames: none of them is a key."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from anyio import to_thread

from direct_anyio import (
    ModelAPIError,
    ModelRequest,
    ModelRequestParameters,
    ToolDefinition,
    UserError,
    infer_model,
    list_models,
    model_request,
    model_request_stream,
    model_request_sync,
)
from direct_anyio.models import Model
from direct_anyio.models.openai import OpenAIChatModel
from direct_anyio.providers.openai import OpenAIProvider

from .serving import Connection, Handler, delta, frame, reply, serving

KEY = "sk-0123456789-abcdefghij-0123456789"
MESSAGES = [ModelRequest.user_text_prompt("Go on.")]
SHORT: Any = {"max_retries": 0, "timeout": 0.05, "request_timeout": 5}


def _shown(error: BaseException) -> str:
    """Return all that a report shows of an error, but for the variables of this file."""
    lines = []
    pending = [traceback.TracebackException.from_exception(error, capture_locals=True)]
    while pending:
        summary = pending.pop()
        pending += [
            *(summary.exceptions or ()),
            *filter(None, (summary.__cause__, summary.__context__)),
        ]
        lines += [str(summary), *(summary.__notes__ or ())]
        for each in summary.stack:
            lines.append(each.filename)
            if each.filename != __file__:
                lines += [f"{name}={value}" for name, value in (each.locals or {}).items()]
    return "\n".join(lines)


def _says(data: bytes) -> Handler:
    def handler(connection: Connection) -> None:
        connection.send(data)

    return handler


def _stalls(connection: Connection) -> None:
    connection.closed_by_peer()


def _breaks(connection: Connection) -> None:
    connection.stream(delta(content="one "), end=False)


SERVERS: dict[str, Handler] = {
    "401": reply({"error": {"message": f"Incorrect API key: {KEY}"}}, "401 Unauthorized"),
    "500": reply(f"It broke with {KEY}".encode(), "500 No", kind="text/html"),
    "a redirect": reply({}, "307 Moved", f"location: http://[{KEY}/"),
    "a malformed header": _says(f"HTTP/1.1 200 OK\r\n{KEY} : \x01\r\n\r\n".encode()),
    "a malformed status": _says(f"HTTP/1.1 {KEY} OK\r\n\r\n".encode()),
    "a malformed chunk": _says(
        f"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{KEY}\r\n".encode()
    ),
    "no HTTP": _says(f"{KEY}\r\n\r\n".encode()),
    "silence": _stalls,
    "a broken body": _breaks,
    "an error in the stream": lambda connection: connection.stream(
        delta(content="a"), frame({"error": {"message": KEY}})
    ),
    "nonsense": lambda connection: connection.stream(
        delta(content="a"), f"data: {KEY}\n\n".encode()
    ),
}


async def _whole(model: Model) -> None:
    await model_request(model, MESSAGES, model_settings=SHORT)


async def _streamed(model: Model) -> None:
    async with model_request_stream(model, MESSAGES, model_settings=SHORT) as stream:
        await stream.drain()


async def _blocking(model: Model) -> None:
    await to_thread.run_sync(lambda: model_request_sync(model, MESSAGES, model_settings=SHORT))


WAYS: dict[str, Callable[[Model], Any]] = {
    "whole": _whole,
    "streamed": _streamed,
    "blocking": _blocking,
}


async def _fails(way: Callable[[Model], Any], model: Model) -> str:
    with pytest.raises((ModelAPIError, UserError, ArithmeticError)) as caught:
        await way(model)
    shown = _shown(caught.value)
    assert "direct_anyio" in shown
    return shown


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("provider", ["openai", "anthropic", "google-gla", "openai-responses"])
async def test_what_servers_do(provider: str, way: str) -> None:
    """Whatever a server does, and whatever header the key is in."""
    for name, handler in SERVERS.items():
        with serving(handler) as server:
            model = infer_model(f"{provider}:x", api_key=KEY, base_url=server.url)
            assert KEY not in await _fails(WAYS[way], model), name


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "https://127.0.0.1:9/v1"])
async def test_nobody_is_there(url: str, way: str) -> None:
    """A connection that is refused."""
    model = infer_model("anthropic:x", api_key=KEY, base_url=url)
    assert KEY not in await _fails(WAYS[way], model)


@pytest.mark.parametrize("way", WAYS)
async def test_what_the_user_does(way: str) -> None:
    """Keys by function, and requests that cannot be written."""
    asked: list[str] = []

    def broken() -> str:
        raise ZeroDivisionError

    def spent() -> str:
        asked.append("once")
        return KEY if len(asked) == 1 else broken()

    with serving(SERVERS["401"]) as server:
        for source in (
            lambda: KEY,
            lambda: f"{KEY}\n\x00",
            spent,
            broken,
            [KEY, KEY],
        ):
            keyed: Any = source
            model = infer_model("openai:x", api_key=keyed, base_url=server.url)
            assert KEY not in await _fails(WAYS[way], model)
    tool = ToolDefinition(name="x" * 500)
    offered = ModelRequestParameters(function_tools=[tool])
    model = infer_model("openai:x", api_key=KEY)
    with pytest.raises(UserError) as caught:
        await model_request(model, MESSAGES, model_request_parameters=offered)
    assert KEY not in _shown(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda: infer_model("nobody:x", api_key=KEY),
        lambda: infer_model("openai:x", api_key=f"{KEY}\n\x00"),
        lambda: infer_model("openai:x", api_key=[KEY, 7]),  # type: ignore[list-item]
        lambda: infer_model("openai:x", api_key=lambda key: KEY),  # type: ignore[arg-type]
        lambda: infer_model("openai:x", api_key=KEY, base_url="not a URL"),
        lambda: infer_model("openai:x", api_key=KEY, http_client=object()),  # type: ignore[arg-type]
        lambda: infer_model("openai:x", api_key=KEY, max_connections=0),
        lambda: infer_model(7, api_key=KEY),  # type: ignore[arg-type]
        lambda: infer_model("local:/nope.gguf", api_key=KEY),
        lambda: OpenAIChatModel("x", provider=OpenAIProvider(api_key=KEY, base_url="not a URL")),
        lambda: anyio.run(lambda: list_models("nobody", api_key=KEY)),
    ],
)
def test_a_model_that_cannot_be_made(make: Callable[[], Any]) -> None:
    """Errors of `infer_model` and its like."""
    with pytest.raises(UserError) as caught:
        make()
    assert KEY not in _shown(caught.value)


def test_the_key_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in no frame, either, and nor is the environment as a whole."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with pytest.raises(UserError) as caught:
        infer_model("openai:x", max_connections=0)
    assert KEY not in _shown(caught.value)
    with pytest.raises(ModelAPIError) as failed:
        model = infer_model("openai:x", base_url="http://127.0.0.1:9/v1")
        model_request_sync(model, MESSAGES, model_settings={"max_retries": 0})
    assert KEY not in _shown(failed.value)
