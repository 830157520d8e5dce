"""Direct requests to language models, for trio, asyncio and blocking code."""

from importlib import import_module

__version__ = "0.1.0"

# The public names by module; a module is loaded when its first name is used. Type checkers and
# editors read the same names in `__init__.pyi`, which `python tests/test_exports.py` writes.
_PUBLIC = {
    "builtin_tools": (
        "AbstractBuiltinTool",
        "CodeExecutionTool",
        "FileSearchTool",
        "ImageGenerationTool",
        "MCPServerTool",
        "MemoryTool",
        "WebFetchTool",
        "WebSearchTool",
        "WebSearchUserLocation",
    ),
    "direct": (
        "StreamedResponseSync",
        "model_request",
        "model_request_stream",
        "model_request_stream_sync",
        "model_request_sync",
        "open_portal",
    ),
    "exceptions": (
        "AgentRunError",
        "ConcurrencyLimitExceeded",
        "ContentFilterError",
        "EmptyResponse",
        "FallbackExceptionGroup",
        "ModelAPIError",
        "ModelAuthenticationError",
        "ModelConnectionError",
        "ModelContextWindowExceededError",
        "ModelHTTPError",
        "ModelNotFoundError",
        "ModelOverloadedError",
        "ModelQuotaExceededError",
        "ModelRateLimitError",
        "ModelRequestRejectedError",
        "ModelRequestTimeout",
        "ModelServerError",
        "ModelTimeoutError",
        "ModelUnavailableError",
        "ResponseCacheWarning",
        "ResponseTooLarge",
        "SchemaWarning",
        "StreamInterrupted",
        "UnencryptedKeyWarning",
        "UnexpectedModelBehavior",
        "UnheededSettingWarning",
        "UserError",
    ),
    "history": (
        "ModelMessagesTypeAdapter",
        "dump_event",
        "dump_messages",
        "load_messages",
    ),
    "messages": (
        "AudioFormat",
        "AudioMediaType",
        "AudioUrl",
        "BinaryContent",
        "BinaryImage",
        "BuiltinToolCallPart",
        "BuiltinToolReturnPart",
        "CachePoint",
        "DocumentFormat",
        "DocumentMediaType",
        "DocumentUrl",
        "FilePart",
        "FileUrl",
        "FinalResultEvent",
        "FinishReason",
        "ImageFormat",
        "ImageMediaType",
        "ImageUrl",
        "ModelMessage",
        "ModelRequest",
        "ModelRequestPart",
        "ModelResponse",
        "ModelResponsePart",
        "ModelResponsePartDelta",
        "ModelResponseStreamEvent",
        "MultiModalContent",
        "OpaquePart",
        "PartDeltaEvent",
        "PartEndEvent",
        "PartStartEvent",
        "RetryPromptPart",
        "SystemPromptPart",
        "TextContent",
        "TextPart",
        "TextPartDelta",
        "ThinkingPart",
        "ThinkingPartDelta",
        "ToolCallPart",
        "ToolCallPartDelta",
        "ToolReturnPart",
        "UploadedFile",
        "UserContent",
        "UserPromptPart",
        "VideoFormat",
        "VideoMediaType",
        "VideoUrl",
    ),
    "models": (
        "KnownModelName",
        "Model",
        "ModelCall",
        "ModelRequestParameters",
        "StreamedResponse",
        "infer_model",
        "known_model_names",
        "override_allow_model_requests",
    ),
    "models.attempts": ("Retry",),
    "models.cached": ("CachedModel",),
    "models.concurrency": (
        "ConcurrencyLimitedModel",
        "ConcurrencyLimiter",
        "limit_model_concurrency",
    ),
    "models.fallback": (
        "FallbackModel",
        "FallbackOn",
        "RejectedResponse",
    ),
    "models.function": (
        "AgentInfo",
        "DeltaThinkingPart",
        "DeltaToolCall",
        "FunctionModel",
    ),
    "models.instrumented": (
        "InstrumentationSettings",
        "InstrumentedModel",
        "instrument_all",
        "instrument_model",
    ),
    "models.keys": (
        "APIKey",
        "KeyFunction",
    ),
    "models.listing": ("list_models",),
    "models.rate_limit": (
        "RateLimitedModel",
        "RateLimiter",
    ),
    "models.stores": (
        "MemoryCache",
        "ResponseCache",
        "SQLiteCache",
    ),
    "models.test": ("TestModel",),
    "models.wrapper": ("WrapperModel",),
    "profiles": (
        "DEFAULT_PROFILE",
        "ModelProfile",
        "ModelProfileSpec",
    ),
    "settings": (
        "ModelSettings",
        "ToolChoice",
    ),
    "tools": (
        "OutputObjectDefinition",
        "ToolDefinition",
        "ToolKind",
    ),
    "usage": ("RequestUsage",),
}
_MODULE_OF = {name: module for module, names in _PUBLIC.items() for name in names}

__all__ = [*sorted(_MODULE_OF), "__version__"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULE_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
