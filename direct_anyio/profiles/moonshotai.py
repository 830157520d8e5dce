"""The profile of Kimi, wherever it is served."""

from ..providers._families import moonshot as moonshotai_model_profile

__all__ = ("moonshotai_model_profile",)
