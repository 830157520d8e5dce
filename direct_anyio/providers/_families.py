"""What the families of models can do, wherever they are served.

A gateway serves models of many families; which one a model is of is told by its name,
so a gateway's profile is a table from the start of a name to a family.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from .._core.json_schema import OPENAI_NAMES, inlined_defs, openai_json_schema
from ..dialects._gemini_schema import google_json_schema
from ..dialects._openai import OpenAIModelProfile, reasoning_efforts
from ..dialects.groq import GroqModelProfile
from ..exceptions import UserError
from ..profiles import ModelProfile

__all__ = (
    "STARTS",
    "VENDORS",
    "Family",
    "anthropic",
    "by_start",
    "by_vendor",
    "compatible",
    "groq",
    "harmony",
    "inlining",
    "openai",
    "plain",
    "qwen",
)

Family: TypeAlias = Callable[[str], ModelProfile]
"""From a model's name, without a vendor's, to what it can do."""

_SAMPLING = (
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
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
        supports_image_output=any(mark in name for mark in ("gpt-5", "o3", "4.1", "4o")),
        openai_unsupported_model_settings=_SAMPLING if efforts else (),
        openai_system_prompt_role="user" if name.startswith("o1-mini") else None,
        openai_chat_supports_web_search="-search-preview" in name,
        openai_reasoning_efforts=efforts,
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
            ignore_streamed_leading_whitespace=True,
        )
    )


def anthropic(name: str) -> ModelProfile:
    """Return the profile of Claude behind somebody else's protocol."""
    return ModelProfile(thinking_tags=("<thinking>", "</thinking>"))


def deepseek(name: str) -> ModelProfile:
    """Return the profile of a model of DeepSeek's."""
    return ModelProfile(ignore_streamed_leading_whitespace="r1" in name)


def google(name: str) -> ModelProfile:
    """Return the profile of Gemini or Gemma behind somebody else's protocol."""
    writes = "image" not in name or "gemini-3" in name
    return ModelProfile(
        json_schema_transformer=google_json_schema,
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
        groq_thinks=qwens or oss or "deepseek-r1" in lower,
        groq_supports_reasoning_disable=qwens,
        groq_supports_graded_reasoning_effort=oss,
    )
    return own.update(_AT_GROQ(name))


def inlining(name: str) -> ModelProfile:
    """Return the profile of models that do not see a schema's definitions."""
    return ModelProfile(json_schema_transformer=inlined_defs)


def moonshot(name: str) -> ModelProfile:
    """Return the profile of Kimi."""
    return ModelProfile(ignore_streamed_leading_whitespace=True)


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


# By the names that vendors have at gateways.
VENDORS: dict[str, Family] = {
    "amazon": inlining,
    "anthropic": anthropic,
    "bedrock": inlining,
    "deepseek": deepseek,
    "deepseek-ai": deepseek,
    "google": google,
    "meta": inlining,
    "meta-llama": inlining,
    "microsoft": openai,
    "moonshotai": moonshot,
    "openai": openai,
    "qwen": qwen,
    "vertex": google,
}

# By how the names of their models start.
STARTS: dict[str, Family] = {
    "deepseek": deepseek,
    "gemma": google,
    "gpt-oss": harmony,
    "kimi": moonshot,
    "llama": inlining,
    "meta-llama": inlining,
    "qwen": qwen,
    "qwq": qwen,
}


_NATIVE = ModelProfile(supports_json_object_output=True, supports_json_schema_output=True)


def by_start(families: Mapping[str, Family] = STARTS, otherwise: Family = plain) -> Family:
    """Return a family of families, told by the start of a name."""

    def family(name: str) -> ModelProfile:
        lower = name.lower()
        fitting = (each for start, each in families.items() if lower.startswith(start))
        return next(fitting, otherwise)(lower)

    return family


def by_vendor(
    families: Mapping[str, Family] = VENDORS, otherwise: Family = plain, *, needed: bool = False
) -> Family:
    """Return a family of families, told by what stands before the slash of a name.

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
        "meta-llama/": lambda name: inlining(name).update(_NATIVE),
        "gemma": google,
        "qwen": qwen,
        "deepseek": deepseek,
        "moonshotai/": lambda name: moonshot(name).update(_NATIVE),
        "openai/": lambda name: openai(name.removeprefix("openai/")),
    }
)
