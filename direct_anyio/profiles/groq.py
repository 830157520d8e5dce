"""What the models at Groq can do."""

from ..dialects.groq import GroqModelProfile
from ..providers._families import groq as groq_model_profile

__all__ = ("GroqModelProfile", "groq_model_profile")
