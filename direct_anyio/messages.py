"""The messages that go to a model and come back: requests, responses and all their words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar, get_args, overload

from attrs import field, frozen

from ._record import Record, tuple_of
from .content import (
    AudioFormat,
    AudioMediaType,
    AudioUrl,
    BinaryContent,
    BinaryImage,
    CachePoint,
    DocumentFormat,
    DocumentMediaType,
    DocumentUrl,
    FileUrl,
    ImageFormat,
    ImageMediaType,
    ImageUrl,
    MultiModalContent,
    TextContent,
    UploadedFile,
    UserContent,
    VideoFormat,
    VideoMediaType,
    VideoUrl,
)
from .events import (
    FinalResultEvent,
    ModelResponsePartDelta,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPartDelta,
    ThinkingPartDelta,
    ToolCallPartDelta,
)
from .exceptions import UnexpectedModelBehavior, UserError
from .parts import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    FilePart,
    ModelRequestPart,
    ModelResponsePart,
    OpaquePart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
    new_tool_call_id,
    now,
)
from .usage import RequestUsage

if TYPE_CHECKING:
    from genai_prices.types import PriceCalculation

    from .history import ModelMessagesTypeAdapter as ModelMessagesTypeAdapter

__all__ = (
    "AudioFormat",
    "AudioMediaType",
    "AudioUrl",
    "BinaryContent",
    "BinaryImage",
    "BuiltinToolCallPart",
    "BuiltinToolReturnPart",
    "CachePoint",
    "DocumentFormat",
    "DocumentMediaType",
    "DocumentUrl",
    "FilePart",
    "FileUrl",
    "FinalResultEvent",
    "FinishReason",
    "ImageFormat",
    "ImageMediaType",
    "ImageUrl",
    "ModelMessage",
    "ModelRequest",
    "ModelRequestPart",
    "ModelResponse",
    "ModelResponsePart",
    "ModelResponsePartDelta",
    "ModelResponseStreamEvent",
    "MultiModalContent",
    "OpaquePart",
    "PartDeltaEvent",
    "PartEndEvent",
    "PartStartEvent",
    "ResponseState",
    "RetryPromptPart",
    "SystemPromptPart",
    "TextContent",
    "TextPart",
    "TextPartDelta",
    "ThinkingPart",
    "ThinkingPartDelta",
    "ToolCallPart",
    "ToolCallPartDelta",
    "ToolReturnPart",
    "UploadedFile",
    "UserContent",
    "UserPromptPart",
    "VideoFormat",
    "VideoMediaType",
    "VideoUrl",
    "new_tool_call_id",
    "now",
)

FinishReason = Literal["stop", "length", "content_filter", "tool_call", "error"]
ResponseState = Literal["complete", "incomplete", "suspended", "interrupted"]

OutputT = TypeVar("OutputT")
_MADE_OF = "A message is made of parts, such as"

_RESPONSE_PARTS = get_args(ModelResponsePart)
# A response's part in a request is refused, with its place, where it would be stored or sent.
_REQUEST_PARTS = (*get_args(ModelRequestPart), *_RESPONSE_PARTS)


def _request_parts(value: Iterable[ModelRequestPart]) -> tuple[ModelRequestPart, ...]:
    example = "ModelRequest.user_text_prompt('Hello') or ModelRequest([UserPromptPart('Hello')])"
    return tuple_of(value, _REQUEST_PARTS, f"{_MADE_OF} {example}")


def _response_parts(value: Iterable[ModelResponsePart]) -> tuple[ModelResponsePart, ...]:
    example = "ModelResponse([TextPart('Hello')])"
    return tuple_of(value, _RESPONSE_PARTS, f"{_MADE_OF} {example}")


@frozen(repr=False)
class ModelRequest(Record):
    """What is said to a model in one turn.

    Attributes:
        parts: System prompts, user prompts, tool returns and retry prompts.
        timestamp: When it was sent, where the program recorded it.
        instructions: Instructions from this turn on, until a later request has others.
        run_id: The program's own id.
        metadata: The program's own data, which is not sent.
    """

    parts: Sequence[ModelRequestPart] = field(converter=_request_parts)
    timestamp: datetime | None = field(default=None, kw_only=True)
    instructions: str | None = field(default=None, kw_only=True)
    kind: Literal["request"] = field(default="request", kw_only=True)
    run_id: str | None = field(default=None, kw_only=True)
    metadata: dict[str, Any] | None = field(default=None, kw_only=True)

    @classmethod
    def user_text_prompt(cls, user_prompt: str, *, instructions: str | None = None) -> ModelRequest:
        """Return a request with one user prompt.

        Args:
            user_prompt: What the user says.
            instructions: What the model should heed while it answers.
        """
        return cls([UserPromptPart(user_prompt)], instructions=instructions)


@frozen(repr=False)
class ModelResponse(Record):
    """What a model answered.

    Attributes:
        parts: Texts, thoughts, tool calls and files, in the order in which they came.
        usage: Tokens used; partial while `state` is not 'complete'.
        model_name: The model that answered, by the provider's name.
        timestamp: When the answer was received.
        provider_name: The provider.
        provider_url: Its base URL.
        provider_details: The provider's own data: the raw `finish_reason`, its
            `timestamp`, `logprobs`.
        provider_response_id: The provider's id for this response.
        finish_reason: Why the model stopped, None where the provider did not say.
        state: 'complete'; 'interrupted', the reader left; 'incomplete', it is still
            running or failed; 'suspended', the provider goes on in the background.
        run_id: The program's own id.
        metadata: The program's own data.
    """

    parts: Sequence[ModelResponsePart] = field(converter=_response_parts)
    usage: RequestUsage = field(factory=RequestUsage, kw_only=True)
    model_name: str | None = field(default=None, kw_only=True)
    timestamp: datetime = field(factory=now, kw_only=True)
    kind: Literal["response"] = field(default="response", kw_only=True)
    provider_name: str | None = field(default=None, kw_only=True)
    provider_url: str | None = field(default=None, kw_only=True)
    provider_details: dict[str, Any] | None = field(default=None, kw_only=True)
    provider_response_id: str | None = field(default=None, kw_only=True)
    finish_reason: FinishReason | None = field(default=None, kw_only=True)
    state: ResponseState = field(default="complete", kw_only=True)
    run_id: str | None = field(default=None, kw_only=True)
    metadata: dict[str, Any] | None = field(default=None, kw_only=True)

    @property
    def text(self) -> str | None:
        """The text: adjacent text parts joined, others set apart by a blank line."""
        runs = [
            "".join(part.content for part in run if isinstance(part, TextPart))
            for is_text, run in groupby(self.parts, lambda part: isinstance(part, TextPart))
            if is_text
        ]
        return "\n\n".join(runs) if runs else None

    @property
    def thinking(self) -> str | None:
        """The thoughts, set apart by blank lines."""
        thoughts = [part.content for part in self.parts if isinstance(part, ThinkingPart)]
        return "\n\n".join(thoughts) if thoughts else None

    @property
    def files(self) -> list[BinaryContent]:
        """The files that the model made."""
        return [part.content for part in self.parts if isinstance(part, FilePart)]

    @property
    def images(self) -> list[BinaryImage]:
        """The images among the files."""
        return [file for file in self.files if isinstance(file, BinaryImage)]

    @property
    def tool_calls(self) -> list[ToolCallPart]:
        """The calls that the program is asked to make."""
        return [part for part in self.parts if isinstance(part, ToolCallPart)]

    @property
    def builtin_tool_calls(self) -> list[tuple[BuiltinToolCallPart, BuiltinToolReturnPart]]:
        """The provider's own calls that have returned, each with its return."""
        calls = {p.tool_call_id: p for p in self.parts if isinstance(p, BuiltinToolCallPart)}
        returns = [part for part in self.parts if isinstance(part, BuiltinToolReturnPart)]
        return [(calls[r.tool_call_id], r) for r in returns if r.tool_call_id in calls]

    def cost(self) -> PriceCalculation:
        """Return what the response costs, by the tables of `genai-prices`.

        They are an extra: `pip install 'direct-anyio[prices]'`. The provider is known by
        `provider_url`, and else by `provider_name`.

        Raises:
            UserError: They are not installed, or the response does not name its model.
            LookupError: They do not know the model.
        """
        from ._prices import price_of

        if not self.model_name:
            raise UserError("The price of a response without a `model_name` is not known.")
        return price_of(
            self.usage,
            self.model_name,
            provider_url=self.provider_url,
            provider_name=self.provider_name,
            timestamp=self.timestamp,
        )

    @overload
    def output(self, kind: type[OutputT]) -> OutputT: ...

    @overload
    def output(self, kind: Any) -> Any: ...

    def output(self, kind: Any) -> Any:
        """Return the answer as a value of a type: the text, else the last tool call.

        The text is JSON, alone or in a Markdown fence. A value that is no object may stand
        in the member `response` of one, as `OutputObjectDefinition.from_type` asks for it.
        Nothing is guessed: "5" is no number. Unknown members are ignored. For `str` a text
        that does not start like an object, nor is a text in JSON, is the answer as it stands.
        Of a union the member that is exactly what was written is taken, else the first that
        fits. Bytes are base64, durations ISO 8601. A pydantic model validates itself.

        Args:
            kind: What `OutputObjectDefinition.from_type` takes.

        Raises:
            UserError: The type has no JSON schema.
            UnexpectedModelBehavior: The answer is no JSON or does not fit; the message
                names the places and `body` is what the model wrote.
        """
        from ._structure import structured

        calls = self.tool_calls
        try:
            return structured(kind, self.text, calls[-1].args_as_json_str() if calls else None)
        except UnexpectedModelBehavior as exc:
            exc.model_name, exc.response = self.model_name or "", self
            raise


def __getattr__(name: str) -> Any:
    if name == "ModelMessagesTypeAdapter":  # which v1 has here
        from .history import ModelMessagesTypeAdapter

        return ModelMessagesTypeAdapter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Responding(Protocol):
    """What holds a response in the making."""

    @property
    def response(self) -> ModelResponse:
        """The response as far as its events have been delivered."""
        ...


def added_text(event: ModelResponseStreamEvent, stream: Responding) -> str:
    """Return what an event that has just been delivered adds to `ModelResponse.text`.

    Args:
        event: The event.
        stream: Where it comes from.
    """
    match event:
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return text
        case PartStartEvent(part=TextPart(content=text), previous_part_kind=before):
            if before in (None, "text"):
                return text
            is_first = not any(
                isinstance(part, TextPart) for part in stream.response.parts[: event.index]
            )
            return text if is_first else f"\n\n{text}"
    return ""


ModelMessage: TypeAlias = ModelRequest | ModelResponse
