"""The profile of DeepSeek's models, wherever they are served."""

from ..providers._families import deepseek as deepseek_model_profile

__all__ = ("deepseek_model_profile",)
