"""Messages as Gemini's `contents`: what was said by whom, part by part.

Bytes are URL-safe base64 here, as Google's own client writes them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import attrs
from attrs import frozen

from .._core.returned import args_object, text_and_files
from .._values import as_text, plain
from ..content import (
    BinaryContent,
    CachePoint,
    FileUrl,
    TextContent,
    UploadedFile,
    UserContent,
    VideoUrl,
)
from ..exceptions import UserError
from ..messages import ModelMessage, ModelRequest, ModelResponse
from ..parts import (
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
)

__all__ = ("ContentWriter", "needs_download")

JSONObject = dict[str, Any]

_File: TypeAlias = FileUrl | BinaryContent | UploadedFile
_FILES = (FileUrl, BinaryContent, UploadedFile)

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

_UPLOADS_HOST = "generativelanguage.googleapis.com"
_UPLOADS_PATH = "/v1beta/files/"


def needs_download(item: object, cloud: bool) -> bool:
    """Return whether a file must be downloaded before it can be sent."""
    if not isinstance(item, FileUrl) or (isinstance(item, VideoUrl) and item.is_youtube):
        return False
    parts = urlsplit(item.url)
    if parts.scheme == "gs":
        return not cloud
    uploaded = parts.hostname == _UPLOADS_HOST and parts.path.startswith(_UPLOADS_PATH)
    return item.force_download or not (cloud or uploaded)


@frozen(kw_only=True)
class ContentWriter:
    """Writes messages for one endpoint.

    Attributes:
        provider_name: The provider, which thoughts and built-in tools are marked with.
        cloud: Whether the endpoint is Google Cloud's.
        tells_builtin_tools: Whether it knows `toolCall` and `toolResponse` parts.
        returnable: Types of files that a function's response may hold.
    """

    provider_name: str
    cloud: bool
    tells_builtin_tools: bool
    returnable: frozenset[str]

    def contents(self, messages: Sequence[ModelMessage]) -> list[JSONObject]:
        """Return messages as contents; system prompts are not among them.

        Raises:
            UserError: A message holds something that this endpoint cannot be told.
        """
        contents: list[JSONObject] = []
        for message in messages:
            if isinstance(message, ModelRequest):
                contents.extend(self._request(message))
            else:
                parts = list(self._response(message))
                contents.extend([{"role": "model", "parts": parts}] if parts else [])
        if not contents or contents[0]["role"] == "model":
            # The first word must be the user's.
            contents.insert(0, {"role": "user", "parts": [{"text": ""}]})
        return contents

    def _request(self, message: ModelRequest) -> Iterator[JSONObject]:
        parts: list[JSONObject] = []
        files: list[JSONObject] = []
        for part in message.parts:
            parts.extend(self._said(part))
            if isinstance(part, ToolReturnPart):
                files.extend(self._files_outside(part))
        if files:
            responses = [at for at, part in enumerate(parts) if "functionResponse" in part]
            after = responses[-1] + 1
            parts[after:after] = files
        yield from _parted(parts)

    def _said(self, part: ModelRequestPart) -> Iterator[JSONObject]:
        match part:
            case SystemPromptPart():
                return
            case UserPromptPart():
                yield from self._prompt(part.content)
            case ToolReturnPart():
                yield self._tool_return(part)
            case RetryPromptPart(tool_name=None):
                yield {"text": part.model_response()}
            case RetryPromptPart():
                told = {"error": as_text(part.content)}
                yield _function_response(part.tool_name or "", part.tool_call_id, told)
            case _:
                raise UserError(f"A part of kind {part.part_kind!r} cannot be sent")

    def _prompt(self, content: str | Sequence[UserContent]) -> Iterator[JSONObject]:
        for item in [content] if isinstance(content, str) else content:
            match item:
                case str():
                    yield {"text": item}
                case TextContent():
                    yield {"text": item.content}
                case CachePoint():
                    continue
                case _:
                    yield self._file(item) | _media_options(item.vendor_metadata or {})

    def _tool_return(self, part: ToolReturnPart) -> JSONObject:
        inside, outside, rest = self._sorted(part)
        response = _returned(attrs.evolve(part, content=rest) if inside or outside else part)
        if outside:
            response = {"output": [response, *(f"See file {each.identifier}." for each in outside)]}
        said = _function_response(part.tool_name, part.tool_call_id, response)
        if inside:
            said["functionResponse"]["parts"] = [self._file(each) for each in inside]
        return said

    def _files_outside(self, part: ToolReturnPart) -> Iterator[JSONObject]:
        _, outside, _ = self._sorted(part)
        if outside:
            _, message = text_and_files(attrs.evolve(part, content=outside))
            yield from self._prompt(message)

    def _sorted(self, part: ToolReturnPart) -> tuple[list[_File], list[_File], Any]:
        """Return a result's files that go inside the response, those that do not, and the rest."""
        many = isinstance(part.content, (list, tuple))
        items = part.content if many else (part.content,)
        files = [item for item in items if isinstance(item, _FILES)]
        inside = [file for file in files if file.media_type in self.returnable]
        outside = [file for file in files if file.media_type not in self.returnable]
        rest = [item for item in items if not isinstance(item, _FILES)]
        return inside, outside, rest[0] if len(rest) == 1 else rest or {}

    def _file(self, item: _File) -> JSONObject:
        match item:
            case BinaryContent():
                return _inline(item)
            case UploadedFile():
                return {"fileData": self._uploaded(item)}
        if needs_download(item, self.cloud):
            raise UserError(
                f"Gemini's API does not read {item.url[:200]}: of URLs it reads YouTube's and "
                "those of files uploaded to it. Let `infer_model` download, or send the bytes as "
                "`BinaryContent`."
            )
        return {"fileData": {"fileUri": item.url, "mimeType": item.media_type}}

    def _uploaded(self, item: UploadedFile) -> JSONObject:
        if not self._is_ours(item.provider_name):
            raise UserError(
                f"A file that was uploaded to {item.provider_name!r} cannot be sent to "
                f"{self.provider_name!r}."
            )
        scheme = "gs://" if self.cloud else "https://"
        if not item.file_id.startswith(scheme):
            raise UserError(f"The id of a file for {self.provider_name!r} is its {scheme} URI.")
        return {"fileUri": item.file_id, "mimeType": item.media_type}

    def _is_ours(self, provider_name: str | None) -> bool:
        return provider_name in _NAMES[self.cloud] or provider_name == self.provider_name

    def _response(self, message: ModelResponse) -> Iterator[JSONObject]:
        from_thought: str | None = None
        calls = 0
        for part in message.parts:
            # The two endpoints refuse each other's signatures, and all others.
            own = self._is_ours(getattr(part, "provider_name", None) or message.provider_name)
            signature = (_signature(part) if own else None) or from_thought
            # In this field a thought has the signature of the part behind it.
            from_thought = part.signature if isinstance(part, ThinkingPart) and own else None
            if isinstance(part, ToolCallPart):
                signature = signature or (None if calls else _NO_SIGNATURE)
                calls += 1
            piece = self._answered(part, own)
            if piece is not None:
                yield piece | ({"thoughtSignature": _urlsafe(signature)} if signature else {})

    def _answered(self, part: ModelResponsePart, own: bool) -> JSONObject | None:
        match part:
            case TextPart():
                return {"text": part.content}
            case ThinkingPart():
                return {"text": part.content, "thought": True} if part.content else None
            case ToolCallPart():
                call = {"name": part.tool_name, "args": args_object(part), "id": part.tool_call_id}
                return {"functionCall": call}
            case FilePart():
                return _inline(part.content)
            case BuiltinToolCallPart() | BuiltinToolReturnPart():
                return self._builtin(part) if own else None
            case OpaquePart() if not own:
                return None
        raise UserError(f"A part of kind {part.part_kind!r} cannot be sent")

    def _builtin(self, part: BuiltinToolCallPart | BuiltinToolReturnPart) -> JSONObject | None:
        if part.tool_name == "code_execution":
            return _code_execution(part)
        kind = TOOL_TYPES.get(part.tool_name)
        # An id of ours is of a part that was made from metadata: the API knows none such.
        if not (kind and self.tells_builtin_tools) or part.tool_call_id.startswith(_GENERATED_ID):
            return None
        named = {"id": part.tool_call_id, "tool_type": kind}
        if isinstance(part, BuiltinToolCallPart):
            return {"toolCall": named | {"args": args_object(part)}}
        return {"toolResponse": named | {"response": _tool_response(part)}}


def _parted(parts: list[JSONObject]) -> Iterator[JSONObject]:
    """Return a user's parts as contents.

    What stands behind a function's response in one content is taken for the model's own
    words; what stands before it is not.
    """
    pending: list[JSONObject] = []
    for part in parts:
        if pending and "functionResponse" in pending[-1] and "functionResponse" not in part:
            yield {"role": "user", "parts": pending}
            pending = []
        pending.append(part)
    if pending:
        yield {"role": "user", "parts": pending}


def _function_response(name: str, call_id: str, response: JSONObject) -> JSONObject:
    return {"functionResponse": {"name": name, "response": response, "id": call_id}}


def _returned(part: ToolReturnPart) -> JSONObject:
    if part.outcome in ("failed", "retried"):
        return {"error": part.model_response_str()}
    response = part.model_response_object()
    # `$ref` would be read as a reference to a file of this response.
    return {"output": part.model_response_str()} if _has_ref(response) else response


def _has_ref(value: Any) -> bool:
    if isinstance(value, dict):
        return "$ref" in value or any(_has_ref(each) for each in value.values())
    return isinstance(value, list) and any(_has_ref(each) for each in value)


def _media_options(metadata: JSONObject) -> JSONObject:
    video = {key: metadata[key] for key in _VIDEO if key in metadata}
    options: JSONObject = {"videoMetadata": video} if video else {}
    if "media_resolution" in metadata:
        options["mediaResolution"] = metadata["media_resolution"]
    return options


def _inline(item: BinaryContent) -> JSONObject:
    data = base64.urlsafe_b64encode(item.data).decode()
    return {"inlineData": {"data": data, "mimeType": item.media_type}}


def _signature(part: ModelResponsePart) -> str | None:
    details = getattr(part, "provider_details", None) or {}
    return details.get("thought_signature")


def _urlsafe(data: str) -> str:
    return data.translate(_TO_URLSAFE)


_TO_URLSAFE = str.maketrans("+/", "-_")


def _code_execution(part: BuiltinToolCallPart | BuiltinToolReturnPart) -> JSONObject | None:
    if isinstance(part, BuiltinToolCallPart):
        return {"executableCode": _said_in(args_object(part))}
    content = plain(part.content)
    return {"codeExecutionResult": _said_in(content)} if isinstance(content, dict) else None


def _said_in(fields: JSONObject) -> JSONObject:
    return {key: value for key, value in fields.items() if value is not None}


def _tool_response(part: BuiltinToolReturnPart) -> JSONObject:
    content = plain(part.content)
    if not isinstance(content, dict):
        return {"result": content}
    # The sources of a search come from elsewhere in the answer.
    return {key: value for key, value in content.items() if key != "sources"}
