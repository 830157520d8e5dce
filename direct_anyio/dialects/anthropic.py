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
from ..tools import ModelRequestParameters, OutputObjectDefinition, ToolDefinition
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
"""Tokens that a thinking budget of the user's leaves for the answer."""

LEAST_BUDGET = 1024
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

# Tokens to think with, for a `thinking` setting.
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


def _anthropic_profile(profile: ModelProfile | None) -> AnthropicModelProfile:
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
    profile: AnthropicModelProfile = field(converter=_anthropic_profile)

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
        parameters = _fitted(parameters)
        thinking = self._thinking(settings)
        system = _system(messages, settings, parameters)
        choice = choice_of(settings, parameters, self._cannot_force(settings, thinking))
        tools = self._tools(settings, parameters, choice)
        said = self._messages(messages, settings)
        limit_cache_points([*(system if isinstance(system, list) else ()), *tools], said)
        optional: JSONObject = {
            "system": system,
            "tools": tools,
            "tool_choice": _tool_choice(settings, parameters, choice),
            "mcp_servers": _mcp_servers(parameters),
            "thinking": thinking,
            "container": self._container(messages, settings, parameters),
            "output_config": _output_format(parameters) | self._effort(settings),
            "context_management": _context_management(said),
            "service_tier": _service_tier(settings),
        }
        body: JSONObject = {
            "model": self.model_name,
            "max_tokens": self._max_tokens(settings, thinking),
            "messages": said,
            "stream": stream,
            **self._plain_settings(settings),
            **{key: value for key, value in optional.items() if value},
        }
        betas = sorted({*_betas(settings, parameters, tools), *_block_betas(said)})
        headers = {"anthropic-version": API_VERSION}
        if betas:
            headers["anthropic-beta"] = ",".join(betas)
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

    def _messages(
        self, messages: Sequence[ModelMessage], settings: ModelSettings
    ) -> list[JSONObject]:
        said = list(AnthropicWriter(self).messages(messages))
        if said and settings.get("anthropic_cache_messages"):
            cache(said[-1]["content"], settings.get("anthropic_cache_messages"))
        return said

    def _plain_settings(self, settings: ModelSettings) -> JSONObject:
        refused = () if self.profile.anthropic_supports_sampling else _SAMPLING
        return {
            _SETTINGS[key]: value
            for key, value in settings.items()
            if key in _SETTINGS and key not in refused and value is not None
        }

    # -- thinking ---------------------------------------------------------------------------------

    def _thinking(self, settings: ModelSettings) -> JSONObject:
        """Return what the model is told of thinking, {} where nothing."""
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
        return {"type": "enabled", "budget_tokens": self._budget(level, settings)}

    def _budget(self, level: Any, settings: ModelSettings) -> int:
        """Return the tokens to think with, which must be less than `max_tokens`.

        Raises:
            UserError: `max_tokens` leaves none.
        """
        budget = _BUDGETS[level]
        most = self._max_tokens(settings, {"budget_tokens": budget})
        if budget < most:
            return budget
        if most <= LEAST_BUDGET:
            raise UserError(
                f"The model {self.model_name!r} thinks with {LEAST_BUDGET} tokens at least, and "
                f"`max_tokens` is {most}: raise it, or leave out `thinking`."
            )
        return max(most // 2, LEAST_BUDGET)

    def _max_tokens(self, settings: ModelSettings, thinking: JSONObject) -> int:
        """Return the most tokens of an answer: the user's limit, else the model's own."""
        most = self.profile.anthropic_max_output_tokens or math.inf
        budget = thinking.get("budget_tokens", 0)
        default = max(self.profile.anthropic_default_max_tokens, budget + ANSWER_TOKENS)
        wanted = settings.get("max_tokens") or default
        betas: Any = settings.get("anthropic_betas") or ()
        if any(beta.startswith("output-") for beta in betas):
            return wanted  # They let the model write more.
        return int(min(wanted, most))

    def _effort(self, settings: ModelSettings) -> JSONObject:
        own = settings.get("anthropic_effort")
        if own:
            return {"effort": own}
        level: Any = settings.get("thinking")
        if level is False and self.profile.anthropic_thinking_off == "adaptive":
            level = "low"  # the least that a model takes which cannot stop thinking
        if not isinstance(level, str):
            return {}
        effort = nearest_level(level, self.profile.anthropic_efforts)
        return {"effort": effort} if effort else {}

    # -- tools ------------------------------------------------------------------------------------

    def _cannot_force(self, settings: ModelSettings, thinking: JSONObject) -> str:
        """Return why the model cannot be forced to call a tool, '' if it can be."""
        if not self.profile.anthropic_supports_forced_tool_choice:
            return f"{self.model_name} refuses to be forced to call a tool"
        unasked = "adaptive" if self.profile.anthropic_thinking_off else None
        kind = thinking.get("type", unasked)
        if kind == "enabled":
            return "a model that thinks with a budget cannot be forced to call a tool"
        # One that decides itself how long to think can be, but then does not think at all.
        free = settings.get("tool_choice") in (None, "auto", "none", [])
        return "the model would not think" if free and kind == "adaptive" else ""

    def _tools(
        self, settings: ModelSettings, parameters: ModelRequestParameters, choice: Choice
    ) -> list[JSONObject]:
        names = choice.names
        # The protocol cannot limit a choice to some tools, but to leave out the others does.
        limited = names is not None and choice.demanded is None
        tools = [
            self._tool(tool)
            for tool in parameters.tool_defs.values()
            if not limited or tool.name in (names or ())
        ]
        if tools:
            tools[-1] |= cache_control(settings.get("anthropic_cache_tool_definitions"))
        if any(isinstance(tool, MemoryTool) for tool in parameters.builtin_tools):
            tools = _without_memory(tools)
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
        match tool:
            case WebSearchTool():
                return _web_search(tool)
            case WebFetchTool():
                return _web_fetch(tool)
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
        """Return the container that code runs in; where no code can, it would be refused."""
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


# -- parameters -----------------------------------------------------------------------------------


def _fitted(parameters: ModelRequestParameters) -> ModelRequestParameters:
    """Return parameters whose schemas the provider takes."""
    output = parameters.output_object
    native = parameters.output_mode == "native"
    return attrs.evolve(
        parameters,
        function_tools=tuple(map(_fitted_tool, parameters.function_tools)),
        output_tools=tuple(map(_fitted_tool, parameters.output_tools)),
        output_object=None if output is None else _fitted_output(output, native),
    )


def _fitted_tool(tool: ToolDefinition) -> ToolDefinition:
    schema, _ = anthropic_json_schema(tool.parameters_json_schema, tool.strict)
    return attrs.evolve(tool, parameters_json_schema=schema)


def _fitted_output(output: OutputObjectDefinition, native: bool) -> OutputObjectDefinition:
    if native and output.strict is False:
        raise UserError("A native output is always strict with Anthropic: leave `strict` out.")
    schema, _ = anthropic_json_schema(output.json_schema, native or None)
    return attrs.evolve(output, json_schema=schema)


def _output_format(parameters: ModelRequestParameters) -> JSONObject:
    if parameters.output_mode != "native" or parameters.output_object is None:
        return {}
    schema = parameters.output_object.json_schema
    return {"format": {"type": "json_schema", "schema": schema}}


def _tool_choice(
    settings: ModelSettings, parameters: ModelRequestParameters, choice: Choice
) -> JSONObject:
    if not parameters.tool_defs:
        return {}
    told: JSONObject = {"type": _TOOL_CHOICES[choice.mode]}
    if choice.demanded is not None:
        told = {"type": "tool", "name": choice.demanded}
    if choice.mode != "none" and "parallel_tool_calls" in settings:
        told["disable_parallel_tool_use"] = not settings["parallel_tool_calls"]
    return told


def _web_search(tool: WebSearchTool) -> JSONObject:
    place = tool.user_location
    return {
        "name": "web_search",
        "type": "web_search_20250305",
        "max_uses": tool.max_uses,
        "allowed_domains": tool.allowed_domains,
        "blocked_domains": tool.blocked_domains,
        "user_location": {"type": "approximate", **place} if place else None,
    }


def _web_fetch(tool: WebFetchTool) -> JSONObject:
    return {
        "name": "web_fetch",
        "type": "web_fetch_20250910",
        "max_uses": tool.max_uses,
        "allowed_domains": tool.allowed_domains,
        "blocked_domains": tool.blocked_domains,
        "citations": {"enabled": True} if tool.enable_citations else None,
        "max_content_tokens": tool.max_content_tokens,
    }


def _mcp_servers(parameters: ModelRequestParameters) -> list[JSONObject]:
    return [
        _mcp_server(tool) for tool in parameters.builtin_tools if isinstance(tool, MCPServerTool)
    ]


def _mcp_server(tool: MCPServerTool) -> JSONObject:
    server: JSONObject = {"type": "url", "name": tool.id, "url": tool.url}
    allowed = tool.allowed_tools
    if allowed is not None:
        server["tool_configuration"] = {"enabled": bool(allowed), "allowed_tools": allowed}
    if tool.authorization_token:
        server["authorization_token"] = tool.authorization_token
    return server


def _without_memory(tools: list[JSONObject]) -> list[JSONObject]:
    """Return the tools but for the function that the provider's memory tool is run by.

    Raises:
        UserError: There is none, so that nobody would run it.
    """
    others = [tool for tool in tools if tool["name"] != "memory"]
    if len(others) == len(tools):
        raise UserError("`MemoryTool` needs a function tool named 'memory' that runs its commands")
    return others


def _betas(
    settings: ModelSettings, parameters: ModelRequestParameters, tools: Iterable[JSONObject]
) -> Iterator[str]:
    """Return the beta features that a request asks for."""
    if parameters.output_mode == "native" or any(tool.get("strict") for tool in tools):
        yield _STRUCTURED_OUTPUTS
    yield from (_BETAS[type(t)] for t in parameters.builtin_tools if type(t) in _BETAS)
    own: Any = settings.get("anthropic_betas")
    yield from own or ()


def _block_betas(messages: Iterable[JSONObject]) -> Iterator[str]:
    for block in _blocks(messages):
        if (block.get("source") or {}).get("type") == "file":
            yield _FILES
        elif block["type"] == "compaction":
            yield _COMPACTION_ON_DEMAND if "signature" in block else _COMPACTION


def _blocks(messages: Iterable[JSONObject]) -> Iterator[JSONObject]:
    """Return the blocks of messages, and those inside of tool results."""
    for message in messages:
        for block in message["content"]:
            yield block
            if block["type"] == "tool_result" and isinstance(block["content"], list):
                yield from block["content"]


def _context_management(messages: Iterable[JSONObject]) -> JSONObject:
    """Return what lets the provider take back a summary that it made of its own accord."""
    summaries = [block for block in _blocks(messages) if block["type"] == "compaction"]
    if not summaries or any("signature" in block for block in summaries):
        return {}
    return {"edits": [{"type": "compact_20260112"}]}


# -- settings -------------------------------------------------------------------------------------


def _service_tier(settings: ModelSettings) -> Any:
    common = _SERVICE_TIERS.get(settings.get("service_tier", ""))
    return settings.get("anthropic_service_tier") or common


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
    schema_told = parameters.prompted_output_instructions
    plain = attrs.evolve(parameters, prompted_output_template=None)
    instructions = [each for each in (instructions_of(messages, plain), schema_told) if each]
    if not instructions and not cached:
        return prompt
    blocks = [text_block(text) for text in (prompt, *instructions) if text]
    return [*blocks[:-1], *(block | cached for block in blocks[-1:])]
