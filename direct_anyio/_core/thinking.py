"""The unified `thinking` setting, for encoders whose protocols have levels of effort."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from ..settings import ModelSettings

__all__ = ("LEVELS", "Level", "nearest_level", "thinking_level")

Level: TypeAlias = Literal["minimal", "low", "medium", "high", "xhigh", "max"]

LEVELS = ("minimal", "low", "medium", "high", "xhigh", "max")


def thinking_level(settings: ModelSettings) -> Level | Literal[False] | None:
    """Return how hard a model is asked to think, None where it is not; True means 'medium'."""
    thinking = settings.get("thinking")
    return "medium" if thinking is True else thinking


def nearest_level(level: str, known: Sequence[str]) -> str | None:
    """Return the next higher level that a model knows, else its highest.

    Args:
        level: The level that is asked for.
        known: The levels of the model, the lowest first; 'none' among them does not count.

    Returns:
        None where it knows none.
    """
    active = [each for each in known if each != "none"]
    enough = (each for each in active if LEVELS.index(each) >= LEVELS.index(level))
    return next(enough, active[-1] if active else None)
