"""The profile of Llama, wherever it is served."""

from ..providers._families import inlining as meta_model_profile

__all__ = ("meta_model_profile",)
