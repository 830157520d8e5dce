"""The shape of an answer, in the module where users of pydantic-ai look for it."""

from .tools import OutputMode, OutputObjectDefinition, StructuredOutputMode

__all__ = ("OutputMode", "OutputObjectDefinition", "StructuredOutputMode")
