"""What does not fit its place, with the name of the place.

The place of a `Misfit` is known as it leaves a tree of lists and dicts, each level of which adds
its step. Above, where cattrs makes objects, the steps are the notes on its exception groups.
Either costs nothing where all is well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from .exceptions import printable

__all__ = ("Misfit", "at", "inside", "misfits", "refuse", "shown")


class Misfit(ValueError):
    """A value that does not fit its place.

    Attributes:
        said: What is wrong with it.
        place: The steps to it, such as `.parts[0].content`, from where it is caught.
    """

    def __init__(self, said: str, place: str = "") -> None:
        super().__init__(said)
        self.said = said
        self.place = place

    def inside(self, step: str) -> None:
        """Add one more step before its place."""
        self.place = step + self.place


_NOUNS: dict[type, str] = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}


def refuse(wanted: str, value: object) -> NoReturn:
    """Raise that a value is not what is wanted."""
    raise Misfit(f"must be {wanted}, not {_NOUNS.get(type(value), type(value).__name__)}")


def shown(key: object) -> str:
    """Return a key as an error shows it."""
    return printable(repr(key), 64)


def at(step: str, hook: Callable[..., Any], *args: Any) -> Any:
    """Return what `hook` gives; a misfit in it is one step further inside."""
    try:
        return hook(*args)
    except Misfit as misfit:
        misfit.inside(step)
        raise


def inside(error: Exception, place: int | str) -> Exception:
    """Return an error with one more step before its place, as cattrs says it."""
    from cattrs import IterableValidationError, IterableValidationNote

    error.add_note(IterableValidationNote(str(place), place, object))
    # pyright knows the constructor of groups alone.
    return IterableValidationError("", [error], object)  # pyright: ignore[reportCallIssue]


def misfits(error: BaseException, place: str) -> Iterator[tuple[str, str]]:
    """Yield the place of each misfit in an error, and what is wrong there.

    Args:
        error: A `Misfit`, a group of cattrs', or what a class says to what does not fit it.
        place: The place of the whole.
    """
    from cattrs import BaseValidationError

    if isinstance(error, Misfit):
        yield place + error.place, error.said
    elif isinstance(error, BaseValidationError):
        for inner in error.exceptions:
            yield from misfits(inner, place + _step(inner))
    elif isinstance(error, KeyError):
        yield place, "is missing"
    else:
        yield place, printable(str(error), 200)


def _step(error: BaseException) -> str:
    from cattrs import AttributeValidationNote, IterableValidationNote

    for note in reversed(getattr(error, "__notes__", ())):
        if isinstance(note, AttributeValidationNote):
            return f".{note.name.lstrip('_')}"
        if isinstance(note, IterableValidationNote):
            if isinstance(note.index, str) and note.index.isidentifier():
                return f".{note.index}"
            return f"[{printable(json.dumps(note.index), 64)}]"
    return ""
