"""Records: their fields, their defaults, how they print, and what can be asked of them."""

from __future__ import annotations

import copy
import inspect
import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from direct_anyio import builtin_tools, messages, profiles, tools
from direct_anyio._core.instructions import instructions_of
from direct_anyio.builtin_tools import BUILTIN_TOOL_TYPES, MCPServerTool, WebSearchTool
from direct_anyio.exceptions import UnexpectedModelBehavior
from direct_anyio.messages import (
    AudioUrl,
    BinaryContent,
    BinaryImage,
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    CachePoint,
    DocumentUrl,
    FilePart,
    FinalResultEvent,
    ImageUrl,
    ModelRequest,
    ModelResponse,
    OpaquePart,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
    ToolReturnPart,
    UploadedFile,
    UserPromptPart,
    VideoUrl,
    now,
)
from direct_anyio.profiles import ModelProfile
from direct_anyio.settings import ModelSettings, TimeoutLike, merge_model_settings
from direct_anyio.tools import ModelRequestParameters, OutputObjectDefinition, ToolDefinition
from direct_anyio.usage import RequestUsage

NOON = datetime(2026, 1, 22, 12, tzinfo=UTC)
PNG = BinaryContent(b"x", media_type="image/png")

# -- fields ---------------------------------------------------------------------------------------

# A field may be positional before the `*`; "=" has a default, "~" has one that is made anew.
FIELDS: dict[type[Any], str] = {
    SystemPromptPart: "content * timestamp~ dynamic_ref= part_kind=",
    UserPromptPart: "content * timestamp~ part_kind=",
    ToolReturnPart: "tool_name content tool_call_id~ * metadata= timestamp~ outcome= part_kind=",
    RetryPromptPart: "content * tool_name= tool_call_id~ timestamp~ part_kind=",
    TextPart: "content * id= provider_details= part_kind=",
    ThinkingPart: "content * id= signature= provider_name= provider_details= part_kind=",
    FilePart: "content * id= provider_name= provider_details= part_kind=",
    ToolCallPart: "tool_name args= tool_call_id~ * id= provider_details= part_kind=",
    BuiltinToolCallPart: (
        "tool_name args= tool_call_id~ * id= provider_details= provider_name= part_kind="
    ),
    BuiltinToolReturnPart: (
        "tool_name content tool_call_id~ * metadata= timestamp~ outcome= provider_name= "
        "provider_details= part_kind="
    ),
    ModelRequest: "parts * timestamp= instructions= kind= run_id= metadata=",
    ModelResponse: (
        "parts * usage~ model_name= timestamp~ kind= provider_name= provider_url= "
        "provider_details= provider_response_id= finish_reason= state= run_id= metadata="
    ),
    ImageUrl: "url * force_download= vendor_metadata= media_type= identifier= kind=",
    AudioUrl: "url * force_download= vendor_metadata= media_type= identifier= kind=",
    DocumentUrl: "url * force_download= vendor_metadata= media_type= identifier= kind=",
    VideoUrl: "url * force_download= vendor_metadata= media_type= identifier= kind=",
    BinaryContent: "data * media_type vendor_metadata= identifier= kind=",
    BinaryImage: "data * media_type vendor_metadata= identifier= kind=",
    TextPartDelta: "content_delta * provider_details= part_delta_kind=",
    ThinkingPartDelta: (
        "* content_delta= signature_delta= provider_name= provider_details= part_delta_kind="
    ),
    ToolCallPartDelta: (
        "* tool_name_delta= args_delta= tool_call_id= provider_details= part_delta_kind="
    ),
    PartStartEvent: "* index part previous_part_kind= event_kind=",
    PartDeltaEvent: "* index delta event_kind=",
    PartEndEvent: "* index part next_part_kind= event_kind=",
    FinalResultEvent: "* tool_name tool_call_id event_kind=",
    RequestUsage: (
        "* input_tokens= cache_write_tokens= cache_read_tokens= output_tokens= "
        "input_audio_tokens= cache_audio_read_tokens= output_audio_tokens= details~"
    ),
    ToolDefinition: (
        "* name parameters_json_schema~ description= outer_typed_dict_key= strict= sequential= "
        "kind= metadata= timeout="
    ),
    OutputObjectDefinition: "json_schema name= description= strict= *",
    ModelRequestParameters: (
        "* function_tools= builtin_tools= output_mode= output_object= output_tools= "
        "prompted_output_template= allow_text_output= allow_image_output="
    ),
}


def signature(word: type[Any]) -> str:
    fields = [field for field in attrs.fields(word) if field.init]
    named = {True: [], False: []}  # type: dict[bool, list[str]]
    for field in fields:
        made = isinstance(field.default, attrs.Factory)  # type: ignore[arg-type]
        mark = "" if field.default is attrs.NOTHING else "~" if made else "="
        named[field.kw_only].append(f"{field.alias}{mark}")
    return " ".join([*named[False], "*", *named[True]])


@pytest.mark.parametrize("word", FIELDS, ids=lambda word: word.__name__)
def test_fields_are_those_that_programs_know(word: type[Any]) -> None:
    """Names, order, positional places and defaults of the fields are a contract."""
    assert signature(word) == FIELDS[word]


KINDS: dict[str, Any] = {
    "system-prompt": SystemPromptPart("x").part_kind,
    "user-prompt": UserPromptPart("x").part_kind,
    "tool-return": ToolReturnPart("t", 1).part_kind,
    "retry-prompt": RetryPromptPart("x").part_kind,
    "text": TextPart("x").part_kind,
    "thinking": ThinkingPart("x").part_kind,
    "file": FilePart(PNG).part_kind,
    "tool-call": ToolCallPart("t").part_kind,
    "builtin-tool-call": BuiltinToolCallPart("t").part_kind,
    "builtin-tool-return": BuiltinToolReturnPart("t", 1).part_kind,
    "request": ModelRequest([]).kind,
    "response": ModelResponse([]).kind,
    "image-url": ImageUrl("u").kind,
    "audio-url": AudioUrl("u").kind,
    "document-url": DocumentUrl("u").kind,
    "video-url": VideoUrl("u").kind,
    "binary": PNG.kind,
    "cache-point": CachePoint().kind,
    "text-content": TextContent("x").kind,
    "uploaded-file": UploadedFile(file_id="f", provider_name="p").kind,
    "tool_call": ToolCallPartDelta().part_delta_kind,
    "part_start": PartStartEvent(index=0, part=TextPart("")).event_kind,
    "part_delta": PartDeltaEvent(index=0, delta=TextPartDelta("")).event_kind,
    "part_end": PartEndEvent(index=0, part=TextPart("")).event_kind,
    "final_result": FinalResultEvent(tool_name=None, tool_call_id=None).event_kind,
    "web_search": WebSearchTool().kind,
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_are_those_of_stored_histories(kind: str) -> None:
    """The discriminators are spelt as stored histories spell them."""
    assert KINDS[kind] == kind


WORDS = [
    word
    for module in (messages, tools, builtin_tools, profiles)
    for name in module.__all__
    if isinstance(word := getattr(module, name), type) and attrs.has(word)
]


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.__name__)
def test_records_are_frozen_and_slotted(word: type[Any]) -> None:
    """No attribute of a word can be set, and none has a `__dict__`."""
    blank = object.__new__(word)
    assert not hasattr(blank, "__dict__")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        blank.anything = 1


RESPONSE = ModelResponse(
    [TextPart("The capital of France is Paris.")],
    usage=RequestUsage(input_tokens=56, output_tokens=7),
    model_name="gpt-5.2",
    timestamp=NOON,
)


def test_records_pickle_and_copy() -> None:
    """A word survives pickling and deep copying, and is equal to its copy."""
    assert pickle.loads(pickle.dumps(RESPONSE)) == copy.deepcopy(RESPONSE) == RESPONSE


# -- printing -------------------------------------------------------------------------------------

TIME = f"timestamp={NOON!r}"
REPRS: list[tuple[object, str]] = [
    (TextPart("x"), "TextPart(content='x')"),
    (TextPart("x", id="1"), "TextPart(content='x', id='1')"),
    (ToolCallPart("t", tool_call_id="c"), "ToolCallPart(tool_name='t', tool_call_id='c')"),
    (UserPromptPart(["a"], timestamp=NOON), f"UserPromptPart(content=['a'], {TIME})"),
    (UserPromptPart("a", timestamp=NOON), f"UserPromptPart(content='a', {TIME})"),
    (
        ModelRequest([SystemPromptPart("s", timestamp=NOON)]),
        f"ModelRequest(parts=[SystemPromptPart(content='s', {TIME})])",
    ),
    (
        RESPONSE,
        (
            "ModelResponse(parts=[TextPart(content='The capital of France is Paris.')], "
            f"usage=RequestUsage(input_tokens=56, output_tokens=7), model_name='gpt-5.2', {TIME})"
        ),
    ),
    (
        ModelResponse([], timestamp=NOON),
        f"ModelResponse(parts=[], usage=RequestUsage(), {TIME})",
    ),
    (ImageUrl("http://x/a.png"), "ImageUrl(url='http://x/a.png')"),
    (PNG, "BinaryContent(data=b'x', media_type='image/png')"),
    (CachePoint(), "CachePoint()"),
    (CachePoint(ttl="1h"), "CachePoint(ttl='1h')"),
    (RequestUsage(), "RequestUsage()"),
    (RequestUsage(details={"a": 1}), "RequestUsage(details={'a': 1})"),
    (
        PartStartEvent(index=0, part=TextPart("Albert Einstein was ")),
        "PartStartEvent(index=0, part=TextPart(content='Albert Einstein was '))",
    ),
    (
        PartDeltaEvent(index=0, delta=TextPartDelta("physicist.")),
        "PartDeltaEvent(index=0, delta=TextPartDelta(content_delta='physicist.'))",
    ),
    (
        PartEndEvent(index=0, part=TextPart("a")),
        "PartEndEvent(index=0, part=TextPart(content='a'))",
    ),
    (
        FinalResultEvent(tool_name=None, tool_call_id=None),
        "FinalResultEvent(tool_name=None, tool_call_id=None)",
    ),
    (ThinkingPartDelta(signature_delta="s"), "ThinkingPartDelta(signature_delta='s')"),
    (
        ToolDefinition(name="t"),
        "ToolDefinition(name='t', parameters_json_schema={'type': 'object', 'properties': {}})",
    ),
    (ModelRequestParameters(), "ModelRequestParameters()"),
    (
        ModelRequestParameters(builtin_tools=[WebSearchTool(max_uses=2)]),
        "ModelRequestParameters(builtin_tools=[WebSearchTool(max_uses=2)])",
    ),
    (
        MCPServerTool(id="i", url="u", authorization_token="secret", headers={"k": "secret"}),
        "MCPServerTool(id='i', url='u')",
    ),
]


@pytest.mark.parametrize(("word", "shown"), REPRS, ids=[shown[:40] for _, shown in REPRS])
def test_records_print_as_they_are_written(word: object, shown: str) -> None:
    """A word prints without its defaults, its sequences as lists, its secrets not at all."""
    assert repr(word) == shown


# -- members --------------------------------------------------------------------------------------


def test_sequences_are_kept_as_tuples() -> None:
    """A list that the program goes on changing does not change the word."""
    parts = [TextPart("a")]
    response = ModelResponse(parts)
    parts.append(TextPart("b"))
    assert response.parts == (TextPart("a"),)


def test_a_text_prompt_is_a_request() -> None:
    """`user_text_prompt` makes a request of one user prompt and its instructions."""
    request = ModelRequest.user_text_prompt("hi", instructions="be brief")
    assert [part.content for part in request.parts if isinstance(part, UserPromptPart)] == ["hi"]
    assert (request.instructions, request.timestamp) == ("be brief", None)


CALL, RETURN = BuiltinToolCallPart("s", tool_call_id="1"), BuiltinToolReturnPart("s", 1, "1")
RICH = ModelResponse(
    [
        TextPart("a"),
        TextPart("b"),
        ThinkingPart("t1"),
        TextPart("c"),
        CALL,
        BuiltinToolCallPart("lost", tool_call_id="2"),
        RETURN,
        ThinkingPart("t2"),
        FilePart(PNG),
        FilePart(BinaryContent(b"y", media_type="text/csv")),
        ToolCallPart("t", tool_call_id="3"),
    ]
)
MEMBERS: dict[str, Any] = {
    "text": "ab\n\nc",
    "thinking": "t1\n\nt2",
    "images": [BinaryImage(b"x", media_type="image/png")],
    "tool_calls": [ToolCallPart("t", tool_call_id="3")],
    "builtin_tool_calls": [(CALL, RETURN)],
}


@pytest.mark.parametrize("name", MEMBERS)
def test_a_response_can_be_asked_by_kind(name: str) -> None:
    """The properties of a response gather its parts of one kind."""
    assert getattr(RICH, name) == MEMBERS[name]
    assert not getattr(ModelResponse([]), name)


def test_an_image_in_a_file_part_is_narrowed() -> None:
    """A file part of an image holds a `BinaryImage`, and keeps what was given with it."""
    image = BinaryContent(b"x", media_type="image/png", identifier="i", vendor_metadata={"a": 1})
    content = FilePart(image).content
    assert isinstance(content, BinaryImage)
    assert (content.identifier, content.vendor_metadata) == ("i", {"a": 1})


PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
URL_TYPES: list[tuple[Any, str | None, str | None]] = [
    (ImageUrl("https://x.org/a.png"), "image/png", "png"),
    (ImageUrl("https://x.org/a.jpg?sig=1.gif#f"), "image/jpeg", "jpeg"),
    (ImageUrl("https://x.org/a.webp"), "image/webp", "webp"),
    (ImageUrl("data:image/gif;base64,AA=="), "image/gif", "gif"),
    (ImageUrl("https://x.org/a", media_type="image/png"), "image/png", "png"),
    (ImageUrl("https://x.zip"), None, None),
    (AudioUrl("https://x.org/a.mp3"), "audio/mpeg", "mp3"),
    (AudioUrl("https://x.org/a.wav"), "audio/wav", "wav"),
    (AudioUrl("https://x.org/a.oga"), "audio/ogg", "oga"),
    (AudioUrl("https://x.org/a.flac"), "audio/flac", "flac"),
    (AudioUrl("https://x.org/a.aiff"), "audio/aiff", "aiff"),
    (AudioUrl("https://x.org/a.aac"), "audio/aac", "aac"),
    (DocumentUrl("https://x.org/a.pdf"), "application/pdf", "pdf"),
    (DocumentUrl("https://x.org/a.md"), "text/markdown", "md"),
    (DocumentUrl("https://x.org/a.unknown"), None, None),
    (AudioUrl("https://x.org/a.ogg"), "audio/ogg", "oga"),
    (AudioUrl("https://x.org/a.opus"), "audio/ogg", "oga"),
    (AudioUrl("https://x.org/a.aif"), "audio/aiff", "aiff"),
    (AudioUrl("https://x.org/a.M4A?x=1"), "audio/mp4", None),
    (ImageUrl("https://x.org/a.jfif"), "image/jpeg", "jpeg"),
    (ImageUrl("https://x.org/a.avif"), "image/avif", None),
    (VideoUrl("https://x.org/a.3gp"), "video/3gpp", "three_gp"),
    (VideoUrl("https://x.org/a.m4v"), "video/mp4", "mp4"),
    (VideoUrl("https://m.youtube.com/watch?v=x"), "video/mp4", "mp4"),
    (VideoUrl("https://music.youtube.com/watch?v=x"), None, None),
    (DocumentUrl("https://x.org/a.markdown"), "text/markdown", "md"),
    (DocumentUrl("https://x.org/a.pptx"), PPTX, "pptx"),
    (DocumentUrl("https://x.org/a.js"), "text/javascript", "js"),
    (DocumentUrl("https://x.org/a.xml"), "application/xml", "xml"),
    (ImageUrl("DATA:Image/PNG;name=a.gif;base64,AAAA"), "image/png", "png"),
    (DocumentUrl("data:,a"), "text/plain", "txt"),
    (DocumentUrl("https://x.org/a.rtf"), "application/rtf", "rtf"),
    (VideoUrl("https://youtu.be/abc"), "video/mp4", "mp4"),
    (VideoUrl("https://www.youtube.com/watch?v=abc"), "video/mp4", "mp4"),
    (VideoUrl("https://x.org/a.mkv"), "video/x-matroska", "mkv"),
    (VideoUrl("https://x.org/a.three_gp"), "video/3gpp", "three_gp"),
]


@pytest.mark.parametrize(
    ("url", "media_type", "kind"), URL_TYPES, ids=[u[0].url for u in URL_TYPES]
)
def test_the_type_of_a_file_follows_from_its_url(
    url: Any, media_type: str | None, kind: str | None
) -> None:
    """The path of a URL tells the media type and the format; where it does not, they raise."""
    if media_type is None:
        with pytest.raises(ValueError, match="Explicitly provide a `media_type` instead"):
            _ = url.media_type
    else:
        assert url.media_type == media_type
    if kind is None:
        with pytest.raises(ValueError, match="media type"):
            _ = url.format
    else:
        assert url.format == kind


def test_a_file_has_a_short_name() -> None:
    """The identifier is that which was given, else a hash, and plays no part in equality."""
    url = "https://example.com/cat.png"
    assert ImageUrl(url).identifier == "750ff4"
    assert ImageUrl(url, identifier="cat").identifier == "cat"
    assert ImageUrl(url, identifier="cat") == ImageUrl(url)
    assert BinaryContent(b"\x89PNG\xff\xfe", media_type="image/png").identifier != PNG.identifier


def test_bytes_can_be_said_as_a_data_uri(tmp_path: Path) -> None:
    """A data URI and a file read back as the bytes that they hold."""
    content = BinaryContent(b"\xfb\xff", media_type="image/png")
    assert content.data_uri == "data:image/png;base64,+/8="
    assert BinaryContent.from_data_uri(content.data_uri) == BinaryContent.narrow_type(content)
    (tmp_path / "a.csv").write_bytes(b"1")
    (tmp_path / "a.nobody").write_bytes(b"1")
    assert BinaryContent.from_path(tmp_path / "a.csv").format == "csv"
    assert BinaryContent.from_path(tmp_path / "a.nobody").media_type == "application/octet-stream"
    with pytest.raises(FileNotFoundError):
        BinaryContent.from_path(tmp_path / "none")
    with pytest.raises(ValueError, match="image/"):
        BinaryImage(b"x", media_type="text/plain")


DATA_URIS: dict[str, tuple[str, bytes]] = {
    "data:image/png;base64,+/8=": ("image/png", b"\xfb\xff"),
    "data:image/png;base64,-_8": ("image/png", b"\xfb\xff"),
    "data:image/png;base64,%2B%2F8%3D": ("image/png", b"\xfb\xff"),
    " Data:text/csv;charset=utf-8;BASE64,\nMQ\n==\n": ("text/csv", b"1"),
    "data:text/html,a%20b,%3Cc%3E": ("text/html", b"a b,<c>"),
    "data:;base64,MQ==": ("text/plain", b"1"),
    "data:,": ("text/plain", b""),
}


@pytest.mark.parametrize("uri", DATA_URIS)
def test_a_data_uri_is_read(uri: str) -> None:
    """In base64 of either alphabet, padded or not, or percent-encoded."""
    content = BinaryContent.from_data_uri(uri)
    assert (content.media_type, content.data) == DATA_URIS[uri]


@pytest.mark.parametrize(
    "uri", ["http://x/secret", "data:image/png;secret", "data:image/png;base64,secret!", "data:"]
)
def test_a_data_uri_that_makes_no_sense(uri: str) -> None:
    """The error does not hold it."""
    with pytest.raises(ValueError, match=r"^(?!.*secret)Data URI must"):
        BinaryContent.from_data_uri(uri)


CLASSES = {"audio/wav": "is_audio", "image/png": "is_image", "video/mp4": "is_video"}


@pytest.mark.parametrize(
    "media_type", [*CLASSES, "application/pdf", PPTX, "application/json", "application/x-none"]
)
def test_bytes_have_a_class(media_type: str) -> None:
    """Exactly one of the four questions is answered with yes, none for an unknown type."""
    content = BinaryContent(b"", media_type=media_type)
    names = ("is_audio", "is_image", "is_video", "is_document")
    wanted = CLASSES.get(
        media_type, "is_document" if media_type.endswith(("pdf", "tion")) else None
    )
    assert [name for name in names if getattr(content, name)] == ([wanted] if wanted else [])


ARGS: list[tuple[Any, Any, str, bool]] = [  # the arguments, as a dict, as JSON, are there any
    (None, {}, "{}", False),
    ("", {}, "{}", False),
    ({}, {}, "{}", False),
    ("{}", {}, "{}", True),
    ('{"a": 1}', {"a": 1}, '{"a": 1}', True),
    ({"a": 1}, {"a": 1}, '{"a":1}', True),
    ({"a": None}, {"a": None}, '{"a":null}', False),
    ({"a": b"\xff", "b": NOON}, ..., '{"a":"_w==","b":"2026-01-22T12:00:00Z"}', True),
    ("[]", AssertionError, "[]", True),
    ("null", AssertionError, "null", True),
    ('{"a": 1', ValueError, '{"a": 1', True),
]


@pytest.mark.parametrize("part", [ToolCallPart, BuiltinToolCallPart])
@pytest.mark.parametrize(
    ("args", "as_dict", "as_json", "some"), ARGS, ids=[str(a[0]) for a in ARGS]
)
def test_arguments_are_read_either_way(
    part: Any, args: Any, as_dict: Any, as_json: str, some: bool
) -> None:
    """Arguments are given as a dict and as JSON text, whichever of the two they came as."""
    call = part("t", args)
    assert (call.args_as_json_str(), call.has_content()) == (as_json, some)
    if isinstance(as_dict, type):
        with pytest.raises(as_dict):
            call.args_as_dict()
    else:
        assert call.args_as_dict() == (args if as_dict is ... else as_dict)


RETURNS: list[tuple[Any, str, Any, bool]] = [  # the result, as text, as an object, is there any
    ("x", "x", {"return_value": "x"}, True),
    (None, "null", {"return_value": None}, False),
    (0, "0", {"return_value": 0}, True),
    ([b"\xff\xfe", {"a": 1.5}], '["__4=",{"a":1.5}]', {"return_value": ["__4=", {"a": 1.5}]}, True),
    ({"a": b"\xff"}, '{"a":"_w=="}', {"a": "_w=="}, True),
    ({"é": 1}, '{"é":1}', {"é": 1}, True),
]


@pytest.mark.parametrize("part", [ToolReturnPart, BuiltinToolReturnPart])
@pytest.mark.parametrize(("value", "text", "plain", "some"), RETURNS, ids=[r[1] for r in RETURNS])
def test_a_result_is_put_to_a_model(
    part: Any, value: Any, text: str, plain: Any, some: bool
) -> None:
    """A tool's result is text and an object, its bytes in URL-safe base64."""
    result = part("t", value, "1")
    assert result.model_response_str() == text
    assert result.model_response_object() == plain
    assert result.has_content() is some


ERROR = {"type": "missing", "loc": ("a",), "msg": "Field required", "input": {}, "ctx": {"z": 1}}
LISTED = """1 validation error:
```json
[
  {
    "type": "missing",
    "loc": [
      "a"
    ],
    "msg": "Field required",
    "input": {}
  }
]
```"""
RETRIES: list[tuple[RetryPromptPart, str]] = [
    (RetryPromptPart("x"), "Validation feedback:\nx"),
    (RetryPromptPart("x", tool_name="t"), "x"),
    (RetryPromptPart([ERROR], tool_name="t"), LISTED),
]


@pytest.mark.parametrize(("part", "expected"), RETRIES, ids=["text", "tool", "errors"])
def test_a_retry_says_what_was_wrong(part: RetryPromptPart, expected: str) -> None:
    """A retry prompt tells the errors, without their context, and asks for another try."""
    assert part.model_response() == f"{expected}\n\nFix the errors and try again."


def test_generated_values_are_new_each_time() -> None:
    """Tool call ids are unique and marked as ours; timestamps are in UTC."""
    first, second = ToolCallPart("t").tool_call_id, ToolCallPart("t").tool_call_id
    assert first != second
    assert first.startswith("pyd_ai_")
    assert len(first) == len("pyd_ai_") + 32
    assert now().tzinfo is UTC


def test_an_unknown_part_keeps_its_kind() -> None:
    """A part of an unknown kind tells it, and has nothing to show."""
    part = OpaquePart({"part_kind": "speech", "x": 1})
    assert (part.part_kind, part.has_content()) == ("speech", False)


# -- usage ----------------------------------------------------------------------------------------


def test_usages_add_up() -> None:
    """`+` adds every count and every detail, and leaves both sides as they were."""
    a = RequestUsage(input_tokens=1, cache_read_tokens=2, details={"x": 1, "y": 2})
    b = RequestUsage(input_tokens=10, output_tokens=5, details={"y": 3, "z": 4})
    assert a + b == RequestUsage(
        input_tokens=11, cache_read_tokens=2, output_tokens=5, details={"x": 1, "y": 5, "z": 4}
    )
    other: Any = 3
    with pytest.raises(TypeError, match="unsupported operand"):
        _ = a + other
    assert a.details == {"x": 1, "y": 2}
    assert ((a + b).total_tokens, a.requests) == (16, 1)


def test_usage_tells_what_it_has() -> None:
    """An empty usage has no values; old histories give None for its details."""
    old: Any = None
    assert not RequestUsage(details=old).has_values()
    assert RequestUsage(details={"a": 1}).has_values()
    assert RequestUsage(
        input_tokens=1, cache_read_tokens=2, details={"reasoning_tokens": 3, "none": 0}
    ).opentelemetry_attributes() == {
        "gen_ai.usage.input_tokens": 1,
        "gen_ai.usage.details.reasoning_tokens": 3,
        "gen_ai.usage.details.cache_read_tokens": 2,
    }


# -- deltas ---------------------------------------------------------------------------------------

DETAILS = {"a": 1}
APPLIED: list[tuple[Any, Any, Any]] = [  # the delta, the part, the part grown
    (TextPartDelta("b"), TextPart("a", id="1"), TextPart("ab", id="1")),
    (
        TextPartDelta("", provider_details={"b": 2}),
        TextPart("a", provider_details=DETAILS),
        TextPart("a", provider_details={"a": 1, "b": 2}),
    ),
    (ThinkingPartDelta(content_delta="b"), ThinkingPart("a"), ThinkingPart("ab")),
    (
        ThinkingPartDelta(signature_delta="s", provider_name="p"),
        ThinkingPart("a", signature="old"),
        ThinkingPart("a", signature="s", provider_name="p"),
    ),
    (
        ToolCallPartDelta(args_delta="1}", tool_call_id="2", tool_name_delta="y"),
        ToolCallPart("x", '{"a":', "1"),
        ToolCallPart("xy", '{"a":1}', "2"),
    ),
    (
        ToolCallPartDelta(args_delta={"b": 2}),
        BuiltinToolCallPart("x", {"a": 1}, "1", provider_name="p"),
        BuiltinToolCallPart("x", {"a": 1, "b": 2}, "1", provider_name="p"),
    ),
    (
        ToolCallPartDelta(args_delta="b"),
        ToolCallPartDelta(args_delta="a", tool_call_id="1"),
        ToolCallPartDelta(args_delta="ab", tool_call_id="1"),
    ),
    (
        ToolCallPartDelta(tool_name_delta="t"),
        ToolCallPartDelta(args_delta="a", tool_call_id="1"),
        ToolCallPart("t", "a", "1"),
    ),
]


@pytest.mark.parametrize(("delta", "part", "grown"), APPLIED, ids=range(len(APPLIED)))
def test_a_delta_grows_its_part(delta: Any, part: Any, grown: Any) -> None:
    """`apply` returns the grown part and changes neither of its two sides."""
    before = copy.deepcopy(part)
    assert delta.apply(part) == grown
    assert part == before


UNFIT: list[tuple[Any, Any, type[Exception]]] = [
    (TextPartDelta("a"), ThinkingPart("b"), ValueError),
    (ThinkingPartDelta(content_delta="a"), TextPart("b"), ValueError),
    (ToolCallPartDelta(args_delta="a"), TextPart("b"), ValueError),
    (ToolCallPartDelta(args_delta="a"), ToolCallPart("t", {"x": 1}), UnexpectedModelBehavior),
    (ToolCallPartDelta(args_delta={"x": 1}), ToolCallPart("t", "a"), UnexpectedModelBehavior),
]


@pytest.mark.parametrize(("delta", "part", "error"), UNFIT, ids=range(len(UNFIT)))
def test_a_delta_refuses_what_it_does_not_fit(
    delta: Any, part: Any, error: type[Exception]
) -> None:
    """A delta for another kind of part is a `ValueError`; mixed arguments are the model's fault."""
    with pytest.raises(error):
        delta.apply(part)


def test_a_delta_with_a_name_is_a_call() -> None:
    """`as_part` makes a call of a delta that has a name, with an id of its own if need be."""
    assert ToolCallPartDelta(args_delta="a").as_part() is None
    call = ToolCallPartDelta(tool_name_delta="t", args_delta="a").as_part()
    assert call is not None
    assert (call.tool_name, call.args, call.tool_call_id[:7]) == ("t", "a", "pyd_ai_")


# -- settings, tools, profiles, instructions ------------------------------------------------------


def test_settings_merge() -> None:
    """Later settings win, key by key, and None is no settings."""
    a, b = ModelSettings(seed=1, top_p=0.5), ModelSettings(seed=2)
    assert merge_model_settings(a, b) == {"seed": 2, "top_p": 0.5}
    assert merge_model_settings(None, b) == merge_model_settings(b, None) == b
    assert merge_model_settings(None, None) is None


def test_a_timeout_is_known_by_its_shape() -> None:
    """Anything with the four timeouts will do as `timeout`."""

    class Timeout:
        connect = read = write = pool = 1.0

    assert isinstance(Timeout(), TimeoutLike)
    assert not isinstance(1.0, TimeoutLike)


def test_request_parameters_know_their_tools() -> None:
    """Tools are found by name; calls of deferred ones are answered elsewhere."""
    tool, output = ToolDefinition(name="a"), ToolDefinition(name="b", kind="output")
    parameters = ModelRequestParameters(function_tools=[tool], output_tools=[output])
    assert parameters.tool_defs == {"a": tool, "b": output}
    kinds = ("function", "output", "external", "unapproved")
    assert [ToolDefinition(name="a", kind=kind).defer for kind in kinds] == [  # type: ignore[arg-type]
        False, False, True, True,
    ]  # fmt: skip


def test_a_prompted_schema_is_in_the_text() -> None:
    """The template is filled in with the schema, its name and its description."""
    output = OutputObjectDefinition({"type": "object"}, "City", "A city")
    parameters = ModelRequestParameters(output_object=output, prompted_output_template="<{schema}>")
    reported = '<{"type": "object", "title": "City", "description": "A city"}>'
    assert parameters.prompted_output_instructions == reported
    assert ModelRequestParameters(output_object=output).prompted_output_instructions is None
    template_alone = ModelRequestParameters(prompted_output_template="<{schema}>")
    assert template_alone.prompted_output_instructions is None


def test_builtin_tools_are_found_by_kind() -> None:
    """Every built-in tool is in the table under its kind, and tells servers apart."""
    assert sorted(BUILTIN_TOOL_TYPES) == [
        "code_execution",
        "file_search",
        "image_generation",
        "mcp_server",
        "memory",
        "web_fetch",
        "web_search",
    ]
    server = MCPServerTool(id="x", url="u")
    assert (server.unique_id, server.label) == ("mcp_server:x", "MCP: x")
    assert (WebSearchTool().unique_id, WebSearchTool().label) == ("web_search", "Web Search")


@attrs.frozen(repr=False, kw_only=True)
class OwnProfile(ModelProfile):
    own: int = 0


def test_profiles_lay_over_each_other() -> None:
    """What a profile sets is laid over another; keys that the other lacks are dropped."""
    own = OwnProfile(own=1, supports_tools=False)
    assert ModelProfile().update(own) == ModelProfile(supports_tools=False)
    assert own.update(ModelProfile(supports_image_output=True)) == OwnProfile(
        own=1, supports_tools=False, supports_image_output=True
    )
    assert own.update(None) is OwnProfile.from_profile(own) is own
    assert OwnProfile.from_profile(ModelProfile(supports_tools=False)).supports_tools is False


def _request(instructions: str | None, *parts: Any) -> ModelRequest:
    return ModelRequest(parts or (UserPromptPart("x"),), instructions=instructions)


ANSWER = ToolReturnPart("t", 1, "1")
INSTRUCTIONS: dict[str, tuple[list[Any], str | None]] = {
    "none at all": ([], None),
    "the last request's": ([_request("a"), RESPONSE, _request("b")], "b"),
    "an earlier one's": ([_request("a"), RESPONSE, _request(None)], "a"),
    "over an answer to a call": ([_request("a"), RESPONSE, _request(None, ANSWER)], "a"),
    "over two": ([_request("a"), _request(None, ANSWER), _request(None, ANSWER)], "a"),
    "over a mixed one": ([_request("a"), _request(None, ANSWER, UserPromptPart("x"))], "a"),
    "over an empty one": ([_request("a"), RESPONSE, _request("")], "a"),
    "over a blank one": ([_request("a"), RESPONSE, _request(" \n")], "a"),
    "the latest of two": ([_request("a"), _request("b"), _request(None)], "b"),
}


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_the_latest_instructions_count(name: str) -> None:
    """Those of the latest request that has any count, with the prompted schema behind them."""
    history, wanted = INSTRUCTIONS[name]
    assert instructions_of(history, ModelRequestParameters()) == wanted
    prompted = ModelRequestParameters(
        output_object=OutputObjectDefinition({}), prompted_output_template="{schema}"
    )
    assert instructions_of(history, prompted) == (f"{wanted}\n\n{{}}" if wanted else "{}")


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.__name__)
def test_every_word_is_documented(word: type[Any]) -> None:
    """Every public word has a docstring of its own."""
    assert inspect.getdoc(word)
    assert "__doc__" in vars(word)
