"""The error for values that are not what is expected: it names the places."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, TypeAlias

from .exceptions import printable, shown

__all__ = ("MAX_PLACES", "MAX_VALUE", "ValidationError", "at", "each", "refuse")

MAX_PLACES = 3
"""Places that an error names."""

MAX_VALUE = 64
"""Characters of a value or a key that an error shows."""

MAX_PLACE = 400
"""Characters of a place; of a longer one the middle is left out."""

Problem: TypeAlias = str | Callable[[], str]


class ValidationError(Exception):
    """A value that is not what is expected in its place.

    Each level of a tree that it passes adds a step: the name of a field, a key, or an index.

    Args:
        problem: What is wrong, or a function that returns it, since most errors of unions are
            never shown.
        steps: The steps that lead to the place, innermost first.

    Attributes:
        found: The steps to each place, and what is wrong there.
    """

    def __init__(self, problem: Problem, *steps: Any) -> None:
        super().__init__(problem)
        self.found: list[tuple[list[Any], Problem]] = [([*steps], problem)]

    @classmethod
    def of(cls, found: Iterable[tuple[Iterable[Any], Problem]]) -> ValidationError:
        """Return one error for several places."""
        error = cls("")
        error.found = [([*steps], problem) for steps, problem in found]
        return error

    def inside(self, step: Any) -> None:
        """Add one more step before each place."""
        for steps, _ in self.found:
            steps.append(step)

    def message(self, root: str, form: str = "{}: {}") -> str:
        """Return the places and what is wrong there.

        Args:
            root: The name of the whole, which each place starts with.
            form: How a place and what is wrong there are put together.
        """
        return "; ".join(
            form.format(
                _place(root, steps), printable(problem if isinstance(problem, str) else problem())
            )
            for steps, problem in self.found
        )

    def __str__(self) -> str:
        return self.message("$", "{} {}")


def _place(root: str, steps: list[Any]) -> str:
    place = root
    for step in reversed(steps):
        if isinstance(step, str) and step.isidentifier() and len(step) <= MAX_VALUE:
            place += f".{step}"
        else:
            text = json.dumps(step) if isinstance(step, str) else shown(step)
            place += f"[{printable(text, MAX_VALUE)}]"
    place = place.removeprefix(".")
    half = MAX_PLACE // 2
    return place if len(place) <= MAX_PLACE else f"{place[:half]}…{place[-half:]}"


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
    """Raise that a value is not what is wanted; the error has its type, but not the value."""
    raise ValidationError(f"must be {wanted}, not {_NOUNS.get(type(value), type(value).__name__)}")


def each(read: Callable[..., Any], values: Iterable[Any], *args: Any) -> list[Any]:
    """Return what `read` gives for each value; a `ValidationError` in one gets its index."""
    done: list[Any] = []
    try:
        for value in values:
            done.append(read(value, *args))  # noqa: PERF401 - its length is the index
    except ValidationError as invalid:
        invalid.inside(len(done))
        raise
    return done


def at(step: Any, hook: Callable[..., Any], *args: Any) -> Any:
    """Return what `hook` gives; a `ValidationError` in it gets one more step."""
    try:
        return hook(*args)
    except ValidationError as invalid:
        invalid.inside(step)
        raise
