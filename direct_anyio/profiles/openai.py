"""What OpenAI's models can do, and those that speak its protocols."""

from ..dialects._openai import OpenAIModelProfile
from ..providers._families import openai as openai_model_profile

__all__ = ("OpenAIModelProfile", "openai_model_profile")
