"""Limits of values in an `Annotated`: those of `annotated_types`, and what looks like them.

What has an attribute such as `gt` or `max_length` is a limit: `annotated_types.Gt`, `Interval`,
`Len`, pydantic's `Field` and `StringConstraints`, msgspec's `Meta`. No such package is imported.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Set
from decimal import Decimal
from typing import Any

import attrs

__all__ = ("Limit", "limits_of")

_NUMBERS = ("integer", "number")
_LENGTHS = {"string": "Length", "array": "Items", "object": "Properties"}


def is_multiple(value: Any, of: Any) -> bool:
    """Return whether a number is a multiple of another one."""
    if isinstance(value, float):  # 0.3 is a multiple of 0.1
        value, of = Decimal(str(value)), Decimal(str(of))
    return not value % of


# What a limit is called in an error, whether a value keeps to it, and its keyword in a schema.
_WORDS: dict[str, tuple[str, Callable[[Any, Any], bool], str]] = {
    "gt": ("greater than", operator.gt, "exclusiveMinimum"),
    "ge": ("at least", operator.ge, "minimum"),
    "lt": ("less than", operator.lt, "exclusiveMaximum"),
    "le": ("at most", operator.le, "maximum"),
    "multiple_of": ("a multiple of", is_multiple, "multipleOf"),
    "min_length": ("of a length of at least", lambda value, least: len(value) >= least, "min"),
    "max_length": ("of a length of at most", lambda value, most: len(value) <= most, "max"),
    "pattern": ("like the pattern", lambda value, like: bool(re.search(like, value)), "pattern"),
}


@attrs.frozen
class Limit:
    """One limit.

    Attributes:
        word: The name of the attribute that holds it.
        bound: Its value.
    """

    word: str
    bound: Any

    @property
    def text(self) -> str:
        """The limit in words."""
        return f"{_WORDS[self.word][0]} {self.bound}"

    def holds(self, value: Any) -> bool:
        """Return whether a value keeps to it; what cannot be compared with it does."""
        try:
            return _WORDS[self.word][1](value, self.bound)
        except (TypeError, re.error):  # a pattern may be of another language
            return True

    def keywords(self, types: Set[str]) -> dict[str, Any]:
        """Return the keywords for JSON values of some types, none where they have none."""
        keyword = _WORDS[self.word][2]
        if keyword in ("min", "max"):
            return {keyword + _LENGTHS[each]: self.bound for each in sorted(types & {*_LENGTHS})}
        if keyword == "pattern":
            return {keyword: self.bound} if "string" in types else {}
        is_number = type(self.bound) in (int, float) and not types.isdisjoint(_NUMBERS)
        return {keyword: self.bound} if is_number else {}


def limits_of(extras: Iterable[Any]) -> Iterator[Limit]:
    """Yield the limits that the metadata of an `Annotated` tell."""
    for extra in extras:
        if isinstance(extra, (type, str)):
            continue
        for word in _WORDS:
            bound = getattr(extra, word, None)
            if isinstance(bound, re.Pattern):
                bound = bound.pattern
            if bound is not None and not callable(bound) and not isinstance(bound, bool):
                yield Limit(word, bound)
        inner = getattr(extra, "metadata", None)  # pydantic's FieldInfo
        if isinstance(inner, (list, tuple)):
            yield from limits_of(inner)
