"""The profile of gpt-oss, wherever it is served."""

from ..providers._families import harmony as harmony_model_profile

__all__ = ("harmony_model_profile",)
