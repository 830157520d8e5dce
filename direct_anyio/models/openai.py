"""OpenAI's models, and those of every provider that speaks its protocols, by class."""

from __future__ import annotations

from typing import TypeAlias

from ..dialects.openai_chat import OpenAIChatCodec, OpenAIChatModelSettings
from ..dialects.openai_responses import OpenAIResponsesCodec, OpenAIResponsesModelSettings
from ._named import NamedModel

__all__ = (
    "OpenAIChatModel",
    "OpenAIChatModelSettings",
    "OpenAIModel",
    "OpenAIModelName",
    "OpenAIModelSettings",
    "OpenAIResponsesModel",
    "OpenAIResponsesModelSettings",
)

OpenAIModelName: TypeAlias = str
"""A model's name, such as `'gpt-5'`."""


class OpenAIChatModel(NamedModel):
    """A model behind the Chat Completions protocol; the arguments are those of `NamedModel`.

    ```py
    from direct_anyio.models.openai import OpenAIChatModel
    from direct_anyio.providers.openai import OpenAIProvider

    mine = OpenAIProvider(base_url='http://localhost:8000/v1')
    model = OpenAIChatModel('qwen3', provider=mine)
    ```
    """

    home = "openai"
    speaks = OpenAIChatCodec


class OpenAIResponsesModel(NamedModel):
    """A model behind the Responses protocol; the arguments are those of `NamedModel`."""

    home = "openai-responses"
    speaks = OpenAIResponsesCodec


OpenAIModel = OpenAIChatModel
"""The older name."""

OpenAIModelSettings = OpenAIChatModelSettings
"""The older name."""
