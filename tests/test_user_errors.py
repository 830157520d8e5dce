"""Common mistakes: each is one UserError that shows what to write."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Annotated, Any, NewType

import attrs
import httpx
import pytest

from direct_anyio import (
    FunctionModel,
    ModelConnectionError,
    ModelRequest,
    ModelRequestParameters,
    ModelResponse,
    TestModel,
    TextPart,
    ToolDefinition,
    UnexpectedModelBehavior,
    UserError,
    UserPromptPart,
    WebSearchTool,
    infer_model,
    model_request,
    model_request_stream,
    model_request_stream_sync,
    model_request_sync,
)

from .callers import CALLERS, Caller, unary
from .serving import answering, reply, serving, tls

MESSAGES = [ModelRequest.user_text_prompt("Hello")]


@pytest.fixture(params=CALLERS.values(), ids=list(CALLERS))
def caller(request: pytest.FixtureRequest) -> Any:
    return request.param


MESSAGES_OF_WRONG_TYPE: dict[str, Any] = {
    "a string": "Hello",
    "a string in a list": ["Hello"],
    "a dict": [{"role": "user", "content": "Hello"}],
    "a part": [UserPromptPart("Hello")],
    "a bare request": MESSAGES[0],
    "nothing": None,
}


@pytest.mark.parametrize("mistake", MESSAGES_OF_WRONG_TYPE)
async def test_messages_of_a_wrong_type(caller: Caller, mistake: str) -> None:
    """Whatever is passed as messages, the error shows how they are written."""
    with pytest.raises(UserError, match=r"ModelRequest\.user_text_prompt"):
        await caller("test", MESSAGES_OF_WRONG_TYPE[mistake])


@pytest.mark.parametrize("model", [None, TestModel, MESSAGES])
async def test_a_model_of_a_wrong_type(caller: Caller, model: Any) -> None:
    """A class, or arguments that were swapped, are told from a model."""
    with pytest.raises(UserError, match="A model is a Model or a name"):
        await caller(model, MESSAGES)


async def test_settings_and_parameters_of_a_wrong_type(caller: Caller) -> None:
    """Both are told apart from what they look like."""
    with pytest.raises(UserError, match="`model_settings` is a dict"):
        await caller("test", MESSAGES, model_settings="fast")
    with pytest.raises(UserError, match="is a ModelRequestParameters"):
        await caller("test", MESSAGES, model_request_parameters={"function_tools": []})


def test_a_blocking_http_client() -> None:
    """A client that cannot be awaited is refused where it is passed."""
    client: Any = httpx.Client()
    with client, pytest.raises(UserError, match=r"httpx\.AsyncClient"):
        infer_model("openai:x", api_key="k", http_client=client)


def test_a_typo_in_the_local_model() -> None:
    """A name that is no path is told from a missing file."""
    with pytest.raises(UserError, match="It is 'smollm2', or the path"):
        infer_model("local:smolm2")


TOOL = ToolDefinition(name="t")
FROM_CALLABLE = r"ToolDefinition\.from_callable\(some_function\)"
FROM_TYPE = r"OutputObjectDefinition\.from_type\(SomeClass\)"
PROMPT = r"ModelRequest\.user_text_prompt\('Hello'\) or .*UserPromptPart"
ANSWER = r"ModelResponse\(\[TextPart\('Hello'\)\]\)"

RECORDS: list[tuple[Any, dict[str, Any], str]] = [
    (ModelRequestParameters, {"function_tools": [print]}, FROM_CALLABLE),
    (ModelRequestParameters, {"function_tools": "x"}, FROM_CALLABLE),
    (ModelRequestParameters, {"function_tools": TOOL}, FROM_CALLABLE),
    (ModelRequestParameters, {"output_tools": None}, FROM_CALLABLE),
    (ModelRequestParameters, {"builtin_tools": [WebSearchTool]}, r"WebSearchTool\(\)"),
    (ModelRequestParameters, {"output_object": TestModel}, FROM_TYPE),
    (ModelRequestParameters, {"output_object": {"type": "object"}}, FROM_TYPE),
    (ModelRequestParameters, {"output_mode": "txt"}, "one of 'text', 'tool', .*, not 'txt'"),
    (ModelRequest, {"parts": ["hi"]}, PROMPT),
    (ModelRequest, {"parts": "hi"}, PROMPT),
    (ModelRequest, {"parts": UserPromptPart("hi")}, PROMPT),
    (ModelResponse, {"parts": ["hi"]}, ANSWER),
    (ModelResponse, {"parts": [UserPromptPart("hi")]}, ANSWER),
]


@pytest.mark.parametrize(("kind", "members", "message"), RECORDS)
def test_a_record_of_something_else(kind: Any, members: dict[str, Any], message: str) -> None:
    """What a message or the parameters cannot be made of is refused where it is passed."""
    with pytest.raises(UserError, match=message):
        kind(**members)


SETTINGS: list[tuple[str, Any, str]] = [
    ("max_tokens", "5", "a whole number, not '5'"),
    ("max_tokens", True, "a whole number, not True"),
    ("temperature", "0.5", "a number, not '0.5'"),
    ("top_p", [1], r"a number, not \[1\]"),
    ("top_k", 1.5, "a whole number, not 1.5"),
    ("seed", "1", "a whole number"),
    ("presence_penalty", "1", "a number"),
    ("frequency_penalty", "1", "a number"),
    ("max_retries", "2", "a whole number from 0 up, not '2'"),
    ("max_retries", -1, "a whole number from 0 up, not -1"),
    ("retry_ambiguous", "no", "True or False"),
    ("parallel_tool_calls", 1, "True or False"),
    ("on_retry", "print", "a function"),
    ("thinking", "hgih", "True, False or one of 'minimal', .*, not 'hgih'"),
    ("logit_bias", [1], "a dict of numbers"),
    ("stop_sequences", "END", "a list of texts, not 'END'"),
    ("extra_headers", {"x-secret": 5}, "a dict of texts, not dict$"),
    ("extra_body", "secret", "a dict, not str$"),
]


@pytest.mark.parametrize(("key", "value", "message"), SETTINGS)
async def test_a_setting_of_a_wrong_type(key: str, value: Any, message: str) -> None:
    """It is named, with what it takes; what may be secret is not shown."""
    with pytest.raises(UserError, match=f"The setting '{key}' takes {message}"):
        await unary("test", MESSAGES, model_settings={key: value})


@pytest.mark.parametrize("key", sorted({key for key, *_ in SETTINGS}))
def test_a_setting_that_is_none(key: str) -> None:
    """None is as good as absent, and takes back what the model's own settings say."""
    model: Any = TestModel(settings={"seed": 1})
    settings, _ = model.prepare_request({key: None}, ModelRequestParameters())
    assert settings == ({} if key == "seed" else {"seed": 1})


def test_a_timeout_that_is_none() -> None:
    """It stays, as it is no limit."""
    model: Any = TestModel()
    settings, _ = model.prepare_request({"request_timeout": None}, ModelRequestParameters())
    assert settings == {"request_timeout": None}


async def test_a_function_that_returns_a_text() -> None:
    """A function model's function is told what to return."""
    function: Any = lambda messages, info: "Hello"  # noqa: E731
    with pytest.raises(UserError, match=f"{ANSWER}; got 'Hello'"):
        await unary(FunctionModel(function), MESSAGES)


PLAIN = [
    "Rome!", " Rome\n", "5 of 7", "[1] says so", "```py\nx\n```", "5", "3.14", "true", "null",
    "[1, 2]",
    'So: ```json\n{"a": 1}\n```',
]  # fmt: skip


@pytest.mark.parametrize("text", PLAIN)
@pytest.mark.parametrize("kind", [str, Annotated[str, "x"], NewType("Name", str)])
def test_a_plain_text_is_a_text(text: str, kind: Any) -> None:
    """A text is what `str` asks for, whatever it says."""
    assert ModelResponse([TextPart(text)]).output(kind) == text


def test_a_text_in_json_is_a_text() -> None:
    """What is asked for as JSON is read as JSON; of a union only what is none is plain text."""
    for text in ('"5"', '{"response": "5"}', '```json\n"5"\n```'):
        assert ModelResponse([TextPart(text)]).output(str) == "5"
    values = [
        ModelResponse([TextPart(text)]).output(int | str | None) for text in ("5", "x", "null")
    ]
    assert values == [5, "x", None]


@pytest.mark.parametrize("text", ["", " ", '{"response": "Ro', '{"answer": "Rome"}'])
def test_what_is_no_plain_text(text: str) -> None:
    """An object, whole or cut short, is not taken for the answer."""
    with pytest.raises(UnexpectedModelBehavior):
        ModelResponse([TextPart(text)]).output(str)


NAMES: list[tuple[str, str]] = [
    ("openai/gpt-4o", "Did you mean 'openai:gpt-4o'?"),
    ("anthropic/claude-haiku-4-5", "Did you mean 'anthropic:claude-haiku-4-5'?"),
    ("gemini:gemini-2.5-flash", "Did you mean 'google:gemini-2.5-flash'?"),
    ("gemini/gemini-2.5-flash", "Did you mean 'google:gemini-2.5-flash'?"),
    ("vertex_ai/gemini-2.5-pro", "Did you mean 'google-vertex:gemini-2.5-pro'?"),
    ("together_ai/meta/llama", "Did you mean 'together:meta/llama'?"),
    ("claude:haiku", "Did you mean 'anthropic:haiku'?"),
    ("OpenAI:gpt-5", "Did you mean 'openai:gpt-5'?"),
    ("gpt-5", "Did you mean 'openai:gpt-5'?"),
    ("bedrock:x", "use a gateway such as 'litellm:x'"),
    ("bedrock/x", "use a gateway such as 'litellm:x'"),
    ("nobody:x", "The providers are alibaba, "),
    ("nobody/x", "The providers are alibaba, "),
    ("local:/nope.gguf", "There is no file '/nope.gguf'"),
]


@pytest.mark.parametrize(("name", "message"), NAMES)
def test_a_name_as_other_libraries_write_it(name: str, message: str) -> None:
    """The error says how it is written here."""
    with pytest.raises(UserError, match=re.escape(message)):
        infer_model(name, api_key="k")


def test_a_key_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names what helps in a shell first, since the command line shows it, too."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UserError, match=r"set the `OPENAI_API_KEY` environment variable, or pass"):
        infer_model("openai:gpt-5")


STRANGE: list[tuple[str, str]] = [
    ("stop", "the setting is 'stop_sequences'"),
    ("reasoning_effort", "the setting for all models is 'thinking'"),
    ("response_format", "output_object=OutputObjectDefinition.from_type(SomeClass)"),
    ("max_completion_tokens", "the setting is 'max_tokens'"),
    ("total", "the setting is 'request_timeout'"),
    ("headers", "the setting for more headers is 'extra_headers'"),
    ("first_event", "the setting is 'first_event_timeout'"),
    ("tools", "function_tools=[ToolDefinition.from_callable(some_function)]"),
    ("system", "`SystemPromptPart`"),
    ("api_key", "pass it to `infer_model(...)`"),
    ("tempreature", "Did you mean 'temperature'?"),
]


@pytest.mark.parametrize(("key", "message"), STRANGE)
async def test_a_setting_of_another_library(caller: Caller, key: str, message: str) -> None:
    """The error names what is meant, and not what is spelt alike."""
    with pytest.raises(UserError, match=re.escape(message)):
        await caller("test", MESSAGES, model_settings={key: 1})


KEYWORDS: list[tuple[str, str]] = [
    ("temperature", "pass `model_settings={'temperature': ...}`"),
    ("timeout", "pass `model_settings={'timeout': ...}`"),
    ("tools", "function_tools=[ToolDefinition.from_callable(some_function)]"),
    ("nonsense", "unexpected keyword argument 'nonsense'"),
]


@pytest.mark.parametrize(("key", "message"), KEYWORDS)
async def test_a_keyword_that_is_no_argument(key: str, message: str) -> None:
    """Each of the four functions says where it belongs."""
    wrong: Any = {key: 0}
    for function in (model_request_stream, model_request_sync, model_request_stream_sync):
        with pytest.raises(TypeError, match=re.escape(message)):
            function("test", MESSAGES, **wrong)
    with pytest.raises(TypeError, match=re.escape(message)):
        await model_request("test", MESSAGES, **wrong)


PROMPTS: list[Any] = [
    Path("a.png"),
    b"bytes",
    {"role": "user"},
    ["What is this?", Path("a.png")],
    ["What is this?", b"bytes"],
    [{"type": "text", "text": "Hello"}],
]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_prompt_that_is_a_file(prompt: Any) -> None:
    """The error shows how files are passed; nothing is taken apart into characters or numbers."""
    for make in (UserPromptPart, ModelRequest.user_text_prompt):
        with pytest.raises(UserError, match=r"BinaryContent\.from_path\(path\)"):
            make(prompt)


async def test_a_stream_that_is_not_entered() -> None:
    """Iterating over what is to be entered says so, in each way of asking."""
    wrong: Any = model_request_stream("test", MESSAGES)
    with pytest.raises(TypeError, match="async with model_request_stream"):
        async for _ in wrong:
            pass
    with pytest.raises(RuntimeError, match="with model_request_stream_sync"):
        for _ in model_request_stream_sync("test", MESSAGES):
            pass


@pytest.mark.parametrize("message", [MESSAGES[0], ModelResponse([TextPart("Hello")])])
def test_a_message_does_not_change(message: Any) -> None:
    """Its parts are no list; the error says how another message is made."""
    with pytest.raises(AttributeError, match=r"attrs\.evolve\(message, parts="):
        message.parts.append(TextPart("more"))
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = message.parts.nonsense
    assert attrs.evolve(message, parts=[*message.parts]) == message
    assert pickle.loads(pickle.dumps(message)) == message


async def test_a_web_page_in_the_place_of_an_answer(caller: Caller) -> None:
    """A login page with status 200 is told from a broken answer."""
    with serving(reply(b"<html>Please sign in.</html>", kind="text/html")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        with pytest.raises(UnexpectedModelBehavior, match="web page: is the base URL right"):
            await caller(model, MESSAGES)


async def test_a_certificate_that_is_not_trusted(caller: Caller) -> None:
    """The server is there, so nobody is told to look whether it runs."""
    with serving(answering("a"), tls("localhost")) as server:
        url = f"https://localhost:{server.port}/v1"
        model = infer_model("openai:x", api_key="k", base_url=url, settings={"max_retries": 0})
        with pytest.raises(ModelConnectionError, match=r"not trusted.* SSL_CERT_FILE") as caught:
            await caller(model, MESSAGES)
    assert "running" not in str(caught.value)
