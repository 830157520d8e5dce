"""Anthropic's Messages protocol: settings, what a model can do, and how a request is written.

Facts: Anthropic's API reference for `POST /v1/messages`, and recorded traffic. What models
do otherwise is a key of `AnthropicModelProfile`, never a branch on a name.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Literal

import attrs
from attrs import field, frozen

from .._core.codec import HTTPCall, JSONObject, ModelCodec
from .._core.instructions import instructions_of
from .._core.thinking import nearest_level
from .._core.tool_choice import Choice, choice_of
from ..builtin_tools import (
    AbstractBuiltinTool,
    CodeExecutionTool,
    MCPServerTool,
    MemoryTool,
    WebFetchTool,
    WebSearchTool,
)
from ..content import DocumentUrl, FileUrl, ImageUrl
from ..exceptions import UserError
from ..messages import ModelMessage, ModelResponse
from ..parts import SystemPromptPart
from ..profiles import ModelProfile
from ..settings import ModelSettings
from ..tools import ModelRequestParameters, ToolDefinition
from ._anthropic_messages import (
    AnthropicWriter,
    cache,
    cache_control,
    limit_cache_points,
    text_block,
)
from ._anthropic_models import AnthropicModelProfile, Effort
from ._anthropic_reader import AnthropicReader
from ._anthropic_schema import anthropic_json_schema
from ._messages import media_type_of

__all__ = (
    "AnthropicCodec",
    "AnthropicModelProfile",
    "AnthropicModelSettings",
    "anthropic_json_schema",
)

API_VERSION = "2023-06-01"

ANSWER_TOKENS = 4096
"""Tokens for the answer, beside those of a thinking budget, where `max_tokens` is not set."""

MIN_THINKING_TOKENS = 1024
"""The least budget for thinking that the provider takes; it must be less than `max_tokens`."""


class AnthropicModelSettings(ModelSettings, total=False):
    """Settings that only this protocol knows, beside the common ones.

    Attributes:
        anthropic_metadata: Data about the request: `user_id`, an id of the end user.
        anthropic_thinking: As in the protocol, such as `{'type': 'enabled',
            'budget_tokens': 2048}`; overrides `thinking`.
        anthropic_effort: How much work the model puts in; overrides `thinking`.
        anthropic_cache_tool_definitions: Whether the tools are cached: True or '5m' for
            five minutes after their last use, '1h' for an hour.
        anthropic_cache_instructions: Whether system prompts and instructions are.
        anthropic_cache_messages: Whether the messages are, up to the last one.
        anthropic_container: The container that code runs in; False for a new one,
            otherwise the one of the history.
        anthropic_betas: Beta features to switch on.
        anthropic_service_tier: As `service_tier`, which it overrides.
    """

    anthropic_metadata: JSONObject
    anthropic_thinking: JSONObject
    anthropic_effort: Effort
    anthropic_cache_tool_definitions: bool | Literal["5m", "1h"]
    anthropic_cache_instructions: bool | Literal["5m", "1h"]
    anthropic_cache_messages: bool | Literal["5m", "1h"]
    anthropic_container: JSONObject | Literal[False]
    anthropic_betas: list[str]
    anthropic_service_tier: Literal["auto", "standard_only"]


# Setting to member of the body.
_SETTINGS = {
    "stop_sequences": "stop_sequences",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "anthropic_metadata": "metadata",
}

_SAMPLING = ("temperature", "top_p", "top_k")

_SERVICE_TIERS = {"auto": "auto", "default": "standard_only"}

# The `thinking` setting as a budget in tokens.
_BUDGETS: dict[Any, int] = {
    True: 10_000,
    "minimal": 1024,
    "low": 2048,
    "medium": 10_000,
    "high": 16_384,
    "xhigh": 32_768,
    "max": 32_768,
}

_TOOL_CHOICES = {"auto": "auto", "required": "any", "none": "none"}

_STRUCTURED_OUTPUTS = "structured-outputs-2025-11-13"
_FILES = "files-api-2025-04-14"
_COMPACTION = "compact-2026-01-12"
_COMPACTION_ON_DEMAND = "compact-2026-09-04"

_BETAS: dict[type[AbstractBuiltinTool], str] = {
    MCPServerTool: "mcp-client-2025-04-04",
    MemoryTool: "context-management-2025-06-27",
    WebFetchTool: "web-fetch-2025-09-10",
}


def own_profile(profile: ModelProfile | None) -> AnthropicModelProfile:
    """Return a profile as one with Anthropic's keys; an attrs converter must be a function."""
    return AnthropicModelProfile.from_profile(profile)


@frozen(kw_only=True)
class AnthropicCodec(ModelCodec):
    """Speaks Anthropic Messages.

    Attributes:
        model_name: The model.
        provider_name: The provider; only its own thoughts and tool results are sent back.
        profile: What the model can do.
    """

    settings_prefix: ClassVar[str] = "anthropic"

    model_name: str
    provider_name: str
    profile: AnthropicModelProfile = field(converter=own_profile)

    def encode(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> HTTPCall:
        """Write a request for `POST /v1/messages`.

        Raises:
            UserError: It asks for something that this protocol or this model cannot do.
        """
        parameters = _with_own_schemas(parameters)
        thinking = self._thinking(settings)
        choice = choice_of(settings, parameters, self._cannot_force(settings, thinking))
        system = _system(messages, settings, parameters)
        tools = self._tools(settings, parameters, choice)
        written = list(AnthropicWriter(self).messages(messages))
        if written and settings.get("anthropic_cache_messages"):
            cache(written[-1]["content"], settings.get("anthropic_cache_messages"))
        limit_cache_points([*(system if isinstance(system, list) else ()), *tools], written)
        mcp_servers: list[JSONObject] = []
        for tool in parameters.builtin_tools:
            if isinstance(tool, MCPServerTool):
                server: JSONObject = {"type": "url", "name": tool.id, "url": tool.url}
                allowed = tool.allowed_tools
                if allowed is not None:
                    limit = {"enabled": bool(allowed), "allowed_tools": allowed}
                    server["tool_configuration"] = limit
                if tool.authorization_token:
                    server["authorization_token"] = tool.authorization_token
                mcp_servers.append(server)
        summaries = [block for block in _blocks(written) if block["type"] == "compaction"]
        is_own = bool(summaries) and not any("signature" in block for block in summaries)
        service_tier = _SERVICE_TIERS.get(settings.get("service_tier", ""))
        optional: JSONObject = {
            "system": system,
            "tools": tools,
            "tool_choice": _tool_choice(settings, parameters, choice),
            "mcp_servers": mcp_servers,
            "thinking": thinking,
            "container": self._container(messages, settings, parameters),
            "output_config": self._output_config(settings, parameters),
            # Lets the provider take back a summary that it made by itself.
            "context_management": {"edits": [{"type": "compact_20260112"}]} if is_own else None,
            "service_tier": settings.get("anthropic_service_tier") or service_tier,
        }
        refused = () if self.profile.anthropic_supports_sampling else _SAMPLING
        body: JSONObject = {
            "model": self.model_name,
            "max_tokens": self._max_tokens(settings, thinking),
            "messages": written,
            "stream": stream,
            **{
                _SETTINGS[key]: value
                for key, value in settings.items()
                if key in _SETTINGS and key not in refused and value is not None
            },
            **{key: value for key, value in optional.items() if value},
        }
        headers = {"anthropic-version": API_VERSION}
        betas = set(_betas(settings, parameters, tools, written))
        if betas:
            headers["anthropic-beta"] = ",".join(sorted(betas))
        return HTTPCall("/v1/messages", body, headers, {"beta": "true"})

    def needs_download(self, item: FileUrl) -> bool:
        """Return whether a file must be downloaded: images and PDFs go by URL, texts do not."""
        match item:
            case ImageUrl():
                return item.force_download
            case DocumentUrl():
                return item.force_download or media_type_of(item) == "text/plain"
        return False

    def reader(self, parameters: ModelRequestParameters) -> AnthropicReader:
        """Return a reader of one response."""
        return AnthropicReader(self.provider_name)

    # Thinking.

    def _thinking(self, settings: ModelSettings) -> JSONObject:
        """Return how the model is asked to think, {} where it is not.

        Raises:
            UserError: `max_tokens` leaves no tokens to think with, or the model takes no budget.
        """
        own: Any = settings.get("anthropic_thinking")
        if own:
            if own.get("type") == "enabled" and not self.profile.anthropic_supports_budget_thinking:
                raise UserError(
                    f"The model {self.model_name!r} takes no `budget_tokens`: use "
                    "`anthropic_thinking={'type': 'adaptive'}` and `anthropic_effort`."
                )
            return dict(own)
        level = settings.get("thinking")
        if level is None:
            return {}
        if level is False:
            off = self.profile.anthropic_thinking_off
            return {"type": off} if off else {}
        if level not in _BUDGETS:
            known = ", ".join(repr(each) for each in (*_BUDGETS, False))
            raise UserError(f"`thinking` is {level!r}, but must be one of: {known}")
        if self.profile.anthropic_supports_adaptive_thinking:
            return {"type": "adaptive"}
        budget = _BUDGETS[level]
        max_tokens = self._max_tokens(settings, {"budget_tokens": budget})
        if max_tokens <= MIN_THINKING_TOKENS:
            raise UserError(
                f"The model {self.model_name!r} thinks with {MIN_THINKING_TOKENS} tokens at least, "
                f"and `max_tokens` is {max_tokens}: raise it, or leave out `thinking`."
            )
        if budget >= max_tokens:
            budget = max(max_tokens // 2, MIN_THINKING_TOKENS)
        return {"type": "enabled", "budget_tokens": budget}

    def _max_tokens(self, settings: ModelSettings, thinking: JSONObject) -> int:
        """Return the most tokens of an answer: the user's limit, else the model's own."""
        most = self.profile.anthropic_max_output_tokens or math.inf
        budget = thinking.get("budget_tokens", 0)
        default = max(self.profile.anthropic_default_max_tokens, budget + ANSWER_TOKENS)
        wanted = settings.get("max_tokens") or default
        betas: Any = settings.get("anthropic_betas") or ()
        if any(beta.startswith("output-") for beta in betas):
            return wanted  # these betas raise the model's own limit
        return int(min(wanted, most))

    def _output_config(
        self, settings: ModelSettings, parameters: ModelRequestParameters
    ) -> JSONObject:
        """Return the schema of a native output, and how much work the model puts in."""
        config: JSONObject = {}
        if parameters.output_mode == "native" and parameters.output_object is not None:
            schema = parameters.output_object.json_schema
            config["format"] = {"type": "json_schema", "schema": schema}
        effort: Any = settings.get("anthropic_effort")
        level: Any = settings.get("thinking")
        if level is False and self.profile.anthropic_thinking_off == "adaptive":
            level = "low"  # the least that a model takes which cannot stop thinking
        if not effort and isinstance(level, str):
            effort = nearest_level(level, self.profile.anthropic_efforts)
        if effort:
            config["effort"] = effort
        return config

    # Tools.

    def _cannot_force(self, settings: ModelSettings, thinking: JSONObject) -> str:
        """Return why the model cannot be forced to call a tool, '' if it can be."""
        if not self.profile.anthropic_supports_forced_tool_choice:
            return f"{self.model_name} refuses to be forced to call a tool"
        by_default = "adaptive" if self.profile.anthropic_thinking_off else None
        mode = thinking.get("type", by_default)
        if mode == "enabled":
            return "a model that thinks with a budget cannot be forced to call a tool"
        # With adaptive thinking it can be, but then it does not think at all.
        is_free = settings.get("tool_choice") in (None, "auto", "none", [])
        return "the model would not think" if is_free and mode == "adaptive" else ""

    def _tools(
        self, settings: ModelSettings, parameters: ModelRequestParameters, choice: Choice
    ) -> list[JSONObject]:
        """Return the tools to offer: function tools, then the provider's own.

        Raises:
            UserError: The provider has no such tool, or its memory tool has no function.
        """
        offered = parameters.tool_defs
        if choice.names is not None and choice.demanded is None:
            # The protocol cannot limit a choice to some tools: the others are not offered.
            offered = {name: offered[name] for name in choice.names}
        tools = [self._tool(tool) for tool in offered.values()]
        if tools:
            tools[-1] |= cache_control(settings.get("anthropic_cache_tool_definitions"))
        if any(isinstance(tool, MemoryTool) for tool in parameters.builtin_tools):
            # The provider's tool stands for the function that runs its commands.
            functions = [tool for tool in tools if tool["name"] != "memory"]
            if len(functions) == len(tools):
                raise UserError(
                    "`MemoryTool` needs a function tool named 'memory' that runs its commands"
                )
            tools = functions
        builtin = (self._builtin_tool(tool) for tool in parameters.builtin_tools)
        return [*tools, *(tool for tool in builtin if tool)]

    def _tool(self, tool: ToolDefinition) -> JSONObject:
        written: JSONObject = {
            "name": tool.name,
            "description": tool.description or "",
            "input_schema": tool.parameters_json_schema,
        }
        if tool.strict and self.profile.supports_json_schema_output:
            written["strict"] = True
        return written

    def _builtin_tool(self, tool: AbstractBuiltinTool) -> JSONObject:
        """Return a tool of the provider's own, {} for one that goes elsewhere in the body."""
        match tool:
            case WebSearchTool():
                place = tool.user_location
                return {
                    "name": "web_search",
                    "type": "web_search_20250305",
                    "max_uses": tool.max_uses,
                    "allowed_domains": tool.allowed_domains,
                    "blocked_domains": tool.blocked_domains,
                    "user_location": {"type": "approximate", **place} if place else None,
                }
            case WebFetchTool():
                return {
                    "name": "web_fetch",
                    "type": "web_fetch_20250910",
                    "max_uses": tool.max_uses,
                    "allowed_domains": tool.allowed_domains,
                    "blocked_domains": tool.blocked_domains,
                    "citations": {"enabled": True} if tool.enable_citations else None,
                    "max_content_tokens": tool.max_content_tokens,
                }
            case CodeExecutionTool():
                version = self.profile.anthropic_code_execution
                return {"name": "code_execution", "type": f"code_execution_{version}"}
            case MemoryTool():
                return {"name": "memory", "type": "memory_20250818"}
            case MCPServerTool():
                return {}
        raise UserError(f"Anthropic has no tool {tool.label!r}")

    def _container(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
    ) -> Any:
        """Return the container that code runs in; it is refused where no code can run."""
        own: Any = settings.get("anthropic_container")
        if own is not None:
            # The provider takes no object that holds an id alone.
            return own["id"] if own and set(own) == {"id"} else own
        if not any(isinstance(tool, CodeExecutionTool) for tool in parameters.builtin_tools):
            return None
        used = (
            (message.provider_details or {}).get("container_id")
            for message in reversed(messages)
            if isinstance(message, ModelResponse) and message.provider_name == self.provider_name
        )
        return next((id for id in used if id), None)


def _with_own_schemas(parameters: ModelRequestParameters) -> ModelRequestParameters:
    """Return parameters whose schemas are of the kind that the provider takes."""

    def with_own_schema(tool: ToolDefinition) -> ToolDefinition:
        schema, _ = anthropic_json_schema(tool.parameters_json_schema, tool.strict)
        return attrs.evolve(tool, parameters_json_schema=schema)

    output = parameters.output_object
    if output is not None:
        native = parameters.output_mode == "native"
        if native and output.strict is False:
            raise UserError("A native output is always strict with Anthropic: leave `strict` out.")
        schema, _ = anthropic_json_schema(output.json_schema, native or None)
        output = attrs.evolve(output, json_schema=schema)
    return attrs.evolve(
        parameters,
        function_tools=tuple(map(with_own_schema, parameters.function_tools)),
        output_tools=tuple(map(with_own_schema, parameters.output_tools)),
        output_object=output,
    )


def _system(
    messages: Sequence[ModelMessage], settings: ModelSettings, parameters: ModelRequestParameters
) -> str | list[JSONObject]:
    """Return system prompts, and instructions in blocks of their own behind them."""
    prompt = "\n\n".join(
        part.content
        for message in messages
        for part in message.parts
        if isinstance(part, SystemPromptPart)
    )
    cached = cache_control(settings.get("anthropic_cache_instructions"))
    schema_prompt = parameters.prompted_output_instructions
    without_schema = attrs.evolve(parameters, prompted_output_template=None)
    texts = (instructions_of(messages, without_schema), schema_prompt)
    instructions = [text for text in texts if text]
    if not instructions and not cached:
        return prompt
    blocks = [text_block(text) for text in (prompt, *instructions) if text]
    return [*blocks[:-1], *(block | cached for block in blocks[-1:])]


def _tool_choice(
    settings: ModelSettings, parameters: ModelRequestParameters, choice: Choice
) -> JSONObject:
    if not parameters.tool_defs:
        return {}
    written: JSONObject = {"type": _TOOL_CHOICES[choice.mode]}
    if choice.demanded is not None:
        written = {"type": "tool", "name": choice.demanded}
    if choice.mode != "none" and "parallel_tool_calls" in settings:
        written["disable_parallel_tool_use"] = not settings["parallel_tool_calls"]
    return written


def _betas(
    settings: ModelSettings,
    parameters: ModelRequestParameters,
    tools: Iterable[JSONObject],
    messages: Iterable[JSONObject],
) -> Iterator[str]:
    """Yield the beta features that a request needs, and those that the user asks for."""
    if parameters.output_mode == "native" or any(tool.get("strict") for tool in tools):
        yield _STRUCTURED_OUTPUTS
    yield from (_BETAS[type(t)] for t in parameters.builtin_tools if type(t) in _BETAS)
    for block in _blocks(messages):
        if (block.get("source") or {}).get("type") == "file":
            yield _FILES
        elif block["type"] == "compaction":
            yield _COMPACTION_ON_DEMAND if "signature" in block else _COMPACTION
    own: Any = settings.get("anthropic_betas")
    yield from own or ()


def _blocks(messages: Iterable[JSONObject]) -> Iterator[JSONObject]:
    """Yield the blocks of messages, and those inside of tool results."""
    for message in messages:
        for block in message["content"]:
            yield block
            if block["type"] == "tool_result" and isinstance(block["content"], list):
                yield from block["content"]
