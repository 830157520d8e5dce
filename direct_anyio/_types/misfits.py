"""What does not fit a type: an error that names the places."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

from ..exceptions import printable

__all__ = ("MAX_PLACES", "Misfit", "made", "refuse")

MAX_PLACES = 3
"""Places that an error names."""

MAX_PLACE = 200
"""Characters of a place; of a longer one the end is shown."""


class Misfit(Exception):
    """A value that does not fit its type.

    Attributes:
        found: Of each place, the steps that lead to it, innermost first, and what is wrong there.
    """

    def __init__(self, *found: tuple[list[Any], str]) -> None:
        super().__init__(found)
        self.found = found

    def __str__(self) -> str:
        return "; ".join(f"{_place(steps)} {printable(said, 200)}" for steps, said in self.found)


def _place(steps: list[Any]) -> str:
    place = "$" + "".join(map(_step, reversed(steps)))
    return place if len(place) <= MAX_PLACE else "…" + place[-MAX_PLACE:]


def _step(step: Any) -> str:
    if isinstance(step, str) and step.isidentifier():
        return f".{step}"
    return f"[{printable(json.dumps(step), 64)}]"


def refuse(wanted: str, value: object) -> NoReturn:
    raise Misfit(([], f"must be {wanted}, not {printable(json.dumps(value), 64)}"))


def made(make: Callable[..., Any], /, *args: Any, **members: Any) -> Any:
    """Return what a class makes of values; whatever it raises is a misfit."""
    try:
        return make(*args, **members)
    except RecursionError:
        raise
    except Exception as exc:
        raise Misfit(([], str(exc) or type(exc).__name__)) from None
