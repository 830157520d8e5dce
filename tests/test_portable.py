"""A history from any provider makes a request for any other, or is refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from direct_anyio import ModelMessage, ModelRequestParameters, UserError, infer_model
from direct_anyio._core.encoding import encode_request
from direct_anyio._json import dumps

from .strategies import histories

MODELS = {
    name: infer_model(f"{name}:some-model", api_key="k")
    for name in (
        "openai-chat",
        "openai-responses",
        "anthropic",
        "google-gla",
        "groq",
        "mistral",
        "cohere",
        "openrouter",
        "deepseek",
    )
}


@pytest.mark.parametrize("name", MODELS)
@given(messages=histories)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_any_history_compiles(name: str, messages: list[ModelMessage]) -> None:
    """Encoding gives JSON, the same twice, or one `UserError`; nothing else."""
    model: Any = MODELS[name]
    offered = ModelRequestParameters()
    try:
        first = encode_request(model.codec, messages, {}, offered, stream=True)
        written = dumps(first.body)
    except UserError:
        return
    assert encode_request(model.codec, messages, {}, offered, stream=True) == first
    assert written
