"""Writes messages as the input items of OpenAI's Responses protocol.

What a response of this provider was made of goes back as the items that it was: with their
ids, their encrypted thoughts and the calls of built-in tools. What another provider said goes
as text, and the calls of its own tools not at all.

Facts: OpenAI's API reference for the input items of `POST /responses`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from attrs import field, frozen

from .._core.codec import JSONObject, expect_type, maybe
from .._core.returned import FILES, args_or_none, args_text
from .._values import as_text
from ..content import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    MultiModalContent,
    UploadedFile,
)
from ..exceptions import UserError
from ..messages import ModelMessage, ModelResponse
from ..parts import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    OpaquePart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from ._messages import MessageWriter, tagged, unknown_part
from ._openai import OpenAIModelProfile
from ._responses_tools import TOOL_SEARCH, item_of

__all__ = ("ResponsesWriter",)

# Ids that are the name of a field of Chat Completions, and of no item here.
_CHAT_FIELDS = ("content", "reasoning", "reasoning_content")

MAX_ID = 64
"""Characters of an item's id. Fact: the API's error "Invalid 'input[2].id': string too long.
Expected a string with maximum length 64"; there are gateways that make longer ones."""

_COMPACTION = "compaction"
_PHASES = ("commentary", "final_answer")


@frozen
class ResponsesWriter(MessageWriter):
    """Writes messages as input items.

    Parts of a response may be of one item, which their ids tell. It is yielded with the first
    of them, and the others add to it.

    Attributes:
        profile: What the model can do.
        sends_ids: Whether items go back with their ids.
        functions: The function tools as they are offered, by name.
        types_texts: Whether a text of the model's says that it is a message.
    """

    profile: OpenAIModelProfile = field(kw_only=True)
    sends_ids: bool = field(kw_only=True)
    functions: Mapping[str, JSONObject] = field(kw_only=True)
    types_texts: bool = field(kw_only=True)
    _items: dict[str, JSONObject] = field(factory=dict, init=False)

    def items(self, messages: Iterable[ModelMessage]) -> list[JSONObject]:
        """Return the items that the last compaction does not stand for.

        Raises:
            UserError: The protocol cannot express a part of a message.
        """
        items = list(self.messages(messages))
        compactions = (at for at, item in enumerate(items) if item.get("type") == _COMPACTION)
        return items[max(compactions, default=0) :]

    # Requests.

    def text_content(self, text: str) -> Iterator[JSONObject]:
        """Yield a text in a list of contents."""
        yield {"text": text, "type": "input_text"}

    def file(self, item: MultiModalContent) -> JSONObject:
        """Return a file in a list of contents."""
        match item:
            case ImageUrl():
                return _image({"image_url": item.url}, item.vendor_metadata)
            case AudioUrl() | DocumentUrl():
                return {"type": "input_file", "file_url": item.url}
            case UploadedFile() if item.media_type.startswith("image/"):
                return _image({"file_id": item.file_id}, item.vendor_metadata)
            case UploadedFile():
                return {"type": "input_file", "file_id": item.file_id}
            case BinaryContent(is_image=True):
                return _image({"image_url": item.data_uri}, item.vendor_metadata)
            case BinaryContent(is_document=True):
                filename = f"filename.{item.format}"
                return {"type": "input_file", "file_data": item.data_uri, "filename": filename}
            case BinaryContent():
                what = f"a file of type {item.media_type}"
                raise UserError(f"The Responses protocol cannot be sent {what}")
        raise UserError(f"The Responses protocol cannot be sent {type(item).__name__}")

    def system_prompt(self, part: SystemPromptPart) -> Iterator[JSONObject]:
        """Yield a system prompt."""
        role = self.profile.openai_system_prompt_role or "system"
        yield {"role": role, "content": part.content}

    def user_prompt(self, part: UserPromptPart) -> Iterator[JSONObject]:
        """Yield a prompt."""
        is_text = isinstance(part.content, str)
        content = part.content if is_text else list(self.contents(part.content))
        yield {"role": "user", "content": content}

    def tool_return(self, part: ToolReturnPart) -> Iterator[JSONObject]:
        """Yield the result of a tool."""
        items = part.content if isinstance(part.content, (list, tuple)) else (part.content,)
        output: str | list[JSONObject] = part.model_response_str()
        if any(isinstance(item, FILES) for item in items):
            each = [item if isinstance(item, FILES) else as_text(item) for item in items]
            output = list(self.contents(each))
        yield {"type": "function_call_output", "call_id": part.tool_call_id, "output": output}

    def retry_prompt(self, part: RetryPromptPart) -> Iterator[JSONObject]:
        """Yield a request to try again."""
        yield {"role": "user", "content": list(super().retry_prompt(part))}

    def tool_retry(self, part: RetryPromptPart) -> Iterator[JSONObject]:
        """Yield a request to try a tool call again: its output."""
        output = part.model_response()
        yield {"type": "function_call_output", "call_id": part.tool_call_id, "output": output}

    # Responses.

    def response(self, message: ModelResponse) -> Iterator[JSONObject]:
        """Yield the items of a response."""
        self._items.clear()  # another response may have the same ids
        yield from super().response(message)

    def _made(self, provider_name: str | None, message: ModelResponse) -> bool:
        """Return whether the provider made a part of a message."""
        return self.is_own(provider_name or message.provider_name)

    def _has_id(self, id: str | None, provider_name: str | None, message: ModelResponse) -> bool:
        """Return whether a part goes back as the item that it was, with its id."""
        fits = id is not None and 0 < len(id) <= MAX_ID
        return fits and self.sends_ids and self._made(provider_name, message)

    def text(self, part: TextPart, message: ModelResponse) -> Iterator[JSONObject]:
        """Yield a text of the model."""
        details = part.provider_details or {}
        if part.id and self._has_id(part.id, None, message):
            item = self._items.get(part.id)
            if item is None:
                named: JSONObject = {
                    "role": "assistant",
                    "id": part.id,
                    "content": [],
                    "type": "message",
                }
                item = self._items[part.id] = {**named, "status": "completed"}
                yield item
            content = {"text": part.content, "type": "output_text"}
            item["content"].append({**content, "annotations": _citations(details, part.content)})
        else:
            item = self._plain_text(part.content)
            yield item
        phase = details.get("phase")
        if phase in _PHASES and self.profile.openai_supports_phase and self._made(None, message):
            item["phase"] = phase

    def _plain_text(self, text: str) -> JSONObject:
        item: JSONObject = {"role": "assistant", "content": text}
        return item | {"type": "message"} if self.types_texts else item

    def thinking(self, part: ThinkingPart, message: ModelResponse) -> Iterator[JSONObject]:
        """Yield a thought: as the item that it was, else as a text between tags."""
        own = self.is_own(part.provider_name)
        raw = (part.provider_details or {}).get("raw_content") if own else None
        encrypted = self.profile.openai_supports_encrypted_reasoning_content
        signature = (part.signature or None) if own and encrypted else None
        is_item = part.id is not None and (
            part.id not in _CHAT_FIELDS or bool(signature) or bool(raw)
        )
        if not (is_item and (self._has_id(part.id, part.provider_name, message) or raw)):
            thought = tagged(part.content, self.profile.thinking_tags)
            if thought:
                yield self._plain_text(thought)
            return
        id = str(part.id)
        item = self._items.get(id)
        if item is None:
            if not (signature or part.content or raw):
                return
            named: JSONObject = {"id": id, "summary": [], "encrypted_content": signature}
            item = self._items[id] = {**named, "type": "reasoning"}
            yield item
        if part.content:
            item["summary"].append({"text": part.content, "type": "summary_text"})
        if raw:
            item["content"] = [{"text": text, "type": "reasoning_text"} for text in raw]

    def tool_call(self, part: ToolCallPart, message: ModelResponse) -> Iterator[JSONObject]:
        """Yield a call of a function."""
        item: JSONObject = {
            "name": part.tool_name,
            "arguments": args_text(part),
            "call_id": part.tool_call_id,
            "type": "function_call",
        }
        if self.profile.openai_responses_requires_function_call_status_none:
            item["status"] = None
        if part.id and self._has_id(part.id, None, message):
            item["id"] = part.id
        namespace = (part.provider_details or {}).get("namespace")
        if namespace and self._made(None, message):
            item["namespace"] = namespace
        yield item

    def builtin_call(
        self, part: BuiltinToolCallPart, message: ModelResponse
    ) -> Iterator[JSONObject]:
        """Yield a call of a tool of the provider; its result and its files are in the same item."""
        if not self._made(part.provider_name, message):
            return
        if part.tool_name == TOOL_SEARCH:
            details = part.provider_details or {}
            named = {"id": part.id} if part.id and self.sends_ids else {}
            yield {
                "call_id": details.get("call_id", part.tool_call_id),
                "arguments": args_or_none(part) or {},
                "type": "tool_search_call",
                "execution": "server",
                "status": details.get("status") or "completed",
                **named,
            }
        elif self.sends_ids and part.tool_call_id not in self._items:
            item = item_of(part)
            if item is not None:
                self._items[part.tool_call_id] = item
                yield item

    def builtin_return(
        self, part: BuiltinToolReturnPart, message: ModelResponse
    ) -> Iterator[JSONObject]:
        """Yield what a search for tools found; the provider has kept other results."""
        if not self._made(part.provider_name, message):
            return
        details = part.provider_details or {}
        content = part.content if isinstance(part.content, dict) else {}
        if part.tool_name == TOOL_SEARCH and details.get("id"):
            found = [tool["name"] for tool in content.get("discovered_tools") or ()]
            named = {"id": details["id"]} if self.sends_ids else {}
            yield {
                "type": "tool_search_output",
                "execution": "server",
                "tools": [tool for name, tool in self.functions.items() if name in found],
                "call_id": details.get("call_id", part.tool_call_id),
                "status": details.get("status") or "completed",
                **named,
            }
            return
        call = self._items.get(part.tool_call_id, {})
        if content.get("status") and "status" in call:
            call["status"] = content["status"]

    def opaque(self, part: OpaquePart, message: ModelResponse) -> Iterator[JSONObject]:
        """Yield a compaction; other unknown parts of the provider's own are refused."""
        if not self._made(part.data.get("provider_name"), message):
            return
        if part.part_kind != _COMPACTION:
            raise unknown_part(part)
        content = (part.data.get("provider_details") or {}).get("encrypted_content")
        if content:
            item = {"id": part.data.get("id"), "encrypted_content": content}
            yield {**item, "type": _COMPACTION}


def _image(source: JSONObject, metadata: JSONObject | None) -> JSONObject:
    return {**source, "type": "input_image", "detail": (metadata or {}).get("detail", "auto")}


_CITATIONS: dict[str, dict[str, type]] = {
    "file_citation": {"file_id": str, "filename": str, "index": int},
    "url_citation": {"url": str, "title": str, "start_index": int, "end_index": int},
}


def _citations(details: JSONObject, text: str) -> list[JSONObject]:
    """Return the citations of a text that are whole and still stand where they stood."""
    written = [maybe(_citation, each) for each in details.get("citations") or ()]
    return [
        each
        for each in written
        if each and each.get("url", "") in text[each.get("start_index") : each.get("end_index")]
    ]


def _citation(citation: JSONObject) -> JSONObject:
    citation_type = citation["type"]
    fields: JSONObject = {
        key: expect_type(citation[key], wanted) for key, wanted in _CITATIONS[citation_type].items()
    }
    return {"type": citation_type, **fields}
