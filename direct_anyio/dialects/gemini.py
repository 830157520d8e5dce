"""The `generateContent` protocol of Google's Gemini, at its own API and on Google Cloud.

Facts: https://ai.google.dev/api/generate-content, Google Cloud's reference of the same
method, and recorded traffic. The two endpoints differ in little, which is what `cloud`
says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import quote, urlsplit

from attrs import field, frozen

from .._core.codec import HTTPCall, JSONObject, ModelCodec
from .._core.instructions import instructions_of
from .._core.tool_choice import choice_of
from ..builtin_tools import (
    AbstractBuiltinTool,
    CodeExecutionTool,
    FileSearchTool,
    ImageGenerationTool,
    WebFetchTool,
    WebSearchTool,
)
from ..content import FileUrl, VideoUrl
from ..exceptions import UserError
from ..messages import ModelMessage, ModelRequest
from ..parts import SystemPromptPart
from ..profiles import ModelProfile
from ..settings import ModelSettings
from ..tools import ModelRequestParameters
from ._gemini_contents import GeminiWriter
from ._gemini_models import GoogleModelProfile, google_model_profile, thinking_config
from ._gemini_reader import GeminiReader
from ._shared import mapped_settings

__all__ = (
    "GeminiCodec",
    "GoogleModelProfile",
    "GoogleModelSettings",
    "google_cloud_url",
    "google_model_profile",
)

GoogleCloudServiceTier = Literal[
    "pt_then_on_demand",
    "pt_only",
    "pt_then_flex",
    "pt_then_priority",
    "on_demand",
    "flex_only",
    "priority_only",
]


class GoogleModelSettings(ModelSettings, total=False):
    """Settings that only Google's models know, beside the common ones.

    Their members are written as Google writes them, in `camelCase` or in `snake_case`.

    Attributes:
        google_safety_settings: What is blocked: `category` and `threshold` of each harm.
        google_thinking_config: How the model thinks; counts before `thinking`.
        google_labels: Labels that break down what is billed.
        google_video_resolution: Resolution at which media are read, such as
            'MEDIA_RESOLUTION_LOW'.
        google_cached_content: Name of cached content. It holds instructions, tools and
            tool choice too: those of the request are not sent beside it.
        google_logprobs: Whether the tokens' log probabilities are returned (Google
            Cloud, and not in streams).
        google_top_logprobs: How many likely tokens to return at each place.
        google_cloud_service_tier: Class of service on Google Cloud; counts before
            `service_tier`. 'pt' is provisioned throughput.
        google_model_armor_config: Templates that screen prompts and answers (Google
            Cloud, and not in streams).
    """

    google_safety_settings: list[JSONObject]
    google_thinking_config: JSONObject
    google_labels: dict[str, str]
    google_video_resolution: str
    google_cached_content: str
    google_logprobs: bool
    google_top_logprobs: int
    google_cloud_service_tier: GoogleCloudServiceTier
    google_model_armor_config: JSONObject


# Setting to member of `generationConfig`.
_GENERATION = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "max_tokens": "maxOutputTokens",
    "stop_sequences": "stopSequences",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "seed": "seed",
    "google_video_resolution": "mediaResolution",
}

# Setting to member of the body.
_BODY = {
    "google_safety_settings": "safetySettings",
    "google_cached_content": "cachedContent",
    "google_labels": "labels",
    "google_model_armor_config": "modelArmorConfig",
}

_SERVICE_TIERS = {"default": "standard", "flex": "flex", "priority": "priority"}
_CLOUD_SERVICE_TIERS = {"flex": "pt_then_flex", "priority": "pt_then_priority"}

# Fact: Google Cloud's pages on provisioned throughput, flex and priority pay-as-you-go.
_REQUEST_TYPE = "x-vertex-ai-llm-request-type"
_SHARED_TYPE = "x-vertex-ai-llm-shared-request-type"
_CLOUD_TIER_HEADERS = {
    "pt_only": {_REQUEST_TYPE: "dedicated"},
    "pt_then_flex": {_SHARED_TYPE: "flex"},
    "pt_then_priority": {_SHARED_TYPE: "priority"},
    "on_demand": {_REQUEST_TYPE: "shared"},
    "flex_only": {_REQUEST_TYPE: "shared", _SHARED_TYPE: "flex"},
    "priority_only": {_REQUEST_TYPE: "shared", _SHARED_TYPE: "priority"},
}

_UPLOADS_HOST = "generativelanguage.googleapis.com"
_UPLOADS_PATH = "/v1beta/files/"

_MODES = {"none": "NONE", "required": "ANY"}

# The collections in which a model's resource name may lie, the usual one first, by whether
# Google Cloud is spoken to.
_COLLECTIONS = {
    False: (("models",), ("tunedModels",)),
    True: (("publishers", "models"), ("models",), ("endpoints",)),
}
_USUAL_COLLECTION = {False: "models/", True: "publishers/google/models/"}

# Limits of built-in tools that Google's do not know; to drop one would lift it unasked.
_RESTRICTIONS = ("allowed_domains", "blocked_domains", "max_uses")

_BUILTIN_ENTRIES: dict[type[AbstractBuiltinTool], str] = {
    CodeExecutionTool: "codeExecution",
    WebFetchTool: "urlContext",
    WebSearchTool: "googleSearch",
}
_IMAGE_SIZES = (None, "auto", "1K", "2K", "4K")


def own_profile(profile: ModelProfile | None) -> GoogleModelProfile:
    """Return a profile as one with the keys of this dialect; a converter must be a function."""
    return GoogleModelProfile.from_profile(profile)


@frozen(kw_only=True)
class GeminiCodec(ModelCodec):
    """Speaks `generateContent`.

    Attributes:
        model_name: The model, by its id or its resource name.
        provider_name: The provider, which thoughts and built-in tools are marked with.
        profile: What the model can do.
        cloud: Whether Google Cloud is spoken to.
        root: What of the path comes before the collections of models; '' where the base
            URL ends with a version, a project and a location.
        schema_member: The member of a function's declaration that holds its JSON schema.
            Google's own API takes both spellings, other servers the documented one alone.
    """

    settings_prefix: ClassVar[str] = "google"

    model_name: str
    provider_name: str
    profile: GoogleModelProfile = field(converter=own_profile)
    cloud: bool = False
    root: str = "/v1beta"
    schema_member: Literal["parametersJsonSchema", "parameters_json_schema"] = (
        "parametersJsonSchema"
    )

    def encode(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> HTTPCall:
        """Write a request for `generateContent` or `streamGenerateContent`.

        Raises:
            UserError: A message or parameter holds something that this model does not take.
        """
        writer = GeminiWriter(
            self,
            cloud=self.cloud,
            knows_builtin_parts=self._knows_builtin_parts,
            returnable=self.profile.google_returnable_files,
        )
        body: JSONObject = {"contents": writer.contents_of(messages)}
        tools = self._tools(parameters, settings)
        if settings.get("google_cached_content"):
            tools = {}  # they are in the cached content, as are the system prompts
        else:
            body |= _system(messages, parameters)
        body |= tools | mapped_settings(settings, _BODY)
        common_tier = settings.get("service_tier", "")
        headers: dict[str, str] = {}
        if self.cloud:
            own_tier = settings.get("google_cloud_service_tier")
            tier = own_tier or _CLOUD_SERVICE_TIERS.get(common_tier, "")
            headers = _CLOUD_TIER_HEADERS.get(str(tier), {})
        elif common_tier in _SERVICE_TIERS:
            body["serviceTier"] = _SERVICE_TIERS[common_tier]
        has_tools = "tools" in tools
        body["generationConfig"] = self._generation(settings, parameters, has_tools=has_tools)
        method = "streamGenerateContent" if stream else "generateContent"
        path = f"{self.root}/{_resource_path(self.model_name, self.cloud)}:{method}"
        return HTTPCall(path, body, headers, {"alt": "sse"} if stream else {})

    def reader(self, parameters: ModelRequestParameters) -> GeminiReader:
        """Return a reader of one response."""
        return GeminiReader(self.provider_name, parameters)

    def needs_download(self, item: FileUrl) -> bool:
        """Return whether a file must be downloaded and sent as `BinaryContent`.

        Google Cloud reads any URL; Gemini's own API reads YouTube's and those of files
        that were uploaded to it.
        """
        if isinstance(item, VideoUrl) and item.is_youtube:
            return False
        url = urlsplit(item.url)
        if url.scheme == "gs":
            return not self.cloud
        uploaded = url.hostname == _UPLOADS_HOST and url.path.startswith(_UPLOADS_PATH)
        return item.force_download or not (self.cloud or uploaded)

    @property
    def _knows_builtin_parts(self) -> bool:
        """Whether calls of built-in tools are parts of an answer, and not in its metadata alone."""
        return self.profile.google_supports_tool_combination and not self.cloud

    def _generation(
        self, settings: Mapping[str, Any], parameters: ModelRequestParameters, *, has_tools: bool
    ) -> JSONObject:
        """Return `generationConfig`.

        Raises:
            UserError: The model cannot answer in the output mode that is asked for.
        """
        config = mapped_settings(settings, _GENERATION)
        output = parameters.output_object
        if parameters.output_mode == "native" and output is not None:
            if parameters.function_tools and not self.profile.supports_native_output_with_tools:
                raise UserError(
                    f"{self.model_name} does not take native output and function tools "
                    "together: use output mode 'tool'."
                )
            named = {"title": output.name, "description": output.description}
            schema = output.json_schema | {key: text for key, text in named.items() if text}
            config |= {"responseMimeType": "application/json", "responseJsonSchema": schema}
        elif parameters.output_mode == "prompted" and not has_tools:
            if not self.profile.supports_json_object_output:
                raise UserError(f"{self.model_name} cannot be held to JSON output.")
            config["responseMimeType"] = "application/json"
        modalities = ["TEXT"]
        if self.profile.supports_image_output:
            modalities = ["TEXT", "IMAGE"] if parameters.allow_text_output else ["IMAGE"]
        config["responseModalities"] = modalities
        thinking = thinking_config(settings, self.profile)
        if thinking:
            config["thinkingConfig"] = thinking
        if settings.get("google_logprobs"):
            config["responseLogprobs"] = True
            config |= mapped_settings(settings, {"google_top_logprobs": "logprobs"})
        for tool in parameters.builtin_tools:
            if isinstance(tool, ImageGenerationTool):
                config["imageConfig"] = _image_config(tool, self.cloud)
        return config

    def _tools(self, parameters: ModelRequestParameters, settings: ModelSettings) -> JSONObject:
        """Return `tools` and `toolConfig`.

        Raises:
            UserError: The model does not take these tools together.
        """
        if parameters.builtin_tools and not self.profile.google_supports_tool_combination:
            if parameters.function_tools:
                raise UserError(
                    f"{self.model_name} does not take function tools and built-in tools together."
                )
            if parameters.output_tools:
                raise UserError(
                    f"{self.model_name} does not take output tools and built-in tools together: "
                    "use output mode 'prompted'."
                )
        declared = list(parameters.tool_defs.values())
        choice = choice_of(settings, parameters)
        named = [tool for tool in declared if choice.names and tool.name in choice.names]
        calling: JSONObject
        if choice.mode == "auto":
            # Names cannot be given in this mode, so the other tools are not declared.
            declared = named or declared
            # VALIDATED is AUTO that holds calls to their schemas, for all tools or none.
            is_loose = any(tool.strict is False for tool in declared)
            validated = self.profile.google_supports_validated_calls and not is_loose
            calling = {"mode": "VALIDATED" if validated else "AUTO"}
        else:
            calling = {"mode": _MODES[choice.mode]}
            if named:
                calling["allowedFunctionNames"] = [tool.name for tool in named]
        tools: list[JSONObject] = []
        config: JSONObject = {}
        if declared:
            functions = [
                {
                    "name": tool.name,
                    "description": tool.description or "",
                    self.schema_member: tool.parameters_json_schema,
                }
                for tool in declared
            ]
            tools.append({"functionDeclarations": functions})
            config["functionCallingConfig"] = calling
        builtin = list(_builtin_tools(parameters.builtin_tools))
        if builtin and self._knows_builtin_parts:
            config["includeServerSideToolInvocations"] = True
        optional = {"tools": tools + builtin, "toolConfig": config}
        return {key: value for key, value in optional.items() if value}


def _resource_path(name: str, cloud: bool) -> str:
    """Return a model's resource name as part of a path.

    Raises:
        UserError: It would lead out of the collections of models.
    """
    segments = name.split("/")
    is_strange = any(not part or ".." in part or not part.isprintable() for part in segments)
    is_resource = len(segments) % 2 == 0 and tuple(segments[::2]) in _COLLECTIONS[cloud]
    if is_strange or not (len(segments) == 1 or is_resource):
        raise UserError(f"{name!r} is not the name of a model.")
    path = "/".join(quote(part, safe="@") for part in segments)
    return path if len(segments) > 1 else _USUAL_COLLECTION[cloud] + path


def google_cloud_url(project: str, location: str) -> str:
    """Return the base URL of a project's models at one of Google Cloud's locations.

    Raises:
        UserError: There is no such location.
    """
    if not location.replace("-", "").isalnum() or not location.isascii():
        raise UserError(f"{location!r} is not a location of Google Cloud.")
    if location in ("us", "eu"):
        host = f"aiplatform.{location}.rep"
    else:
        host = "aiplatform" if location == "global" else f"{location}-aiplatform"
    place = f"projects/{quote(project, safe=':')}/locations/{location}"
    return f"https://{host}.googleapis.com/v1beta1/{place}"


def _system(
    messages: Sequence[ModelMessage], parameters: ModelRequestParameters
) -> dict[str, JSONObject]:
    """Return all system prompts and the instructions, {} where there are none."""
    requests = [message for message in messages if isinstance(message, ModelRequest)]
    parts = (part for request in requests for part in request.parts)
    texts = [part.content for part in parts if isinstance(part, SystemPromptPart)]
    instructions = instructions_of(messages, parameters)
    if instructions:
        texts.append(instructions)
    if not texts:
        return {}
    return {"systemInstruction": {"role": "user", "parts": [{"text": text} for text in texts]}}


def _builtin_tools(tools: Iterable[AbstractBuiltinTool]) -> Iterator[JSONObject]:
    """Yield the entries of built-in tools; image generation is configured elsewhere.

    Raises:
        UserError: Google has no such tool, or does not know a limit of it.
    """
    for tool in tools:
        limits = [name for name in _RESTRICTIONS if getattr(tool, name, None) is not None]
        if limits:
            raise UserError(f"Google's {tool.label} cannot be limited by {', '.join(limits)}.")
        if isinstance(tool, FileSearchTool):
            yield {"fileSearch": {"file_search_store_names": list(tool.file_store_ids)}}
        elif type(tool) in _BUILTIN_ENTRIES:
            yield {_BUILTIN_ENTRIES[type(tool)]: {}}
        elif not isinstance(tool, ImageGenerationTool):
            raise UserError(f"Google has no built-in tool {tool.label!r}.")


def _image_config(tool: ImageGenerationTool, cloud: bool) -> JSONObject:
    """Return how images are made; their file format can be chosen on Google Cloud alone."""
    if tool.size not in _IMAGE_SIZES:
        raise UserError(f"Google draws in the sizes 1K, 2K and 4K, not {tool.size!r}.")
    size = None if tool.size == "auto" else tool.size
    config: JSONObject = {"aspectRatio": tool.aspect_ratio, "imageSize": size}
    if cloud:
        compression = tool.output_compression
        file_format = tool.output_format or (None if compression is None else "jpeg")
        if compression is not None and file_format != "jpeg":
            raise UserError(
                "Google compresses images as jpeg alone: leave out `output_compression`."
            )
        config["outputMimeType"] = file_format and f"image/{file_format}"
        config["outputCompressionQuality"] = compression
    return {key: value for key, value in config.items() if value is not None}
