"""Requests that every provider takes: what is done to a history before it is written."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence
from typing import Any, cast

import attrs
import pytest

from direct_anyio import (
    BinaryContent,
    ImageUrl,
    ModelMessage,
    ModelProfile,
    ModelRequest,
    ModelRequestParameters,
    ModelResponse,
    ModelSettings,
    OutputObjectDefinition,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolDefinition,
    ToolReturnPart,
    UserError,
    UserPromptPart,
    VideoUrl,
    WebSearchTool,
    infer_model,
    model_request,
)
from direct_anyio._core.encoding import check_messages, encode_request
from direct_anyio._core.target import history_for
from direct_anyio._json import dumps
from direct_anyio.builtin_tools import FileSearchTool, ImageGenerationTool, MCPServerTool
from direct_anyio.messages import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    CachePoint,
    FilePart,
    OpaquePart,
    UploadedFile,
)
from direct_anyio.models.counting import counting_of
from direct_anyio.models.known_settings import known_settings

NAMES = (
    "openai:gpt-4.1-mini",
    "openai-responses:gpt-4.1",
    "anthropic:claude-sonnet-4-5",
    "google-gla:gemini-2.5-flash",
    "groq:llama-3.3-70b-versatile",
    "mistral:mistral-large-latest",
    "cohere:command-a-03-2025",
    "deepseek:deepseek-chat",
)
MODELS: dict[str, Any] = {name: infer_model(name, api_key="k") for name in NAMES}
OFFERED = ModelRequestParameters()

ASKED = ModelRequest([UserPromptPart("q")])
CHAT, RESPONSES, ANTHROPIC, GEMINI, GROQ, MISTRAL, COHERE, DEEPSEEK = NAMES


def sent(
    name: str,
    messages: Sequence[ModelMessage],
    settings: Any = None,
    offered: ModelRequestParameters = OFFERED,
) -> Any:
    """Return the body that a model is sent, as the JSON that it was written as."""
    model = MODELS[name]
    fitted, parameters = model.prepare_request(settings, offered)
    call = encode_request(model.codec, check_messages(messages), fitted, parameters, stream=False)
    return json.loads(dumps(call.body))


def called(*ids: str, name: str = "w", args: Any = None) -> ModelResponse:
    return ModelResponse([ToolCallPart(name, args, id) for id in ids])


def returned(*ids: str, name: str = "w") -> ModelRequest:
    return ModelRequest([ToolReturnPart(name, "x", id) for id in ids])


def ids_in(body: Any) -> tuple[list[str], list[str]]:
    """Return the ids of all calls and of all results in a body of any dialect."""
    calls: list[str] = []
    results: list[str] = []

    def look(value: Any) -> None:
        for each in value.values() if isinstance(value, dict) else value:
            if isinstance(each, (dict, list)):
                look(each)
        if not isinstance(value, dict):
            return
        if value.get("type") in ("tool_use", "function"):
            calls.extend([value["id"]] if "id" in value else [])
        elif value.get("type") == "function_call":
            calls.append(value["call_id"])
        elif "functionCall" in value:
            calls.append(value["functionCall"]["id"])
        elif "functionResponse" in value:
            results.append(value["functionResponse"]["id"])
        results.extend(value[key] for key in ("tool_use_id", "tool_call_id") if key in value)
        if value.get("type") == "function_call_output":
            results.append(value["call_id"])

    look(body)
    return calls, results


# -- instructions ---------------------------------------------------------------------------------

LOOP: list[ModelMessage] = [
    ModelRequest([SystemPromptPart("s1"), UserPromptPart("q")], instructions="Be brief."),
    called("aaaaaaaa1"),
    returned("aaaaaaaa1"),
    called("aaaaaaaa2"),
    ModelRequest([ToolReturnPart("w", "x", "aaaaaaaa2"), SystemPromptPart("s2")]),
]


@pytest.mark.parametrize("name", NAMES)
def test_instructions_hold_until_there_are_others(name: str) -> None:
    """They are sent however many tool results lie behind them, and stand before all calls."""
    body = sent(name, LOOP)
    assert json.dumps(body).count("Be brief.") == 1
    if name not in (RESPONSES, ANTHROPIC, GEMINI):
        assert [each["content"] for each in body["messages"][:2]] == ["s1", "Be brief."]


def test_instructions_of_a_prompted_output_stand_behind_the_leading_system_prompts() -> None:
    """In the Responses protocol, they are an item of the input then."""
    output = OutputObjectDefinition({"type": "object", "properties": {}})
    prompted = ModelRequestParameters(
        output_mode="prompted", output_object=output, prompted_output_template="{schema}"
    )
    roles = [
        item.get("role", item.get("type"))
        for item in sent(RESPONSES, LOOP, None, prompted)["input"]
    ]
    assert roles[:4] == ["system", "system", "user", "function_call"]


# -- ids of calls ---------------------------------------------------------------------------------

FORMS = {
    CHAT: r".{1,40}",
    RESPONSES: r"[^|\n]{1,64}",
    ANTHROPIC: r"[a-zA-Z0-9_-]+",
    GEMINI: r".+",
    GROQ: r".+",
    MISTRAL: r"[a-zA-Z0-9]{9}",
    COHERE: r".+",
    DEEPSEEK: r".{1,40}",
}
IDS = (
    "functions.w:0",
    "call_abc|fc_def",
    "call_" + "x" * 80,
    "",
    "abcdefgh1",
    "a\nb",
    "é",
    "toolu_1",
)


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_those_that_a_provider_takes(name: str) -> None:
    """Every call has one of the right form, its result the same, and no two are alike."""
    calls, results = ids_in(sent(name, [ASKED, called(*IDS), returned(*IDS)]))
    assert calls == results
    assert len(set(calls)) == len(IDS)
    for id, new in zip(IDS, calls, strict=True):
        assert re.fullmatch(FORMS[name], new, re.DOTALL if FORMS[name] == ".+" else 0), new
        assert new == id or not re.fullmatch(FORMS[name], id)
    alone, _ = ids_in(sent(name, [ASKED, called(IDS[2]), returned(IDS[2])]))
    assert alone == [calls[2]]


def test_an_id_that_is_in_the_way_stays() -> None:
    """What would be the new id of a call is never that of another call of the history."""
    (new,), _ = ids_in(sent(MISTRAL, [ASKED, called("call_1"), returned("call_1")]))
    calls, results = ids_in(sent(MISTRAL, [ASKED, called("call_1", new), returned(new, "call_1")]))
    assert calls[1] == results[0] == new != calls[0] == results[1]


@pytest.mark.parametrize("name", [ANTHROPIC, RESPONSES])
def test_an_id_stands_for_one_call(name: str) -> None:
    """An id that is used again, as some servers do in each response, is told apart."""
    turn: list[ModelMessage] = [called("call_1", "call_1"), returned("call_1", "call_1")]
    calls, results = ids_in(sent(name, [ASKED, *turn, *turn]))
    assert calls == results
    assert calls[0] == "call_1"
    assert len(set(calls)) == 4
    assert ids_in(sent(name, [ASKED, *turn]))[0] == calls[:2]


def test_the_two_ids_of_an_old_history_are_an_id_and_an_item() -> None:
    """Histories of old hold the ids of the call and of its item in one."""
    response = attrs.evolve(called("call_1|fc_1"), provider_name="openai")
    settings = {"openai_send_reasoning_ids": True}
    call, result = sent(RESPONSES, [ASKED, response, returned("call_1|fc_1")], settings)["input"][
        1:
    ]
    assert (call["call_id"], call["id"], result["call_id"]) == ("call_1", "fc_1", "call_1")


@pytest.mark.parametrize(("length", "is_sent"), [(64, True), (65, False)])
def test_an_items_id_that_is_too_long(length: int, is_sent: bool) -> None:
    """Gateways make some that the API refuses; what was said goes without."""
    id = "x" * length
    parts = (
        TextPart("t", id=id),
        ThinkingPart("u", id=id, provider_name="openai"),
        ToolCallPart("w", None, A, id=id),
    )
    for part in parts:
        response = ModelResponse([part], provider_name="openai")
        results = returned(A) if isinstance(part, ToolCallPart) else ASKED
        body = sent(RESPONSES, [ASKED, response, results], {"openai_send_reasoning_ids": True})
        assert (id in json.dumps(body)) == is_sent


@pytest.mark.parametrize(
    "name",
    [
        *("vllm:mistralai/Devstral-Small", "openrouter:mistralai/mistral-large"),
        *("github:mistral-ai/m", "azure:mistral-small", "vercel:mistral/m", "lmstudio:ministral"),
    ],
)
def test_mistrals_models_take_short_ids_wherever_they_are_served(name: str) -> None:
    """Its library checks ids when it writes the prompt."""
    model: Any = infer_model(name, api_key="k", base_url="https://h.test/v1")
    call = encode_request(
        model.codec, [ASKED, called("call_1"), returned("call_1")], {}, OFFERED, stream=False
    )
    (calls, results) = ids_in(call.body)
    assert calls == results
    assert re.fullmatch(FORMS[MISTRAL], calls[0])


def test_a_pattern_of_the_users_own() -> None:
    """A profile tells which ids a server takes; one that none can match is refused."""
    for pattern, form in {"[a-z0-9]{5,8}": "[a-z0-9]{8}", "[0-9]+": "[0-9]{32}"}.items():
        profile = ModelProfile(tool_call_id_pattern=pattern)
        (_, call, _) = history_for([ASKED, called("A!"), returned("A!")], profile, OFFERED)
        assert isinstance(call.parts[0], ToolCallPart)
        assert re.fullmatch(form, call.parts[0].tool_call_id)
    profile = ModelProfile(tool_call_id_pattern="[.]")
    with pytest.raises(UserError, match="tool_call_id_pattern"):
        history_for([ASKED, called("A!"), returned("A!")], profile, OFFERED)


# -- arguments ------------------------------------------------------------------------------------

DEEP: Any = "x"
for _ in range(3000):
    DEEP = {"a": DEEP}

NO_OBJECTS: list[Any] = [
    '{"path": "notes.txt", "text": "abc',
    "[1]",
    "null",
    '{"a": NaN}',
    '{"a":' * 300 + "1" + "}" * 300,
    '{"a":' * 3000 + "1" + "}" * 3000,
    "[" * 100_000,
    DEEP,
]


@pytest.mark.parametrize("name", NAMES)
def test_arguments_are_an_object(name: str) -> None:
    """What is no JSON object goes under a name that says so; an object goes as it is."""
    ids = [f"abcdefg{n:02}" for n in range(len(NO_OBJECTS) + 5)]
    whole: list[Any] = [None, '{ "a": [1.0] }', {"a": [1]}, {"a": float("nan")}, {("a",): 1}]
    calls = [
        ToolCallPart("w", args, id) for args, id in zip([*whole, *NO_OBJECTS], ids, strict=True)
    ]
    body = json.dumps(sent(name, [ASKED, ModelResponse(calls), returned(*ids)]))
    assert body.count("INVALID_JSON") == len(NO_OBJECTS)
    if name in (CHAT, RESPONSES):
        assert json.dumps('{ "a": [1.0] }') in body


# -- calls and results ----------------------------------------------------------------------------

A, B = "aaaaaaaa1", "bbbbbbbb1"
USER = UserPromptPart("and")


def _result(id: str, name: str = "w") -> ToolReturnPart:
    return ToolReturnPart(name, "x", id)


# From a history to the ids of results and the texts of users behind its calls.
ORDERED: dict[str, list[ModelMessage]] = {
    "text before the results": [called(A, B), ModelRequest([USER, _result(A), _result(B)])],
    "text between them": [called(A, B), ModelRequest([_result(A), USER, _result(B)])],
    "two requests": [called(A, B), returned(A), returned(B), ModelRequest([USER])],
    "text in the first": [called(A, B), ModelRequest([_result(A), USER]), returned(B)],
    "text first": [called(A, B), ModelRequest([USER]), returned(B, A)],
    "two responses": [called(A), called(B), returned(A, B), ModelRequest([USER])],
    "a text behind the call": [
        called(A, B),
        ModelResponse([TextPart("t")]),
        ModelRequest([USER]),
        returned(A, B),
    ],
    "a retry": [
        called(A, B),
        ModelRequest([USER, RetryPromptPart("no", tool_name="w", tool_call_id=A), _result(B)]),
    ],
}


def _turns(name: str, body: Any) -> list[tuple[str, list[str], list[str]]]:
    """Return role, ids of calls and ids of results of each message."""
    written = body.get("messages") or body.get("contents")
    return [(each["role"], *ids_in(each)) for each in written]


@pytest.mark.parametrize("what", ORDERED)
@pytest.mark.parametrize("name", [name for name in NAMES if name != RESPONSES])
def test_results_come_right_behind_their_calls(name: str, what: str) -> None:
    """All results of a response's calls come before any other word, in one message if need be."""
    turns = _turns(name, sent(name, [ASKED, *ORDERED[what]]))
    at = next(place for place, (_, calls, _) in enumerate(turns) if calls)
    assert turns[at][1] == [A, B]
    behind = turns[at + 1 :]
    if name in (ANTHROPIC, GEMINI):
        assert sorted(behind[0][2]) == [A, B]
    else:
        assert sorted(id for _, _, ids in behind[:2] for id in ids) == [A, B]
        assert [role for role, _, _ in behind[:2]] == ["tool", "tool"]


WRONG: dict[str, tuple[list[ModelMessage], str]] = {
    "no result": ([called("a"), ModelRequest([USER])], "'a'.*has no result"),
    "no result at the end": ([called("a")], "'a'.*add ToolReturnPart"),
    "one of two": ([called("a", "b"), returned("a")], "'b'.*has no result"),
    "a result of no call": ([ModelResponse([TextPart("t")]), returned("a")], "'a'.*no call"),
    "a result alone": ([returned("a")], "'a'.*no call"),
    "two results": ([called("a"), returned("a", "a")], "'a'.*second"),
    "another id": ([called("a"), returned("b")], "'a'.*has no result.*'b'.*no call"),
}


@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("name", NAMES)
def test_calls_and_results_belong_together(name: str, what: str) -> None:
    """What a provider would refuse is told before, with the id and what to do."""
    history, message = WRONG[what]
    with pytest.raises(UserError, match=message):
        sent(name, [ASKED, *history])


def test_a_late_result() -> None:
    """It is refused where results follow their calls, and looked up where they need not."""
    history: list[ModelMessage] = [
        ASKED,
        called(A),
        ModelRequest([USER]),
        ModelResponse([TextPart("t")]),
        returned(A),
    ]
    with pytest.raises(UserError, match=f"'{A}'.*has no result.*'{A}'.*too late"):
        sent(CHAT, history)
    assert ids_in(sent(RESPONSES, history)) == ([A], [A])


def test_a_server_that_refuses_nothing() -> None:
    """Its profile says so, and calls and results go as they are."""
    ollama: Any = infer_model("ollama:m", api_key="k", base_url="http://localhost:1/v1")
    for history, _ in WRONG.values():
        messages = [ASKED, *history]
        profile = ModelProfile(tool_results_must_match=False)
        assert history_for(messages, profile, OFFERED) == messages
    codec = ollama.codec
    body = encode_request(codec, [ASKED, called(A)], {}, OFFERED, stream=False).body
    assert ids_in(body)[0] == [A]


def test_a_result_of_a_call_that_the_provider_has_kept() -> None:
    """With the response to go on from, its call need not be in the history."""
    settings = {"openai_previous_response_id": "resp_1"}
    assert ids_in(sent(RESPONSES, [returned(A)], settings)) == ([], [A])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("tool", ["final_result", "final_result_Plan", "answer"])
def test_an_answer_by_call_needs_no_result(name: str, tool: str) -> None:
    """The call of an output tool was the answer; a program that goes on has none to give."""
    offered = ModelRequestParameters(
        output_mode="tool", output_tools=[ToolDefinition(name="answer")]
    )
    answered: list[ModelMessage] = [ASKED, called(A, name=tool)]
    for history in (answered, [*answered, ModelRequest([USER])]):
        calls, results = ids_in(sent(name, history, None, offered))
        assert calls == results == [A]


# -- blanks ---------------------------------------------------------------------------------------

BLANKS: dict[str, list[ModelMessage]] = {
    "model": [ASKED, ModelResponse([TextPart("\n\n"), TextPart(""), TextPart("t")]), ASKED],
    "only": [ASKED, ModelResponse([TextPart(" ")]), ASKED],
    "user": [ModelRequest([UserPromptPart(["  ", "q", TextContent(" ")]), UserPromptPart("\t")])],
    "system": [ModelRequest([SystemPromptPart(" "), UserPromptPart("q")], instructions=" ")],
    "results": [
        ASKED,
        called(*"abcde"),
        ModelRequest(
            [
                ToolReturnPart("w", ["a", "", " "], "a"),
                ToolReturnPart("w", "", "b"),
                ToolReturnPart("w", [], "c"),
                ToolReturnPart("w", " ", "d", outcome="failed"),
                ToolReturnPart("w", [" ", ValueError(), b""], "e"),
            ]
        ),
    ],
}


@pytest.mark.parametrize("what", BLANKS)
def test_anthropic_is_sent_no_blank_text(what: str) -> None:
    """Neither in a message, nor in a result, nor before them; an error says something."""
    body = sent(ANTHROPIC, BLANKS[what])
    blocks = [block for message in body["messages"] for block in message["content"]]
    inner = [each for block in blocks for each in block.get("content") or ()]
    texts = [each["text"] for each in (*blocks, *inner) if each["type"] == "text"]
    assert texts
    assert all(text.strip() for text in texts)
    assert all(message["content"] for message in body["messages"])
    assert all(block["content"] for block in blocks if block.get("is_error"))
    assert not body.get("system")


@pytest.mark.parametrize(("state", "answered"), [("interrupted", False), ("suspended", True)])
def test_a_call_of_the_providers_own_whose_result_never_came(state: Any, answered: bool) -> None:
    """Anthropic would refuse the history for good; at its end the model has but paused."""
    call = BuiltinToolCallPart("web_search", {}, "srvtoolu_1", provider_name="anthropic")
    result = BuiltinToolReturnPart("web_search", [], "srvtoolu_1", provider_name="anthropic")
    cut = ModelResponse([TextPart("t"), call], provider_name="anthropic", state=state)
    rest = [ModelResponse([result], provider_name="anthropic")] if answered else []
    assert ("srvtoolu_1" in json.dumps(sent(ANTHROPIC, [ASKED, cut, *rest, ASKED]))) == answered
    assert "srvtoolu_1" in json.dumps(sent(ANTHROPIC, [ASKED, cut]))


def test_the_last_text_ends_in_no_blank() -> None:
    """The text that Anthropic's model is to go on from has its trailing blanks cut off."""
    start = ModelResponse([TextPart("Sure:"), TextPart(" one \n"), TextPart(" ")])
    for more in (
        [],
        [ModelRequest([SystemPromptPart("s")])],
        [ModelRequest([UserPromptPart(" ")])],
    ):
        assert (
            sent(ANTHROPIC, [ASKED, start, *more])["messages"][-1]["content"][-1]["text"] == " one"
        )
    assert sent(ANTHROPIC, [ASKED, start, ASKED])["messages"][1]["content"][-1]["text"] == " one \n"
    assert sent(CHAT, [ASKED, start])["messages"][-1]["content"].endswith(" ")


@pytest.mark.parametrize("name", NAMES)
def test_a_thought_that_says_nothing_is_not_sent(name: str) -> None:
    """Neither between tags nor as a piece of its own."""
    thoughts = [ThinkingPart("", signature="s", provider_name="other"), ThinkingPart("\n", id="t")]
    answer = ModelResponse([*thoughts, TextPart("t")])
    assert "hink" not in json.dumps(sent(name, [ASKED, answer, ASKED])).replace(
        "thinkingConfig", ""
    )


def test_what_a_target_takes_stays_itself() -> None:
    """A history that needs no change is not copied, and none is changed in place."""
    history: list[ModelMessage] = [
        ASKED,
        called(A, B),
        returned(A, B),
        ModelResponse([TextPart("t")]),
        ASKED,
    ]
    for name in NAMES:
        fitted = history_for(history, MODELS[name].codec.profile, OFFERED)
        assert all(one is other for one, other in zip(fitted, history, strict=True))


async def test_a_count_is_of_the_same_history() -> None:
    """Tokens are counted of what would be sent."""
    codec = counting_of(MODELS[ANTHROPIC].codec)
    call = encode_request(codec, [ASKED, called("a.b"), returned("a.b")], {}, OFFERED, stream=False)
    assert "a.b" not in str(call.body)
    with pytest.raises(UserError, match="has no result"):
        encode_request(codec, [ASKED, called("a")], {}, OFFERED, stream=False)


# -- no foreign exception -------------------------------------------------------------------------


class Strange:
    """Something that no field takes, and that does not even print."""

    def __repr__(self) -> str:
        raise RuntimeError("it does not print")


ENDLESS: dict[str, Any] = {}
ENDLESS["a"] = ENDLESS
TOOL = ToolDefinition(name="t")
PNG = BinaryContent(b"x", media_type="image/png")

VALUES: list[Any] = [
    *(None, 3, 1.5, float("nan"), True, "", "x", "\ud800", b"b", Strange(), Strange, print),
    *(
        [],
        [1],
        ["a"],
        [None],
        (),
        {1},
        {},
        {"a": 1},
        {1: 2},
        {("a",): 1},
        {"type": []},
        [{"type": 3}],
    ),
    *(
        ENDLESS,
        DEEP,
        '{"a',
        "http://[",
        TextPart("x"),
        ASKED,
        OpaquePart({}),
        ImageUrl("http://x/"),
    ),
]
# What a later or another library may have stored in a field that takes anything.
DETAILS: list[Any] = [
    *({key: value} for key in ("citations", "raw_content", "status") for value in (3, "x", [3])),
    *({key: []} for key in ("extra_content", "namespace", "phase", "thought_signature", "type")),
    *({"id": 3, "call_id": []}, {"strategy": []}, {"queries": 3}, {"discovered_tools": ["a"]}),
    *({"discovered_tools": [{"name": []}]}, {"tool_name": [], "tool_args": 3}, {"error_code": []}),
    *({"citations": [{"type": "web_search_result_location"}]}, {"detail": []}, {"fps": []}),
]
OWN = ("openai", "anthropic", "google-gla", None)
BUILTIN = ("web_search", "code_execution", "mcp_server:x", "tool_search")

PARTS: list[Any] = [
    SystemPromptPart("s"),
    UserPromptPart(["u", TextContent("t"), PNG, ImageUrl("http://x/a.png"), CachePoint()]),
    UserPromptPart([UploadedFile(file_id="f", provider_name="anthropic")]),
    ToolReturnPart("w", ["x", PNG], A),
    RetryPromptPart("no", tool_name="w", tool_call_id=A),
    TextPart("t", id="msg_1"),
    ToolCallPart("w", {"a": 1}, A, id="fc_1"),
    FilePart(PNG),
    *(ThinkingPart("t", id="rs_1", signature="s", provider_name=name) for name in OWN),
    *(
        BuiltinToolCallPart(tool, {"queries": ["a"]}, "b", provider_name=name)
        for tool in BUILTIN
        for name in OWN
    ),
    *(
        BuiltinToolReturnPart(tool, {"status": "completed"}, "b", provider_name=name)
        for tool in BUILTIN
        for name in OWN
    ),
    OpaquePart({"part_kind": "compaction", "provider_name": "anthropic"}),
]
TOOLS: list[Any] = [
    TOOL,
    WebSearchTool(),
    ImageGenerationTool(),
    FileSearchTool(file_store_ids=["a"]),
    MCPServerTool(id="x", url="http://x", authorization_token="secret"),
]


def forced(record: Any, name: str, value: Any) -> Any:
    """Return a record with a value in a field that its converters would refuse."""
    copy = attrs.evolve(record)
    object.__setattr__(copy, name, value)
    return copy


def spoilt(record: Any, random: random.Random) -> Any:
    """Return a record of which one field, or one of an item of it, is something else."""
    name = random.choice(attrs.fields(type(record))).name
    value = getattr(record, name)
    if isinstance(value, tuple) and value and random.random() < 0.7:
        at = random.randrange(len(value))
        inner = spoilt(value[at], random) if attrs.has(type(value[at])) else random.choice(VALUES)
        return forced(record, name, (*value[:at], inner, *value[at + 1 :]))
    if name in ("args", "content", "provider_details") and random.random() < 0.5:
        return forced(record, name, random.choice(DETAILS))
    return forced(record, name, random.choice(VALUES))


def anything(random: random.Random) -> tuple[Any, Any, Any]:
    """Return messages, settings and parameters of which something is wrong."""
    parts = [random.choice(PARTS) for _ in range(3)]
    kept = [each for each in parts if isinstance(each, attrs_of_requests)]
    answers = [each for each in parts if not isinstance(each, attrs_of_requests)]
    messages: list[Any] = [
        ASKED,
        ModelResponse(answers, provider_name=random.choice(OWN), provider_response_id="r"),
        ModelRequest(kept),
    ]
    offered: Any = OFFERED
    settings: dict[Any, Any] = {}
    match random.randrange(6):
        case 0:
            settings = {random.choice(SETTINGS): random.choice([*VALUES, *DETAILS])}
        case 1:
            tool = spoilt(random.choice(TOOLS), random)
            kind = "function_tools" if isinstance(tool, ToolDefinition) else "builtin_tools"
            offered = forced(OFFERED, kind, (tool,))
        case 2:
            output = spoilt(OutputObjectDefinition({"type": "object"}), random)
            offered = spoilt(forced(OFFERED, "output_object", output), random)
        case _:
            at = random.randrange(len(messages))
            messages[at] = spoilt(messages[at], random)
    return messages, settings, offered


attrs_of_requests = (SystemPromptPart, UserPromptPart, ToolReturnPart, RetryPromptPart)
SETTINGS = sorted(known_settings())


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_sent_is_sent_or_refused(seed: int) -> None:
    """A field of a wrong type is a `UserError`, whatever the codec would have raised."""
    chance = random.Random(seed)
    refused = 0
    for _ in range(120):
        messages, settings, offered = anything(chance)
        for name in NAMES:
            try:
                sent(name, messages, settings, offered)
            except UserError:
                refused += 1
    assert refused > 300


def _user(content: Any) -> list[ModelMessage]:
    return [ModelRequest([UserPromptPart(content)])]


def _model(*parts: Any) -> list[ModelMessage]:
    return [ASKED, ModelResponse(parts, provider_name="anthropic")]


WRONG_NUMBER: Any = 3
CITED = TextPart("t", provider_details={"citations": [3]})

FIELDS: dict[str, tuple[Any, str]] = {
    "no message": (["hi"], r"`messages` is a list of .*got 'hi'"),
    "a text": ("hi", r"`messages` is a list of .*got 'hi'"),
    "a dict": ({"role": "user"}, r"`messages` is a list of .*got 'role'"),
    "no part": ([forced(ASKED, "parts", ("hi",))], "Message 0 is made of parts, not of 'hi'"),
    "instructions": (
        [ModelRequest([USER], instructions=WRONG_NUMBER)],
        "Message 0 .*`instructions` takes text or None, not 3",
    ),
    "a part's text": (
        _model(TextPart(WRONG_NUMBER)),
        "Part 0 of message 1, a TextPart, .*`content` takes text, not 3",
    ),
    "an item": (_user(["a", 3]), r"Part 0 of message 0, a UserPromptPart, .*`content` takes"),
    "an item's field": (
        _user(["a", ImageUrl(WRONG_NUMBER)]),
        r"`content\[1\].url` takes text, not 3",
    ),
    "what does not print": (_model(TextPart(cast(Any, Strange()))), "a value of type Strange"),
    "a text that is too long to show": (
        _user([UploadedFile(file_id="f" * 5000, provider_name="openai")]),
        r"^Part 0 of message 0, a UserPromptPart, cannot be sent: .{,950}`BinaryContent`.$",
    ),
    "a media type": (
        _model(FilePart(BinaryContent(b"x", media_type=WRONG_NUMBER))),
        "Part 0 of message 1, a FilePart, .*`content.media_type` takes text, not 3",
    ),
    "a piece of a later version": (
        _user(cast(Any, [OpaquePart({"kind": "k"})])),
        "Part 0 of message 0, a UserPromptPart, cannot be sent: .*unknown kind 'k'",
    ),
    "a file": (
        [ASKED, ModelRequest([USER, UserPromptPart([VideoUrl("http://x/a.mp4")])])],
        "^Part 1 of message 1, a UserPromptPart, cannot be sent: Anthropic cannot be sent VideoUrl",
    ),
    "what a codec trips over": (
        _model(TextPart("t"), CITED),
        "Part 1 of message 1, a TextPart, cannot be sent: TypeError",
    ),
}


@pytest.mark.parametrize("what", FIELDS)
def test_the_field_is_named(what: str) -> None:
    """The error names the message, the part and the field, and says what it takes."""
    messages, expected = FIELDS[what]
    with pytest.raises(UserError, match=expected) as caught:
        encode_request(MODELS[ANTHROPIC].codec, check_messages(messages), {}, OFFERED, stream=False)
    assert isinstance(caught.value.__cause__, TypeError) == ("trips" in what)


LISTS: dict[str, Any] = {}
for _ in range(3000):
    LISTS = {"type": "array", "items": LISTS}


def _tool(**fields: Any) -> dict[str, Any]:
    return {"function_tools": [ToolDefinition(**{"name": "t", **fields})]}


def _server(**fields: Any) -> dict[str, Any]:
    return {"builtin_tools": [MCPServerTool(**{"id": "x", "url": "u", **fields})]}


PARAMETERS: dict[str, tuple[dict[str, Any], str]] = {
    "a name": (_tool(name=3), r"`function_tools\[0\].name` takes text, not 3"),
    "a schema": (_tool(parameters_json_schema=None), "takes a dict, not None"),
    "a schema inside": (
        _tool(parameters_json_schema={"properties": {"a": LISTS}}),
        "The JSON schema of the tool 't' cannot be read: RecursionError",
    ),
    "an output": (
        {"output_object": OutputObjectDefinition(cast(Any, "x")), "output_mode": "native"},
        "`output_object.json_schema` takes a dict, not 'x'",
    ),
    "a secret": (_server(authorization_token=5), "takes text or None, not int$"),
}


@pytest.mark.parametrize("what", PARAMETERS)
def test_the_parameter_is_named(what: str) -> None:
    """What is offered is tested before its schema is read."""
    members, expected = PARAMETERS[what]
    with pytest.raises(UserError, match=expected):
        sent(CHAT, [ASKED], None, ModelRequestParameters(**members))


PROVIDER_SETTINGS: list[tuple[str, Any, str]] = [
    ("openai_prediction", 3, "a dict, not 3"),
    ("anthropic_cache_messages", "x", "True, False or one of '5m', '1h', not 'x'"),
    ("google_safety_settings", "x", "a list of dicts, not 'x'"),
    ("google_labels", {"a": 1}, "a dict of texts"),
    ("openrouter_models", "x", "a list of texts, not 'x'"),
    ("logit_bias", {"a": "b"}, "a dict of numbers"),
    ("tool_choice", 3, "one of 'none', 'required', 'auto', a list of texts"),
    ("service_tier", "cheap", "one of 'auto'"),
    ("openai_send_reasoning_ids", 1, "True or False, not 1"),
    ("anthropic_container", True, "a dict or False, not True"),
]


@pytest.mark.parametrize(("key", "value", "takes"), PROVIDER_SETTINGS)
def test_settings_of_a_provider_have_types(key: str, value: Any, takes: str) -> None:
    """They are tested like the common ones, by their annotations, whichever model is asked."""
    with pytest.raises(UserError, match=f"The setting '{key}' takes {takes}"):
        sent(COHERE, [ASKED], {key: value})


@pytest.mark.parametrize(
    "settings",
    [
        {"logit_bias": {"a": 1, 5: -1.5}},
        {"stop_sequences": ("a", "b")},
        {"extra_body": {"a": {"b": [None]}}},
        {"tool_choice": None, "temperature": 1, "thinking": "low"},
        {"anthropic_cache_messages": "1h", "openai_text_verbosity": "terse"},
        {"bedrock_guardrail_config": 3},
    ],
)
def test_settings_that_fit(settings: ModelSettings) -> None:
    """What a provider may take is not refused for being written in another way."""
    assert sent(CHAT, [ASKED], settings)


@pytest.mark.parametrize("url", [3, None, b"x"])
async def test_a_url_that_is_none(url: Any) -> None:
    """It is told before files are looked for, whether they are downloaded or not."""
    for downloads in (False, True):
        model = infer_model(CHAT, api_key="k", downloads=downloads)
        with pytest.raises(UserError, match=r"message 0.*`content\[0\].url` takes text"):
            await model_request(model, _user([ImageUrl(url)]))


@pytest.mark.parametrize("make", [UserPromptPart, RetryPromptPart, FilePart])
@pytest.mark.parametrize("value", [None, 3, Strange()])
def test_a_part_of_something_else(make: Any, value: Any) -> None:
    """What a part cannot even be made of is refused where it is made."""
    with pytest.raises(UserError, match="got"):
        make(value)
