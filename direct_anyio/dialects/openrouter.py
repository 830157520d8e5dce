"""What OpenRouter does beside Chat Completions: thoughts in details, who served, routing.

Facts: OpenRouter's API reference, https://openrouter.ai/docs, and recorded traffic.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .._core.codec import Item, JSONObject, dictionary, index_of, text_of, thinking_chunk
from .._core.thinking import thinking_level
from ..parts import ThinkingPart
from ..settings import ModelSettings
from ._chat import Quirks
from ._openai import OpenAIModelProfile
from ._shared import mapped_settings

__all__ = ("OPENROUTER", "OpenRouterModelSettings", "detailed_thoughts", "thought_detail")


class OpenRouterModelSettings(ModelSettings, total=False):
    """Settings that only OpenRouter knows, beside the common ones.

    Attributes:
        openrouter_models: Models to try where the first one fails.
        openrouter_provider: Which providers may serve the request.
        openrouter_preset: The name of a preset.
        openrouter_transforms: What may be done to the prompt, such as 'middle-out'.
        openrouter_reasoning: How the model thinks, in OpenRouter's words.
        openrouter_usage: `{'include': True}` for the cost.
    """

    openrouter_models: list[str]
    openrouter_provider: JSONObject
    openrouter_preset: str
    openrouter_transforms: list[str]
    openrouter_reasoning: JSONObject
    openrouter_usage: JSONObject


_SETTINGS = {
    "openai_reasoning_effort": "reasoning_effort",
    "openrouter_models": "models",
    "openrouter_provider": "provider",
    "openrouter_preset": "preset",
    "openrouter_transforms": "transforms",
    "openrouter_reasoning": "reasoning",
    "openrouter_usage": "usage",
}

# Where each kind of detail has its text, and where what proves it.
_TEXT = {"reasoning.text": "text", "reasoning.summary": "summary"}
_PROOF = {"reasoning.text": "signature", "reasoning.encrypted": "data"}


def _settings(settings: ModelSettings, profile: OpenAIModelProfile, name: str) -> JSONObject:
    level = thinking_level(settings)
    own = mapped_settings(settings, _SETTINGS)
    if level is None or "reasoning" in own:
        return own
    if level is False:
        # The lowest effort of a model that always thinks.
        return own | {"reasoning": {"effort": (*profile.openai_reasoning_efforts, "none")[0]}}
    return own | {"reasoning": {"effort": level, "enabled": True}}


def detailed_thoughts(message: JSONObject, provider_name: str) -> Iterator[Item]:
    """Read `reasoning_details`, which other gateways to Claude have, too."""
    details = message.get("reasoning_details")
    for number, detail in enumerate(details if isinstance(details, list) else ()):
        detail_type, place = (
            dictionary(detail).get("type"),
            index_of(dictionary(detail).get("index")),
        )
        if isinstance(detail_type, str):
            yield thinking_chunk(
                # Text and proof of one thought may have the same index.
                ("reasoning", detail_type, number if place is None else place),
                text_of(detail.get(_TEXT.get(detail_type, ""))),
                id=detail.get("id"),
                signature=detail.get(_PROOF.get(detail_type, "")),
                provider_name=provider_name,
                details={"format": detail.get("format"), "index": place, "type": detail_type},
            )


def _details(choice: JSONObject, document: JSONObject) -> JSONObject:
    usage = dictionary(document.get("usage"))
    costs = dictionary(usage.get("cost_details")).items()
    details = {name: cost for name, cost in costs if name not in ("direct_anyio", "timestamp")} | {
        "downstream_provider": document.get("provider"),
        "finish_reason": choice.get("native_finish_reason") or None,
        "cost": usage.get("cost") or None,
        "is_byok": usage.get("is_byok"),
        "server_tool_use": usage.get("server_tool_use_details"),
    }
    return {key: value for key, value in details.items() if value is not None}


def thought_detail(part: ThinkingPart) -> JSONObject | None:
    """Return a thinking part as one of `reasoning_details`, None where it was none."""
    details: Any = part.provider_details or {}
    detail_type = details.get("type")
    if detail_type is None:
        return None
    detail: JSONObject = {
        "id": part.id,
        "format": details.get("format"),
        "index": details.get("index"),
        "type": detail_type,
    }
    if detail_type in _TEXT:
        detail[_TEXT[detail_type]] = part.content
    if detail_type in _PROOF:
        detail[_PROOF[detail_type]] = part.signature
    return detail


OPENROUTER = Quirks(
    settings=_settings, thoughts=detailed_thoughts, details=_details, send_back=thought_detail
)
