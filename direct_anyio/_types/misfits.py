"""What does not fit a type: an error that names the places."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

from ..exceptions import printable

__all__ = ("MAX_PLACES", "Misfit", "made", "refuse", "unfit")

MAX_PLACES = 3
"""Places that an error names."""

MAX_VALUE = 64
"""Characters of a value that an error shows."""

MAX_PLACE = 200
"""Characters of a place; of a longer one the end is shown."""


class Misfit(Exception):
    """A value that does not fit its type.

    Attributes:
        found: Of each place, the steps that lead to it, innermost first, and what is wrong there,
            or a function that tells, since most misfits of unions are never told.
    """

    def __init__(self, *found: tuple[list[Any], str | Callable[[], str]]) -> None:
        super().__init__(found)
        self.found = found

    def copy(self) -> Misfit:
        """Return one whose places can grow on their own."""
        return Misfit(*(([*steps], said) for steps, said in self.found))

    def __str__(self) -> str:
        return "; ".join(
            f"{_place(steps)} {printable(said if isinstance(said, str) else said(), 200)}"
            for steps, said in self.found
        )


def _place(steps: list[Any]) -> str:
    place = "$" + "".join(map(_step, reversed(steps)))
    return place if len(place) <= MAX_PLACE else "…" + place[-MAX_PLACE:]


def _step(step: Any) -> str:
    if isinstance(step, str) and step.isidentifier():
        return f".{step}"
    return f"[{printable(json.dumps(step), 64)}]"


def unfit(wanted: str, value: object) -> str:
    """Return what is wrong with a value."""
    text = ""
    for piece in json.JSONEncoder().iterencode(value):  # only as much as is shown
        text += piece
        if len(text) > MAX_VALUE:
            break
    return f"must be {wanted}, not {printable(text, MAX_VALUE)}"


def refuse(wanted: str, value: object) -> NoReturn:
    """Raise what is wrong with a value."""
    raise Misfit(([], partial(unfit, wanted, value)))


def made(make: Callable[..., Any], /, *args: Any, **members: Any) -> Any:
    """Return what a class makes of values; whatever it raises is a misfit."""
    try:
        return make(*args, **members)
    except RecursionError:
        raise
    except Exception as exc:
        raise Misfit(([], str(exc) or type(exc).__name__)) from None
