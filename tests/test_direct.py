"""The four functions against real sockets: the same answers, and the same errors."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from direct_anyio import (
    FunctionModel,
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelRequest,
    ModelResponse,
    RequestUsage,
    StreamedResponse,
    StreamInterrupted,
    TestModel,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UnexpectedModelBehavior,
    UserError,
    infer_model,
)

from .callers import CALLERS, Caller
from .serving import Handler, answering, completion, delta, reply, serving

MESSAGES = [ModelRequest.user_text_prompt("What is the capital of France?")]


@pytest.fixture(params=CALLERS.values(), ids=list(CALLERS))
def caller(request: pytest.FixtureRequest) -> Any:
    return request.param


async def test_all_functions_give_the_same_response(caller: Caller) -> None:
    """Whichever function is taken, the response has the same parts, usage and head."""
    with serving(answering("The capital ", "is Paris.")) as server:
        model = infer_model("openai:asked", api_key="k", base_url=server.url)
        response = await caller(model, MESSAGES)
    assert response.parts == (TextPart("The capital is Paris."),)
    assert response.usage == RequestUsage(input_tokens=3, output_tokens=2)
    assert (response.model_name, response.provider_name) == ("served-model", "openai")
    assert (response.finish_reason, response.state) == ("stop", "complete")
    assert response.provider_response_id == "chat-1"


async def test_the_request_goes_out_as_documented(caller: Caller) -> None:
    """Method, path, key, messages and settings are on the wire; a unary request is unary."""
    with serving(answering("Oui.")) as server:
        model = infer_model("openai:asked", api_key="secret", base_url=server.url)
        settings: Any = {
            "max_tokens": 5,
            "extra_headers": {"X-Mine": "1"},
            "extra_body": {"top_k": 3},
        }
        await caller(model, MESSAGES, model_settings=settings)
    (request,) = server.received
    assert request.line == "POST /v1/chat/completions HTTP/1.1"
    assert request.headers["authorization"] == "Bearer secret"
    assert request.headers["x-mine"] == "1"
    assert request.json["messages"] == [
        {"role": "user", "content": "What is the capital of France?"}
    ]
    assert request.json["model"] == "asked"
    assert request.json["max_completion_tokens"] == 5
    assert request.json["top_k"] == 3
    assert request.json["stream"] is (caller in (CALLERS["streamed"], CALLERS["streamed_sync"]))


def _cut(connection: Any) -> None:
    """A stream, or a body, that ends before its end."""
    if connection.request.json["stream"]:
        connection.stream(delta(content="The capital"), end=True)
    else:
        connection.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
        connection.send(b"content-length: 999\r\n\r\n{")
        connection.socket.close()


BAD_ANSWERS: dict[str, tuple[Handler, type[Exception], str]] = {
    "404": (
        reply({"error": {"message": "no such model", "code": "model_not_found"}}, "404 Not Found"),
        ModelNotFoundError,
        "check the name of the model",
    ),
    "cut": (_cut, StreamInterrupted, "cut short|broke during the response"),
    "html": (
        reply(b"<html>hello</html>", kind="text/html"),
        UnexpectedModelBehavior,
        "Expected JSON or a stream",
    ),
    "not JSON": (reply(b"{oops"), UnexpectedModelBehavior, "cannot be read"),
    "no choices": (
        reply({"id": "1", "choices": []}),
        UnexpectedModelBehavior,
        "cannot be read",
    ),
    "error in a 200 body": (
        reply({"error": {"message": "no credits", "code": 402}}),
        ModelHTTPError,
        "no credits",
    ),
}


@pytest.mark.parametrize("fault", BAD_ANSWERS)
async def test_a_bad_answer_is_one_typed_error(caller: Caller, fault: str) -> None:
    """Each fault of a server is one error of ours with the fix, and no group of it."""
    handler, kind, text = BAD_ANSWERS[fault]
    with serving(handler) as server:
        model = infer_model("openai:asked", api_key="k", base_url=server.url)
        with pytest.raises(kind, match=text) as caught:
            await caller(model, MESSAGES)
    error = caught.value
    assert isinstance(error, ModelAPIError)
    assert (error.model_name, error.provider) == ("asked", "openai") or error.model_name
    assert error.phase in ("headers", "body")


async def test_a_closed_port_is_a_connection_error(caller: Caller) -> None:
    """Nobody listening is told as such, with the host and the phase."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    settings: Any = {"max_retries": 0}
    model = infer_model("openai:asked", api_key="k", base_url=f"http://127.0.0.1:{port}/v1")
    with pytest.raises(ModelConnectionError, match=f"127.0.0.1:{port}.*base URL right") as caught:
        await caller(model, MESSAGES, model_settings=settings)
    assert caught.value.phase == "connect"


USER_ERRORS = {
    "unknown provider": ("opnai:gpt-5", MESSAGES, "Did you mean 'openai:gpt-5'"),
    "no provider": ("gpt-5", MESSAGES, "'provider:model'"),
    "no model": ("openai:", MESSAGES, "No model is named"),
    "missing key": ("openai:gpt-5", MESSAGES, "OPENAI_API_KEY"),
    "no messages": ("ollama:any", [], "There are no messages"),
}


@pytest.mark.parametrize("mistake", USER_ERRORS)
async def test_a_mistake_is_one_user_error(
    caller: Caller, mistake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each mistake of the caller is one UserError that names the fix."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    name, messages, text = USER_ERRORS[mistake]
    with pytest.raises(UserError, match=text):
        await caller(name, messages)


async def test_a_partial_response_travels_with_the_error() -> None:
    """What was delivered before a stream broke is in the error and in the stream."""
    with serving(_cut) as server:
        model = infer_model("openai:asked", api_key="k", base_url=server.url)
        with pytest.raises(StreamInterrupted) as caught:
            await CALLERS["streamed"](model, MESSAGES)
    assert caught.value.response is not None
    assert caught.value.response.parts == (TextPart("The capital"),)
    assert caught.value.response.state == "incomplete"


async def test_a_tool_call_and_its_return(caller: Caller) -> None:
    """A tool is offered and called, and its return is sent back."""
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}

    def answer(connection: Any) -> None:
        if any(
            sent_messages["role"] == "tool" for sent_messages in connection.request.json["messages"]
        ):
            answering("It is 1.")(connection)
        elif connection.request.json["stream"]:
            begun = {"index": 0, **call, "function": {"name": "f", "arguments": ""}}
            more = [{"index": 0, "function": {"arguments": text}} for text in ('{"a"', ":1}")]
            deltas = [delta(tool_calls=[each]) for each in (begun, *more)]
            connection.stream(*deltas, delta("tool_calls"), b"data: [DONE]\n\n")
        else:
            reply(completion("", choices=[choice]))(connection)

    with serving(answer) as server:
        model = infer_model("openai:asked", api_key="k", base_url=server.url)
        first = await caller(model, MESSAGES)
        assert first.parts == (ToolCallPart("f", '{"a":1}', "call_1"),)
        assert first.finish_reason == "tool_call"
        returned = ModelRequest([ToolReturnPart("f", {"answer": 1}, "call_1")])
        second = await caller(model, [*MESSAGES, first, returned])
    assert second.text == "It is 1."
    sent_messages = server.received[-1].json["messages"]
    assert sent_messages[1]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a":1}'}
    assert sent_messages[2] == {"role": "tool", "tool_call_id": "call_1", "content": '{"answer":1}'}


class _Echo(TestModel):
    """A model of a user's own."""

    async def request(
        self, messages: Any, model_settings: Any, model_request_parameters: Any
    ) -> ModelResponse:
        return ModelResponse([TextPart("mine")], model_name="echo")


async def _say(messages: Any, info: Any) -> ModelResponse:
    return ModelResponse([TextPart("said")])


async def _stream(messages: Any, info: Any) -> AsyncIterator[Any]:
    yield "sa"
    yield "id"


OWN_MODELS = {
    "test": (TestModel(custom_output_text="a test"), "a test"),
    "function": (FunctionModel(_say, stream_function=_stream), "said"),
}


@pytest.mark.parametrize("name", OWN_MODELS)
async def test_every_model_works_through_every_function(caller: Caller, name: str) -> None:
    """Test doubles and a user's own models go through all functions."""
    model, text = OWN_MODELS[name]
    response = await caller(model, MESSAGES)
    assert response.text == text


async def test_a_users_own_model_class() -> None:
    """A subclass of Model needs no more than its methods."""
    assert (await CALLERS["unary"](_Echo(), MESSAGES)).text == "mine"
    assert (await CALLERS["unary_sync"](_Echo(), MESSAGES)).text == "mine"


async def test_a_function_model_raises_what_its_function_raises(caller: Caller) -> None:
    """The user's own exception leaves every function as itself."""

    async def fail(messages: Any, info: Any) -> ModelResponse:
        raise KeyError("mine")

    async def fail_stream(messages: Any, info: Any) -> AsyncIterator[Any]:
        yield "one"
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await caller(FunctionModel(fail, stream_function=fail_stream), MESSAGES)


def test_the_stream_type_is_public() -> None:
    """`StreamedResponse` is what the async function yields."""
    assert StreamedResponse.__module__ == "direct_anyio.streaming"
