"""The names of models that are known, for completion and for suggestions.

A model that is not known is asked all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import get_args

__all__ = ("known_model_names", "nearest", "nearest_model")


@cache
def known_model_names() -> tuple[str, ...]:
    """Return the names of models that are known, each with its provider, sorted."""
    from ._known_names import KnownName

    return get_args(KnownName)


def nearest_model(provider: str, name: str) -> str | None:
    """Return the known model of a provider that may be meant by a name, None where none may."""
    start = f"{provider}:"
    names = [each.removeprefix(start) for each in known_model_names() if each.startswith(start)]
    return None if name in names else nearest(name, names)


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Return the word that is most like another one, None where none is like it."""
    import difflib  # only for errors

    return next(iter(difflib.get_close_matches(word, list(words), n=1)), None)
