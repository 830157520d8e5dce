"""Trees of lists and dicts, copied piece by piece, with the place in the error.

What goes wrong inside is raised as `Misfit`; each level on the way up adds its step, so the
place is known where it is needed and costs nothing where all is well. Every walk is linear
and goes at most `MAX_DEPTH` levels deep.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Final, NoReturn

from ..exceptions import printable

__all__ = (
    "MAX_DEPTH",
    "SCALARS",
    "Misfit",
    "at",
    "each",
    "refuse",
    "shown",
    "walked",
    "walked_dict",
)

MAX_DEPTH: Final = 100
"""Levels of lists and dicts in one value; some JSON readers give up at 200 in all."""

SCALARS: Final = frozenset({str, int, bool, type(None)})

Leaf = Callable[[Any, int], Any]
Special = Callable[[dict[str, Any]], Any]


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

    def inside(self, step: str) -> Misfit:
        """Return itself with one more step before its place."""
        self.place = step + self.place
        return self


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
        raise misfit.inside(step) from None


def each(hook: Callable[[Any], Any], values: Any) -> list[Any]:
    """Return what `hook` gives for each of a list's values."""
    if not isinstance(values, (list, tuple)):
        refuse("a list", values)
    done: list[Any] = []
    try:
        for value in values:
            done.append(hook(value))  # noqa: PERF401 - its length names the place
    except Misfit as misfit:
        raise misfit.inside(f"[{len(done)}]") from None
    return done


def walked(value: Any, leaf: Leaf, special: Special, depth: int = 0) -> Any:
    """Copy a tree.

    Args:
        value: The tree.
        leaf: Gives what stands for a value that is no list, dict, text, integer, bool or
            None, at a depth.
        special: Gives what stands for a dict: a dict is walked on, anything else is final.
        depth: How many containers are around `value`.
    """
    kind = type(value)
    if kind in SCALARS:
        return value
    if kind is list:
        return _walked_list(value, leaf, special, depth)
    if kind is not dict:
        return leaf(value, depth)
    chosen = special(value)
    return walked_dict(chosen, leaf, special, depth) if type(chosen) is dict else chosen


def _walked_list(values: list[Any], leaf: Leaf, special: Special, depth: int) -> list[Any]:
    if depth >= MAX_DEPTH:
        _refuse_depth()
    done: list[Any] = []
    try:
        for value in values:
            copy = value if type(value) in SCALARS else walked(value, leaf, special, depth + 1)
            done.append(copy)
    except Misfit as misfit:
        raise misfit.inside(f"[{len(done)}]") from None
    return done


def walked_dict(values: dict[Any, Any], leaf: Leaf, special: Special, depth: int) -> dict[str, Any]:
    """Copy a dict as `walked` does, but without asking `special` about the dict itself."""
    if depth >= MAX_DEPTH:
        _refuse_depth()
    done: dict[str, Any] = {}
    key: Any = None
    try:
        for key, value in values.items():
            name = key if type(key) is str else _name(key, values)
            copy = value if type(value) in SCALARS else walked(value, leaf, special, depth + 1)
            done[name] = copy
    except Misfit as misfit:
        raise misfit.inside(f"[{shown(key)}]") from None
    return done


def _refuse_depth() -> NoReturn:
    raise Misfit(f"is nested more than {MAX_DEPTH} levels deep")


def _name(key: object, values: dict[Any, Any]) -> str:
    name = str(key.value if isinstance(key, Enum) else key)
    if not isinstance(key, (str, int)) or (name != key and name in values):
        raise Misfit("is a key that JSON cannot hold")
    return name
