"""The walk over the messages of a request that the writers of all protocols share.

`MessageWriter` visits each part of a message and each item of a prompt, and calls the method
for its class. A dialect subclasses it, and its methods return what a part becomes. A part of a
response whose method is not overridden is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from attrs import frozen

from .._core.codec import JSONObject, ModelCodec
from ..content import CachePoint, FileUrl, MultiModalContent, TextContent, UploadedFile
from ..exceptions import UserError
from ..messages import ModelMessage, ModelRequest, ModelResponse
from ..parts import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    FilePart,
    ModelResponsePart,
    OpaquePart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

__all__ = ("MessageWriter", "Pieces", "media_type_of", "tagged", "unknown_part")

Pieces: TypeAlias = Iterable[JSONObject]
"""What a part becomes: none, one or several objects of the protocol."""


@frozen
class MessageWriter:
    """Writes messages in one protocol.

    Attributes:
        codec: The codec whose request they belong to.
    """

    codec: ModelCodec

    def messages(self, messages: Iterable[ModelMessage]) -> Iterator[JSONObject]:
        """Yield what a history becomes.

        Raises:
            UserError: The protocol cannot express a part of it.
        """
        for message in messages:
            if isinstance(message, ModelRequest):
                yield from self.request(message)
            else:
                yield from self.response(message)

    def request(self, message: ModelRequest) -> Iterator[JSONObject]:
        """Yield what a request becomes.

        Raises:
            UserError: A part of it is of an unknown kind.
        """
        for part in message.parts:
            match part:
                case SystemPromptPart():
                    yield from self.system_prompt(part)
                case UserPromptPart():
                    yield from self.user_prompt(part)
                case ToolReturnPart():
                    yield from self.tool_return(part)
                case RetryPromptPart(tool_name=None):
                    yield from self.retry_prompt(part)
                case RetryPromptPart():
                    yield from self.tool_retry(part)
                case _:
                    raise unknown_part(part)

    def response(self, message: ModelResponse) -> Pieces:
        """Yield what a response becomes."""
        for part in message.parts:
            yield from self.response_part(part, message)

    def response_part(self, part: ModelResponsePart, message: ModelResponse) -> Pieces:
        """Yield what a part of a response becomes."""
        match part:
            case TextPart():
                return self.text(part, message)
            case ThinkingPart():
                return self.thinking(part, message)
            case ToolCallPart():
                return self.tool_call(part, message)
            case BuiltinToolCallPart():
                return self.builtin_call(part, message)
            case BuiltinToolReturnPart():
                return self.builtin_return(part, message)
            case FilePart():
                return self.file_part(part, message)
            case OpaquePart():
                return self.opaque(part, message)

    def contents(self, content: str | Sequence[Any]) -> Iterator[JSONObject]:
        """Yield what the items of a prompt become."""
        for item in (content,) if isinstance(content, str) else content:
            match item:
                case str():
                    yield from self.text_content(item)
                case TextContent():
                    yield from self.text_content(item.content)
                case CachePoint():
                    yield from self.cache_point(item)
                case _:
                    self.check_file(item)
                    try:
                        yield self.file(item)
                    except ValueError as exc:  # the URL does not tell the media type
                        raise UserError(str(exc)) from exc

    def check_file(self, item: Any) -> None:
        """Refuse a file that the provider cannot read.

        Raises:
            UserError: It was uploaded to another one, or must be downloaded.
        """
        if isinstance(item, UploadedFile) and not self.is_own(item.provider_name):
            raise UserError(
                f"The file {item.file_id!r} was uploaded to {item.provider_name!r}: upload it to "
                f"{self.codec.provider_name!r}, or send its bytes as `BinaryContent`."
            )
        if isinstance(item, FileUrl) and self.codec.needs_download(item):
            raise UserError(
                f"The file at {item.url[:200]} must be downloaded before it can be sent: pass "
                "`downloads=True` to `infer_model`, or send the bytes as `BinaryContent`."
            )

    def is_own(self, provider_name: str | None) -> bool:
        """Return whether a name is that of the provider, which is sent back its own data alone."""
        return provider_name == self.codec.provider_name

    # Items of a prompt.

    def text_content(self, text: str) -> Pieces:
        """Yield what a text of a prompt becomes."""
        raise NotImplementedError

    def cache_point(self, item: CachePoint) -> Pieces:
        """Yield what a cache point becomes; most protocols have none."""
        return ()

    def file(self, item: MultiModalContent) -> JSONObject:
        """Return what a file of a prompt becomes.

        Raises:
            UserError: The protocol, or the model, does not take such a file.
        """
        raise NotImplementedError

    # Parts of requests.

    def system_prompt(self, part: SystemPromptPart) -> Pieces:
        """Yield what a system prompt becomes; nothing where those go apart from the messages."""
        return ()

    def user_prompt(self, part: UserPromptPart) -> Pieces:
        """Yield what a prompt becomes."""
        return self.contents(part.content)

    def tool_return(self, part: ToolReturnPart) -> Pieces:
        """Yield what the result of a tool becomes."""
        raise NotImplementedError

    def retry_prompt(self, part: RetryPromptPart) -> Pieces:
        """Yield what a request to try again becomes, where it is not about a tool call."""
        return self.text_content(part.model_response())

    def tool_retry(self, part: RetryPromptPart) -> Pieces:
        """Yield what a request to try a tool call again becomes: its result."""
        raise NotImplementedError

    # Parts of responses.

    def text(self, part: TextPart, message: ModelResponse) -> Pieces:
        """Yield what a text of the model becomes."""
        return ()

    def thinking(self, part: ThinkingPart, message: ModelResponse) -> Pieces:
        """Yield what a thought becomes."""
        return ()

    def tool_call(self, part: ToolCallPart, message: ModelResponse) -> Pieces:
        """Yield what a call of a function tool becomes."""
        return ()

    def builtin_call(self, part: BuiltinToolCallPart, message: ModelResponse) -> Pieces:
        """Yield what a call of a tool of the provider becomes."""
        return ()

    def builtin_return(self, part: BuiltinToolReturnPart, message: ModelResponse) -> Pieces:
        """Yield what the result of a tool of the provider becomes."""
        return ()

    def file_part(self, part: FilePart, message: ModelResponse) -> Pieces:
        """Yield what a file that the model made becomes."""
        return ()

    def opaque(self, part: OpaquePart, message: ModelResponse) -> Pieces:
        """Yield what a part of an unknown kind becomes."""
        return ()


def unknown_part(part: Any) -> UserError:
    """Return the error for a part that the protocol cannot express."""
    return UserError(f"A part of kind {part.part_kind!r} cannot be sent")


def media_type_of(item: FileUrl) -> str:
    """Return the media type of a file by URL, '' where its URL does not tell it."""
    try:
        return item.media_type
    except ValueError:
        return ""


def tagged(thought: str, tags: tuple[str, str]) -> str:
    """Return a thought as text, between thinking tags; '' for one that says nothing."""
    if not thought.strip():
        return ""
    start, end = tags
    return f"{start}\n{thought}\n{end}"
