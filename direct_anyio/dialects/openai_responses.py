"""The Responses protocol of OpenAI: items with ids, thoughts, and tools that the provider runs.

Facts: OpenAI's API reference for `POST /responses`, and recorded traffic. What other servers
of this protocol do otherwise is a key of `OpenAIModelProfile`, never a branch on a name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Literal

from attrs import field, frozen

from .._core.codec import HTTPCall, JSONObject, ModelCodec
from .._core.instructions import instructions_of, leading_system_prompts
from .._core.tool_choice import choice_of
from ..builtin_tools import (
    AbstractBuiltinTool,
    CodeExecutionTool,
    FileSearchTool,
    ImageGenerationTool,
    MCPServerTool,
    WebSearchTool,
)
from ..exceptions import UserError
from ..messages import ModelMessage, ModelResponse
from ..settings import ModelSettings
from ..tools import ModelRequestParameters, OutputObjectDefinition, ToolDefinition
from ._openai import (
    OpenAIModelProfile,
    cannot_force,
    reasoning_effort,
    responses_profile,
    taken_settings,
)
from ._responses_input import ResponsesWriter
from ._responses_output import ResponsesReader
from ._shared import mapped_settings, output_schema

__all__ = ("OpenAIResponsesCodec", "OpenAIResponsesModelSettings")


class OpenAIResponsesModelSettings(ModelSettings, total=False):
    """Settings that only this protocol knows, beside the common ones.

    Attributes:
        openai_reasoning_effort: How hard a reasoning model thinks.
        openai_reasoning_summary: How its thoughts are summed up; they are not without it.
        openai_reasoning_context: Which turns' thoughts the model sees, 'auto',
            'current_turn' or 'all_turns'; all of them where it can.
        openai_send_reasoning_ids: Whether items of a history go back with their ids; by
            default, to models that reason.
        openai_previous_response_id: The response to go on from, which the provider has
            kept; 'auto' for the last one of the history, and to send only what follows it.
        openai_truncation: 'auto' to drop items from the middle of a history that is too
            long, 'disabled' to fail.
        openai_text_verbosity: How long the answer is, 'low', 'medium' or 'high'.
        openai_builtin_tools: Tools of the provider's own as the wire has them, for those
            that `builtin_tools` does not know.
        openai_include_code_execution_outputs: Whether what ran code printed is returned.
        openai_include_web_search_sources: Whether all pages that were read are returned.
        openai_include_file_search_results: Whether the passages that were found are.
        openai_logprobs: Whether the tokens' log probabilities are returned.
        openai_top_logprobs: How many likely tokens to return at each place, 0 to 20.
        openai_user: An id of the end user, for abuse monitoring.
        openai_service_tier: As `service_tier`, which it overrides.
        openai_store: Whether the provider keeps the response.
        openai_prompt_cache_key: Groups requests that share a prefix.
        openai_prompt_cache_retention: How long the cache is kept.
    """

    openai_reasoning_effort: str
    openai_reasoning_summary: Literal["detailed", "concise", "auto"]
    openai_reasoning_context: Literal["auto", "current_turn", "all_turns"]
    openai_send_reasoning_ids: bool
    openai_previous_response_id: str
    openai_truncation: Literal["disabled", "auto"]
    openai_text_verbosity: Literal["low", "medium", "high"]
    openai_builtin_tools: Sequence[JSONObject]
    openai_include_code_execution_outputs: bool
    openai_include_web_search_sources: bool
    openai_include_file_search_results: bool
    openai_logprobs: bool
    openai_top_logprobs: int
    openai_user: str
    openai_service_tier: str
    openai_store: bool
    openai_prompt_cache_key: str
    openai_prompt_cache_retention: str


# Setting to member of the body.
_SETTINGS = {
    "parallel_tool_calls": "parallel_tool_calls",
    "max_tokens": "max_output_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "openai_truncation": "truncation",
    "service_tier": "service_tier",
    "openai_service_tier": "service_tier",
    "openai_top_logprobs": "top_logprobs",
    "openai_user": "user",
    "openai_store": "store",
    "openai_prompt_cache_key": "prompt_cache_key",
    "openai_prompt_cache_retention": "prompt_cache_retention",
}

# Setting to what it asks to be included in the response.
_INCLUDES = {
    "openai_include_code_execution_outputs": "code_interpreter_call.outputs",
    "openai_include_web_search_sources": "web_search_call.action.sources",
    "openai_include_file_search_results": "file_search_call.results",
    "openai_logprobs": "message.output_text.logprobs",
}


@frozen(kw_only=True)
class OpenAIResponsesCodec(ModelCodec):
    """Speaks the Responses protocol.

    Attributes:
        model_name: The model.
        provider_name: The provider, which the parts that only it can read are marked with.
        profile: What the model can do.
        types_texts: Whether a text of the model's that is sent back says that it is a message:
            OpenAI knows it by its role, llama.cpp's server does not.
    """

    settings_prefix: ClassVar[str] = "openai"

    model_name: str
    provider_name: str
    profile: OpenAIModelProfile = field(converter=responses_profile)
    types_texts: bool = True

    def encode(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> HTTPCall:
        """Write a request for `POST /responses`.

        Raises:
            UserError: A message holds something that this protocol cannot say.
        """
        previous, new = self._continued(messages, settings.get("openai_previous_response_id"))
        sends_ids = settings.get(
            "openai_send_reasoning_ids", self.profile.openai_supports_encrypted_reasoning_content
        )
        writer = ResponsesWriter(
            self,
            profile=self.profile,
            sends_ids=bool(sends_ids),
            functions={tool.name: self._function(tool) for tool in parameters.function_tools},
            types_texts=self.types_texts,
        )
        items = writer.items(new)
        instructions = instructions_of(messages, parameters)
        if instructions and self._is_prompted(parameters):
            # `json_object` requires the word JSON in the input; instructions do not count.
            # They may be in the summary that stands for what came before it.
            place = leading_system_prompts(new) if items and "role" in items[0] else 0
            items.insert(place, {"role": "system", "content": instructions})
            instructions = None
        if not items and not previous:
            # A request without any input is refused.
            items.append({"role": "user", "content": ""})
        body: JSONObject = {"model": self.model_name, "input": items, "stream": stream}
        more = {"instructions": instructions, "previous_response_id": previous}
        body |= {key: value for key, value in more.items() if value}
        return HTTPCall("/responses", body | self._options(settings, parameters))

    def reader(self, parameters: ModelRequestParameters) -> ResponsesReader:
        """Return a reader of one response."""
        return ResponsesReader(self.provider_name, self.model_name)

    def continues(self, settings: ModelSettings) -> bool:
        """Return whether the provider has kept earlier messages."""
        return bool(settings.get("openai_previous_response_id"))

    def _continued(
        self, messages: Sequence[ModelMessage], previous: Any
    ) -> tuple[str | None, Sequence[ModelMessage]]:
        """Return the response to go on from, and the messages that it does not know."""
        if previous != "auto":
            return previous, messages
        for place, message in reversed(list(enumerate(messages))):
            if isinstance(message, ModelResponse) and message.provider_name == self.provider_name:
                id, new = message.provider_response_id, messages[place + 1 :]
                return (id, new) if id and new else (None, messages)
        return None, messages

    def _options(self, settings: ModelSettings, parameters: ModelRequestParameters) -> JSONObject:
        taken = taken_settings(settings, self.profile)
        options = mapped_settings(taken, _SETTINGS)
        include = [included for key, included in _INCLUDES.items() if taken.get(key)]
        if self.profile.openai_supports_encrypted_reasoning_content:
            include.insert(0, "reasoning.encrypted_content")
        all_turns = self.profile.openai_supports_reasoning_context
        reasoning = {
            "effort": reasoning_effort(settings, self.profile),
            "context": settings.get("openai_reasoning_context") or (all_turns and "all_turns"),
            "summary": settings.get("openai_reasoning_summary"),
        }
        more = {
            "include": include,
            "reasoning": {key: value for key, value in reasoning.items() if value},
            "text": self._text(settings, parameters),
        }
        options |= {key: value for key, value in more.items() if value}
        return options | self._tools(settings, parameters)

    def _is_prompted(self, parameters: ModelRequestParameters) -> bool:
        return parameters.output_mode == "prompted" and self.profile.supports_json_object_output

    def _text(self, settings: ModelSettings, parameters: ModelRequestParameters) -> JSONObject:
        text: JSONObject = {}
        if parameters.output_mode == "native" and parameters.output_object is not None:
            text["format"] = self._json_schema(parameters.output_object)
        elif self._is_prompted(parameters):
            text["format"] = {"type": "json_object"}
        if settings.get("openai_text_verbosity"):
            text["verbosity"] = settings.get("openai_text_verbosity")
        return text

    def _json_schema(self, output: OutputObjectDefinition) -> JSONObject:
        written = {"type": "json_schema", **output_schema(output, self.profile)}
        if self.profile.openai_supports_strict_tool_definition:
            written["strict"] = output.strict
        return written

    def _tools(self, settings: ModelSettings, parameters: ModelRequestParameters) -> JSONObject:
        tools = [
            *_builtin_tools(parameters),
            *settings.get("openai_builtin_tools", ()),  # type: ignore[misc]
            *(self._function(tool) for tool in parameters.tool_defs.values()),
        ]
        if not tools:
            return {}
        return {"tools": tools, "tool_choice": self._tool_choice(settings, parameters)}

    def _function(self, tool: ToolDefinition) -> JSONObject:
        supported = self.profile.openai_supports_strict_tool_definition
        return {
            "name": tool.name,
            "parameters": tool.parameters_json_schema,
            "type": "function",
            "description": tool.description,
            "strict": bool(tool.strict and supported),
        }

    def _tool_choice(self, settings: ModelSettings, parameters: ModelRequestParameters) -> Any:
        choice = choice_of(settings, parameters, cannot_force(self.profile, self.model_name))
        if choice.names is None:
            return choice.mode
        functions = [{"type": "function", "name": name} for name in choice.names]
        if choice.demanded is not None:
            return functions[0]
        return {"type": "allowed_tools", "mode": choice.mode, "tools": functions}


def _builtin_tools(parameters: ModelRequestParameters) -> Iterator[JSONObject]:
    for tool in parameters.builtin_tools:
        if type(tool) not in _BUILTIN_TOOLS:
            raise UserError(f"`{type(tool).__name__}` is not supported by the Responses protocol.")
        yield _BUILTIN_TOOLS[type(tool)](tool)
    makes_images = any(
        isinstance(tool, (CodeExecutionTool, ImageGenerationTool))
        for tool in parameters.builtin_tools
    )
    if parameters.allow_image_output and not makes_images:
        yield {"type": "image_generation"}


def web_search(tool: WebSearchTool) -> JSONObject:
    """Return a search of the web."""
    written: JSONObject = {"type": "web_search", "search_context_size": tool.search_context_size}
    if tool.user_location:
        written["user_location"] = {"type": "approximate", **tool.user_location}
    if tool.allowed_domains:
        written["filters"] = {"allowed_domains": tool.allowed_domains}
    return written


def file_search(tool: FileSearchTool) -> JSONObject:
    """Return a search in files."""
    return {"type": "file_search", "vector_store_ids": list(tool.file_store_ids)}


_CONNECTOR = "x-openai-connector:"


def mcp_server(tool: MCPServerTool) -> JSONObject:
    """Return an MCP server."""
    by_url = not tool.url.startswith(_CONNECTOR)
    optional = {
        "authorization": tool.authorization_token,
        "allowed_tools": tool.allowed_tools,
        "server_description": tool.description,
        "headers": tool.headers,
        "server_url": tool.url if by_url else None,
        "connector_id": None if by_url else tool.url.removeprefix(_CONNECTOR),
    }
    named = {"type": "mcp", "server_label": tool.id, "require_approval": "never"}
    return {**named, **{key: value for key, value in optional.items() if value is not None}}


_SIZES = ("auto", "1024x1024", "1024x1536", "1536x1024")
_SIZE_OF_RATIO = {"1:1": "1024x1024", "2:3": "1024x1536", "3:2": "1536x1024"}


def image_generation(tool: ImageGenerationTool) -> JSONObject:
    """Return what makes images.

    Raises:
        UserError: OpenAI makes none of that size or aspect ratio.
    """
    size: str = tool.size or "auto"
    ratio = tool.aspect_ratio
    if ratio is None and size not in _SIZES:
        raise UserError(f"OpenAI makes images of size {', '.join(_SIZES)}, not {size!r}.")
    if ratio is not None:
        if ratio not in _SIZE_OF_RATIO:
            known = ", ".join(_SIZE_OF_RATIO)
            raise UserError(f"OpenAI makes images of aspect ratio {known}, not {ratio!r}.")
        if size not in ("auto", _SIZE_OF_RATIO[ratio]):
            raise UserError(f"An image of aspect ratio {ratio!r} cannot have the size {size!r}.")
        size = _SIZE_OF_RATIO[ratio]
    compression = tool.output_compression
    return {
        "type": "image_generation",
        "background": tool.background,
        "input_fidelity": tool.input_fidelity,
        "moderation": tool.moderation,
        "output_compression": 100 if compression is None else compression,
        "output_format": tool.output_format or "png",
        "partial_images": tool.partial_images,
        "quality": tool.quality,
        "size": size,
    }


_BUILTIN_TOOLS: dict[type[AbstractBuiltinTool], Callable[[Any], JSONObject]] = {
    CodeExecutionTool: lambda tool: {"type": "code_interpreter", "container": {"type": "auto"}},
    FileSearchTool: file_search,
    ImageGenerationTool: image_generation,
    MCPServerTool: mcp_server,
    WebSearchTool: web_search,
}
