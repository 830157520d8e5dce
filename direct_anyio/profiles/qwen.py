"""The profile of Qwen, wherever it is served."""

from ..providers._families import qwen as qwen_model_profile

__all__ = ("qwen_model_profile",)
