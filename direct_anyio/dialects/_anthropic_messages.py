"""Writes a history as the messages of Anthropic's protocol, block by block.

Guarantees:

* a history of any provider makes valid messages: what another one signed is said as text,
  and what it ran itself is left out, as is a call of the provider's own tools whose result
  did not come before the answer broke off;
* at most four cache points stay, the newest ones of the messages;
* nothing is fetched: `needs_download` tells which files must be given as bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs
from attrs import frozen

from .._core.codec import JSONObject
from .._core.returned import FILES, args_object, items_of
from .._core.target import with_parts
from .._values import as_text, plain
from ..content import (
    BinaryContent,
    CachePoint,
    DocumentUrl,
    ImageUrl,
    MultiModalContent,
    UploadedFile,
)
from ..exceptions import UserError
from ..messages import ModelMessage, ModelRequest, ModelResponse
from ..parts import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    OpaquePart,
    RetryPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)
from ._anthropic_reader import CALLER, OWN_NAME, REDACTED
from ._messages import MessageWriter, unknown_part

__all__ = (
    "AnthropicWriter",
    "cache",
    "cache_control",
    "limit_cache_points",
    "text_block",
)

MAX_CACHE_POINTS = 4

NO_OUTPUT = "The tool failed without a message."
"""What a tool says that failed and said nothing."""

# Blocks that a cache point can stand behind.
_CACHEABLE = frozenset(("text", "image", "document", "tool_use", "tool_result", "server_tool_use"))

_CACHE_POINT = "cache_point"
"""The type of what stands for a cache point among blocks, and is no block."""

_CITATION = ("type", "url", "title", "cited_text", "encrypted_index")

# Outcomes of a tool that the model must take as errors; what was denied says so itself.
_FAILED = ("failed", "retried")

# The provider's tools whose calls and results can be sent back: our names.
_SENT_BACK = ("web_search", "web_fetch", "code_execution", "tool_search")


@frozen
class AnthropicWriter(MessageWriter):
    """Writes messages as blocks."""

    def messages(self, messages: Iterable[ModelMessage]) -> Iterator[JSONObject]:
        """Yield the messages from the last summary on, which stands for what was before it."""
        kept = [*messages]
        for at in reversed(range(len(kept))):
            summaries = [n for n, part in enumerate(kept[at].parts) if self._is_summary(part)]
            if summaries:
                rest: Any = kept[at].parts[summaries[-1] :]
                kept[: at + 1] = [attrs.evolve(kept[at], parts=rest)]
                break
        return super().messages(_without_open_calls(kept))

    def _is_summary(self, part: Any) -> bool:
        return (
            isinstance(part, OpaquePart)
            and part.data.get("part_kind") == "compaction"
            and self.is_own(part.provider_name)
        )

    def request(self, message: ModelRequest) -> Iterator[JSONObject]:
        """Yield a message of the user, nothing where it would be empty."""
        blocks: list[JSONObject] = []
        for block in super().request(message):
            if block["type"] == _CACHE_POINT:
                cache(blocks, block["ttl"])
            else:
                blocks.append(block)
        if blocks:
            yield {"role": "user", "content": blocks}

    def response(self, message: ModelResponse) -> Iterator[JSONObject]:
        """Yield a message of the model, and before it the thoughts that the provider did not sign.

        The user says those: a model that finds tags in its own turns writes such into its
        answers.
        """
        thoughts = [
            text_block(f"<assistant_thinking>\n{part.content}\n</assistant_thinking>")
            for part in message.parts
            if isinstance(part, ThinkingPart) and part.content.strip() and not self._signed(part)
        ]
        if thoughts:
            yield {"role": "user", "content": thoughts}
        blocks = list(super().response(message))
        if blocks:
            yield {"role": "assistant", "content": blocks}

    def _signed(self, part: ThinkingPart) -> bool:
        return bool(part.signature) and self.is_own(part.provider_name)

    def text_content(self, text: str) -> Iterator[JSONObject]:
        """Yield a text; the provider refuses an empty one."""
        if text:
            yield text_block(text)

    def cache_point(self, item: CachePoint) -> Iterator[JSONObject]:
        """Yield the mark of a cache point, which `request` puts on the block before it."""
        yield {"type": _CACHE_POINT, "ttl": item.ttl}

    def file(self, item: MultiModalContent) -> JSONObject:
        """Return the block of a file."""
        source: JSONObject
        match item:
            case UploadedFile():
                source = {"type": "file", "file_id": item.file_id}
            case BinaryContent():
                source = {"type": "base64", "media_type": item.media_type, "data": item.base64}
            case ImageUrl() | DocumentUrl():
                source = {"type": "url", "url": item.url}
            case _:
                raise UserError(f"Anthropic cannot be sent {type(item).__name__}")
        if isinstance(item, ImageUrl) or item.media_type.startswith("image/"):
            return {"type": "image", "source": source}
        match item:
            case UploadedFile() if item.media_type.startswith(("text/", "application/")):
                return {"type": "document", "source": source}
            case DocumentUrl() | BinaryContent() if item.media_type == "application/pdf":
                return {"type": "document", "source": source}
            case BinaryContent(media_type="text/plain"):
                text = item.data.decode(errors="replace")
                return {"type": "document", "source": source | {"type": "text", "data": text}}
        raise UserError(
            f"Anthropic reads images, PDFs and plain text, and no file of type {item.media_type}"
        )

    def tool_return(self, part: ToolReturnPart) -> Iterator[JSONObject]:
        """Yield the result of a tool."""
        items = (item if isinstance(item, FILES) else as_text(item) for item in items_of(part))
        blocks = list(self.contents([*items]))
        failed = part.outcome in _FAILED
        if failed and not blocks:
            # The provider refuses an error that says nothing.
            blocks = [text_block(NO_OUTPUT)]
        yield _tool_result(part.tool_call_id, blocks or "", is_error=failed)

    def tool_retry(self, part: RetryPromptPart) -> Iterator[JSONObject]:
        """Yield a request to try a tool call again: a result that is an error."""
        yield _tool_result(part.tool_call_id, part.model_response(), is_error=True)

    def text(self, part: TextPart, message: ModelResponse) -> Iterator[JSONObject]:
        """Yield a text with its citations of web pages.

        Those of documents are not sent back: they count the documents of one request.
        """
        if not part.content:
            return
        block = text_block(part.content)
        own = self.is_own(message.provider_name)
        citations = [
            {key: citation.get(key) for key in _CITATION}
            for citation in ((part.provider_details or {}).get("citations") if own else None) or ()
            if citation["type"] == "web_search_result_location"
        ]
        if citations:
            block["citations"] = citations
        yield block

    def thinking(self, part: ThinkingPart, message: ModelResponse) -> Iterator[JSONObject]:
        """Yield a thought that the provider signed."""
        if self._signed(part):
            if part.id == REDACTED:
                yield {"type": "redacted_thinking", "data": part.signature}
            else:
                yield {"type": "thinking", "thinking": part.content, "signature": part.signature}

    def tool_call(self, part: ToolCallPart, message: ModelResponse) -> Iterator[JSONObject]:
        """Yield a tool call."""
        yield _tool_use("tool_use", part, part.tool_name, args_object(part))

    def builtin_call(
        self, part: BuiltinToolCallPart, message: ModelResponse
    ) -> Iterator[JSONObject]:
        """Yield a call of a tool of the provider, where it takes it back."""
        if not self.is_own(part.provider_name):
            return
        args = args_object(part)
        if part.tool_name.startswith("mcp_server:"):
            if "tool_name" in args:
                tool_args = args.get("tool_args") or {}
                used = _tool_use("mcp_tool_use", part, args["tool_name"], tool_args)
                yield used | {"server_name": part.tool_name.partition(":")[2]}
        elif part.tool_name in _SENT_BACK:
            name = _provider_tool_name(part)
            if part.tool_name == "tool_search":
                strategy = (part.provider_details or {}).get("strategy", "bm25")
                name = f"tool_search_tool_{strategy}"
                if "queries" in args:
                    key = "pattern" if strategy == "regex" else "query"
                    args = {key: " ".join(args["queries"])}
            yield _tool_use("server_tool_use", part, name, args) | _caller(part)

    def builtin_return(
        self, part: BuiltinToolReturnPart, message: ModelResponse
    ) -> Iterator[JSONObject]:
        """Yield the result of a tool of the provider, where it takes it back."""
        content = plain(part.content)
        if not self.is_own(part.provider_name) or not isinstance(content, (dict, list)):
            return
        if part.tool_name.startswith("mcp_server") and isinstance(content, dict):
            result = _result("mcp", part, content.get("content"))
            yield result | {"is_error": content.get("is_error", False)}
        elif part.tool_name in _SENT_BACK:
            if part.tool_name == "tool_search":
                error = (part.provider_details or {}).get("error_code")
                names = [each["name"] for each in plain(part.content).get("discovered_tools") or ()]
                found = [{"type": "tool_reference", "tool_name": name} for name in names]
                content = {"type": "tool_search_tool_search_result", "tool_references": found}
                if error:
                    content = {"type": "tool_search_tool_result_error", "error_code": error}
            yield _result(_provider_tool_name(part), part, content) | _caller(part)

    def opaque(self, part: OpaquePart, message: ModelResponse) -> Iterator[JSONObject]:
        """Yield a summary of what came before it; other unknown parts are refused."""
        if self._is_summary(part):
            details = part.data.get("provider_details") or {}
            yield {"type": "compaction", "content": part.data.get("content"), **details}
        elif part.provider_name is None or (
            self.is_own(part.provider_name) and part.data.get("part_kind") != "compaction"
        ):
            raise unknown_part(part)


def _without_open_calls(messages: Sequence[ModelMessage]) -> Iterator[ModelMessage]:
    """Yield messages without those calls of the provider's own tools that have no result.

    Only an answer that is not complete has such. The provider refuses them, but for the last
    message, in which it has paused.
    """
    parts = [part for message in messages for part in message.parts]
    done = {part.tool_call_id for part in parts if isinstance(part, BuiltinToolReturnPart)}
    for message in messages:
        is_cut = isinstance(message, ModelResponse) and message.state != "complete"
        kept = [
            part
            for part in message.parts
            if not isinstance(part, BuiltinToolCallPart) or part.tool_call_id in done
        ]
        yield with_parts(message, kept) if is_cut and message is not messages[-1] else message


def cache_control(ttl: Any) -> JSONObject:
    """Return the member that makes a block a cache point, {} where `ttl` is false."""
    if not ttl:
        return {}
    return {"cache_control": {"type": "ephemeral", "ttl": "5m" if ttl is True else ttl}}


def cache(blocks: list[JSONObject], ttl: Any) -> None:
    """Make the last of some blocks a cache point.

    Raises:
        UserError: There is none, or it is of a kind that cannot be one.
    """
    if not blocks:
        raise UserError(
            "A `CachePoint` needs something before it in the same request. To cache what comes "
            "before the messages, use `anthropic_cache_instructions` or "
            "`anthropic_cache_tool_definitions`."
        )
    if blocks[-1]["type"] not in _CACHEABLE:
        raise UserError(f"A block of type {blocks[-1]['type']!r} cannot be cached")
    blocks[-1] |= cache_control(ttl)


def limit_cache_points(before: Iterable[JSONObject], messages: Iterable[JSONObject]) -> None:
    """Drop the oldest cache points of the messages that are too many."""
    left = MAX_CACHE_POINTS - sum("cache_control" in block for block in before)
    blocks = [block for message in messages for block in message["content"]]
    points = [block for block in blocks if "cache_control" in block]
    for block in points[: max(0, len(points) - left)]:
        del block["cache_control"]


def text_block(text: str) -> JSONObject:
    """Return a block of text."""
    return {"type": "text", "text": text}


def _tool_result(
    call_id: str, content: str | list[JSONObject], is_error: bool = False
) -> JSONObject:
    return {
        "type": "tool_result",
        "tool_use_id": call_id,
        "content": content,
        "is_error": is_error,
    }


def _tool_use(
    block_type: str, part: ToolCallPart | BuiltinToolCallPart, name: str, args: JSONObject
) -> JSONObject:
    return {"type": block_type, "id": part.tool_call_id, "name": name, "input": args}


def _provider_tool_name(part: BuiltinToolCallPart | BuiltinToolReturnPart) -> str:
    """Return the provider's name of a tool of its own."""
    details = part.provider_details or {}
    return str(details.get(OWN_NAME) or part.tool_name)


def _caller(part: BuiltinToolCallPart | BuiltinToolReturnPart) -> JSONObject:
    caller = (part.provider_details or {}).get(CALLER)
    return {"caller": caller} if caller else {}


def _result(name: str, part: BuiltinToolReturnPart, content: Any) -> JSONObject:
    return {"type": f"{name}_tool_result", "tool_use_id": part.tool_call_id, "content": content}
