"""The protocol of Gemini: what is sent, and what is made of what comes back."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from direct_anyio import (
    BinaryContent,
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    CachePoint,
    FilePart,
    ModelRequest,
    ModelRequestParameters,
    ModelResponse,
    ModelUnavailableError,
    OutputObjectDefinition,
    RequestUsage,
    RetryPromptPart,
    StreamInterrupted,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolDefinition,
    ToolReturnPart,
    UnexpectedModelBehavior,
    UserError,
    UserPromptPart,
    infer_model,
)
from direct_anyio._core.accumulator import Accumulator
from direct_anyio._core.codec import Mark
from direct_anyio._core.decoder import BodyDecoder, StreamDecoder
from direct_anyio._core.fold import Fold
from direct_anyio.builtin_tools import (
    CodeExecutionTool,
    FileSearchTool,
    ImageGenerationTool,
    MemoryTool,
    WebFetchTool,
    WebSearchTool,
)
from direct_anyio.content import ImageUrl, TextContent, UploadedFile, VideoUrl
from direct_anyio.dialects._gemini_grounding import citations
from direct_anyio.dialects._gemini_schema import google_json_schema
from direct_anyio.dialects.gemini import (
    GeminiCodec,
    GoogleModelSettings,
    google_cloud_url,
    google_model_profile,
)
from direct_anyio.messages import ModelMessage, ModelResponseStreamEvent
from direct_anyio.parts import OpaquePart

from .chunkings import cuts, every_chunking, every_line_end
from .folding import fed

WIRE = Path(__file__).parent / "wire" / "gemini"
STREAMS = sorted(path.stem for path in WIRE.glob("*.sse") if path.stem != "error")
BOTH = [name for name in STREAMS if name != "tools"]
THEN = datetime(2026, 1, 1, tzinfo=UTC)
HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt("Hello")]
WEATHER = ToolDefinition(name="get_weather", description="The weather.")
TIME = ToolDefinition(name="get_time")
ANSWER = ToolDefinition(name="answer", kind="output")
FILES = ModelRequestParameters(builtin_tools=[FileSearchTool(file_store_ids=["s"])])
SKIP = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I="

Decoded = tuple[list[ModelResponseStreamEvent], ModelResponse]


def _codec(model_name: str = "gemini-2.5-flash", *, cloud: bool = False) -> GeminiCodec:
    return GeminiCodec(
        model_name=model_name,
        provider_name="google-vertex" if cloud else "google-gla",
        profile=google_model_profile(model_name),
        cloud=cloud,
        root="" if cloud else "/v1beta",
    )


def _fold(*, stream: bool, parameters: ModelRequestParameters = FILES) -> Fold:
    reader = _codec().reader(parameters)
    decoder = StreamDecoder(reader, "m") if stream else BodyDecoder(reader, "m")
    return Fold(decoder, Accumulator(parameters=parameters, model_name="m", timestamp=THEN))


def _decoded(chunks: Iterable[bytes], *, stream: bool = True) -> Decoded:
    fold = _fold(stream=stream)
    return fed(fold, *chunks, Mark.END), fold.snapshot("complete")


def _response(name: str) -> ModelResponse:
    path = WIRE / name
    return _decoded([path.read_bytes()], stream=path.suffix == ".sse")[1]


def _plain(value: object) -> str:
    """Print something without what is new each time: generated ids and the clock."""
    ids: dict[str, str] = {}
    text = re.sub(r"datetime\.datetime\([^()]*\)", "now", repr(value).replace("tzinfo=", ""))
    return re.sub(r"pyd_ai_\w{32}", lambda match: ids.setdefault(match[0], f"id-{len(ids)}"), text)


def _body(
    *messages: ModelMessage,
    settings: GoogleModelSettings | None = None,
    model_name: str = "gemini-2.5-flash",
    cloud: bool = False,
    **parameters: Any,
) -> dict[str, Any]:
    codec = _codec(model_name, cloud=cloud)
    offered = ModelRequestParameters(**parameters)
    call = codec.encode(messages or HELLO, settings or {}, offered, stream=False)
    assert call.body is not None
    return call.body


def _parts(
    *parts: Any, model_name: str = "gemini-2.5-flash", provider_name: str = "google-gla"
) -> Any:
    """Return what a response with these parts is sent back as."""
    response = ModelResponse(parts, provider_name=provider_name)
    return _body(*HELLO, response, model_name=model_name)["contents"][1]["parts"]


def _prompt(*content: Any, cloud: bool = False) -> Any:
    request = ModelRequest([UserPromptPart(content)])
    return _body(request, cloud=cloud)["contents"][0]["parts"]


# What comes back


@pytest.mark.parametrize("name", STREAMS)
def test_every_chunking_gives_the_same_events(name: str) -> None:
    """However a network cuts a stream, and however its lines end, its events are the same."""
    body = (WIRE / f"{name}.sse").read_bytes()
    expected = _plain(_decoded([body]))
    for chunks in every_chunking(body):
        assert _plain(_decoded(chunks)) == expected
    for ended in every_line_end(body):
        assert _plain(_decoded([ended])) == expected


@pytest.mark.parametrize("name", BOTH)
def test_a_stream_gives_the_response_that_a_body_gives(name: str) -> None:
    """A streamed answer and a whole one fold into the same response."""
    assert _plain(_response(f"{name}.sse")) == _plain(_response(f"{name}.json"))


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_cut_anywhere_is_whole_or_interrupted(name: str) -> None:
    """A cut gives the full response or `StreamInterrupted`, never a shorter answer as whole."""
    body = (WIRE / f"{name}.sse").read_bytes()
    whole = _plain(_decoded([body])[1])
    for cut in cuts(body):
        try:
            _, response = _decoded([body[:cut]])
        except StreamInterrupted:
            continue
        assert _plain(response) == whole


def test_thoughts_text_and_usage() -> None:
    """Thoughts and texts of a stream join, the last signature stays, thoughts are output."""
    response = _response("text.sse")
    assert response.parts == (
        ThinkingPart("The user asks for a capital."),
        TextPart("Paris, évidemment 🗼.", provider_details={"thought_signature": "c2lnLzEr"}),
    )
    assert response.finish_reason == "stop"
    assert response.model_name == "gemini-2.5-flash"
    assert response.provider_response_id == "r-1"
    assert response.usage == RequestUsage(
        input_tokens=9,
        output_tokens=19,
        details={"thoughts_tokens": 12, "text_prompt_tokens": 9},
    )


def test_calls_keep_ids_signatures_and_arguments() -> None:
    """A call has the id that it came with, its arguments as a dict, and its signature."""
    response = _response("calls.sse")
    assert response.parts[1:] == (
        ToolCallPart(
            "get_weather",
            {"city": "Paris"},
            "call-a",
            provider_details={"thought_signature": "c2lnLTI="},
        ),
        ToolCallPart("get_time", {"tz": "Europe/Paris"}, "call-b"),
    )
    assert response.usage.cache_read_tokens == 5


def test_a_call_without_an_id_gets_one() -> None:
    """A call that came without an id is given one that a program can answer with."""
    call = {"functionCall": {"name": "f"}}
    frame = {"candidates": [{"content": {"parts": [call]}, "finishReason": "STOP"}]}
    _, response = _decoded([b"data: " + json.dumps(frame).encode() + b"\n\n"])
    assert response.tool_calls[0].tool_call_id.startswith("pyd_ai_")
    assert response.tool_calls[0].args is None


@pytest.mark.parametrize("name", ["grounded.sse", "grounded.json"])
def test_grounding_tells_of_the_search_behind_the_text(name: str) -> None:
    """The search is told of once the text is whole, and the text carries its citations."""
    response = _response(name)
    text, call, found = response.parts
    assert isinstance(text, TextPart)
    assert text.content == "In Oslo… It snows — now."
    assert text.provider_details == {
        "citations": [
            {
                "segment": {"start_index": 11, "end_index": 28, "text": "It snows — now."},
                "grounding_chunk_indices": [1],
                "grounding_chunks": [{"web": {"uri": "https://example.org/sky", "title": "Sky"}}],
            }
        ]
    }
    assert isinstance(call, BuiltinToolCallPart)
    assert isinstance(found, BuiltinToolReturnPart)
    assert call.args == {"queries": ["weather in Oslo", "weather in Oslo", ""]}
    assert found.content[0] == {"domain": None, "title": "Oslo", "uri": "https://example.com/oslo"}
    assert found.tool_call_id == call.tool_call_id
    assert response.usage.details["web_search_requests"] == 1
    # What a tool of the provider's puts into the prompt is input.
    assert response.usage.input_tokens == 39


@pytest.mark.parametrize("name", ["code.sse", "code.json"])
def test_code_that_was_run_is_a_call_and_its_return(name: str) -> None:
    """Code and its output are one built-in call, though they come without an id."""
    call, result, text = _response(name).parts
    assert isinstance(call, BuiltinToolCallPart)
    assert isinstance(result, BuiltinToolReturnPart)
    assert (call.tool_name, call.args) == (
        "code_execution",
        {"language": "PYTHON", "code": "print(6 * 7)"},
    )
    assert result.content == {"outcome": "OUTCOME_OK", "output": "42\n"}
    assert result.tool_call_id == call.tool_call_id
    assert text == TextPart("It is 42.")


@pytest.mark.parametrize("name", ["files.sse", "files.json"])
def test_a_file_search_shown_as_code_is_a_file_search(name: str) -> None:
    """Where files may be searched, code that does so is told of as the search it is."""
    call, text, found = _response(name).parts
    assert isinstance(call, BuiltinToolCallPart)
    assert isinstance(found, BuiltinToolReturnPart)
    assert (call.tool_name, call.args) == ("file_search", {"query": 'where is "Oslo"'})
    assert text == TextPart("In Norway.")
    assert found.content == [
        {
            "text": "Oslo is a city.",
            "file_search_store": "stores/s",
            "custom_metadata": [{"key": "k", "string_value": "v"}],
        }
    ]


def test_pages_that_were_read_come_before_the_text() -> None:
    """Pages read by the provider are a call and a return ahead of the text."""
    call, read, text = _response("pages.sse").parts
    assert isinstance(call, BuiltinToolCallPart)
    assert isinstance(read, BuiltinToolReturnPart)
    assert call.args == {"urls": ["https://example.com"]}
    assert read.content == [
        {
            "retrieved_url": "https://example.com",
            "url_retrieval_status": "URL_RETRIEVAL_STATUS_SUCCESS",
        }
    ]
    assert text == TextPart("An example.")


def test_tools_told_of_in_parts_are_not_told_of_twice() -> None:
    """Where parts tell of a search, the metadata does not add another one."""
    for name in ("tools.sse", "tools.json"):
        call, found, text = _response(name).parts
        assert isinstance(call, BuiltinToolCallPart)
        assert isinstance(found, BuiltinToolReturnPart)
        assert (call.tool_name, call.tool_call_id) == ("web_search", "t-1")
        assert call.provider_details == {"thought_signature": "c2lnLTM="}
        assert found.content["search_suggestions"] == "<b>Oslo</b>"
        assert text == TextPart("Oslo.")
    sources = [{"domain": None, "title": "Oslo", "uri": "https://example.com/oslo"}]
    assert _response("tools.json").builtin_tool_calls[0][1].content["sources"] == sources


def test_files_found_by_an_explicit_search_are_its_return() -> None:
    """A search of files that comes without its result gets it from the grounding."""
    parts = [
        {"toolCall": {"toolType": "FILE_SEARCH", "id": "t"}},
        {"toolResponse": {"toolType": "FILE_SEARCH", "id": "t"}},
        {"text": "a"},
    ]
    chunks = [{"retrievedContext": {"text": "found", "title": None}}]
    candidate: Any = {
        "content": {"parts": parts},
        "finishReason": "STOP",
        "groundingMetadata": {"groundingChunks": chunks},
        "urlContextMetadata": {"urlMetadata": [{"retrievedUrl": "https://example.com"}]},
    }
    _, response = _decoded([json.dumps({"candidates": [candidate]}).encode()], stream=False)
    # The pages are those of a tool, too, which parts would tell of.
    call, found, text = response.parts
    assert isinstance(found, BuiltinToolReturnPart)
    assert (found.tool_name, found.content) == ("file_search", [{"text": "found"}])
    # Where nothing tells of the search, the metadata alone does.
    candidate |= {"content": {"parts": parts[2:]}, "urlContextMetadata": None}
    _, response = _decoded([json.dumps({"candidates": [candidate]}).encode()], stream=False)
    text, call, found = response.parts
    assert text == TextPart("a")
    assert isinstance(call, BuiltinToolCallPart)
    assert isinstance(found, BuiltinToolReturnPart)
    assert (call.tool_name, call.args, found.content) == ("file_search", {}, [{"text": "found"}])


@pytest.mark.parametrize(
    ("segment", "cited"),
    [
        ({"startIndex": 3, "endIndex": 5, "text": "ab"}, 1),
        ({"startIndex": 5, "endIndex": 7, "text": "cd"}, 2),
        # A byte off: the text itself tells.
        ({"startIndex": 6, "endIndex": 8, "text": "cd"}, 2),
        ({"startIndex": 9, "endIndex": 11, "text": "zz"}, None),
        ({"startIndex": 3}, None),
        ({"endIndex": 5}, None),
    ],
)
def test_a_citation_belongs_to_the_text_that_it_quotes(segment: Any, cited: int | None) -> None:
    """Offsets count the bytes of all texts; where they are off, the quoted text decides."""
    grounding = {
        "groundingChunks": [{"web": {"uri": "u"}}],
        "groundingSupports": [{"segment": segment, "groundingChunkIndices": [0]}],
    }
    found = citations(grounding, {1: "…ab", 2: "cdab"})
    assert list(found) == ([] if cited is None else [cited])


def test_a_quote_in_two_texts_is_not_guessed() -> None:
    """Where offsets are off and more than one text has the quote, nothing is cited."""
    grounding = {
        "groundingChunks": [{"web": {"uri": "u"}}],
        "groundingSupports": [
            {
                "segment": {"startIndex": 1, "endIndex": 3, "text": "ab"},
                "groundingChunkIndices": [0],
            }
        ],
    }
    assert citations(grounding, {1: "abab", 2: "xabx"}) == {}


def test_an_image_is_a_file_and_a_draft_is_none() -> None:
    """An image comes as bytes; those that the model drew while thinking are left out."""
    response = _response("image.sse")
    assert [type(part) for part in response.parts] == [TextPart, FilePart]
    # In URL-safe base64, too, which the whole answer has.
    for each in (response, _response("image.json")):
        assert each.images[0].data == b"hello?"
    assert response.images[0].media_type == "image/png"
    assert response.usage.details["image_candidates_tokens"] == 1290


def test_a_blocked_prompt_says_why() -> None:
    """A prompt that is refused gives an empty answer with the reason."""
    response = _response("blocked.sse")
    assert response.parts == ()
    assert response.finish_reason == "content_filter"
    details = response.provider_details or {}
    assert details["block_reason"] == "SAFETY"
    assert details["safety_ratings"][0]["probability"] == "HIGH"


def test_a_blocked_answer_says_why() -> None:
    """An answer that is cut off for safety keeps what came, and the ratings."""
    response = _response("safety.sse")
    assert response.parts == (TextPart("I"),)
    assert response.finish_reason == "content_filter"
    details = response.provider_details or {}
    assert details["finish_reason"] == "SAFETY"
    assert details["safety_ratings"][0]["blocked"] is True


def test_details_of_a_whole_answer() -> None:
    """Log probabilities, the time and the class of traffic are in the details."""
    chosen = {"token": "2", "token_id": 17, "log_probability": -0.5}
    details = _response("logprobs.json").provider_details
    assert details == {
        "finish_reason": "STOP",
        "timestamp": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        "traffic_type": "ON_DEMAND",
        "logprobs": {"chosen_candidates": [chosen]},
        "avg_logprobs": -0.5,
    }


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("MAX_TOKENS", "length"),
        ("RECITATION", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "error"),
        ("OTHER", None),
        ("SOMETHING_NEW", None),
    ],
)
def test_finish_reasons(reason: str, finish: str | None) -> None:
    """A reason is translated where we have a word for it, and kept as it came."""
    document = {"candidates": [{"finishReason": reason}]}
    _, response = _decoded([json.dumps(document).encode()], stream=False)
    assert response.finish_reason == finish
    assert (response.provider_details or {})["finish_reason"] == reason


def test_usage_that_a_later_frame_leaves_out_stays() -> None:
    """Usage is the total so far; a count that a frame leaves out has not changed."""
    frames = [
        {"candidates": [{"content": {"parts": [{"text": "a"}]}}], "usageMetadata": usage}
        for usage in (
            {"promptTokenCount": 9, "cachedContentTokenCount": 4},
            {"promptTokenCount": 9, "candidatesTokenCount": 2},
        )
    ]
    fold = _fold(stream=True)
    for frame in frames:
        fed(fold, b"data: " + json.dumps(frame).encode() + b"\n\n")
    usage = fold.snapshot("incomplete").usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens) == (9, 2, 4)


def test_an_error_inside_a_stream_is_of_its_category() -> None:
    """An error that comes as a frame has the class of its status, and the text stays."""
    fold = _fold(stream=True)
    with pytest.raises(ModelUnavailableError, match="overloaded") as caught:
        fed(fold, (WIRE / "error.sse").read_bytes())
    assert caught.value.in_stream
    assert fold.snapshot("incomplete").text == "Par"


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"candidates": 5},
        {"candidates": [5]},
        {"candidates": [{"content": {"parts": 5}}]},
        {"candidates": [{"content": {"parts": [{"text": 5}]}}]},
        {"candidates": [{"content": {"parts": [{"functionCall": {"args": {}}}]}}]},
        {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": 5}}]}}]},
        {"candidates": [{"content": {"parts": [{"inlineData": {"mimeType": "image/png"}}]}}]},
    ],
)
def test_nonsense_is_unexpected_behaviour(document: Any) -> None:
    """An answer of another shape is `UnexpectedModelBehavior`, whatever its reader trips over."""
    with pytest.raises(UnexpectedModelBehavior):
        _decoded([json.dumps(document).encode()], stream=False)


@pytest.mark.parametrize(
    "more", [{"finishReason": 5}, {"groundingMetadata": 5}, {"index": "0"}, {"safetyRatings": 1}]
)
def test_odd_members_cost_no_more_than_themselves(more: Any) -> None:
    """What the answer is not made of may be nonsense."""
    candidate = {"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"} | more
    document = {"candidates": [candidate], "usageMetadata": 5, "createTime": 7}
    _, response = _decoded([json.dumps(document).encode()], stream=False)
    assert response.text == "a"


def test_what_is_unknown_is_ignored() -> None:
    """Parts and members that we do not know do not disturb the rest."""
    parts = [{"hologram": {}}, {"text": "a", "novelty": 1}, {"thoughtSignature": "c2ln"}]
    document = {"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}], "new": 1}
    _, response = _decoded([json.dumps(document).encode()], stream=False)
    assert response.parts == (TextPart("a"),)


# What is sent


def test_paths_and_query() -> None:
    """A model's name goes into the path, and a stream is asked for as server-sent events."""
    codec = _codec()
    call = codec.encode(HELLO, {}, ModelRequestParameters(), stream=False)
    assert call.path == "/v1beta/models/gemini-2.5-flash:generateContent"
    assert call.query == {}
    call = codec.encode(HELLO, {}, ModelRequestParameters(), stream=True)
    assert call.path == "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
    assert call.query == {"alt": "sse"}


@pytest.mark.parametrize(
    ("name", "cloud", "path"),
    [
        ("tunedModels/mine", False, "/v1beta/tunedModels/mine"),
        ("models/gemini-2.5-pro", False, "/v1beta/models/gemini-2.5-pro"),
        ("a b?key=1#x%2e", False, "/v1beta/models/a%20b%3Fkey%3D1%23x%252e"),
        ("x:countTokens", False, "/v1beta/models/x%3AcountTokens"),
        ("gemini-2.5-pro", True, "/publishers/google/models/gemini-2.5-pro"),
        ("gemini-2.0@001", True, "/publishers/google/models/gemini-2.0@001"),
        ("publishers/meta/models/llama", True, "/publishers/meta/models/llama"),
        ("endpoints/12", True, "/endpoints/12"),
    ],
)
def test_a_name_is_quoted_into_the_path(name: str, cloud: bool, path: str) -> None:
    """Ids and resource names lead to their collection, with everything strange quoted."""
    call = _codec(name, cloud=cloud).encode(HELLO, {}, ModelRequestParameters(), stream=False)
    assert call.path == f"{path}:generateContent"


@pytest.mark.parametrize(
    "name",
    [
        "../files/x",
        "models/..",
        "models/../../v1/files",
        "models/",
        "/x",
        "a/b",
        "models/a/b",
        "models/a/operations/b",
        "x\n",
        "x\0y",
        "",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    """A name that would leave the collections of models is a `UserError`."""
    with pytest.raises(UserError, match="not the name of a model"):
        _codec(name).encode(HELLO, {}, ModelRequestParameters(), stream=False)


def test_google_cloud_urls() -> None:
    """A location tells the host; the project is quoted, and a strange location refused."""
    place = "/v1beta1/projects/p/locations/"
    assert google_cloud_url("p", "us-central1") == (
        f"https://us-central1-aiplatform.googleapis.com{place}us-central1"
    )
    assert google_cloud_url("p", "global") == f"https://aiplatform.googleapis.com{place}global"
    assert google_cloud_url("p", "eu") == f"https://aiplatform.eu.rep.googleapis.com{place}eu"
    assert "projects/a%2F..%2Fb/" in google_cloud_url("a/../b", "global")
    with pytest.raises(UserError, match="location"):
        google_cloud_url("p", "evil.example/")


def test_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both endpoints have two names each; Google Cloud is found through the environment."""
    for name in ("google-gla", "google"):
        model = infer_model(f"{name}:gemini-2.5-flash", api_key="k")
        assert (model.system, model.base_url) == (
            "google-gla",
            "https://generativelanguage.googleapis.com",
        )
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    monkeypatch.delenv("GOOGLE_CLOUD_LOCATION", raising=False)
    with pytest.raises(UserError, match="GOOGLE_CLOUD_PROJECT"):
        infer_model("google-vertex:gemini-2.5-flash", api_key="k")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    for name in ("google-vertex", "google-cloud"):
        model = infer_model(f"{name}:gemini-2.5-flash", api_key="k")
        assert model.system == "google-vertex"
        assert model.base_url == google_cloud_url("p", "us-central1")


def test_encoding_twice_is_the_same_and_changes_nothing() -> None:
    """To encode has no effect on what is encoded, nor on the next time."""
    messages = [
        *HELLO,
        ModelResponse([ToolCallPart("f", {"a": {"b": 1}}, "c")], provider_name="google-gla"),
        ModelRequest([ToolReturnPart("f", {"x": [1]}, "c"), UserPromptPart(["and?"])]),
    ]
    settings: GoogleModelSettings = {"google_thinking_config": {"thinking_level": "low"}}
    parameters = ModelRequestParameters(function_tools=[WEATHER])
    before = copy.deepcopy((messages, settings, parameters))
    codec = _codec()
    first = codec.encode(messages, settings, parameters, stream=True)
    assert codec.encode(messages, settings, parameters, stream=True) == first
    assert (messages, settings, parameters) == before


def test_settings_go_where_google_has_them() -> None:
    """Each setting has its member, and those that Google does not know are left out."""
    body = _body(
        settings={
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": 40,
            "max_tokens": 64,
            "stop_sequences": ["X"],
            "presence_penalty": 0.1,
            "frequency_penalty": 0.2,
            "seed": 1,
            "logit_bias": {"1": 2},
            "service_tier": "flex",
            "google_safety_settings": [{"category": "C", "threshold": "BLOCK_NONE"}],
            "google_labels": {"team": "a"},
            "google_video_resolution": "MEDIA_RESOLUTION_LOW",
            "google_logprobs": True,
            "google_top_logprobs": 2,
            "google_model_armor_config": {"prompt_template_name": "t"},
        }
    )
    assert body["generationConfig"] == {
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 40,
        "maxOutputTokens": 64,
        "stopSequences": ["X"],
        "presencePenalty": 0.1,
        "frequencyPenalty": 0.2,
        "seed": 1,
        "mediaResolution": "MEDIA_RESOLUTION_LOW",
        "responseModalities": ["TEXT"],
        "responseLogprobs": True,
        "logprobs": 2,
    }
    assert body["safetySettings"] == [{"category": "C", "threshold": "BLOCK_NONE"}]
    assert body["labels"] == {"team": "a"}
    assert body["serviceTier"] == "flex"
    assert body["modelArmorConfig"] == {"prompt_template_name": "t"}


def test_cached_content_holds_instructions_and_tools() -> None:
    """What cached content holds is not sent beside it, which the API would refuse."""
    request = ModelRequest([SystemPromptPart("S"), UserPromptPart("U")], instructions="I")
    body = _body(
        request, settings={"google_cached_content": "cachedContents/c"}, function_tools=[WEATHER]
    )
    assert body["cachedContent"] == "cachedContents/c"
    assert not {"systemInstruction", "tools", "toolConfig"} & body.keys()


@pytest.mark.parametrize(
    ("settings", "headers"),
    [
        ({}, {}),
        ({"service_tier": "auto"}, {}),
        ({"service_tier": "flex"}, {"x-vertex-ai-llm-shared-request-type": "flex"}),
        (
            {"service_tier": "flex", "google_cloud_service_tier": "pt_only"},
            {"x-vertex-ai-llm-request-type": "dedicated"},
        ),
    ],
)
def test_google_cloud_takes_its_service_tier_in_headers(settings: Any, headers: Any) -> None:
    """On Google Cloud the class of service is a header, and its own setting counts first."""
    call = _codec(cloud=True).encode(HELLO, settings, ModelRequestParameters(), stream=False)
    assert call.headers == headers
    assert call.body is not None
    assert "serviceTier" not in call.body


@pytest.mark.parametrize(
    ("model", "thinking", "config"),
    [
        ("gemini-2.5-flash", False, {"thinkingBudget": 0}),
        ("gemini-2.5-pro", False, {"thinkingBudget": 128}),
        ("gemini-2.5-flash", True, {"includeThoughts": True}),
        ("gemini-2.5-flash", "minimal", {"includeThoughts": True, "thinkingBudget": 128}),
        ("gemini-2.5-flash", "low", {"includeThoughts": True, "thinkingBudget": 2048}),
        ("gemini-2.5-flash", "medium", {"includeThoughts": True, "thinkingBudget": 8192}),
        ("gemini-2.5-flash", "high", {"includeThoughts": True, "thinkingBudget": 24576}),
        ("gemini-2.5-flash", "max", {"includeThoughts": True, "thinkingBudget": 24576}),
        ("gemini-3-flash-preview", False, {"thinkingLevel": "MINIMAL"}),
        ("gemini-3-flash-preview", True, {"includeThoughts": True}),
        ("gemini-3-flash-preview", "xhigh", {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        ("gemini-3-pro-preview", "medium", {"includeThoughts": True, "thinkingLevel": "LOW"}),
        ("gemini-3-pro-preview", False, {"thinkingLevel": "LOW"}),
        ("gemini-2.0-flash", "high", None),
        ("gemini-2.5-flash-image", "high", None),
    ],
)
def test_thinking_is_said_as_the_model_takes_it(model: str, thinking: Any, config: Any) -> None:
    """The unified setting becomes a budget or a level, or nothing where nobody thinks."""
    body = _body(settings={"thinking": thinking}, model_name=model)
    assert body["generationConfig"].get("thinkingConfig") == config


def test_googles_own_thinking_config_counts_first() -> None:
    """The provider's own setting is sent as it is, with the level in capitals."""
    body = _body(
        settings={
            "thinking": "low",
            "google_thinking_config": {"thinking_level": "high", "include_thoughts": True},
        },
        model_name="gemini-3-flash-preview",
    )
    config = body["generationConfig"]["thinkingConfig"]
    assert config == {"thinking_level": "HIGH", "include_thoughts": True}


def test_an_unknown_level_of_thinking_is_refused() -> None:
    """A level that nobody knows is a `UserError` that lists those there are."""
    settings: Any = {"thinking": "furious"}
    with pytest.raises(UserError, match="minimal"):
        _body(settings=settings)


@pytest.mark.parametrize(
    ("settings", "parameters", "config"),
    [
        ({}, {}, {"mode": "VALIDATED"}),
        ({}, {"allow_text_output": False}, {"mode": "ANY"}),
        ({"tool_choice": "none"}, {"output_tools": ()}, {"mode": "NONE"}),
        ({"tool_choice": "required"}, {}, {"mode": "ANY"}),
        (
            {"tool_choice": ["get_time"]},
            {},
            {"mode": "ANY", "allowedFunctionNames": ["get_time"]},
        ),
        (
            {"tool_choice": "none"},
            {"allow_text_output": False},
            {"mode": "ANY", "allowedFunctionNames": ["answer"]},
        ),
    ],
)
def test_tool_choice(settings: Any, parameters: Any, config: Any) -> None:
    """The choice becomes a mode, with names where not all tools may be called."""
    offered = {"function_tools": [WEATHER, TIME], "output_tools": [ANSWER]} | parameters
    body = _body(settings=settings, **offered)
    assert body["toolConfig"] == {"functionCallingConfig": config}
    (tool,) = body["tools"]
    assert [each["name"] for each in tool["functionDeclarations"]][:2] == [
        "get_weather",
        "get_time",
    ]


def test_a_free_choice_of_some_tools_declares_no_others() -> None:
    """Where names cannot be given, tools that may not be called are not declared."""
    body = _body(settings={"tool_choice": "none"}, function_tools=[WEATHER], output_tools=[ANSWER])
    (tool,) = body["tools"]
    assert [each["name"] for each in tool["functionDeclarations"]] == ["answer"]


def test_calls_are_held_to_their_schemas_unless_a_tool_says_no() -> None:
    """One tool that is not strict frees all, and old models know no such mode."""
    loose = attrs.evolve(TIME, strict=False)
    for offered, model in (([WEATHER, loose], "gemini-2.5-flash"), ([TIME], "gemini-2.0-flash")):
        body = _body(function_tools=offered, model_name=model)
        assert body["toolConfig"]["functionCallingConfig"] == {"mode": "AUTO"}


def test_builtin_tools() -> None:
    """Built-in tools have entries of their own, and no mode of calling."""
    tools = [
        WebSearchTool(),
        WebFetchTool(),
        CodeExecutionTool(),
        FileSearchTool(file_store_ids=["fileSearchStores/s"]),
    ]
    body = _body(builtin_tools=tools)
    assert body["tools"] == [
        {"googleSearch": {}},
        {"urlContext": {}},
        {"codeExecution": {}},
        {"fileSearch": {"file_search_store_names": ["fileSearchStores/s"]}},
    ]
    assert "toolConfig" not in body


def test_new_models_tell_of_builtin_tools_and_combine_them() -> None:
    """A new model takes all kinds of tools together; Google Cloud is not asked to tell."""
    offered: Any = {
        "builtin_tools": [WebSearchTool()],
        "function_tools": [WEATHER],
        "model_name": "gemini-3-flash-preview",
    }
    assert _body(**offered)["toolConfig"] == {
        "functionCallingConfig": {"mode": "VALIDATED"},
        "includeServerSideToolInvocations": True,
    }
    assert "includeServerSideToolInvocations" not in _body(cloud=True, **offered)["toolConfig"]


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ("gemini-2.5-flash", {"builtin_tools": [WebSearchTool()], "function_tools": [WEATHER]}),
        ("gemini-2.5-flash", {"builtin_tools": [WebSearchTool()], "output_tools": [ANSWER]}),
        ("gemini-2.5-flash-image", {"output_mode": "prompted"}),
        ("gemini-2.5-flash", {"builtin_tools": [MemoryTool()]}),
        ("gemini-2.5-flash", {"builtin_tools": [WebSearchTool(allowed_domains=["a.b"])]}),
        ("gemini-2.5-flash-image", {"builtin_tools": [ImageGenerationTool(size="1024x1024")]}),
        (
            "gemini-2.5-flash",
            {
                "output_mode": "native",
                "output_object": OutputObjectDefinition({"type": "object"}),
                "function_tools": [WEATHER],
            },
        ),
    ],
)
def test_what_a_model_cannot_do_is_refused(model: str, parameters: Any) -> None:
    """What a model does not take together, or at all, is a `UserError` before it is sent."""
    with pytest.raises(UserError):
        _body(model_name=model, **parameters)


def test_images_are_configured() -> None:
    """The drawing tool is a configuration, and only Google Cloud takes a file format."""
    tool = ImageGenerationTool(aspect_ratio="16:9", size="2K", output_compression=80)
    jpeg = {"outputMimeType": "image/jpeg", "outputCompressionQuality": 80}
    for cloud, more in ((False, {}), (True, jpeg)):
        body = _body(
            builtin_tools=[tool],
            allow_text_output=False,
            allow_image_output=True,
            model_name="gemini-3-pro-image-preview",
            cloud=cloud,
        )
        config = body["generationConfig"]["imageConfig"]
        assert "tools" not in body
        assert body["generationConfig"]["responseModalities"] == ["IMAGE"]
        assert config == {"aspectRatio": "16:9", "imageSize": "2K"} | more


def test_an_image_that_is_no_jpeg_is_not_compressed() -> None:
    """Compression is for jpeg alone, and a size that is left to Google is not sent."""
    tool = ImageGenerationTool(size="auto", output_format="png")
    offered: Any = {"model_name": "gemini-3-pro-image-preview", "cloud": True}
    config = _body(builtin_tools=[tool], **offered)["generationConfig"]["imageConfig"]
    assert config == {"outputMimeType": "image/png"}
    with pytest.raises(UserError, match="jpeg"):
        _body(builtin_tools=[attrs.evolve(tool, output_compression=1)], **offered)


def test_native_output_is_a_schema_of_its_own() -> None:
    """In native mode the answer's schema is part of the configuration, under its name."""
    output = OutputObjectDefinition({"type": "object"}, name="Answer", description="It.")
    config = _body(output_mode="native", output_object=output)["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    assert config["responseJsonSchema"] == {
        "type": "object",
        "title": "Answer",
        "description": "It.",
    }


def test_prompted_output_is_json_only_without_tools() -> None:
    """JSON mode and tools exclude each other."""
    config = _body(output_mode="prompted")["generationConfig"]
    assert config["responseMimeType"] == "application/json"
    config = _body(output_mode="prompted", builtin_tools=[WebSearchTool()])["generationConfig"]
    assert "responseMimeType" not in config


def test_system_prompts_come_before_instructions() -> None:
    """System prompts of all messages and the last instructions are one content."""
    body = _body(
        ModelRequest([SystemPromptPart("A"), UserPromptPart("Q")]),
        ModelResponse([TextPart("R")]),
        ModelRequest([SystemPromptPart("B"), UserPromptPart("Q")], instructions="I"),
    )
    assert body["systemInstruction"] == {
        "role": "user",
        "parts": [{"text": "A"}, {"text": "B"}, {"text": "I"}],
    }
    assert [content["role"] for content in body["contents"]] == ["user", "model", "user"]


def test_the_first_word_is_the_users() -> None:
    """A history that starts with an answer, or is empty, gets an empty word ahead."""
    for messages in ([ModelResponse([TextPart("R")])], [ModelRequest([SystemPromptPart("S")])]):
        body = _body(*messages)
        assert body["contents"][0] == {"role": "user", "parts": [{"text": ""}]}


def test_tool_results_stand_alone() -> None:
    """What follows a function's response is another content, or it would be the model's."""
    request = ModelRequest(
        [
            ToolReturnPart("f", "Sunny", "a"),
            RetryPromptPart("Bad.", tool_name="g", tool_call_id="b"),
            ToolReturnPart("h", "Boom", "c", outcome="failed"),
            UserPromptPart("Well?"),
        ]
    )
    first, second = _body(request)["contents"]
    assert [part["functionResponse"]["response"] for part in first["parts"]] == [
        {"return_value": "Sunny"},
        {"error": "Bad."},
        {"error": "Boom"},
    ]
    assert first["parts"][0]["functionResponse"]["id"] == "a"
    assert second == {"role": "user", "parts": [{"text": "Well?"}]}


def test_a_retry_without_a_tool_is_said_as_text() -> None:
    """What was wrong with a text is the user's next word."""
    (content,) = _body(ModelRequest([RetryPromptPart("Shorter.")]))["contents"]
    (part,) = content["parts"]
    assert "Shorter." in part["text"]


def test_a_reference_in_a_result_is_sent_as_text() -> None:
    """A result with `$ref` in it goes as JSON text, since the API would resolve it."""
    request = ModelRequest([ToolReturnPart("f", {"a": [{"$ref": "#/x"}]}, "c")])
    (content,) = _body(request)["contents"]
    response = content["parts"][0]["functionResponse"]["response"]
    assert response == {"output": '{"a":[{"$ref":"#/x"}]}'}


def test_files_in_a_result_go_inside_or_behind_it() -> None:
    """A new model takes a result's image inside it; an older one behind all results, marked."""
    image = BinaryContent(b"hello?", media_type="image/png", identifier="i")
    request = ModelRequest(
        [
            ToolReturnPart("f", ["Look:", image], "a"),
            ToolReturnPart("g", 1, "b"),
            UserPromptPart("Well?"),
        ]
    )
    inline = {"inlineData": {"data": "aGVsbG8_", "mimeType": "image/png"}}
    first, _ = _body(request, model_name="gemini-3-flash-preview")["contents"]
    assert first["parts"][0]["functionResponse"]["parts"] == [inline]
    assert first["parts"][0]["functionResponse"]["response"] == {"return_value": "Look:"}
    first, second = _body(request)["contents"]
    assert first["parts"][0]["functionResponse"]["response"] == {
        "output": [{"return_value": "Look:"}, "See file i."]
    }
    assert len(first["parts"]) == 2
    assert second["parts"][1] == inline
    assert second["parts"][-1] == {"text": "Well?"}


def test_content_of_a_prompt() -> None:
    """Texts, bytes and options of media are sent; cache points are not."""
    video = BinaryContent(
        b"\xff\xfe",
        media_type="video/mp4",
        vendor_metadata={"fps": 2, "detail": "high", "media_resolution": "R"},
    )
    assert _prompt("a", TextContent("b"), CachePoint(), video) == [
        {"text": "a"},
        {"text": "b"},
        {
            "inlineData": {"data": "__4=", "mimeType": "video/mp4"},
            "videoMetadata": {"fps": 2},
            "mediaResolution": "R",
        },
    ]


def test_urls_that_google_reads_are_sent() -> None:
    """YouTube and uploaded files go by URL; on Google Cloud so does everything."""
    youtube = VideoUrl("https://youtu.be/x", vendor_metadata={"start_offset": "5s"})
    assert _prompt(youtube) == [
        {
            "fileData": {"fileUri": "https://youtu.be/x", "mimeType": "video/mp4"},
            "videoMetadata": {"start_offset": "5s"},
        }
    ]
    mine = "https://generativelanguage.googleapis.com/v1beta/files/abc"
    uploaded = UploadedFile(file_id=mine, provider_name="google", media_type="image/png")
    expected = [{"fileData": {"fileUri": mine, "mimeType": "image/png"}}]
    assert _prompt(uploaded) == expected
    assert _prompt(ImageUrl(mine, media_type="image/png")) == expected
    for url in ("https://example.com/a.png", "gs://bucket/a.png"):
        expected = [{"fileData": {"fileUri": url, "mimeType": "image/png"}}]
        assert _prompt(ImageUrl(url), cloud=True) == expected


@pytest.mark.parametrize(
    ("item", "cloud"),
    [
        (ImageUrl("https://example.com/a.png"), False),
        (ImageUrl("gs://bucket/a.png"), False),
        (
            ImageUrl("https://generativelanguage.googleapis.com.evil.example/v1beta/files/a.png"),
            False,
        ),
        (ImageUrl("https://example.com/a.png", force_download=True), True),
    ],
)
def test_urls_that_google_does_not_read_are_refused(item: ImageUrl, cloud: bool) -> None:
    """A file that must be downloaded is told apart, and refused while it has not been."""
    assert _codec(cloud=cloud).needs_download(item)
    with pytest.raises(UserError, match="BinaryContent"):
        _prompt(item, cloud=cloud)


@pytest.mark.parametrize(
    "item",
    [
        UploadedFile(file_id="file-1", provider_name="openai"),
        UploadedFile(file_id="gs://bucket/a", provider_name="google-gla"),
    ],
)
def test_files_that_were_uploaded_elsewhere_are_refused(item: UploadedFile) -> None:
    """A file of another provider, or of another endpoint, cannot be sent."""
    with pytest.raises(UserError, match="google-gla"):
        _prompt(item)


def test_the_first_call_has_a_signature() -> None:
    """Of calls without signatures the first gets the one that passes, the others none."""
    first, second = _parts(ToolCallPart("f", {}, "a"), ToolCallPart("g", "{}", "b"))
    assert first == {
        "functionCall": {"name": "f", "args": {}, "id": "a"},
        "thoughtSignature": SKIP,
    }
    assert "thoughtSignature" not in second


def test_signatures_go_back_to_where_they_came_from() -> None:
    """A part's signature goes with it, URL-safe, and never to another provider."""
    signed = ToolCallPart("f", {}, "a", provider_details={"thought_signature": "a+/="})
    assert _parts(signed)[0]["thoughtSignature"] == "a-_="
    assert _parts(signed, provider_name="google")[0]["thoughtSignature"] == "a-_="
    assert _parts(signed, provider_name="google-vertex")[0]["thoughtSignature"] == SKIP
    assert _parts(signed, provider_name="openai")[0]["thoughtSignature"] == SKIP


def test_a_thoughts_own_signature_is_the_next_parts() -> None:
    """The signature field of a thought is that of the part behind it; others' are dropped."""
    thought = ThinkingPart("Hm.", signature="c2ln", provider_name="google-gla")
    assert _parts(thought, TextPart("a"), TextPart("b")) == [
        {"text": "Hm.", "thought": True},
        {"text": "a", "thoughtSignature": "c2ln"},
        {"text": "b"},
    ]
    silent = attrs.evolve(thought, content="")
    assert _parts(silent, TextPart("a")) == [{"text": "a", "thoughtSignature": "c2ln"}]
    foreign = attrs.evolve(thought, provider_name="anthropic")
    assert _parts(foreign, TextPart("a"))[1] == {"text": "a"}


def test_a_call_that_was_cut_short_is_sent_as_it_is() -> None:
    """Arguments that are no JSON go as text, so that the model sees what it said."""
    (call,) = _parts(ToolCallPart("f", '{"a": "b', "c"))
    assert call["functionCall"]["args"] == {"INVALID_JSON": '{"a": "b'}


def test_builtin_tools_go_back_where_the_api_knows_them() -> None:
    """Code goes back to Google alone; searches with the API's own ids to new models alone."""
    code = BuiltinToolCallPart("code_execution", {"code": "1", "id": None}, "x")
    result = BuiltinToolReturnPart("code_execution", {"outcome": "OUTCOME_OK"}, "x")
    assert _parts(code, result) == [
        {"executableCode": {"code": "1"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK"}},
    ]
    foreign = [attrs.evolve(part, provider_name="openai") for part in (code, result)]
    assert _parts(*foreign, TextPart("a")) == [{"text": "a"}]
    call = BuiltinToolCallPart("web_search", {"queries": ["q"]}, "t-1")
    found = BuiltinToolReturnPart("web_search", {"s": "<b>", "sources": []}, "t-1")
    text = TextPart("a")
    assert _parts(call, found, text) == [{"text": "a"}]
    assert _parts(call, found, text, model_name="gemini-3-flash-preview")[:2] == [
        {"toolCall": {"id": "t-1", "tool_type": "GOOGLE_SEARCH_WEB", "args": {"queries": ["q"]}}},
        {"toolResponse": {"id": "t-1", "tool_type": "GOOGLE_SEARCH_WEB", "response": {"s": "<b>"}}},
    ]
    made_up = attrs.evolve(call, tool_call_id="pyd_ai_" + "0" * 32)
    assert _parts(made_up, text, model_name="gemini-3-flash-preview") == [{"text": "a"}]


def test_an_opaque_part_is_refused_by_name() -> None:
    """A part that this version does not know cannot be sent, and the error names it."""
    opaque = OpaquePart({"part_kind": "hologram"})
    with pytest.raises(UserError, match="hologram"):
        _parts(opaque)
    with pytest.raises(UserError, match="hologram"):
        _body(ModelRequest([opaque]))


@pytest.mark.parametrize("name", [name for name in STREAMS if name not in ("blocked", "safety")])
def test_what_came_back_can_be_sent_back(name: str) -> None:
    """Every answer can be part of the next request."""
    response = attrs.evolve(_response(f"{name}.sse"), provider_name="google-gla")
    body = _body(*HELLO, response, *HELLO, model_name="gemini-3-flash-preview")
    assert body["contents"][1]["role"] == "model"
    assert json.loads(json.dumps(body)) == body


# JSON schemas


@pytest.mark.parametrize(
    ("schema", "fitted"),
    [
        ({"$schema": "s", "title": "T", "type": "object"}, {"type": "object"}),
        (
            {"$ref": "#/$defs/A", "$defs": {"A": {"type": "string"}}},
            {"$ref": "#/$defs/A", "$defs": {"A": {"type": "string"}}},
        ),
        ({"$ref": "#/$defs/A", "title": "T"}, {"$ref": "#/$defs/A"}),
        (
            {"$ref": "#/$defs/A", "description": "d", "default": 1},
            {"anyOf": [{"$ref": "#/$defs/A"}], "description": "d", "default": 1},
        ),
        (
            {"anyOf": [{"$ref": "#/$defs/A"}], "description": "d"},
            {"anyOf": [{"$ref": "#/$defs/A"}], "description": "d"},
        ),
        ({"anyOf": [{"$ref": "#/$defs/A"}]}, {"$ref": "#/$defs/A"}),
        (
            {"$ref": "#/$defs/A", "anyOf": [{"type": "string"}, {"type": "null"}]},
            {"allOf": [{"$ref": "#/$defs/A"}], "anyOf": [{"type": "string"}, {"type": "null"}]},
        ),
        ({"const": "a"}, {"enum": ["a"], "type": "string"}),
        ({"const": True}, {"enum": [True], "type": "boolean"}),
        ({"const": 1, "type": "number"}, {"enum": [1], "type": "number"}),
        ({"type": "string", "format": "date"}, {"type": "string", "description": "Format: date"}),
        (
            {"type": "string", "format": "date", "description": "When"},
            {"type": "string", "description": "When (format: date)"},
        ),
        ({"type": "integer", "exclusiveMinimum": 0}, {"type": "integer"}),
        ({"anyOf": [{"type": "integer"}], "default": 1}, {"type": "integer", "default": 1}),
        (
            {"type": "object", "properties": {"title": {"title": "T", "type": "string"}}},
            {"type": "object", "properties": {"title": {"type": "string"}}},
        ),
        (
            {"type": "array", "items": {"const": 1}, "prefixItems": [{"title": "x"}]},
            {"type": "array", "items": {"enum": [1], "type": "integer"}, "prefixItems": [{}]},
        ),
        (
            {
                "type": "object",
                "additionalProperties": {"title": "x"},
                "$defs": {"A": {"title": "x"}},
            },
            {"type": "object", "additionalProperties": {}, "$defs": {"A": {}}},
        ),
        (
            {"anyOf": [{"const": "a", "description": "A."}, {"const": "b"}], "description": "One."},
            {"enum": ["a", "b"], "type": "string", "description": "One.\na: A."},
        ),
        (
            {"anyOf": [{"const": "a"}, {"const": 1}]},
            {"anyOf": [{"enum": ["a"], "type": "string"}, {"enum": [1], "type": "integer"}]},
        ),
        (
            {"type": "integer", "anyOf": [{"title": "x", "minimum": 1}]},
            {"type": "integer", "anyOf": [{"minimum": 1}]},
        ),
        ({"default": {"title": "kept"}}, {"default": {"title": "kept"}}),
    ],
)
def test_schemas_are_fitted(schema: Any, fitted: Any) -> None:
    """A schema says in Gemini's words what it can, and stays as it was itself."""
    before = copy.deepcopy(schema)
    assert google_json_schema(schema, None) == (fitted, True)
    assert schema == before
