"""The mistakes of a first hour: each is one UserError that shows what to write."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from direct_anyio import (
    ModelRequest,
    TestModel,
    UserError,
    UserPromptPart,
    infer_model,
)

from .doors import DOORS, Door

MESSAGES = [ModelRequest.user_text_prompt("Hello")]


@pytest.fixture(params=DOORS.values(), ids=list(DOORS))
def door(request: pytest.FixtureRequest) -> Any:
    return request.param


MESSAGES_OF_WRONG_TYPE: dict[str, Any] = {
    "a string": "Hello",
    "a string in a list": ["Hello"],
    "a dict": [{"role": "user", "content": "Hello"}],
    "a part": [UserPromptPart("Hello")],
    "a bare request": MESSAGES[0],
    "nothing": None,
}


@pytest.mark.parametrize("mistake", MESSAGES_OF_WRONG_TYPE)
async def test_messages_of_a_wrong_type(door: Door, mistake: str) -> None:
    """Whatever is passed as messages, the error shows how they are written."""
    with pytest.raises(UserError, match=r"ModelRequest\.user_text_prompt"):
        await door("test", MESSAGES_OF_WRONG_TYPE[mistake])


@pytest.mark.parametrize("model", [None, TestModel, MESSAGES])
async def test_a_model_of_a_wrong_type(door: Door, model: Any) -> None:
    """A class, or arguments that were swapped, are told from a model."""
    with pytest.raises(UserError, match="A model is a Model or a name"):
        await door(model, MESSAGES)


async def test_settings_and_parameters_of_a_wrong_type(door: Door) -> None:
    """Both are told apart from what they look like."""
    with pytest.raises(UserError, match="`model_settings` is a dict"):
        await door("test", MESSAGES, model_settings="fast")
    with pytest.raises(UserError, match="is a ModelRequestParameters"):
        await door("test", MESSAGES, model_request_parameters={"function_tools": []})


def test_a_blocking_http_client() -> None:
    """A client that cannot be awaited is refused where it is passed."""
    client: Any = httpx.Client()
    with client, pytest.raises(UserError, match=r"httpx\.AsyncClient"):
        infer_model("openai:x", api_key="k", http_client=client)


def test_a_typo_in_the_local_model() -> None:
    """A name that is no path is told from a missing file."""
    with pytest.raises(UserError, match="It is 'smollm2', or the path"):
        infer_model("local:smolm2")
