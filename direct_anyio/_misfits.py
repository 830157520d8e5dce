"""Values that do not fit where they stand: an error that names the places."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, TypeAlias

from .exceptions import printable, shown

__all__ = ("MAX_PLACES", "MAX_VALUE", "Misfit", "at", "each", "refuse")

MAX_PLACES = 3
"""Places that an error names."""

MAX_VALUE = 64
"""Characters of a value or a key that an error shows."""

MAX_PLACE = 400
"""Characters of a place; of a longer one the middle is left out."""

Said: TypeAlias = str | Callable[[], str]


class Misfit(Exception):
    """A value that does not fit where it stands.

    Each level of a tree that it leaves adds its step: the name of a field, a key, or an index.

    Args:
        said: What is wrong, or a function that tells it, since most misfits of unions are
            never shown.
        steps: The steps that lead to the place, innermost first.

    Attributes:
        found: The steps to each place, and what is wrong there.
    """

    def __init__(self, said: Said, *steps: Any) -> None:
        super().__init__(said)
        self.found: list[tuple[list[Any], Said]] = [([*steps], said)]

    @classmethod
    def of(cls, found: Iterable[tuple[Iterable[Any], Said]]) -> Misfit:
        """Return one of several places."""
        made = cls("")
        made.found = [([*steps], said) for steps, said in found]
        return made

    def inside(self, step: Any) -> None:
        """Add one more step before each place."""
        for steps, _ in self.found:
            steps.append(step)

    def told(self, root: str, form: str = "{}: {}") -> str:
        """Return the places and what is wrong there.

        Args:
            root: The name of the whole, which each place starts with.
            form: How a place and what is wrong there are put together.
        """
        return "; ".join(
            form.format(_place(root, steps), printable(said if isinstance(said, str) else said()))
            for steps, said in self.found
        )

    def __str__(self) -> str:
        return self.told("$", "{} {}")


def _place(root: str, steps: list[Any]) -> str:
    place = (root + "".join(map(_step, reversed(steps)))).removeprefix(".")
    half = MAX_PLACE // 2
    return place if len(place) <= MAX_PLACE else f"{place[:half]}…{place[-half:]}"


def _step(step: Any) -> str:
    if isinstance(step, str):
        is_name = step.isidentifier() and len(step) <= MAX_VALUE
        return f".{step}" if is_name else f"[{printable(json.dumps(step), MAX_VALUE)}]"
    return f"[{printable(shown(step), MAX_VALUE)}]"


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
    """Raise that a value is not what is wanted; its type is told, but not the value."""
    raise Misfit(f"must be {wanted}, not {_NOUNS.get(type(value), type(value).__name__)}")


def each(read: Callable[..., Any], values: Iterable[Any], *args: Any) -> list[Any]:
    """Return what `read` gives for each value; a misfit in one is inside of its index."""
    done: list[Any] = []
    try:
        for value in values:
            done.append(read(value, *args))  # noqa: PERF401 - its length is the index
    except Misfit as misfit:
        misfit.inside(len(done))
        raise
    return done


def at(step: Any, hook: Callable[..., Any], *args: Any) -> Any:
    """Return what `hook` gives; a misfit in it is one step further inside."""
    try:
        return hook(*args)
    except Misfit as misfit:
        misfit.inside(step)
        raise
