"""Writes messages in the chat protocols: one message for each prompt, tool result and response."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from .._core.codec import JSONObject
from .._core.instructions import instructions_of, leading_system_prompts
from .._core.returned import args_text, result_files, result_text
from ..messages import ModelMessage, ModelRequest, ModelResponse
from ..parts import (
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from ..tools import ModelRequestParameters
from ._messages import MessageWriter, Pieces, tagged

__all__ = ("ChatWriter", "image_piece", "text_piece")


@frozen
class ChatWriter(MessageWriter):
    """Writes messages of roles."""

    @property
    def system_role(self) -> str:
        """The role of system prompts and instructions."""
        return "system"

    def conversation(
        self, messages: Sequence[ModelMessage], parameters: ModelRequestParameters
    ) -> list[JSONObject]:
        """Return all messages, with the instructions behind the leading system prompts.

        Raises:
            UserError: The protocol cannot express a part of them.
        """
        written = list(self.messages(messages))
        instructions = instructions_of(messages, parameters)
        if instructions:
            system = {"role": self.system_role, "content": instructions}
            written.insert(leading_system_prompts(messages), system)
        return written

    def request(self, message: ModelRequest) -> Iterator[JSONObject]:
        """Yield the messages of a request; the files of all tool results are the last one."""
        yield from super().request(message)
        returns = (part for part in message.parts if isinstance(part, ToolReturnPart))
        files = [item for part in returns for item in result_files(part)]
        if files:
            yield {"role": "user", "content": list(self.contents(files))}

    def response(self, message: ModelResponse) -> Iterator[JSONObject]:
        """Yield the message of a response, nothing where it would be empty."""
        members: dict[str, list[Any]] = {}
        for part in message.parts:
            for piece in self.response_part(part, message):
                for member, value in piece.items():
                    members.setdefault(member, []).append(value)
        yield from self.assistant(members)

    def assistant(self, members: Mapping[str, list[Any]]) -> Pieces:
        """Yield the message of a response.

        Args:
            members: What `text`, `thinking` and `tool_call` yielded, listed by member.
        """
        raise NotImplementedError

    def text(self, part: TextPart, message: ModelResponse) -> Pieces:
        """Return a text of the model."""
        return ({"content": part.content},)

    def thinking(self, part: ThinkingPart, message: ModelResponse) -> Pieces:
        """Return a thought: by default as text between tags, where it says anything."""
        thought = tagged(part.content, self.codec.profile.thinking_tags)
        return ({"content": thought},) if thought else ()

    def tool_call(self, part: ToolCallPart, message: ModelResponse) -> Pieces:
        """Return a tool call."""
        function = {"name": part.tool_name, "arguments": args_text(part)}
        call = {"id": part.tool_call_id, "type": "function", "function": function}
        return ({"tool_calls": call},)

    def text_content(self, text: str) -> Iterator[JSONObject]:
        """Yield a text in a list of contents."""
        yield text_piece(text)

    def system_prompt(self, part: SystemPromptPart) -> Iterator[JSONObject]:
        """Yield a system prompt."""
        yield {"role": self.system_role, "content": part.content}

    def user_prompt(self, part: UserPromptPart) -> Iterator[JSONObject]:
        """Yield a prompt."""
        is_text = isinstance(part.content, str)
        content = part.content if is_text else list(self.contents(part.content))
        yield {"role": "user", "content": content}

    def tool_return(self, part: ToolReturnPart) -> Iterator[JSONObject]:
        """Yield the text of a tool's result."""
        yield {"role": "tool", "tool_call_id": part.tool_call_id, "content": result_text(part)}

    def retry_prompt(self, part: RetryPromptPart) -> Iterator[JSONObject]:
        """Yield a request to try again."""
        yield {"role": "user", "content": part.model_response()}

    def tool_retry(self, part: RetryPromptPart) -> Iterator[JSONObject]:
        """Yield a request to try a tool call again."""
        yield {"role": "tool", "tool_call_id": part.tool_call_id, "content": part.model_response()}


def text_piece(text: str) -> JSONObject:
    """Return a text in a list of contents."""
    return {"type": "text", "text": text}


def image_piece(url: str, metadata: JSONObject | None) -> JSONObject:
    """Return an image in a list of contents."""
    image = {"url": url}
    if metadata:
        image["detail"] = metadata.get("detail", "auto")
    return {"type": "image_url", "image_url": image}
