"""Writes a history as the messages of Anthropic's protocol, block by block.

Promises:

* a history of any provider makes valid messages: what another one signed is said as text,
  and what it ran itself is left out, as is a call of the provider's own tools whose result
  did not come before the answer broke off;
* at most four cache points stay, the newest ones of the messages;
* nothing is fetched: `needs_download` tells which files must be given as bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import attrs
from attrs import frozen

from .._core.returned import args_object, items_of
from .._core.target import with_parts
from .._values import as_text, plain
from ..content import (
    BinaryContent,
    CachePoint,
    DocumentUrl,
    FileUrl,
    ImageUrl,
    TextContent,
    UploadedFile,
    UserContent,
)
from ..exceptions import UserError
from ..messages import ModelMessage, ModelRequest, ModelResponse
from ..parts import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
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
from ._anthropic_reader import CALLER, OWN_NAME, REDACTED

__all__ = (
    "MessageWriter",
    "cache",
    "cache_control",
    "limit_cache_points",
    "needs_download",
    "text_block",
)

JSONObject: TypeAlias = dict[str, Any]

MAX_CACHE_POINTS = 4

NO_OUTPUT = "The tool failed without a message."
"""What a tool says that failed and said nothing."""

# Blocks that a cache point can stand behind.
_CACHEABLE = frozenset(("text", "image", "document", "tool_use", "tool_result", "server_tool_use"))

_CITATION = ("type", "url", "title", "cited_text", "encrypted_index")

# Outcomes of a tool that the model must take as errors; what was denied says so itself.
_FAILED = ("failed", "retried")

# The provider's tools whose calls and results can be sent back: our names.
_SENT_BACK = ("web_search", "web_fetch", "code_execution", "tool_search")


def needs_download(item: UserContent) -> bool:
    """Return whether a file must be fetched and given as `BinaryContent` to be sent.

    Images and PDFs go by URL, unless they are not to; a text goes as it is.
    """
    match item:
        case ImageUrl():
            return item.force_download
        case DocumentUrl():
            return item.force_download or _media_type(item) == "text/plain"
    return False


@frozen
class MessageWriter:
    """Writes messages for one provider.

    Attributes:
        provider_name: The provider; only what it signed or ran itself is sent back as such.
    """

    provider_name: str

    def messages(self, messages: Sequence[ModelMessage]) -> Iterator[JSONObject]:
        """Return the messages; one that has nothing to say is left out.

        Raises:
            UserError: One of them holds what the provider cannot be sent.
        """
        for message in _without_open_calls(self._since_summary(messages)):
            if isinstance(message, ModelRequest):
                turns = [("user", self._request(message))]
            else:
                turns = [
                    ("user", list(self._foreign_thoughts(message))),
                    ("assistant", list(self._response(message))),
                ]
            yield from ({"role": role, "content": said} for role, said in turns if said)

    def _since_summary(self, messages: Sequence[ModelMessage]) -> Sequence[ModelMessage]:
        """Return a history from the provider's last summary on, which stands for the rest."""
        for at in reversed(range(len(messages))):
            parts = messages[at].parts
            summaries = [n for n, part in enumerate(parts) if self._is_summary(part)]
            if summaries:
                rest: Any = parts[summaries[-1] :]
                return [attrs.evolve(messages[at], parts=rest), *messages[at + 1 :]]
        return messages

    def _is_summary(self, part: Any) -> bool:
        return (
            isinstance(part, OpaquePart)
            and part.data.get("part_kind") == "compaction"
            and part.data.get("provider_name") == self.provider_name
        )

    def _request(self, message: ModelRequest) -> list[JSONObject]:
        blocks: list[JSONObject] = []
        for part in message.parts:
            match part:
                case SystemPromptPart():
                    pass
                case UserPromptPart():
                    self._prompt(part, blocks)
                case ToolReturnPart():
                    blocks.append(self._tool_result(part))
                case RetryPromptPart(tool_name=None):
                    blocks.append(text_block(part.model_response()))
                case RetryPromptPart():
                    blocks.append(
                        _tool_result(part.tool_call_id, part.model_response(), is_error=True)
                    )
                case _:
                    raise UserError(f"A part of kind {part.part_kind!r} cannot be sent")
        return blocks

    def _prompt(self, part: UserPromptPart, blocks: list[JSONObject]) -> None:
        items = (part.content,) if isinstance(part.content, str) else part.content
        for item in items:
            if isinstance(item, CachePoint):
                cache(blocks, item.ttl)
            elif item:
                block = self._content(item)
                # The provider refuses an empty text.
                if block != text_block(""):
                    blocks.append(block)

    def _content(self, item: Any) -> JSONObject:
        """Return the block of a text or a file."""
        match item:
            case str():
                return text_block(item)
            case TextContent():
                return text_block(item.content)
            case BinaryContent():
                return _binary(item)
            case UploadedFile():
                return self._uploaded(item)
            case ImageUrl() | DocumentUrl():
                return _by_url(item)
        raise UserError(f"Anthropic cannot be sent {type(item).__name__}")

    def _uploaded(self, item: UploadedFile) -> JSONObject:
        if item.provider_name != self.provider_name:
            raise UserError(
                f"The file {item.file_id!r} is at {item.provider_name!r}: "
                f"{self.provider_name!r} cannot read it."
            )
        source = {"type": "file", "file_id": item.file_id}
        if item.media_type.startswith("image/"):
            return {"type": "image", "source": source}
        if item.media_type.startswith(("text/", "application/")):
            return {"type": "document", "source": source}
        raise UserError(f"Anthropic reads no uploaded file of type {item.media_type}")

    def _tool_result(self, part: ToolReturnPart) -> JSONObject:
        told = (item if _is_file(item) else as_text(item) for item in items_of(part))
        blocks = [self._content(item) for item in told if item]  # an empty text is refused
        failed = part.outcome in _FAILED
        if failed and not blocks:
            # The provider refuses an error that says nothing.
            blocks = [text_block(NO_OUTPUT)]
        return _tool_result(part.tool_call_id, blocks or "", is_error=failed)

    def _foreign_thoughts(self, message: ModelResponse) -> Iterator[JSONObject]:
        """Return the thoughts that the provider did not sign, as text.

        The user says them: a model that finds tags in its own turns writes such into its
        answers.
        """
        for part in message.parts:
            if not isinstance(part, ThinkingPart) or self._is_signed(part):
                continue
            if part.content.strip():
                yield text_block(f"<assistant_thinking>\n{part.content}\n</assistant_thinking>")

    def _is_signed(self, part: ThinkingPart) -> bool:
        return bool(part.signature) and part.provider_name == self.provider_name

    def _response(self, message: ModelResponse) -> Iterator[JSONObject]:
        own = message.provider_name == self.provider_name
        for part in message.parts:
            block = self._part(part)
            if block:
                yield block | (_citations(part) if own else {})

    def _part(self, part: ModelResponsePart) -> JSONObject:
        """Return the block of a part, {} where it is not sent back."""
        match part:
            case TextPart():
                return text_block(part.content) if part.content else {}
            case ThinkingPart() if self._is_signed(part):
                return _thought(part)
            case ToolCallPart():
                return _tool_use("tool_use", part, part.tool_name, args_object(part))
            case BuiltinToolCallPart() if part.provider_name == self.provider_name:
                return _builtin_call(part)
            case BuiltinToolReturnPart() if part.provider_name == self.provider_name:
                return _builtin_return(part)
            case OpaquePart():
                return self._opaque(part)
        return {}

    def _opaque(self, part: OpaquePart) -> JSONObject:
        if part.provider_name not in (None, self.provider_name):
            return {}
        if part.data.get("part_kind") != "compaction":
            raise UserError(f"A part of kind {part.part_kind!r} cannot be sent")
        if not self._is_summary(part):
            return {}
        details = part.data.get("provider_details") or {}
        return {"type": "compaction", "content": part.data.get("content"), **details}


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


def _binary(item: BinaryContent) -> JSONObject:
    source = {"type": "base64", "media_type": item.media_type, "data": item.base64}
    if item.is_image:
        return {"type": "image", "source": source}
    if item.media_type == "application/pdf":
        return {"type": "document", "source": source}
    if item.media_type == "text/plain":
        text = item.data.decode(errors="replace")
        return {"type": "document", "source": source | {"type": "text", "data": text}}
    raise UserError(
        f"Anthropic reads no file of type {item.media_type}: images, PDFs and plain text it does"
    )


def _by_url(item: ImageUrl | DocumentUrl) -> JSONObject:
    if needs_download(item):
        raise UserError(
            f"Anthropic is not sent the URL {item.url[:200]!r} itself: send its bytes as "
            "`BinaryContent`."
        )
    source = {"type": "url", "url": item.url}
    if isinstance(item, ImageUrl):
        return {"type": "image", "source": source}
    if _media_type(item) != "application/pdf":
        raise UserError(f"Anthropic reads no document of type {_media_type(item)}")
    return {"type": "document", "source": source}


def _media_type(item: FileUrl) -> str:
    try:
        return item.media_type
    except ValueError as exc:
        raise UserError(str(exc)) from exc


def _thought(part: ThinkingPart) -> JSONObject:
    if part.id == REDACTED:
        return {"type": "redacted_thinking", "data": part.signature}
    return {"type": "thinking", "thinking": part.content, "signature": part.signature}


def _citations(part: ModelResponsePart) -> JSONObject:
    """Return a text's citations of web pages, {} where it has none.

    Those of documents are not sent back: they count the documents of one request.
    """
    known = (part.provider_details or {}).get("citations") if isinstance(part, TextPart) else None
    sent = [
        {key: citation.get(key) for key in _CITATION}
        for citation in known or ()
        if citation["type"] == "web_search_result_location"
    ]
    return {"citations": sent} if sent else {}


def _is_file(item: Any) -> bool:
    return isinstance(item, (BinaryContent, FileUrl, UploadedFile))


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
    kind: str, part: ToolCallPart | BuiltinToolCallPart, name: str, args: JSONObject
) -> JSONObject:
    return {"type": kind, "id": part.tool_call_id, "name": name, "input": args}


def _own_name(part: BuiltinToolCallPart | BuiltinToolReturnPart) -> str:
    """Return the provider's name of a tool of its own."""
    details = part.provider_details or {}
    return str(details.get(OWN_NAME) or part.tool_name)


def _caller(part: BuiltinToolCallPart | BuiltinToolReturnPart) -> JSONObject:
    caller = (part.provider_details or {}).get(CALLER)
    return {"caller": caller} if caller else {}


def _builtin_call(part: BuiltinToolCallPart) -> JSONObject:
    if part.tool_name.startswith("mcp_server:"):
        return _mcp_call(part)
    if part.tool_name not in _SENT_BACK:
        return {}
    name, args = _own_name(part), args_object(part)
    if part.tool_name == "tool_search":
        name, args = _tool_search(part, args)
    return _tool_use("server_tool_use", part, name, args) | _caller(part)


def _mcp_call(part: BuiltinToolCallPart) -> JSONObject:
    args = args_object(part)
    if "tool_name" not in args:
        return {}
    used = _tool_use("mcp_tool_use", part, args["tool_name"], args.get("tool_args") or {})
    return used | {"server_name": part.tool_name.partition(":")[2]}


def _tool_search(part: BuiltinToolCallPart, args: JSONObject) -> tuple[str, JSONObject]:
    strategy = (part.provider_details or {}).get("strategy", "bm25")
    if "queries" in args:
        args = {"pattern" if strategy == "regex" else "query": " ".join(args["queries"])}
    return f"tool_search_tool_{strategy}", args


def _builtin_return(part: BuiltinToolReturnPart) -> JSONObject:
    content = plain(part.content)
    if not isinstance(content, (dict, list)):
        return {}
    if part.tool_name.startswith("mcp_server") and isinstance(content, dict):
        told = {"is_error": content.get("is_error", False)}
        return _result("mcp", part, content.get("content")) | told
    if part.tool_name not in _SENT_BACK:
        return {}
    if part.tool_name == "tool_search":
        content = _found(part)
    return _result(_own_name(part), part, content) | _caller(part)


def _result(name: str, part: BuiltinToolReturnPart, content: Any) -> JSONObject:
    return {"type": f"{name}_tool_result", "tool_use_id": part.tool_call_id, "content": content}


def _found(part: BuiltinToolReturnPart) -> JSONObject:
    error = (part.provider_details or {}).get("error_code")
    if error:
        return {"type": "tool_search_tool_result_error", "error_code": error}
    found = plain(part.content).get("discovered_tools") or ()
    return {
        "type": "tool_search_tool_search_result",
        "tool_references": [
            {"type": "tool_reference", "tool_name": each["name"]} for each in found
        ],
    }
