"""Tools that a provider runs itself: web search, code execution and the like.

The profile of a model says which tools it knows; a tool that a model does not know
is a `UserError` before anything is sent.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from attrs import field, frozen

from ._record import Record

__all__ = (
    "BUILTIN_TOOL_TYPES",
    "SUPPORTED_BUILTIN_TOOLS",
    "AbstractBuiltinTool",
    "CodeExecutionTool",
    "FileSearchTool",
    "ImageAspectRatio",
    "ImageGenerationTool",
    "MCPServerTool",
    "MemoryTool",
    "WebFetchTool",
    "WebSearchTool",
    "WebSearchUserLocation",
)

ImageAspectRatio = Literal["21:9", "16:9", "4:3", "3:2", "1:1", "9:16", "3:4", "2:3", "5:4", "4:5"]


class WebSearchUserLocation(TypedDict, total=False):
    """Where a search is made from; `country` is a two-letter code with OpenAI."""

    city: str
    country: str
    region: str
    timezone: str


@frozen(repr=False, kw_only=True)
class AbstractBuiltinTool(Record):
    """What all built-in tools have.

    Attributes:
        kind: Which tool it is.
    """

    kind: str = "unknown_builtin_tool"

    @property
    def unique_id(self) -> str:
        """What tells two tools of one request apart; the later of two equals is dropped."""
        return self.kind

    @property
    def label(self) -> str:
        """A name to show a person."""
        return self.kind.replace("_", " ").title()


@frozen(repr=False, kw_only=True)
class WebSearchTool(AbstractBuiltinTool):
    """Searches the web.

    Attributes:
        search_context_size: How much of what was found is read (OpenAI).
        user_location: Where the search is made from (Anthropic, OpenAI).
        blocked_domains: Domains to leave out (Anthropic, Groq).
        allowed_domains: The only domains to search (Anthropic, Groq, OpenAI).
        max_uses: The most searches to make (Anthropic).
    """

    search_context_size: Literal["low", "medium", "high"] = "medium"
    user_location: WebSearchUserLocation | None = None
    blocked_domains: list[str] | None = None
    allowed_domains: list[str] | None = None
    max_uses: int | None = None
    kind: str = "web_search"


@frozen(repr=False, kw_only=True)
class CodeExecutionTool(AbstractBuiltinTool):
    """Runs code that the model writes (Anthropic, Google, OpenAI Responses)."""

    kind: str = "code_execution"


@frozen(repr=False, kw_only=True)
class WebFetchTool(AbstractBuiltinTool):
    """Reads pages by URL (Anthropic, Google).

    Attributes:
        max_uses: The most pages to read (Anthropic).
        allowed_domains: The only domains to read from (Anthropic).
        blocked_domains: Domains not to read from (Anthropic).
        enable_citations: Whether the answer cites what was read (Anthropic).
        max_content_tokens: The most tokens to read of a page (Anthropic).
    """

    max_uses: int | None = None
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None
    enable_citations: bool = False
    max_content_tokens: int | None = None
    kind: str = "web_fetch"


@frozen(repr=False, kw_only=True)
class ImageGenerationTool(AbstractBuiltinTool):
    """Makes images (Google, OpenAI Responses).

    Attributes:
        background: The image's background (OpenAI).
        input_fidelity: How closely given images are kept to (OpenAI).
        moderation: How strictly the image is moderated (OpenAI).
        output_compression: Quality of a jpeg or webp, 0 to 100.
        output_format: The image's format.
        partial_images: Number of unfinished images to stream (OpenAI).
        quality: The image's quality (OpenAI).
        size: The image's size in pixels (OpenAI) or its class (Google).
        aspect_ratio: Width to height.
    """

    background: Literal["transparent", "opaque", "auto"] = "auto"
    input_fidelity: Literal["high", "low"] | None = None
    moderation: Literal["auto", "low"] = "auto"
    output_compression: int | None = None
    output_format: Literal["png", "webp", "jpeg"] | None = None
    partial_images: int = 0
    quality: Literal["low", "medium", "high", "auto"] = "auto"
    size: Literal["auto", "1024x1024", "1024x1536", "1536x1024", "1K", "2K", "4K"] | None = None
    aspect_ratio: ImageAspectRatio | None = None
    kind: str = "image_generation"


@frozen(repr=False, kw_only=True)
class MemoryTool(AbstractBuiltinTool):
    """Keeps notes between conversations (Anthropic); needs a function tool `memory`."""

    kind: str = "memory"


@frozen(repr=False, kw_only=True)
class MCPServerTool(AbstractBuiltinTool):
    """Lets the provider call the tools of an MCP server (Anthropic, OpenAI Responses).

    Attributes:
        id: A name for the server.
        url: Its URL, or `x-openai-connector:<id>` for one of OpenAI's connectors.
        authorization_token: What the provider shows the server; never printed.
        description: What the server is for (OpenAI).
        allowed_tools: The only tools that may be called.
        headers: HTTP headers for the server (OpenAI); never printed.
    """

    id: str
    url: str
    authorization_token: str | None = field(default=None, repr=False)
    description: str | None = None
    allowed_tools: list[str] | None = None
    headers: dict[str, str] | None = field(default=None, repr=False)
    kind: str = "mcp_server"

    @property
    def unique_id(self) -> str:
        """The kind and the server's name: a request may hold several servers."""
        return f"{self.kind}:{self.id}"

    @property
    def label(self) -> str:
        """A name to show a person."""
        return f"MCP: {self.id}"


@frozen(repr=False, kw_only=True)
class FileSearchTool(AbstractBuiltinTool):
    """Searches files that were uploaded to the provider (Google, OpenAI Responses).

    Attributes:
        file_store_ids: The vector stores (OpenAI) or file search stores (Google).
    """

    file_store_ids: list[str] | tuple[str, ...]
    kind: str = "file_search"


SUPPORTED_BUILTIN_TOOLS: frozenset[type[AbstractBuiltinTool]] = frozenset(
    {
        CodeExecutionTool,
        FileSearchTool,
        ImageGenerationTool,
        MCPServerTool,
        MemoryTool,
        WebFetchTool,
        WebSearchTool,
    }
)


def _kind(tool: type[AbstractBuiltinTool]) -> str:
    import attrs

    default: Any = attrs.fields(tool).kind.default
    return str(default)


BUILTIN_TOOL_TYPES: dict[str, type[AbstractBuiltinTool]] = {
    _kind(tool): tool for tool in SUPPORTED_BUILTIN_TOOLS
}
