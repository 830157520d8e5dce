"""Direct requests to language models, for trio, asyncio and blocking code."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .builtin_tools import (
        AbstractBuiltinTool as AbstractBuiltinTool,
    )
    from .builtin_tools import (
        CodeExecutionTool as CodeExecutionTool,
    )
    from .builtin_tools import (
        FileSearchTool as FileSearchTool,
    )
    from .builtin_tools import (
        ImageGenerationTool as ImageGenerationTool,
    )
    from .builtin_tools import (
        MCPServerTool as MCPServerTool,
    )
    from .builtin_tools import (
        MemoryTool as MemoryTool,
    )
    from .builtin_tools import (
        WebFetchTool as WebFetchTool,
    )
    from .builtin_tools import (
        WebSearchTool as WebSearchTool,
    )
    from .builtin_tools import (
        WebSearchUserLocation as WebSearchUserLocation,
    )
    from .direct import (
        StreamedResponseSync as StreamedResponseSync,
    )
    from .direct import (
        model_request as model_request,
    )
    from .direct import (
        model_request_stream as model_request_stream,
    )
    from .direct import (
        model_request_stream_sync as model_request_stream_sync,
    )
    from .direct import (
        model_request_sync as model_request_sync,
    )
    from .exceptions import (
        AgentRunError as AgentRunError,
    )
    from .exceptions import (
        ConcurrencyLimitExceeded as ConcurrencyLimitExceeded,
    )
    from .exceptions import (
        ContentFilterError as ContentFilterError,
    )
    from .exceptions import (
        EmptyResponse as EmptyResponse,
    )
    from .exceptions import (
        FallbackExceptionGroup as FallbackExceptionGroup,
    )
    from .exceptions import (
        ModelAPIError as ModelAPIError,
    )
    from .exceptions import (
        ModelAuthenticationError as ModelAuthenticationError,
    )
    from .exceptions import (
        ModelConnectionError as ModelConnectionError,
    )
    from .exceptions import (
        ModelContextWindowExceededError as ModelContextWindowExceededError,
    )
    from .exceptions import (
        ModelHTTPError as ModelHTTPError,
    )
    from .exceptions import (
        ModelNotFoundError as ModelNotFoundError,
    )
    from .exceptions import (
        ModelOverloadedError as ModelOverloadedError,
    )
    from .exceptions import (
        ModelQuotaExceededError as ModelQuotaExceededError,
    )
    from .exceptions import (
        ModelRateLimitError as ModelRateLimitError,
    )
    from .exceptions import (
        ModelRequestRejectedError as ModelRequestRejectedError,
    )
    from .exceptions import (
        ModelRequestTimeout as ModelRequestTimeout,
    )
    from .exceptions import (
        ModelServerError as ModelServerError,
    )
    from .exceptions import (
        ModelTimeoutError as ModelTimeoutError,
    )
    from .exceptions import (
        ModelUnavailableError as ModelUnavailableError,
    )
    from .exceptions import (
        ResponseTooLarge as ResponseTooLarge,
    )
    from .exceptions import (
        StreamInterrupted as StreamInterrupted,
    )
    from .exceptions import (
        UnexpectedModelBehavior as UnexpectedModelBehavior,
    )
    from .exceptions import (
        UserError as UserError,
    )
    from .messages import (
        AudioFormat as AudioFormat,
    )
    from .messages import (
        AudioUrl as AudioUrl,
    )
    from .messages import (
        BinaryContent as BinaryContent,
    )
    from .messages import (
        BinaryImage as BinaryImage,
    )
    from .messages import (
        BuiltinToolCallPart as BuiltinToolCallPart,
    )
    from .messages import (
        BuiltinToolReturnPart as BuiltinToolReturnPart,
    )
    from .messages import (
        CachePoint as CachePoint,
    )
    from .messages import (
        DocumentFormat as DocumentFormat,
    )
    from .messages import (
        DocumentUrl as DocumentUrl,
    )
    from .messages import (
        FilePart as FilePart,
    )
    from .messages import (
        FileUrl as FileUrl,
    )
    from .messages import (
        FinalResultEvent as FinalResultEvent,
    )
    from .messages import (
        FinishReason as FinishReason,
    )
    from .messages import (
        ImageFormat as ImageFormat,
    )
    from .messages import (
        ImageUrl as ImageUrl,
    )
    from .messages import (
        ModelMessage as ModelMessage,
    )
    from .messages import (
        ModelRequest as ModelRequest,
    )
    from .messages import (
        ModelRequestPart as ModelRequestPart,
    )
    from .messages import (
        ModelResponse as ModelResponse,
    )
    from .messages import (
        ModelResponsePart as ModelResponsePart,
    )
    from .messages import (
        ModelResponsePartDelta as ModelResponsePartDelta,
    )
    from .messages import (
        ModelResponseStreamEvent as ModelResponseStreamEvent,
    )
    from .messages import (
        OpaquePart as OpaquePart,
    )
    from .messages import (
        PartDeltaEvent as PartDeltaEvent,
    )
    from .messages import (
        PartEndEvent as PartEndEvent,
    )
    from .messages import (
        PartStartEvent as PartStartEvent,
    )
    from .messages import (
        RetryPromptPart as RetryPromptPart,
    )
    from .messages import (
        SystemPromptPart as SystemPromptPart,
    )
    from .messages import (
        TextContent as TextContent,
    )
    from .messages import (
        TextPart as TextPart,
    )
    from .messages import (
        TextPartDelta as TextPartDelta,
    )
    from .messages import (
        ThinkingPart as ThinkingPart,
    )
    from .messages import (
        ThinkingPartDelta as ThinkingPartDelta,
    )
    from .messages import (
        ToolCallPart as ToolCallPart,
    )
    from .messages import (
        ToolCallPartDelta as ToolCallPartDelta,
    )
    from .messages import (
        ToolReturnPart as ToolReturnPart,
    )
    from .messages import (
        UploadedFile as UploadedFile,
    )
    from .messages import (
        UserContent as UserContent,
    )
    from .messages import (
        UserPromptPart as UserPromptPart,
    )
    from .messages import (
        VideoFormat as VideoFormat,
    )
    from .messages import (
        VideoUrl as VideoUrl,
    )
    from .models import (
        KnownModelName as KnownModelName,
    )
    from .models import (
        Model as Model,
    )
    from .models import (
        ModelRequestParameters as ModelRequestParameters,
    )
    from .models import (
        StreamedResponse as StreamedResponse,
    )
    from .models import (
        infer_model as infer_model,
    )
    from .models import (
        override_allow_model_requests as override_allow_model_requests,
    )
    from .models.function import (
        AgentInfo as AgentInfo,
    )
    from .models.function import (
        DeltaThinkingPart as DeltaThinkingPart,
    )
    from .models.function import (
        DeltaToolCall as DeltaToolCall,
    )
    from .models.function import (
        FunctionModel as FunctionModel,
    )
    from .models.test import (
        TestModel as TestModel,
    )
    from .profiles import (
        ModelProfile as ModelProfile,
    )
    from .settings import (
        ModelSettings as ModelSettings,
    )
    from .tools import (
        OutputObjectDefinition as OutputObjectDefinition,
    )
    from .tools import (
        ToolDefinition as ToolDefinition,
    )
    from .usage import (
        RequestUsage as RequestUsage,
    )

__version__ = "0.1.0"

__all__ = (
    "AbstractBuiltinTool",
    "AgentInfo",
    "AgentRunError",
    "AudioFormat",
    "AudioUrl",
    "BinaryContent",
    "BinaryImage",
    "BuiltinToolCallPart",
    "BuiltinToolReturnPart",
    "CachePoint",
    "CodeExecutionTool",
    "ConcurrencyLimitExceeded",
    "ContentFilterError",
    "DeltaThinkingPart",
    "DeltaToolCall",
    "DocumentFormat",
    "DocumentUrl",
    "EmptyResponse",
    "FallbackExceptionGroup",
    "FilePart",
    "FileSearchTool",
    "FileUrl",
    "FinalResultEvent",
    "FinishReason",
    "FunctionModel",
    "ImageFormat",
    "ImageGenerationTool",
    "ImageUrl",
    "KnownModelName",
    "MCPServerTool",
    "MemoryTool",
    "Model",
    "ModelAPIError",
    "ModelAuthenticationError",
    "ModelConnectionError",
    "ModelContextWindowExceededError",
    "ModelHTTPError",
    "ModelMessage",
    "ModelNotFoundError",
    "ModelOverloadedError",
    "ModelProfile",
    "ModelQuotaExceededError",
    "ModelRateLimitError",
    "ModelRequest",
    "ModelRequestParameters",
    "ModelRequestPart",
    "ModelRequestRejectedError",
    "ModelRequestTimeout",
    "ModelResponse",
    "ModelResponsePart",
    "ModelResponsePartDelta",
    "ModelResponseStreamEvent",
    "ModelServerError",
    "ModelSettings",
    "ModelTimeoutError",
    "ModelUnavailableError",
    "OpaquePart",
    "OutputObjectDefinition",
    "PartDeltaEvent",
    "PartEndEvent",
    "PartStartEvent",
    "RequestUsage",
    "ResponseTooLarge",
    "RetryPromptPart",
    "StreamInterrupted",
    "StreamedResponse",
    "StreamedResponseSync",
    "SystemPromptPart",
    "TestModel",
    "TextContent",
    "TextPart",
    "TextPartDelta",
    "ThinkingPart",
    "ThinkingPartDelta",
    "ToolCallPart",
    "ToolCallPartDelta",
    "ToolDefinition",
    "ToolReturnPart",
    "UnexpectedModelBehavior",
    "UploadedFile",
    "UserContent",
    "UserError",
    "UserPromptPart",
    "VideoFormat",
    "VideoUrl",
    "WebFetchTool",
    "WebSearchTool",
    "WebSearchUserLocation",
    "infer_model",
    "model_request",
    "model_request_stream",
    "model_request_stream_sync",
    "model_request_sync",
    "override_allow_model_requests",
    "__version__",
)

# Where each name lives; a module is loaded when its first name is asked for.
_HOME = {
    "AbstractBuiltinTool": "builtin_tools",
    "AgentInfo": "models.function",
    "AgentRunError": "exceptions",
    "AudioFormat": "messages",
    "AudioUrl": "messages",
    "BinaryContent": "messages",
    "BinaryImage": "messages",
    "BuiltinToolCallPart": "messages",
    "BuiltinToolReturnPart": "messages",
    "CachePoint": "messages",
    "CodeExecutionTool": "builtin_tools",
    "ConcurrencyLimitExceeded": "exceptions",
    "ContentFilterError": "exceptions",
    "DeltaThinkingPart": "models.function",
    "DeltaToolCall": "models.function",
    "DocumentFormat": "messages",
    "DocumentUrl": "messages",
    "EmptyResponse": "exceptions",
    "FallbackExceptionGroup": "exceptions",
    "FilePart": "messages",
    "FileSearchTool": "builtin_tools",
    "FileUrl": "messages",
    "FinalResultEvent": "messages",
    "FinishReason": "messages",
    "FunctionModel": "models.function",
    "ImageFormat": "messages",
    "ImageGenerationTool": "builtin_tools",
    "ImageUrl": "messages",
    "KnownModelName": "models",
    "MCPServerTool": "builtin_tools",
    "MemoryTool": "builtin_tools",
    "Model": "models",
    "ModelAPIError": "exceptions",
    "ModelAuthenticationError": "exceptions",
    "ModelConnectionError": "exceptions",
    "ModelContextWindowExceededError": "exceptions",
    "ModelHTTPError": "exceptions",
    "ModelMessage": "messages",
    "ModelNotFoundError": "exceptions",
    "ModelOverloadedError": "exceptions",
    "ModelProfile": "profiles",
    "ModelQuotaExceededError": "exceptions",
    "ModelRateLimitError": "exceptions",
    "ModelRequest": "messages",
    "ModelRequestParameters": "models",
    "ModelRequestPart": "messages",
    "ModelRequestRejectedError": "exceptions",
    "ModelRequestTimeout": "exceptions",
    "ModelResponse": "messages",
    "ModelResponsePart": "messages",
    "ModelResponsePartDelta": "messages",
    "ModelResponseStreamEvent": "messages",
    "ModelServerError": "exceptions",
    "ModelSettings": "settings",
    "ModelTimeoutError": "exceptions",
    "ModelUnavailableError": "exceptions",
    "OpaquePart": "messages",
    "OutputObjectDefinition": "tools",
    "PartDeltaEvent": "messages",
    "PartEndEvent": "messages",
    "PartStartEvent": "messages",
    "RequestUsage": "usage",
    "ResponseTooLarge": "exceptions",
    "RetryPromptPart": "messages",
    "StreamInterrupted": "exceptions",
    "StreamedResponse": "models",
    "StreamedResponseSync": "direct",
    "SystemPromptPart": "messages",
    "TestModel": "models.test",
    "TextContent": "messages",
    "TextPart": "messages",
    "TextPartDelta": "messages",
    "ThinkingPart": "messages",
    "ThinkingPartDelta": "messages",
    "ToolCallPart": "messages",
    "ToolCallPartDelta": "messages",
    "ToolDefinition": "tools",
    "ToolReturnPart": "messages",
    "UnexpectedModelBehavior": "exceptions",
    "UploadedFile": "messages",
    "UserContent": "messages",
    "UserError": "exceptions",
    "UserPromptPart": "messages",
    "VideoFormat": "messages",
    "VideoUrl": "messages",
    "WebFetchTool": "builtin_tools",
    "WebSearchTool": "builtin_tools",
    "WebSearchUserLocation": "builtin_tools",
    "infer_model": "models",
    "model_request": "direct",
    "model_request_stream": "direct",
    "model_request_stream_sync": "direct",
    "model_request_sync": "direct",
    "override_allow_model_requests": "models",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
