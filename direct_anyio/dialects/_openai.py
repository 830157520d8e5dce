"""What the two protocols of OpenAI share: the profile of its models, how hard they think, files.

Facts: OpenAI's API reference for `POST /chat/completions` and `POST /responses`, and its
guides on reasoning models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from attrs import frozen

from .._core.codec import JSONObject
from .._core.thinking import nearest_level, thinking_level
from ..content import BinaryContent
from ..exceptions import UserError
from ..profiles import ModelProfile, by_name
from ..settings import ModelSettings

__all__ = (
    "OpenAIModelProfile",
    "cannot_force",
    "effort_member",
    "marked_text",
    "openai_profile",
    "reasoning_effort",
    "reasoning_efforts",
    "reasons_unasked",
    "responses_profile",
    "taken_settings",
)


@frozen(repr=False, kw_only=True)
class OpenAIModelProfile(ModelProfile):
    """What a model that speaks an OpenAI protocol can do.

    Attributes:
        openai_chat_thinking_field: The field that thoughts are in, where it is neither
            `reasoning` nor `reasoning_content`.
        openai_chat_send_back_thinking_parts: How thoughts are sent back: in tags, in
            the thinking field, or not at all.
        openai_supports_strict_tool_definition: Whether tools may be strict.
        openai_unsupported_model_settings: Settings that it refuses, which are dropped; those of
            sampling are, too, where it reasons.
        openai_supports_tool_choice_required: Whether a tool call can be demanded.
        openai_system_prompt_role: The role of a system prompt, 'system' where None.
        openai_chat_supports_web_search: Whether it searches the web in this protocol.
        openai_chat_audio_input_encoding: How audio is sent: base64, or a data URI.
        openai_chat_supports_max_completion_tokens: Whether `max_tokens` has its newer name.
        openai_chat_supports_allowed_tools: Whether a choice of some of the tools can be sent.
        openai_chat_supports_document_input: Whether it reads documents.
        openai_chat_supports_file_urls: Whether it reads documents by URL.
        openai_reasoning_efforts: The reasoning efforts that it takes, weakest first; empty
            where it does not reason.
        openai_samples_only_unreasoned: Whether it refuses `temperature` and the like while it
            reasons.
        openai_reasons_unasked: Whether it reasons, if at all, where no effort is asked for.
        openai_supports_encrypted_reasoning_content: Whether thoughts can be had encrypted.
        openai_supports_reasoning_context: Whether thoughts of earlier turns can be kept.
        openai_supports_phase: Whether texts are marked as commentary or final answer.
        openai_responses_requires_function_call_status_none: Whether a call that is
            sent back must have no status.
    """

    # A fact of OpenAI's own Chat Completions, whose errors say "maximum length 40".
    tool_call_id_pattern: str | None = r"[^\ud800-\udfff\n]{1,40}"
    openai_chat_thinking_field: str | None = None
    openai_chat_send_back_thinking_parts: Literal["tags", "field", False] = "tags"
    openai_supports_strict_tool_definition: bool = True
    openai_unsupported_model_settings: tuple[str, ...] = ()
    openai_supports_tool_choice_required: bool = True
    openai_system_prompt_role: Literal["system", "developer", "user"] | None = None
    openai_chat_supports_web_search: bool = False
    openai_chat_audio_input_encoding: Literal["base64", "uri"] = "base64"
    openai_chat_supports_max_completion_tokens: bool = True
    openai_chat_supports_allowed_tools: bool = False
    openai_chat_supports_document_input: bool = True
    openai_chat_supports_file_urls: bool = False
    openai_reasoning_efforts: tuple[str, ...] = ()
    openai_samples_only_unreasoned: bool = False
    openai_reasons_unasked: bool = True
    openai_supports_encrypted_reasoning_content: bool = False
    openai_supports_reasoning_context: bool = False
    openai_supports_phase: bool = False
    openai_responses_requires_function_call_status_none: bool = False

    def __attrs_post_init__(self) -> None:
        in_field = self.openai_chat_send_back_thinking_parts == "field"
        if in_field and not self.openai_chat_thinking_field:
            raise UserError(
                'If `openai_chat_send_back_thinking_parts` is "field", '
                "`openai_chat_thinking_field` must name the field."
            )


def openai_profile(profile: ModelProfile | None) -> OpenAIModelProfile:
    """Return a profile as one with OpenAI's keys; a converter must be a function."""
    return OpenAIModelProfile.from_profile(profile)


def cannot_force(profile: OpenAIModelProfile, model_name: str) -> str:
    """Return why a model cannot be forced to call a tool, '' if it can be."""
    return (
        ""
        if profile.openai_supports_tool_choice_required
        else f"{model_name} cannot be forced to call a tool"
    )


@frozen(repr=False, kw_only=True)
class _ResponsesProfile(OpenAIModelProfile):
    """What a model takes in the Responses protocol, where that is not what Chat takes.

    Facts: the error texts of the API: "Invalid 'input[1].call_id': string too long. Expected
    a string with maximum length 64" and "Duplicate function_call_output for call_id". An
    output is looked for anywhere behind its call.
    """

    tool_call_id_pattern: str | None = r"[^\ud800-\udfff\n|]{1,64}"
    tool_call_ids_must_be_unique: bool = True
    tool_results_must_follow: bool = False


def responses_profile(profile: ModelProfile | None) -> OpenAIModelProfile:
    """Return a profile as one for the Responses protocol."""
    return _ResponsesProfile.from_profile(profile)


_SAMPLING = (
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "openai_logprobs",
    "openai_top_logprobs",
)
"""Settings that are refused where the model reasons, and taken with effort 'none'."""

# From the start of a model's name to the efforts it takes; the first that fits counts.
_EFFORTS_OF: dict[str, tuple[str, ...]] = {
    "gpt-6-astra": ("low", "medium", "high", "xhigh", "max"),
    "gpt-6.1-sol": ("low", "medium", "high", "xhigh", "max"),
    "gpt-6": ("none", "low", "medium", "high", "xhigh", "max"),
    "gpt-5.6": ("none", "low", "medium", "high", "xhigh", "max"),
    "gpt-5.5-pro": ("medium", "high", "xhigh"),
    "gpt-5.5": ("none", "low", "medium", "high", "xhigh"),
    "gpt-5.4-pro": ("medium", "high", "xhigh"),
    "gpt-5.4": ("none", "low", "medium", "high", "xhigh"),
    "gpt-5.3-chat": ("medium",),
    "gpt-5.3": ("none", "low", "medium", "high", "xhigh"),
    "gpt-5.2-pro": ("medium", "high", "xhigh"),
    "gpt-5.2-chat": ("medium",),
    "gpt-5.2": ("none", "low", "medium", "high", "xhigh"),
    "gpt-5.1-codex": ("low", "medium", "high"),
    "gpt-5.1-chat": ("medium",),
    "gpt-5.1": ("none", "low", "medium", "high"),
    "gpt-5-chat": (),
    "gpt-5-pro": ("high",),
    "gpt-5-codex": ("low", "medium", "high"),
    "gpt-5": ("minimal", "low", "medium", "high"),
    "o1": ("low", "medium", "high"),
    "o3": ("low", "medium", "high"),
    "o4": ("low", "medium", "high"),
}


# Models that do not reason unless they are asked to, where they take 'none'. Facts: OpenAI's
# pages on its models, and its guide to the latest, on which parameters go together.
_RELUCTANT = ("gpt-5.1", "gpt-5.2", "gpt-5.3", "gpt-5.4")


def reasoning_efforts(model_name: str) -> tuple[str, ...]:
    """Return the efforts that a model of OpenAI's own takes, weakest first."""
    return by_name(model_name, _EFFORTS_OF, ())


def reasons_unasked(model_name: str) -> bool:
    """Return whether a model of OpenAI's own reasons where no effort is asked for."""
    efforts = reasoning_efforts(model_name)
    return bool(efforts) and not ("none" in efforts and model_name.startswith(_RELUCTANT))


def taken_settings(settings: ModelSettings, profile: OpenAIModelProfile) -> Mapping[str, Any]:
    """Return the settings that a model takes, as hard as it is to think."""
    refused = profile.openai_unsupported_model_settings
    effort = reasoning_effort(settings, profile)
    reasons = profile.openai_reasons_unasked if effort is None else effort != "none"
    if profile.openai_samples_only_unreasoned and reasons:
        refused = (*refused, *_SAMPLING)
    return {
        key: value
        for key, value in settings.items()
        if key not in refused and key.removeprefix("openai_") not in refused
    }


def reasoning_effort(settings: ModelSettings, profile: OpenAIModelProfile) -> str | None:
    """Return the effort to ask for, None to leave it to the model.

    `openai_reasoning_effort` counts before `thinking`, which becomes the effort nearest
    to it: the next higher one that the model takes, else its highest. False is its lowest.
    """
    effort: str | None = settings.get("openai_reasoning_effort")  # type: ignore[assignment]
    level = thinking_level(settings)
    efforts = profile.openai_reasoning_efforts
    if effort or level is None or not efforts:
        return effort
    return efforts[0] if level is False else nearest_level(level, efforts)


def effort_member(settings: ModelSettings, profile: OpenAIModelProfile) -> JSONObject:
    """Return the member of a Chat Completions body that asks for an effort, {} for none."""
    effort = reasoning_effort(settings, profile)
    return {} if effort is None else {"reasoning_effort": effort}


def marked_text(item: BinaryContent) -> str:
    """Return a text file with marks that let the model tell where it begins and ends."""
    name = f'id="{item.identifier}"'
    return "\n".join(
        (
            f'-----BEGIN FILE {name} type="{item.media_type}"-----',
            item.data.decode(errors="replace"),
            f"-----END FILE {name}-----",
        )
    )
