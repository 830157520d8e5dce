"""Reads what Gemini answers: a `GenerateContentResponse`, whole or as the frames of a stream.

Both are the same document. A frame of a stream brings the parts that are new; its
usage is the total so far. A finish reason ends a round of a stream, and no frame says that
it is the last one: only the end of the body does.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TypeAlias

from .._core.codec import (
    Item,
    JSONObject,
    Mark,
    Reader,
    ResponseInfo,
    StreamEnd,
    WholePart,
    args_of,
    count,
    dictionary,
    expect_type,
    id_of,
    index_of,
    maybe,
    others_left_out,
    reason_of,
    text_chunk,
    text_of,
    thinking_chunk,
    tool_call_chunk,
)
from .._core.identity import Identities
from ..builtin_tools import FileSearchTool
from ..content import BinaryContent
from ..messages import FinishReason
from ..parts import BuiltinToolCallPart, BuiltinToolReturnPart, FilePart, new_tool_call_id
from ..tools import ModelRequestParameters
from ..usage import RequestUsage
from ._gemini_contents import TOOL_TYPES
from ._gemini_grounding import (
    citations,
    merged,
    retrieved_contexts,
    searches,
    snake_case,
    web_sources,
)

__all__ = ("GeminiReader", "usage_of")

_FINISH_REASONS: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "LANGUAGE": "error",
    "MALFORMED_FUNCTION_CALL": "error",
    "UNEXPECTED_TOOL_CALL": "error",
    "NO_IMAGE": "error",
}

_TOOL_NAMES = {tool_type: name for name, tool_type in TOOL_TYPES.items()}

_LATEST = ""

_STANDARD_BASE64 = str.maketrans("-_", "+/")

# How some models show that they search files: as code that they run.
_FILE_QUERY = re.compile(r"""file_search\.query\(query=(["'])((?:\\.|(?!\1)[^\\])*)\1\)""")
_ESCAPED = re.compile(r"\\([\\\"'])")

_Details: TypeAlias = JSONObject | None


class GeminiReader(Reader):
    """Reads one response.

    Args:
        provider_name: The provider, which built-in tools and signed parts are marked with.
        parameters: What the request offered.
    """

    stream_end = StreamEnd.BODY

    def __init__(self, provider_name: str, parameters: ModelRequestParameters) -> None:
        self._provider_name = provider_name
        self._may_search_files = any(
            isinstance(tool, FileSearchTool) for tool in parameters.builtin_tools
        )
        self._whole = False
        self._head: tuple[Any, Any] | None = None
        self._known: JSONObject = {}
        self._is_ended = False
        # Candidates that are not the answer.
        self._others: set[int] = set()
        # Text that grows is one part until a part of another kind comes; grounding, at
        # the end, tells which text it supports.
        self._identities = Identities()
        self._running: int | None = None
        self._texts: dict[int, list[str]] = {}
        self._last_search: JSONObject | None = None
        self._awaited: tuple[int, Any, str, _Details] | None = None
        # The ids that calls of code have here, by those that Google has.
        self._code_ids: dict[str | None, str] = {}
        self._tool_id = ""
        self._file_searches: list[str] = []
        self._tells_tools = False
        self._grounding: JSONObject = {}
        self._pages: set[str] = set()

    def frame(self, event: str, document: JSONObject) -> Iterator[Item]:
        """Read one frame of a stream."""
        yield from self._heading(document)
        candidates = expect_type(document.get("candidates") or [], list)
        feedback = dictionary(document.get("promptFeedback"))
        if not candidates and feedback.get("blockReason"):
            details = {
                "block_reason": feedback["blockReason"],
                "block_reason_message": feedback.get("blockReasonMessage"),
                "safety_ratings": feedback.get("safetyRatings"),
            }
            known = {key: value for key, value in details.items() if value}
            yield ResponseInfo(finish_reason="content_filter", provider_details=known)
            yield Mark.FINISHED
        for candidate in candidates:
            if candidate is None:
                continue
            index = index_of(candidate.get("index"))
            if not index:
                yield from self._candidate(candidate)
            elif index not in self._others:
                self._others.add(index)
                yield others_left_out(len(self._others))

    def body(self, document: JSONObject) -> Iterator[Item]:
        """Read a whole response, whose parts are each one of their own."""
        if not document.get("candidates") and not document.get("promptFeedback"):
            raise ValueError("there are no candidates")
        self._whole = True
        yield from self.frame("", document)

    def end(self) -> Iterator[Item]:
        """Return what supports the answer, which is sent with its end."""
        if self._is_ended:
            return
        self._is_ended = True
        grounding = self._grounding
        texts = {key: "".join(pieces) for key, pieces in self._texts.items()}
        for key, found in citations(grounding, texts).items():
            yield text_chunk(key, "", details={"citations": found})
        yield from self._with_awaited()
        queries = searches(grounding)
        asked = {query for query in queries if query.strip()}
        if asked:
            yield ResponseInfo(usage=RequestUsage(details={"web_search_requests": len(asked)}))
        if not self._tells_tools:
            contexts = retrieved_contexts(grounding)
            if contexts and not self._file_searches:
                self._file_searches.append(new_tool_call_id())
                yield self._invoked("file_search", {}, self._file_searches[0])
            for call_id in self._file_searches if contexts else ():
                yield self._answered("file_search", contexts, call_id)
            if queries:
                call_id = new_tool_call_id()
                sources = web_sources(grounding) if grounding.get("groundingChunks") else None
                yield self._invoked("web_search", {"queries": queries}, call_id)
                yield self._answered("web_search", sources, call_id)

    def _heading(self, document: JSONObject) -> Iterator[Item]:
        metadata = dictionary(document.get("usageMetadata"))
        if metadata:
            yield ResponseInfo(usage=usage_of(metadata))
        details = {
            "timestamp": maybe(datetime.fromisoformat, document.get("createTime")),
            "traffic_type": metadata.get("trafficType"),
        }
        known = {key: value for key, value in details.items() if value is not None}
        head = (document.get("modelVersion"), document.get("responseId"))
        if head != self._head or known != self._known:
            self._head, self._known = head, known
            yield ResponseInfo(
                model_name=head[0], provider_response_id=head[1], provider_details=known or None
            )

    def _candidate(self, candidate: JSONObject) -> Iterator[Item]:
        content = expect_type(dictionary(candidate.get("content")).get("parts") or [], list)
        parts = [part for part in content if part is not None]
        grounding = dictionary(candidate.get("groundingMetadata"))
        if grounding:
            self._grounding = merged(self._grounding, grounding)
        self._tells_tools = self._tells_tools or any(_tool_type(part) for part in parts)
        if not self._tells_tools:
            context = dictionary(candidate.get("urlContextMetadata"))
            fetched = maybe(list, context.get("urlMetadata")) or ()
            new = {repr(page): page for page in fetched if isinstance(page, dict)}
            pages = [page for text, page in new.items() if text not in self._pages]
            self._pages.update(new)
            if pages:
                call_id = new_tool_call_id()
                urls = [page["retrievedUrl"] for page in pages if page.get("retrievedUrl")]
                yield self._invoked("web_fetch", {"urls": urls} if urls else None, call_id)
                yield self._answered("web_fetch", snake_case(pages), call_id)
        web = (part for part in reversed(parts) if _tool_type(part) == TOOL_TYPES["web_search"])
        self._last_search = next(web, None)
        for part in parts:
            yield from self._part(part)
        reason = reason_of(candidate.get("finishReason"))
        if reason and reason != "FINISH_REASON_UNSPECIFIED":
            yield _finish(reason, candidate)
            yield Mark.FINISHED

    def _part(self, part: JSONObject) -> Iterator[Item]:
        signature = part.get("thoughtSignature")
        is_signed = isinstance(signature, str) and signature != ""
        details = {"thought_signature": signature} if is_signed else None
        # Nearly always one; an empty text beside another member is none.
        found = [(read, part[member]) for member, read in _PARTS if part.get(member) is not None]
        for read, value in found:
            if value != "" or len(found) == 1:
                yield from read(self, part, value, details)
                details = None

    def _key(self) -> int:
        """Return a key for a part of its own; text that follows is another part, too."""
        self._running = None
        return self._identities.start()

    def _signer(self, details: _Details) -> str | None:
        return self._provider_name if details else None

    def _text(self, part: JSONObject, text: Any, details: _Details) -> Iterator[Item]:
        thought = part.get("thought")
        text = text_of(text) if thought else expect_type(text, str)
        if not text and not details:
            return
        if thought:
            key = self._key()
            # Thoughts of a stream that follow each other are one.
            yield thinking_chunk(
                key if self._whole else None,
                text,
                provider_name=self._signer(details),
                details=details,
            )
            return
        if self._running is None or self._whole:
            self._running = self._key()
        self._texts.setdefault(self._running, []).append(text)
        yield text_chunk(self._running, text, details=details)

    def _call(self, part: JSONObject, call: Any, details: _Details) -> Iterator[Item]:
        yield tool_call_chunk(
            self._key(),
            name=call["name"],
            args=args_of(call.get("args")),
            call_id=call.get("id"),
            details=details,
        )

    def _inline_file(self, part: JSONObject, blob: Any, details: _Details) -> Iterator[Item]:
        # Images in thoughts are drafts: the last of them comes again as the answer.
        if part.get("thought"):
            return
        encoded = blob["data"].translate(_STANDARD_BASE64)
        data = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
        content = BinaryContent(data, media_type=expect_type(blob["mimeType"], str))
        file = FilePart(content, provider_name=self._signer(details), provider_details=details)
        yield WholePart(self._key(), file)

    def _invoked(self, name: str, args: Any, call_id: str, details: _Details = None) -> Item:
        call = BuiltinToolCallPart(
            name,
            None if args is None else expect_type(args, dict),
            call_id,
            provider_name=self._provider_name,
            provider_details=details,
        )
        return WholePart(self._key(), call)

    def _answered(self, name: str, content: Any, call_id: str, details: _Details = None) -> Item:
        return WholePart(self._key(), self._answer(name, content, call_id, details))

    def _answer(
        self, name: str, content: Any, call_id: str, details: _Details
    ) -> BuiltinToolReturnPart:
        return BuiltinToolReturnPart(
            name,
            content,
            call_id,
            provider_name=self._provider_name,
            provider_details=details,
        )

    def _code(self, part: JSONObject, code: Any, details: _Details) -> Iterator[Item]:
        call_id = new_tool_call_id()
        query = _FILE_QUERY.search(code.get("code") or "") if self._may_search_files else None
        if query:
            self._file_searches.append(call_id)
            args = {"query": _ESCAPED.sub(r"\1", query[2])}
            yield self._invoked("file_search", args, call_id, details)
        else:
            self._code_ids |= {id_of(code.get("id")): call_id, _LATEST: call_id}
            yield self._invoked("code_execution", snake_case(code), call_id, details)

    def code_result(self, part: JSONObject, result: Any, details: _Details) -> Iterator[Item]:
        """Read the result of code."""
        named, latest = (self._code_ids.get(id) for id in (id_of(result.get("id")), _LATEST))
        call_id = named or latest or new_tool_call_id()
        yield self._answered("code_execution", snake_case(result), call_id, details)

    def tool_call(self, part: JSONObject, call: Any, details: _Details) -> Iterator[Item]:
        """Read a call of a built-in tool."""
        self._tool_id = id_of(call.get("id")) or new_tool_call_id()
        yield self._invoked(_tool_name(call), call.get("args"), self._tool_id, details)

    def tool_response(self, part: JSONObject, response: Any, details: _Details) -> Iterator[Item]:
        """Read the result of a built-in tool."""
        call_id = id_of(response.get("id")) or self._tool_id or new_tool_call_id()
        name = _tool_name(response)
        content = response.get("response")
        if name == "file_search" and content is None:
            content = retrieved_contexts(self._grounding) or None
        elif part is self._last_search:
            # Its sources come with the end of a stream; until then its place is kept.
            yield from self._with_awaited()
            self._awaited = (self._key(), content, call_id, details)
            yield tool_call_chunk(self._awaited[0])
            if web_sources(self._grounding):
                yield from self._with_awaited()
            return
        yield self._answered(name, content, call_id, details)

    def _with_awaited(self) -> Iterator[Item]:
        if self._awaited is not None:
            key, content, call_id, details = self._awaited
            self._awaited = None
            # Nobody says which search found what.
            sources = web_sources(self._grounding)
            if sources and isinstance(content, dict):
                content = content | {"sources": sources}
            yield WholePart(key, self._answer("web_search", content, call_id, details))


_Read: TypeAlias = Callable[[GeminiReader, JSONObject, Any, _Details], Iterator[Item]]

# Member of a part that tells its kind, and what reads it; other kinds are ignored.
_PARTS: tuple[tuple[str, _Read], ...] = (
    ("text", GeminiReader._text),
    ("functionCall", GeminiReader._call),
    ("inlineData", GeminiReader._inline_file),
    ("toolCall", GeminiReader.tool_call),
    ("toolResponse", GeminiReader.tool_response),
    ("executableCode", GeminiReader._code),
    ("codeExecutionResult", GeminiReader.code_result),
)


def _tool_type(part: JSONObject) -> str | None:
    call = part.get("toolCall") or part.get("toolResponse") or {}
    return call.get("toolType")


def _tool_name(call: JSONObject) -> str:
    # The steps in which the API reads media have no type.
    tool_type = expect_type(call.get("toolType") or "MEDIA_PROCESSING", str)
    return _TOOL_NAMES.get(tool_type, tool_type.lower())


def _finish(reason: str, candidate: JSONObject) -> ResponseInfo:
    details: JSONObject = {"finish_reason": reason}
    if candidate.get("safetyRatings"):
        details["safety_ratings"] = candidate["safetyRatings"]
    if candidate.get("logprobsResult"):
        details["logprobs"] = snake_case(candidate["logprobsResult"])
        details["avg_logprobs"] = candidate.get("avgLogprobs")
    return ResponseInfo(finish_reason=_FINISH_REASONS.get(reason), provider_details=details)


# Beginning of a count's name, and the list that counts it by modality.
_BY_MODALITY = {
    "prompt": "promptTokensDetails",
    "cache": "cacheTokensDetails",
    "candidates": "candidatesTokensDetails",
    "tool_use_prompt": "toolUsePromptTokensDetails",
}

_OTHER_COUNTS = {
    "cached_content_tokens": "cachedContentTokenCount",
    "thoughts_tokens": "thoughtsTokenCount",
    "tool_use_prompt_tokens": "toolUsePromptTokenCount",
}


def usage_of(metadata: JSONObject) -> RequestUsage:
    """Return `usageMetadata` as `RequestUsage`; negative counts are 0.

    What built-in tools put into the prompt is read by the model, too, and thoughts are
    written by it, though Google counts both apart.
    """
    counts = {name: count(metadata.get(key)) for name, key in _OTHER_COUNTS.items()}
    by_modality = {
        f"{str(each['modality']).lower()}_{name}_tokens": count(each.get("tokenCount"))
        for name, key in _BY_MODALITY.items()
        for each in maybe(list, metadata.get(key)) or ()
        if dictionary(each).get("modality")
    }
    prompt = count(metadata.get("promptTokenCount"))
    candidates = count(metadata.get("candidatesTokenCount"))
    return RequestUsage(
        input_tokens=prompt + counts["tool_use_prompt_tokens"],
        output_tokens=candidates + counts["thoughts_tokens"],
        cache_read_tokens=counts["cached_content_tokens"],
        input_audio_tokens=by_modality.get("audio_prompt_tokens", 0),
        cache_audio_read_tokens=by_modality.get("audio_cache_tokens", 0),
        output_audio_tokens=by_modality.get("audio_candidates_tokens", 0),
        details={name: number for name, number in (counts | by_modality).items() if number},
    )
