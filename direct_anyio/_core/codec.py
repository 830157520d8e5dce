"""What a dialect is: two pure halves, and the words between them and the accumulator.

`Codec.encode` turns messages into an HTTP call. A `Reader`, made anew for each
response, turns what came back into items: a frame of a stream, or a whole body. Both
may index what they are given without a care: the decoder turns what goes wrong into
`UnexpectedModelBehavior`, once for all dialects.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from enum import Enum, auto
from typing import Any, ClassVar, Protocol, TypeAlias, TypeVar

from attrs import field, frozen

from ..content import FileUrl
from ..events import TextPartDelta, ThinkingPartDelta, ToolCallPartDelta
from ..messages import FinishReason, ModelMessage
from ..parts import ModelResponsePart
from ..profiles import ModelProfile
from ..settings import ModelSettings
from ..tools import ModelRequestParameters
from ..usage import RequestUsage

__all__ = (
    "Codec",
    "Delta",
    "HTTPCall",
    "Item",
    "JSONObject",
    "Mark",
    "ModelCodec",
    "PartChunk",
    "Reader",
    "ResponseInfo",
    "StreamEnd",
    "WholePart",
    "args_of",
    "count",
    "dictionary",
    "id_of",
    "index_of",
    "maybe",
    "others_left_out",
    "reason_of",
    "text_chunk",
    "text_of",
    "thinking_chunk",
    "tool_call_chunk",
    "expect_type",
)

ValueT = TypeVar("ValueT")

JSONObject: TypeAlias = dict[str, Any]

Delta: TypeAlias = TextPartDelta | ThinkingPartDelta | ToolCallPartDelta


@frozen
class HTTPCall:
    """One HTTP request, but for the base URL and the key.

    Attributes:
        path: What follows the base URL, starting with '/'.
        body: The JSON body; None for a GET.
        headers: Headers of the dialect's own.
        query: Query parameters.
    """

    path: str
    body: dict[str, Any] | None
    headers: dict[str, str] = field(factory=dict)
    query: dict[str, str] = field(factory=dict)


def _key(value: Hashable) -> Hashable:
    hash(value)  # a provider's index may be anything, and this is where its error is ours
    return value


def _text(value: str | None) -> str | None:
    # Optional fields: nonsense costs the field, not the answer.
    return value if isinstance(value, str) else None


@frozen
class PartChunk:
    """A part starts or grows.

    Attributes:
        key: What identifies the part in this response, such as an index; None for
            the latest part if it is of the delta's kind.
        delta: What is added; the first one for a key starts the part.
        id: The provider's id of the part, used as it starts.
    """

    key: Hashable = field(converter=_key)
    delta: Delta
    id: str | None = field(default=None, converter=_text)


@frozen
class WholePart:
    """A part that comes in one piece, or in the place of the part that has its key.

    The chunks of its key, if any follow, add to it.
    """

    key: Hashable = field(converter=_key)
    part: ModelResponsePart


@frozen(kw_only=True)
class ResponseInfo:
    """What is known of the response; None for what is not news.

    Attributes:
        model_name: The model that answers.
        provider_response_id: The provider's id of the response.
        finish_reason: Why the model stopped.
        usage: All that has been used so far, not what was added.
        provider_details: The provider's own data, merged into what came before.
        suspended: Whether the provider has paused, so that the answer is not complete.
        notes: Notes of our own on how the response was read, merged likewise.
    """

    model_name: str | None = field(default=None, converter=_text)
    provider_response_id: str | None = field(default=None, converter=_text)
    finish_reason: FinishReason | None = None
    usage: RequestUsage | None = None
    provider_details: dict[str, Any] | None = None
    suspended: bool | None = None
    notes: dict[str, Any] | None = None


class Mark(Enum):
    """How far the answer is, by the provider or by its bytes; `ending` has what follows of it.

    Attributes:
        FINISHED: A finish reason was given: the answer is whole if nothing else comes.
        DONE: `[DONE]`, which ends a stream of the Chat family and gives no reason.
        LAST: The protocol's last event, or the end of a JSON document.
        END: The body of a stream ended.
        CUT: The body broke off: the connection failed, or a limit passed.
    """

    FINISHED = auto()
    DONE = auto()
    LAST = auto()
    END = auto()
    CUT = auto()


class StreamEnd(Enum):
    """What ends a stream of a protocol.

    Attributes:
        DONE: The frame `[DONE]`.
        EVENT: An event of the protocol's own.
        BODY: The end of the body; no frame says so.
    """

    DONE = auto()
    EVENT = auto()
    BODY = auto()


Item: TypeAlias = PartChunk | WholePart | ResponseInfo | Mark


class Reader(Protocol):
    """Turns one response of a provider into items; it remembers what it has seen.

    Attributes:
        stream_end: What ends a stream of the protocol.
        events: Names of the events that it reads, where the protocol names its events.
    """

    stream_end: StreamEnd
    events: frozenset[str] = frozenset()

    def frame(self, event: str, document: Any) -> Iterable[Item]:
        """Read one frame of a stream: its event name and its JSON."""
        ...

    def body(self, document: Any) -> Iterable[Item]:
        """Read a whole response."""
        ...

    def end(self) -> Iterable[Item]:
        """Return what was held back, as no more frames will come."""
        return ()

    def failed(self, document: Any) -> Iterable[Item] | None:
        """Read an error document that is an answer; None for one that is an error."""
        return None


class Codec(Protocol):
    """Translates for one wire protocol; frozen, and shared by all requests of a model.

    `encode` is given a history that has been fitted to `profile`, by `target.history_for`.

    Attributes:
        profile: What the model can do, and what it takes.
    """

    profile: ModelProfile

    def needs_download(self, item: FileUrl) -> bool:
        """Return whether a file must be downloaded and sent as `BinaryContent`."""
        return item.force_download

    def continues(self, settings: ModelSettings) -> bool:
        """Return whether the provider has kept messages from before the history."""
        return False

    def encode(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> HTTPCall:
        """Write a request.

        Raises:
            UserError: The protocol or the model does not take a part of it.
        """
        ...

    def reader(self, parameters: ModelRequestParameters) -> Reader:
        """Return a reader for the response to a request with these parameters."""
        ...


class ModelCodec(Codec, Protocol):
    """The codec of a model, which knows whom it speaks to.

    Attributes:
        settings_prefix: The prefix of the settings that only its protocol knows.
        provider_name: The provider.
    """

    settings_prefix: ClassVar[str]
    provider_name: str

    def __hash__(self) -> int: ...


def expect_type(value: Any, expected: type[ValueT]) -> ValueT:
    """Return `value`, which must be of the expected type.

    Raises:
        TypeError: It is not: the provider's answer cannot be read.
    """
    if not isinstance(value, expected):
        raise TypeError(f"expected {expected.__name__}, got {type(value).__name__}")
    return value


def maybe(convert: Callable[[Any], ValueT], value: Any) -> ValueT | None:
    """Return an optional field converted, None where it is absent or cannot be read.

    A bad `created` costs that field, not the answer.
    """
    if value is None:
        return None
    try:
        return convert(value)
    except (LookupError, AttributeError, TypeError, ValueError, ArithmeticError, OSError):
        return None


def count(value: Any) -> int:
    """Return a count; what is negative, beyond all counts or no number is 0."""
    if type(value) is not int and not isinstance(value, float):
        return 0
    return int(value) if 0 <= value < _UNCOUNTABLE else 0


_UNCOUNTABLE = 2**63


def dictionary(value: Any) -> dict[str, Any]:
    """Return an optional object; what is none is {}."""
    return value if isinstance(value, dict) else {}


def id_of(value: Any) -> str | None:
    """Return an optional id as text; an empty one, and the text 'null', are none."""
    if type(value) is int:
        return str(value)
    return value if isinstance(value, str) and value not in ("", "null") else None


def index_of(value: Any) -> int | None:
    """Return an optional index; a text of digits and a whole float are ones, too."""
    if type(value) is int:
        return value
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        return int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else None


def reason_of(value: Any) -> str | None:
    """Return a finish reason; a blank one, and the texts 'null' and 'None', are none."""
    is_reason = isinstance(value, str) and value.strip().lower() not in ("", "null", "none")
    return value if is_reason else None


def args_of(value: Any) -> Any:
    """Return the arguments of a call, None for the ways in which servers write that it has none."""
    return None if value in ([], "null") else value


def text_of(value: Any) -> str:
    """Return the text of a thought, which may be an object, or a list of them."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(text_of, value))
    names = ("text", "content", "thinking", "summary")
    texts = (dictionary(value).get(name) for name in names)
    return next((text_of(each) for each in texts if each), "")


def others_left_out(count: int) -> ResponseInfo:
    """Return the note that so many other choices, or candidates, are not in the answer."""
    details, notes = {"other_choices": count}, {"other_choices_left_out": count}
    return ResponseInfo(provider_details=details, notes=notes)


def text_chunk(
    key: Hashable, text: Any, *, id: str | None = None, details: dict[str, Any] | None = None
) -> PartChunk:
    """Return a chunk of text."""
    return PartChunk(key, TextPartDelta(expect_type(text, str), provider_details=details), id)


def thinking_chunk(
    key: Hashable,
    text: Any = None,
    *,
    id: str | None = None,
    signature: Any = None,
    provider_name: str | None = None,
    details: dict[str, Any] | None = None,
) -> PartChunk:
    """Return a chunk of a thought, of its signature, or of both."""
    delta = ThinkingPartDelta(
        content_delta=None if text is None else expect_type(text, str),
        signature_delta=_text(signature),
        provider_name=provider_name,
        provider_details=details,
    )
    return PartChunk(key, delta, id)


def tool_call_chunk(
    key: Hashable,
    *,
    name: Any = None,
    args: Any = None,
    call_id: Any = None,
    id: str | None = None,
    details: dict[str, Any] | None = None,
) -> PartChunk:
    """Return a chunk of a tool call; arguments are JSON text or a dict.

    The call gets an id of ours where it has none.
    """
    delta = ToolCallPartDelta(
        tool_name_delta=None if name is None else expect_type(name, str),
        args_delta=args if args is None or isinstance(args, dict) else expect_type(args, str),
        tool_call_id=id_of(call_id),
        provider_details=details,
    )
    return PartChunk(key, delta, id)
