"""What Gemini can do."""

from ..dialects.gemini import GoogleModelProfile, google_model_profile

__all__ = ("GoogleModelProfile", "google_model_profile")
