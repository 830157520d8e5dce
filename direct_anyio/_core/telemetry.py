"""What a span and a metric say of a request, in the words of OpenTelemetry.

Pure: records go in, attributes come out, and no part of OpenTelemetry is needed. The
names are those of the GenAI semantic conventions in version 1.41.1, the last numbered
release that holds them; they are kept in a repository of their own since.
https://github.com/open-telemetry/semantic-conventions/tree/v1.41.1/docs/gen-ai

Values under `direct_anyio.` are ours: the conventions have no name for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit

from .._json import mended, text_of
from .._record import Record
from .._validation import ValidationError
from .._values import Values
from ..content import (
    AudioUrl,
    BinaryContent,
    CachePoint,
    DocumentUrl,
    FileUrl,
    ImageUrl,
    TextContent,
    UploadedFile,
    VideoUrl,
)
from ..exceptions import ModelConnectionError, ModelHTTPError
from ..messages import ModelMessage, ModelRequest, ModelResponse
from ..parts import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    FilePart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from ..settings import ModelSettings
from ..tools import ModelRequestParameters
from ..usage import RequestUsage
from .instructions import instructions_of

__all__ = (
    "SCHEMA_URL",
    "STATE",
    "content_attributes",
    "error_attributes",
    "error_text",
    "metric_attributes",
    "output_attributes",
    "request_attributes",
    "response_attributes",
    "token_counts",
)

SCHEMA_URL = "https://opentelemetry.io/schemas/1.41.1"

STATE = "direct_anyio.response.state"
"""The attribute that tells how far the response came."""

JSON = dict[str, Any]
Attributes = dict[str, Any]

# "If one of them applies, then the respective value MUST be used."
_PROVIDERS = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "google-cloud": "gcp.vertex_ai",
    "google-gla": "gcp.gemini",
    "google-vertex": "gcp.vertex_ai",
    "grok": "x_ai",
    "mistral": "mistral_ai",
    "xai": "x_ai",
}

_PORTS = {"http": 80, "https": 443}

_OUTPUT_TYPES = {"image": "image", "native": "json", "prompted": "json"}

_SETTINGS: dict[str, Callable[[Any], Any]] = {
    "max_tokens": int,
    "temperature": float,
    "top_p": float,
    "top_k": float,
    "seed": int,
    "presence_penalty": float,
    "frequency_penalty": float,
    "stop_sequences": list,
}

_MODALITIES: dict[type, str] = {
    ImageUrl: "image",
    AudioUrl: "audio",
    VideoUrl: "video",
    DocumentUrl: "document",
}

# Logfire shows the members of these strings, where an attribute says that they are JSON.
_LOGFIRE = {
    "type": "object",
    "properties": {
        "gen_ai.input.messages": {"type": "array"},
        "gen_ai.output.messages": {"type": "array"},
        "gen_ai.system_instructions": {"type": "array"},
        "gen_ai.tool.definitions": {"type": "array"},
        "model_request_parameters": {"type": "object"},
    },
}

# What dashboards of one request over another have in common; of few values each.
_OF_METRICS = (
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.system",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "server.address",
    "server.port",
)


def request_attributes(
    model_name: str,
    system: str,
    base_url: str | None,
    settings: ModelSettings,
    parameters: ModelRequestParameters,
    *,
    stream: bool,
) -> Attributes:
    """Return what is known of a request before it is sent; samplers may decide by it."""
    attributes: Attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": _PROVIDERS.get(system, system),
        "gen_ai.system": system,
        "gen_ai.request.model": model_name,
        **_asked(settings),
    }
    try:
        url = urlsplit(base_url or "")
        port = url.port or _PORTS.get(url.scheme)
    except ValueError:
        pass
    else:
        if url.hostname is not None:
            attributes["server.address"] = url.hostname
            if port is not None:
                attributes["server.port"] = port
    if stream:
        attributes["gen_ai.request.stream"] = True
    if parameters.output_mode in _OUTPUT_TYPES:
        attributes["gen_ai.output.type"] = _OUTPUT_TYPES[parameters.output_mode]
    return attributes


def _asked(settings: Mapping[str, Any]) -> Attributes:
    # A setting of the wrong type is the provider's to refuse; a span leaves it out.
    attributes: Attributes = {}
    for name, convert in _SETTINGS.items():
        try:
            attributes[f"gen_ai.request.{name}"] = convert(settings[name])
        except (KeyError, TypeError, ValueError):
            continue
    return attributes


def response_attributes(response: ModelResponse) -> Attributes:
    """Return what a span says of a response, whole or not, beside its content."""
    provider = response.provider_name or ""
    attributes: Attributes = {
        # Of a request that several models may answer it is known only now.
        "gen_ai.provider.name": _PROVIDERS.get(provider, provider),
        "gen_ai.system": provider,
        "gen_ai.response.model": response.model_name,
        "gen_ai.response.id": response.provider_response_id,
        "gen_ai.response.finish_reasons": response.finish_reason and [response.finish_reason],
    }
    usage = response.usage
    attributes |= {
        **usage.opentelemetry_attributes(),
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": usage.details.get("reasoning_tokens", 0),
    }
    return {name: value for name, value in attributes.items() if value}


def token_counts(usage: RequestUsage) -> JSON:
    """Return the counts that the token metric takes, by token type."""
    counts = {"input": usage.input_tokens, "output": usage.output_tokens}
    return {token_type: count for token_type, count in counts.items() if count}


def metric_attributes(attributes: Attributes) -> Attributes:
    """Return those of a span's attributes that its metrics carry, too."""
    return {name: attributes[name] for name in _OF_METRICS if name in attributes}


def error_attributes(error: BaseException) -> Attributes:
    """Return the class of an error, and the HTTP status where there was one.

    `error.type` is the name of a class of ours or of Python's own, such as
    `ModelRateLimitError`; any other comes with its module.
    """
    cls = type(error)
    own = cls.__module__.partition(".")[0] in ("builtins", __name__.partition(".")[0])
    name = cls.__qualname__ if own else f"{cls.__module__}.{cls.__qualname__}"
    status = getattr(error, "status_code", None) if isinstance(error, ModelHTTPError) else None
    return {"error.type": name} | ({} if status is None else {"http.response.status_code": status})


def error_text(error: BaseException, *, content: bool) -> str | None:
    """Return an error's message, None where it may quote what content is to be left out.

    Providers quote the prompt in their error documents; the words for a connection that
    failed are our own.
    """
    return str(error) if content or isinstance(error, ModelConnectionError) else None


def content_attributes(
    messages: Sequence[ModelMessage], parameters: ModelRequestParameters, *, binary: bool
) -> Attributes:
    """Return what is said to the model, and what it is offered.

    Args:
        messages: The messages.
        parameters: What is offered.
        binary: Whether the bytes of files are recorded.
    """
    instructions = instructions_of(messages, parameters)
    content: Attributes = {"gen_ai.input.messages": list(_messages(messages, binary))}
    if instructions is not None:
        content["gen_ai.system_instructions"] = [_text(instructions)]
    tools = [
        {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters_json_schema,
        }
        for tool in parameters.tool_defs.values()
    ]
    if tools:
        content["gen_ai.tool.definitions"] = tools
    content |= {"model_request_parameters": parameters, "logfire.json_schema": _LOGFIRE}
    return _written(content, binary)


def output_attributes(response: ModelResponse, *, binary: bool) -> Attributes:
    """Return what the model said, as far as it got."""
    message = {
        "role": "assistant",
        "parts": [_part(part, binary) for part in response.parts],
        "finish_reason": response.finish_reason or "",
    }
    return _written({"gen_ai.output.messages": [message]}, binary)


class _Traced(Values):
    """Writes values as a provider is sent them, files in the words of the conventions."""

    def __init__(self, binary: bool) -> None:
        self._binary = binary

    def data(self, value: bytes) -> Any:
        return super().data(value) if self._binary else ""

    def other(self, value: object) -> Any:
        return str(value)  # a trace refuses nothing

    def record(self, value: Record, depth: int) -> Any:
        if isinstance(value, (BinaryContent, FileUrl, UploadedFile)):
            return _file_part(value, self._binary)
        return super().record(value, depth)


def _written(values: Mapping[str, Any], binary: bool) -> Attributes:
    writer = _Traced(binary)
    try:
        # A lone surrogate would keep an exporter from sending the whole batch.
        return {name: mended(text_of(writer.tree(value))) for name, value in values.items()}
    except ValidationError as invalid:  # the span has the class of the value's own error
        raise invalid.__cause__ or invalid from None


def _messages(messages: Sequence[ModelMessage], binary: bool) -> Iterator[JSON]:
    for message in messages:
        if isinstance(message, ModelRequest):
            for role, parts in groupby(message.parts, role_of):
                written: list[JSON] = []
                for part in parts:
                    if not isinstance(part, UserPromptPart):
                        written.append(_part(part, binary))
                    elif isinstance(part.content, str):
                        written.append(_text(part.content))
                    else:
                        items = (i for i in part.content if not isinstance(i, CachePoint))
                        written.extend(_item(item, binary) for item in items)
                yield {"role": role, "parts": written}
        else:
            yield {"role": "assistant", "parts": [_part(part, binary) for part in message.parts]}


def role_of(part: object) -> str:
    """Return the role of a part of a request, in the words of the conventions."""
    match part:
        case SystemPromptPart():
            return "system"
        case ToolReturnPart():
            return "tool"
        case RetryPromptPart(tool_name=str()):
            return "tool"
        case _:
            return "user"


def _item(item: object, binary: bool) -> JSON:
    match item:
        case str():
            return _text(item)
        case TextContent(content=text):
            return _text(text)
        case _:
            return _file_part(item, binary)


def _part(part: Any, binary: bool) -> JSON:
    match part:
        case TextPart() | SystemPromptPart():
            return _text(part.content)
        case ThinkingPart():
            return {"type": "reasoning", "content": part.content}
        case FilePart():
            return _file_part(part.content, binary)
        case ToolCallPart():
            return _call("tool_call", part) | {"arguments": _arguments(part)}
        case ToolReturnPart():
            return _call("tool_call_response", part) | {"response": part.content}
        case RetryPromptPart(tool_name=None):
            return _text(part.model_response())
        case RetryPromptPart():
            return _call("tool_call_response", part) | {"response": part.model_response()}
        case BuiltinToolCallPart():
            asked = {"type": part.tool_name, "arguments": _arguments(part)}
            return _call("server_tool_call", part) | {"server_tool_call": asked}
        case BuiltinToolReturnPart():
            returned = {"type": part.tool_name, "response": part.content}
            return _call("server_tool_call_response", part) | {
                "server_tool_call_response": returned
            }
        case _:
            return {"type": part.part_kind}


def _text(text: str) -> JSON:
    return {"type": "text", "content": text}


def _call(part_type: str, part: Any) -> JSON:
    return {"type": part_type, "id": part.tool_call_id, "name": part.tool_name}


def _arguments(part: ToolCallPart | BuiltinToolCallPart) -> object:
    # A call that was cut short is no JSON yet.
    try:
        return part.args_as_dict()
    except (ValueError, AssertionError, RecursionError):
        return part.args


def _file_part(item: object, binary: bool) -> JSON:
    match item:
        case BinaryContent():
            return _blob(item.media_type, item.base64 if binary else None)
        case FileUrl() if item.url.startswith("data:"):
            head, _, data = item.url.partition(",")
            return _blob(head[5:].partition(";")[0], data if binary else None)
        case FileUrl():
            return {
                "type": "uri",
                "modality": _MODALITIES.get(type(item), "document"),
                "uri": item.url,
            }
        case UploadedFile():
            return _kind("file", item.media_type) | {"file_id": item.file_id}
        case _:
            return {"type": type(item).__name__}


def _blob(media_type: str, data: str | None) -> JSON:
    return _kind("blob", media_type) | ({} if data is None else {"content": data})


def _kind(part_type: str, media_type: str) -> JSON:
    family = media_type.partition("/")[0]
    modality = family if family in ("image", "audio", "video") else "document"
    return {"type": part_type, "mime_type": media_type, "modality": modality}
