"""Writes messages as the input items of OpenAI's Responses protocol.

What a response of this provider was made of goes back as the items that it was: with their
ids, their encrypted thoughts and the calls of built-in tools. What another provider said goes
as text, and the calls of its own tools not at all.

Facts: OpenAI's API reference for the input items of `POST /responses`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args

from attrs import frozen

from .._core.codec import maybe, typed
from .._core.returned import args_or_none, args_text
from .._values import as_text
from ..content import (
    AudioUrl,
    BinaryContent,
    CachePoint,
    DocumentUrl,
    FileUrl,
    ImageUrl,
    MultiModalContent,
    TextContent,
    UploadedFile,
)
from ..exceptions import UserError
from ..messages import ModelMessage, ModelRequest, ModelResponse
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
from ._chat import tagged
from ._openai import JSONObject, OpenAIModelProfile
from ._responses_tools import TOOL_SEARCH, item_of

__all__ = ("InputWriter", "needs_download")

_FILES: tuple[type, ...] = get_args(MultiModalContent)

# Ids that are the name of a field of Chat Completions, and of no item here.
_CHAT_FIELDS = ("content", "reasoning", "reasoning_content")

MAX_ID = 64
"""Characters of an item's id. Fact: the API's error "Invalid 'input[2].id': string too long.
Expected a string with maximum length 64"; there are gateways that make longer ones."""

_COMPACTION = "compaction"
_PHASES = ("commentary", "final_answer")


def needs_download(item: object) -> bool:
    """Return whether the user wants the bytes of a file sent, and not its URL."""
    return isinstance(item, FileUrl) and item.force_download


@frozen(kw_only=True)
class InputWriter:
    """Writes the messages of one request.

    Attributes:
        provider_name: The provider that is asked; only what it made goes back as items.
        profile: What the model can do.
        sends_ids: Whether items go back with their ids.
        functions: The function tools as they are offered, by name.
        types_texts: Whether a text of the model's says that it is a message.
    """

    provider_name: str
    profile: OpenAIModelProfile
    sends_ids: bool
    functions: Mapping[str, JSONObject]
    types_texts: bool

    def items(self, messages: Sequence[ModelMessage]) -> list[JSONObject]:
        """Return the input items of messages.

        Raises:
            UserError: A message holds something that this protocol cannot say.
        """
        said: list[JSONObject] = []
        for message in messages:
            if isinstance(message, ModelRequest):
                said.extend(self._request(message))
            else:
                said.extend(_Response(self, message).items())
        return _since_compaction(said)

    def _request(self, message: ModelRequest) -> Iterator[JSONObject]:
        for part in message.parts:
            match part:
                case SystemPromptPart():
                    role = self.profile.openai_system_prompt_role or "system"
                    yield {"role": role, "content": part.content}
                case UserPromptPart(content=str(text)):
                    yield {"role": "user", "content": text}
                case UserPromptPart():
                    yield {"role": "user", "content": list(self._pieces(part.content))}
                case ToolReturnPart():
                    yield _output(part.tool_call_id, self._returned(part))
                case RetryPromptPart(tool_name=None):
                    yield {"role": "user", "content": [_text(part.model_response())]}
                case RetryPromptPart():
                    yield _output(part.tool_call_id, part.model_response())
                case _:
                    raise UserError(f"A part of kind {part.part_kind!r} cannot be sent")

    def _returned(self, part: ToolReturnPart) -> str | list[JSONObject]:
        items = part.content if isinstance(part.content, (list, tuple)) else (part.content,)
        if not any(isinstance(item, _FILES) for item in items):
            return part.model_response_str()
        told = (item if isinstance(item, _FILES) else as_text(item) for item in items)
        return list(self._pieces(told))

    def _pieces(self, content: Iterable[Any]) -> Iterator[JSONObject]:
        for item in content:
            match item:
                case str():
                    yield _text(item)
                case TextContent():
                    yield _text(item.content)
                case CachePoint():
                    pass
                case UploadedFile():
                    yield self._uploaded(item)
                case BinaryContent():
                    yield _binary(item)
                case _:
                    yield _by_url(item)

    def _uploaded(self, item: UploadedFile) -> JSONObject:
        if item.provider_name != self.provider_name:
            raise UserError(
                f"The file {item.file_id!r} was uploaded to {item.provider_name!r}: "
                f"upload it to {self.provider_name!r}, or send the bytes as `BinaryContent`."
            )
        if item.media_type.startswith("image/"):
            return _image({"file_id": item.file_id}, item.vendor_metadata)
        return {"type": "input_file", "file_id": item.file_id}


def _since_compaction(items: list[JSONObject]) -> list[JSONObject]:
    """Return the items that the last compaction does not stand for."""
    places = (place for place, item in enumerate(items) if item.get("type") == _COMPACTION)
    return items[max(places, default=0) :]


def _text(text: str) -> JSONObject:
    return {"text": text, "type": "input_text"}


def _image(source: JSONObject, metadata: JSONObject | None) -> JSONObject:
    return {**source, "type": "input_image", "detail": (metadata or {}).get("detail", "auto")}


def _binary(item: BinaryContent) -> JSONObject:
    if item.is_image:
        return _image({"image_url": item.data_uri}, item.vendor_metadata)
    if item.is_document:
        filename = f"filename.{item.format}"
        return {"type": "input_file", "file_data": item.data_uri, "filename": filename}
    raise UserError(f"The Responses protocol cannot be sent a file of type {item.media_type}")


def _by_url(item: Any) -> JSONObject:
    if needs_download(item):
        raise UserError(
            f"The bytes of {item.url[:200]} are to be sent (`force_download`), and nobody has "
            "downloaded them: send them as `BinaryContent`."
        )
    match item:
        case ImageUrl():
            return _image({"image_url": item.url}, item.vendor_metadata)
        case AudioUrl() | DocumentUrl():
            return {"type": "input_file", "file_url": item.url}
    raise UserError(f"The Responses protocol cannot be sent {type(item).__name__}")


def _output(call_id: str, output: str | list[JSONObject]) -> JSONObject:
    return {
        "type": "function_call_output",
        "call_id": call_id,
        "output": output,
    }


class _Response:
    """Writes one response; its parts may share items, which their ids tell."""

    def __init__(self, writer: InputWriter, message: ModelResponse) -> None:
        self._writer = writer
        self._profile = writer.profile
        self._message = message
        self._said: list[JSONObject] = []
        self._by_id: dict[str, JSONObject] = {}

    def items(self) -> list[JSONObject]:
        for part in self._message.parts:
            match part:
                case TextPart():
                    self._text(part)
                case ToolCallPart():
                    self._call(part)
                case BuiltinToolCallPart() if self._is_own(part.provider_name):
                    self._native_call(part)
                case BuiltinToolReturnPart() if self._is_own(part.provider_name):
                    self._native_return(part)
                case ThinkingPart():
                    self._thought(part)
                case OpaquePart():
                    self._opaque(part)
                # A file is in the item of the call that made it.
        return self._said

    def _is_own(self, provider_name: str | None) -> bool:
        return (provider_name or self._message.provider_name) == self._writer.provider_name

    def _goes_by_id(self, id: str | None, provider_name: str | None = None) -> bool:
        fits = id is not None and 0 < len(id) <= MAX_ID
        return fits and self._writer.sends_ids and self._is_own(provider_name)

    def _item(self, id: str, item: JSONObject) -> JSONObject:
        """Return the item of an id, which is said where its first part is."""
        if id not in self._by_id:
            self._said.append(item)
            self._by_id[id] = item
        return self._by_id[id]

    def _text(self, part: TextPart) -> None:
        details = part.provider_details or {}
        if part.id and self._goes_by_id(part.id):
            named = {"role": "assistant", "id": part.id, "content": [], "type": "message"}
            item = self._item(part.id, {**named, "status": "completed"})
            said = {"text": part.content, "type": "output_text"}
            item["content"].append({**said, "annotations": _citations(details, part.content)})
        else:
            item = self._said_text(part.content)
        phase = details.get("phase")
        if phase in _PHASES and self._profile.openai_supports_phase and self._is_own(None):
            item["phase"] = phase

    def _said_text(self, text: str) -> JSONObject:
        item: JSONObject = {"role": "assistant", "content": text}
        if self._writer.types_texts:
            item["type"] = "message"
        self._said.append(item)
        return item

    def _call(self, part: ToolCallPart) -> None:
        item: JSONObject = {
            "name": part.tool_name,
            "arguments": args_text(part),
            "call_id": part.tool_call_id,
            "type": "function_call",
        }
        if self._profile.openai_responses_requires_function_call_status_none:
            item["status"] = None
        if part.id and self._goes_by_id(part.id):
            item["id"] = part.id
        namespace = (part.provider_details or {}).get("namespace")
        if namespace and self._is_own(None):
            item["namespace"] = namespace
        self._said.append(item)

    def _thought(self, part: ThinkingPart) -> None:
        raw = self._raw_thought(part)
        signature = self._signature(part)
        is_item = part.id is not None and (
            part.id not in _CHAT_FIELDS or bool(signature) or bool(raw)
        )
        if (
            part.id is None
            or not is_item
            or not (self._goes_by_id(part.id, part.provider_name) or raw)
        ):
            thought = tagged(part.content, self._profile.thinking_tags)
            if thought:
                self._said_text(thought)
        elif part.id in self._by_id or signature or part.content or raw:
            item = self._item(part.id, _reasoning(part.id, signature))
            if part.content:
                item["summary"].append({"text": part.content, "type": "summary_text"})
            if raw:
                item["content"] = [{"text": text, "type": "reasoning_text"} for text in raw]

    def _raw_thought(self, part: ThinkingPart) -> list[str] | None:
        own = part.provider_name == self._writer.provider_name
        return (part.provider_details or {}).get("raw_content") if own else None

    def _signature(self, part: ThinkingPart) -> str | None:
        own = part.provider_name == self._writer.provider_name
        encrypted = self._profile.openai_supports_encrypted_reasoning_content
        return part.signature or None if own and encrypted else None

    def _native_call(self, part: BuiltinToolCallPart) -> None:
        if part.tool_name == TOOL_SEARCH:
            self._said.append(self._search(part))
        elif self._writer.sends_ids:
            item = item_of(part)
            if item is not None:
                self._item(part.tool_call_id, item)

    def _native_return(self, part: BuiltinToolReturnPart) -> None:
        details = part.provider_details or {}
        if part.tool_name == TOOL_SEARCH and details.get("id"):
            self._said.append(self._found_tools(part, details))
            return
        # The provider has kept the rest of the result.
        status = part.content.get("status") if isinstance(part.content, dict) else None
        call = self._by_id.get(part.tool_call_id, {})
        if status and "status" in call:
            call["status"] = status

    def _search(self, part: BuiltinToolCallPart) -> JSONObject:
        details = part.provider_details or {}
        named = {"id": part.id} if part.id and self._writer.sends_ids else {}
        return {
            "call_id": details.get("call_id", part.tool_call_id),
            "arguments": args_or_none(part) or {},
            "type": "tool_search_call",
            "execution": "server",
            "status": details.get("status") or "completed",
            **named,
        }

    def _found_tools(self, part: BuiltinToolReturnPart, details: JSONObject) -> JSONObject:
        content = part.content if isinstance(part.content, dict) else {}
        found = [tool["name"] for tool in content.get("discovered_tools") or ()]
        functions = self._writer.functions
        named = {"id": details["id"]} if self._writer.sends_ids else {}
        return {
            "type": "tool_search_output",
            "execution": "server",
            "tools": [tool for name, tool in functions.items() if name in found],
            "call_id": details.get("call_id", part.tool_call_id),
            "status": details.get("status") or "completed",
            **named,
        }

    def _opaque(self, part: OpaquePart) -> None:
        if not self._is_own(part.data.get("provider_name")):
            return
        if part.part_kind != _COMPACTION:
            raise UserError(f"A part of kind {part.part_kind!r} cannot be sent")
        content = (part.data.get("provider_details") or {}).get("encrypted_content")
        if content:
            item = {"id": part.data.get("id"), "encrypted_content": content}
            self._said.append({**item, "type": _COMPACTION})


def _reasoning(id: str, signature: str | None) -> JSONObject:
    return {"id": id, "summary": [], "encrypted_content": signature, "type": "reasoning"}


_CITATIONS: dict[str, dict[str, type]] = {
    "file_citation": {"file_id": str, "filename": str, "index": int},
    "url_citation": {"url": str, "title": str, "start_index": int, "end_index": int},
}


def _citations(details: JSONObject, text: str) -> list[JSONObject]:
    """Return the citations of a text that are whole and still stand where they stood."""
    written = (maybe(_citation, each) for each in details.get("citations") or ())
    return [each for each in written if each and each.get("url", "") in _cited(each, text)]


def _citation(citation: JSONObject) -> JSONObject:
    kind = citation["type"]
    fields: JSONObject = {
        key: typed(citation[key], wanted) for key, wanted in _CITATIONS[kind].items()
    }
    return {"type": kind, **fields}


def _cited(citation: JSONObject, text: str) -> str:
    return text[citation.get("start_index") : citation.get("end_index")]
