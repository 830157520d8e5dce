"""Messages as Gemini's `contents`: what was said by whom, part by part.

Bytes are URL-safe base64 here, as Google's own client writes them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from typing import Any

import attrs
from attrs import field, frozen

from .._core.codec import JSONObject
from .._core.returned import FILES, File, args_object, result_files
from .._values import as_text, plain
from ..content import BinaryContent, MultiModalContent, UploadedFile, UserContent
from ..exceptions import UserError
from ..messages import ModelMessage, ModelRequest, ModelResponse
from ..parts import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    FilePart,
    ModelResponsePart,
    OpaquePart,
    RetryPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)
from ._messages import MessageWriter, Pieces, unknown_part

__all__ = ("TOOL_TYPES", "GeminiWriter")

# Names under which a history may know the endpoint, by whether it is Google Cloud's.
_NAMES = {
    False: frozenset({"google-gla", "google"}),
    True: frozenset({"google-vertex", "google-cloud"}),
}

# The built-in tools that `toolCall` and `toolResponse` parts tell of.
TOOL_TYPES = {
    "web_search": "GOOGLE_SEARCH_WEB",
    "web_fetch": "URL_CONTEXT",
    "file_search": "FILE_SEARCH",
}

_VIDEO = ("fps", "start_offset", "end_offset", "startOffset", "endOffset")

# Fact: https://ai.google.dev/gemini-api/docs/thought-signatures: the first call of a
# turn needs a signature, and this is the one for calls that have none.
_NO_SIGNATURE = base64.b64encode(b"skip_thought_signature_validator").decode()

_GENERATED_ID = "pyd_ai_"


@frozen
class GeminiWriter(MessageWriter):
    """Writes messages as contents.

    Attributes:
        cloud: Whether Google Cloud is asked.
        knows_builtin_parts: Whether the endpoint knows `toolCall` and `toolResponse` parts.
        returnable: Types of files that a function's response may hold.
    """

    cloud: bool = field(kw_only=True)
    knows_builtin_parts: bool = field(kw_only=True)
    returnable: frozenset[str] = field(kw_only=True)

    def contents_of(self, messages: Iterable[ModelMessage]) -> list[JSONObject]:
        """Return messages as contents, of which the first must be the user's.

        Raises:
            UserError: The protocol cannot express a part of them.
        """
        written = list(self.messages(messages))
        if not written or written[0]["role"] == "model":
            written.insert(0, {"role": "user", "parts": [{"text": ""}]})
        return written

    def request(self, message: ModelRequest) -> Iterator[JSONObject]:
        """Yield the contents of a request.

        What stands behind a function's response in one content is taken for the model's own
        words; what stands before it is not.
        """
        parts = list(super().request(message))
        returns = (part for part in message.parts if isinstance(part, ToolReturnPart))
        outside: list[UserContent] = []
        for returned in returns:
            _, files, _ = self._sorted(returned)
            if files:
                # With marks around them.
                outside += result_files(attrs.evolve(returned, content=files))
        if outside:
            responses = [at for at, part in enumerate(parts) if "functionResponse" in part]
            after = responses[-1] + 1
            parts[after:after] = self.contents(outside)
        pending: list[JSONObject] = []
        for part in parts:
            if pending and "functionResponse" in pending[-1] and "functionResponse" not in part:
                yield {"role": "user", "parts": pending}
                pending = []
            pending.append(part)
        if pending:
            yield {"role": "user", "parts": pending}

    def response(self, message: ModelResponse) -> Iterator[JSONObject]:
        """Yield the content of a response, nothing where it would be empty."""
        parts: list[JSONObject] = []
        from_thought: str | None = None
        calls = 0
        for part in message.parts:
            # The two endpoints refuse each other's signatures, and all others.
            own = self._made(part, message)
            details = getattr(part, "provider_details", None) or {}
            signature = (details.get("thought_signature") if own else None) or from_thought
            # In this field a thought has the signature of the part behind it.
            from_thought = part.signature if isinstance(part, ThinkingPart) and own else None
            if isinstance(part, ToolCallPart):
                signature = signature or (None if calls else _NO_SIGNATURE)
                calls += 1
            for piece in self.response_part(part, message):
                if signature:
                    piece["thoughtSignature"] = signature.translate(_TO_URLSAFE)
                parts.append(piece)
        if parts:
            yield {"role": "model", "parts": parts}

    def is_own(self, provider_name: str | None) -> bool:
        """Return whether a name is one of the endpoint's."""
        return provider_name in _NAMES[self.cloud] or super().is_own(provider_name)

    def _made(self, part: ModelResponsePart, message: ModelResponse) -> bool:
        """Return whether the endpoint made a part."""
        return self.is_own(getattr(part, "provider_name", None) or message.provider_name)

    def text_content(self, text: str) -> Iterator[JSONObject]:
        """Yield a text of a prompt."""
        yield {"text": text}

    def file(self, item: MultiModalContent) -> JSONObject:
        """Return a file: its bytes, or where it is."""
        metadata = item.vendor_metadata or {}
        options: JSONObject = {}
        video = {key: metadata[key] for key in _VIDEO if key in metadata}
        if video:
            options["videoMetadata"] = video
        if "media_resolution" in metadata:
            options["mediaResolution"] = metadata["media_resolution"]
        return self._data(item) | options

    def _data(self, item: MultiModalContent | File) -> JSONObject:
        if isinstance(item, BinaryContent):
            return _inline(item)
        if not isinstance(item, UploadedFile):
            return {"fileData": {"fileUri": item.url, "mimeType": item.media_type}}
        scheme = "gs://" if self.cloud else "https://"
        if not item.file_id.startswith(scheme):
            provider = self.codec.provider_name
            raise UserError(f"The id of a file for {provider!r} is its {scheme} URI.")
        return {"fileData": {"fileUri": item.file_id, "mimeType": item.media_type}}

    def tool_return(self, part: ToolReturnPart) -> Iterator[JSONObject]:
        """Yield the result of a function, with the files that it may hold."""
        inside, outside, rest = self._sorted(part)
        sent = attrs.evolve(part, content=rest) if inside or outside else part
        if part.outcome in ("failed", "retried"):
            response: JSONObject = {"error": sent.model_response_str()}
        else:
            response = sent.model_response_object()
            if _has_ref(response):
                # `$ref` would be read as a reference to a file of this response.
                response = {"output": sent.model_response_str()}
        if outside:
            response = {"output": [response, *(f"See file {each.identifier}." for each in outside)]}
        written = _function_response(part.tool_name, part.tool_call_id, response)
        for item in inside:
            self.check_file(item)
            written["functionResponse"].setdefault("parts", []).append(self._data(item))
        yield written

    def _sorted(self, part: ToolReturnPart) -> tuple[list[File], list[File], Any]:
        """Return a result's files that go inside the response, those that do not, and the rest."""
        many = isinstance(part.content, (list, tuple))
        items = part.content if many else (part.content,)
        files = [item for item in items if isinstance(item, FILES)]
        inside = [file for file in files if file.media_type in self.returnable]
        outside = [file for file in files if file.media_type not in self.returnable]
        rest = [item for item in items if not isinstance(item, FILES)]
        return inside, outside, rest[0] if len(rest) == 1 else rest or {}

    def tool_retry(self, part: RetryPromptPart) -> Iterator[JSONObject]:
        """Yield a request to try a call again: the function's response, an error."""
        error = {"error": as_text(part.content)}
        yield _function_response(part.tool_name or "", part.tool_call_id, error)

    def text(self, part: TextPart, message: ModelResponse) -> Iterator[JSONObject]:
        """Yield a text of the model."""
        yield {"text": part.content}

    def thinking(self, part: ThinkingPart, message: ModelResponse) -> Iterator[JSONObject]:
        """Yield a thought that says anything."""
        if part.content:
            yield {"text": part.content, "thought": True}

    def tool_call(self, part: ToolCallPart, message: ModelResponse) -> Iterator[JSONObject]:
        """Yield a call of a function."""
        call = {"name": part.tool_name, "args": args_object(part), "id": part.tool_call_id}
        yield {"functionCall": call}

    def file_part(self, part: FilePart, message: ModelResponse) -> Iterator[JSONObject]:
        """Yield a file that the model made."""
        yield _inline(part.content)

    def builtin_call(
        self, part: BuiltinToolCallPart, message: ModelResponse
    ) -> Iterator[JSONObject]:
        """Yield a call of one of Google's tools."""
        if not self._made(part, message):
            return
        if part.tool_name == "code_execution":
            yield {"executableCode": _without_none(args_object(part))}
        elif named := self._named(part):
            yield {"toolCall": named | {"args": args_object(part)}}

    def builtin_return(
        self, part: BuiltinToolReturnPart, message: ModelResponse
    ) -> Iterator[JSONObject]:
        """Yield the result of one of Google's tools."""
        if not self._made(part, message):
            return
        content = plain(part.content)
        if part.tool_name == "code_execution":
            if isinstance(content, dict):
                yield {"codeExecutionResult": _without_none(content)}
        elif named := self._named(part):
            if isinstance(content, dict):
                # The sources of a search come from elsewhere in the answer.
                response = {key: value for key, value in content.items() if key != "sources"}
            else:
                response = {"result": content}
            yield {"toolResponse": named | {"response": response}}

    def _named(self, part: BuiltinToolCallPart | BuiltinToolReturnPart) -> JSONObject:
        """Return the id and the type of a call that the endpoint knows, {} for any other.

        An id of ours is of a part that was made from metadata.
        """
        tool_type = TOOL_TYPES.get(part.tool_name) if self.knows_builtin_parts else None
        if tool_type is None or part.tool_call_id.startswith(_GENERATED_ID):
            return {}
        return {"id": part.tool_call_id, "tool_type": tool_type}

    def opaque(self, part: OpaquePart, message: ModelResponse) -> Pieces:
        """Refuse an unknown part of the endpoint's own; leave out those of others."""
        if self._made(part, message):
            raise unknown_part(part)
        return ()


def _function_response(name: str, call_id: str, response: JSONObject) -> JSONObject:
    return {"functionResponse": {"name": name, "response": response, "id": call_id}}


def _has_ref(value: Any) -> bool:
    if isinstance(value, dict):
        return "$ref" in value or any(_has_ref(each) for each in value.values())
    return isinstance(value, list) and any(_has_ref(each) for each in value)


def _inline(item: BinaryContent) -> JSONObject:
    data = base64.urlsafe_b64encode(item.data).decode()
    return {"inlineData": {"data": data, "mimeType": item.media_type}}


_TO_URLSAFE = str.maketrans("+/", "-_")


def _without_none(fields: JSONObject) -> JSONObject:
    return {key: value for key, value in fields.items() if value is not None}
