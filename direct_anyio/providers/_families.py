"""What the families of models can do, wherever they are served.

A gateway serves models of many families; its name says which one a model is of,
so a gateway's profile is a table from the start of a name to a family.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from .._core.json_schema import OPENAI_NAMES, inlined_defs, openai_json_schema
from ..dialects._anthropic_models import anthropic_profile
from ..dialects._gemini_models import google_model_profile
from ..dialects._gemini_schema import google_json_schema
from ..dialects._openai import OpenAIModelProfile, reasoning_efforts, reasons_unasked
from ..dialects.groq import GroqModelProfile
from ..exceptions import UserError
from ..profiles import ModelProfile, by_name

__all__ = (
    "ALWAYS_THINKS",
    "CAN_THINK",
    "STARTS",
    "VENDORS",
    "Family",
    "anthropic",
    "at_mistral",
    "by_start",
    "by_vendor",
    "cohere",
    "compatible",
    "glm",
    "grok",
    "groq",
    "harmony",
    "inlining",
    "mistral",
    "moonshot",
    "openai",
    "plain",
    "qwen",
)

Family: TypeAlias = Callable[[str], ModelProfile]
"""From a model's name, without a vendor's, to what it can do."""

# Efforts of models behind gateways that speak OpenAI's protocol.
CAN_THINK = ("none", "low", "medium", "high")
ALWAYS_THINKS = ("low", "medium", "high")

# By the start of a name at xAI; facts: https://docs.x.ai/docs/guides/reasoning and its page on
# retired models, which are redirected to Grok 4.3.
_GROK_EFFORTS = {
    "grok-3-mini": ("none", "low", "high"),
    "grok-3": CAN_THINK,
    "grok-4-0709": CAN_THINK,
    "grok-4-fast": CAN_THINK,
    "grok-4-1-fast": CAN_THINK,
    "grok-4.3": CAN_THINK,
    "grok-4.5": ALWAYS_THINKS,
    "grok-4.6": ALWAYS_THINKS,
    "grok-4.7": ("low", "medium", "high", "xhigh"),
    "grok-build-latest": ALWAYS_THINKS,
    "grok-latest": CAN_THINK,
}

_DEEPSEEK_CAN_THINK = ("deepseek-v4-", "deepseek-v4.", "deepseek-flash")

# Models whose thinking can be switched. Fact: https://docs.mistral.ai/capabilities/reasoning.
_MISTRAL_SWITCHED = frozenset(
    (
        "magistral-medium-latest",
        "magistral-small-latest",
        "mistral-large-4",
        "mistral-large-4-0",
        "mistral-medium",
        "mistral-medium-2604",
        "mistral-medium-3",
        "mistral-medium-3-5",
        "mistral-medium-3.5",
        "mistral-medium-latest",
        "mistral-small-2603",
        "mistral-small-latest",
    )
)

_KIMI_THINKS = (
    "kimi-k2.5",
    "kimi-k2.6",
    "kimi-k2.7",
    "kimi-k2-thinking",
    "kimi-k3",
    "kimi-thinking",
)

_KEEPS_THOUGHTS = ("gpt-5.4", "gpt-5.5", "gpt-5.6", "gpt-6")


def openai(name: str) -> OpenAIModelProfile:
    """Return the profile of a model of OpenAI's."""
    efforts = reasoning_efforts(name)
    return OpenAIModelProfile(
        json_schema_transformer=openai_json_schema,
        tool_name_pattern=OPENAI_NAMES,
        supports_json_schema_output=True,
        supports_json_object_output=True,
        supports_image_output=any(mark in name for mark in ("gpt-5", "gpt-6", "o3", "4.1", "4o")),
        openai_system_prompt_role="user" if name.startswith("o1-mini") else None,
        openai_chat_supports_web_search="-search-preview" in name,
        openai_reasoning_efforts=efforts,
        openai_samples_only_unreasoned=bool(efforts),
        openai_reasons_unasked=reasons_unasked(name),
        openai_supports_encrypted_reasoning_content=bool(efforts),
        openai_supports_reasoning_context=name.startswith(_KEEPS_THOUGHTS),
        openai_supports_phase=name.startswith(("gpt-5.3-codex", *_KEEPS_THOUGHTS)),
    )


def harmony(name: str) -> OpenAIModelProfile:
    """Return the profile of gpt-oss, which writes some blank space before a tool call."""
    return openai(name).update(
        OpenAIModelProfile(
            json_schema_transformer=inlined_defs,
            openai_supports_tool_choice_required=False,
            openai_reasoning_efforts=ALWAYS_THINKS,
            ignore_streamed_leading_whitespace=True,
        )
    )


def anthropic(name: str) -> OpenAIModelProfile:
    """Return the profile of Claude behind OpenAI's protocol."""
    own = anthropic_profile(name)
    always = own.anthropic_thinking_off == "adaptive"
    return OpenAIModelProfile(
        thinking_tags=("<thinking>", "</thinking>"),
        supports_json_schema_output=own.supports_json_schema_output,
        openai_reasoning_efforts=ALWAYS_THINKS if always else CAN_THINK,
        openai_supports_tool_choice_required=own.anthropic_supports_forced_tool_choice,
        tool_call_id_pattern=r"[a-zA-Z0-9_-]{1,40}",
        tool_call_ids_must_be_unique=True,
    )


def deepseek(name: str) -> OpenAIModelProfile:
    """Return the profile of a model of DeepSeek's."""
    always = "r1" in name or "reasoner" in name
    can = name.startswith(_DEEPSEEK_CAN_THINK)
    return OpenAIModelProfile(
        ignore_streamed_leading_whitespace=always,
        openai_reasoning_efforts=ALWAYS_THINKS if always else CAN_THINK if can else (),
    )


def glm(name: str) -> OpenAIModelProfile:
    """Return the profile of a GLM, from 4.5 on."""
    if name.startswith("glm-5.3"):
        return OpenAIModelProfile(openai_reasoning_efforts=("low", "high", "max"))
    can = name.startswith(("glm-5", "glm-4.7", "glm-4.6", "glm-4.5"))
    return OpenAIModelProfile(openai_reasoning_efforts=CAN_THINK if can else ())


def grok(name: str) -> OpenAIModelProfile:
    """Return the profile of a Grok."""
    return OpenAIModelProfile(openai_reasoning_efforts=by_name(name, _GROK_EFFORTS, ()))


def google(name: str) -> ModelProfile:
    """Return the profile of Gemini or Gemma behind somebody else's protocol."""
    writes = "image" not in name or "gemini-3" in name
    own = google_model_profile(name)
    thinks = "gemini" in name and own.google_thinking is not None
    always = own.google_least_thinking_budget > 0
    return OpenAIModelProfile(
        json_schema_transformer=google_json_schema,
        openai_reasoning_efforts=() if not thinks else ALWAYS_THINKS if always else CAN_THINK,
        supports_image_output="image" in name,
        supports_json_schema_output=writes,
        supports_json_object_output=writes,
        supports_tools="image" not in name,
    )


def groq(name: str) -> ModelProfile:
    """Return the profile of a model at Groq."""
    lower = name.lower()
    qwens, oss = lower.startswith("qwen/qwen3"), "gpt-oss" in lower
    own = GroqModelProfile(
        groq_always_has_web_search_builtin_tool=lower.startswith(("compound-", "groq/compound")),
        supports_thinking=qwens or oss or "deepseek-r1" in lower,
        groq_supports_reasoning_disable=qwens,
        groq_supports_graded_reasoning_effort=oss,
        thinking_always_enabled="deepseek-r1" in lower,
    )
    return own.update(_AT_GROQ(name))


def at_mistral(name: str) -> ModelProfile:
    """Return the profile of a model at Mistral: a Magistral without a switch always thinks."""
    switched = name in _MISTRAL_SWITCHED
    always = name.startswith("magistral") and not switched
    return ModelProfile(supports_thinking=switched, thinking_always_enabled=always)


def cohere(name: str) -> ModelProfile:
    """Return the profile of a model at Cohere."""
    return ModelProfile(supports_thinking="reasoning" in name)


def inlining(name: str) -> ModelProfile:
    """Return the profile of models that do not see a schema's definitions."""
    return ModelProfile(json_schema_transformer=inlined_defs)


def mistral(name: str) -> ModelProfile:
    """Return the profile of a model of Mistral's, whose chat template takes no other ids.

    Fact: mistral-common, which vLLM and others write prompts with, checks them like the API.
    """
    return ModelProfile(tool_call_id_pattern=r"[a-zA-Z0-9]{9}")


def moonshot(name: str) -> OpenAIModelProfile:
    """Return the profile of Kimi."""
    return OpenAIModelProfile(
        ignore_streamed_leading_whitespace=True,
        openai_reasoning_efforts=CAN_THINK if name.startswith(_KIMI_THINKS) else (),
    )


def qwen(name: str) -> ModelProfile:
    """Return the profile of Qwen."""
    if name.startswith("qwen-3-coder"):
        return OpenAIModelProfile(
            json_schema_transformer=inlined_defs,
            openai_supports_tool_choice_required=False,
            openai_supports_strict_tool_definition=False,
            ignore_streamed_leading_whitespace=True,
        )
    return ModelProfile(
        json_schema_transformer=inlined_defs, ignore_streamed_leading_whitespace=True
    )


def plain(name: str) -> ModelProfile:
    """Return the profile of models without habits."""
    return ModelProfile()


def openai_or_oss(name: str) -> OpenAIModelProfile:
    """Return the profile of a model of OpenAI's, or of gpt-oss."""
    return harmony(name) if name.startswith("gpt-oss") else openai(name)


# By the names that vendors have at gateways.
VENDORS: dict[str, Family] = {
    "alibaba": qwen,
    "amazon": inlining,
    "anthropic": anthropic,
    "bedrock": inlining,
    "deepseek": deepseek,
    "deepseek-ai": deepseek,
    "google": google,
    "meta": inlining,
    "meta-llama": inlining,
    "meta-models": inlining,
    "microsoft": openai,
    "mistral": mistral,
    "mistral-ai": mistral,
    "mistralai": mistral,
    "moonshotai": moonshot,
    "openai": openai_or_oss,
    "qwen": qwen,
    "vertex": google,
    "x-ai": grok,
    "xai": grok,
    "z-ai": glm,
    "zai": glm,
    "zai-org": glm,
}

# By how the names of their models start.
STARTS: dict[str, Family] = {
    "deepseek": deepseek,
    "gemma": google,
    "glm": glm,
    "gpt-oss": harmony,
    "grok": grok,
    "kimi": moonshot,
    "llama": inlining,
    "magistral": mistral,
    "meta-llama": inlining,
    "ministral": mistral,
    "mistral": mistral,
    "mixtral": mistral,
    "qwen": qwen,
    "qwq": qwen,
}


_NATIVE = ModelProfile(supports_json_object_output=True, supports_json_schema_output=True)


def by_start(families: Mapping[str, Family] = STARTS, otherwise: Family = plain) -> Family:
    """Return a family of families, chosen by the start of a name."""

    def family(name: str) -> ModelProfile:
        lower = name.lower()
        return by_name(lower, families, otherwise)(lower)

    return family


def by_vendor(
    families: Mapping[str, Family] = VENDORS, otherwise: Family = plain, *, needed: bool = False
) -> Family:
    """Return a family of families, chosen by what stands before the slash of a name.

    Args:
        families: By the vendor's name.
        otherwise: For a name without a vendor.
        needed: Whether a name without a vendor is an error.
    """

    def family(name: str) -> ModelProfile:
        vendor, slash, own = name.lower().partition("/")
        if not slash and needed:
            raise UserError(f"The model must be named 'vendor/model', not {name!r}")
        if not slash:
            return otherwise(vendor)
        return families.get(vendor, plain)(own.partition(":")[0])

    return family


def compatible(family: Family = plain, base: ModelProfile | None = None) -> Family:
    """Return the profiles of a gateway that speaks OpenAI's protocol.

    Args:
        family: What the models can do.
        base: What the gateway can do, under that.
    """
    lowest = OpenAIModelProfile(json_schema_transformer=openai_json_schema).update(base)
    return lambda name: lowest.update(family(name))


_AT_GROQ = by_start(
    {
        "llama": inlining,
        "meta-llama/llama-guard": inlining,
        "meta-llama/llama-prompt-guard": inlining,
        "meta-llama/": lambda name: inlining(name).update(_NATIVE),
        "gemma": google,
        "qwen": qwen,
        "deepseek": deepseek,
        "moonshotai/": lambda name: moonshot(name).update(_NATIVE),
        "openai/": lambda name: openai(name.removeprefix("openai/")),
    }
)
