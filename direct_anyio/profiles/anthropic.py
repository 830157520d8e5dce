"""What Claude can do."""

from ..dialects._anthropic_models import AnthropicModelProfile
from ..dialects._anthropic_models import anthropic_profile as anthropic_model_profile

__all__ = ("AnthropicModelProfile", "anthropic_model_profile")
