"""The kinds of types: each gives its JSON schema and reads the values that the schema allows.

Here is what a kind is, and those without parts; `compounds` has the others.

Reading guesses nothing: "5" is no number and "false" is no bool. A whole number is a float too,
and a float without a fraction an integer. What does not fit is a `ValidationError` that names
its places; the time is linear in the size of the value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import attrs

from .._validation import MAX_VALUE, ValidationError
from ..exceptions import printable

if TYPE_CHECKING:
    from .compounds import Alias, Class
    from .external import External

__all__ = ("DEFS", "Choice", "Definitions", "Kind", "Scalar", "Schema", "Tried", "unfit")

DEFS = "#/$defs/"
"""What a reference to a definition starts with."""

Schema: TypeAlias = dict[str, Any]
Tried: TypeAlias = dict[tuple[int, int, bool], Any]
"""What each union read each value as, or the `ValidationError`, by the ids of both and `exact`.

Unions within each other would otherwise read what is inside them again and again.
"""


class Definitions(Protocol):
    """Collects the definitions that a schema refers to."""

    def refer(self, kind: Class | Alias) -> Schema:
        """Return a reference to the definition of a kind."""
        ...

    def embed(self, external: External) -> Schema:
        """Return the schema of an external type, a reference to it where it is a class."""
        ...


def unfit(wanted: str, value: object) -> ValidationError:
    """Return the error for a JSON value that is not what is wanted."""
    return ValidationError(partial(expected, wanted, value))


def expected(wanted: str, value: object) -> str:
    """Return what is wrong with a value: what it must be, and its start."""
    text = ""
    for piece in json.JSONEncoder().iterencode(value):  # only as much as is shown
        text += piece
        if len(text) > MAX_VALUE:
            break
    return f"must be {wanted}, not {printable(text, MAX_VALUE)}"


class Kind:
    """What an annotation means.

    Attributes:
        name: What an error calls it.
    """

    name: str

    def schema(self, defs: Definitions) -> Schema:
        """Return the JSON schema."""
        raise NotImplementedError

    def read(self, value: Any, tried: Tried, exact: bool = False) -> Any:
        """Return a JSON value as a value of this kind.

        Args:
            value: What `json.loads` returned.
            tried: See `Tried`.
            exact: Whether an integer is no float, and a date no date and time. A union looks
                for such a member first. Inside of classes nothing needs to be exact.

        Raises:
            ValidationError: It does not fit.
        """
        raise NotImplementedError

    def read_key(self, text: str, tried: Tried) -> Any:
        """Return the key of a JSON object as a value of this kind.

        Raises:
            ValidationError: It does not fit.
        """
        return self.read(text, tried)

    def key_schema(self) -> Schema | None:
        """Return the schema of such keys, {} for any text, None where none can be a key."""
        return None

    def parts(self) -> Iterator[Kind]:
        """Yield the kinds whose schemas stand inside of this one's."""
        yield from ()


@attrs.frozen(eq=False)
class Scalar(Kind):
    """A value that JSON has no parts for.

    Attributes:
        takes: The types of JSON values that it is read from; empty for all.
        wanted: What an error calls such a value.
        make: Makes the value; a ValueError, ArithmeticError or LookupError says that it cannot.
        is_exact: Whether a JSON value is of no narrower kind.
    """

    name: str
    own_schema: Schema
    takes: tuple[type, ...]
    wanted: str
    make: Callable[[Any], Any]
    is_exact: Callable[[Any], bool] = lambda value: True

    def schema(self, defs: Definitions) -> Schema:
        return dict(self.own_schema)

    def read(self, value: Any, tried: Tried, exact: bool = False) -> Any:
        is_taken = not self.takes or type(value) in self.takes
        if not is_taken or (exact and not self.is_exact(value)):
            raise unfit(self.wanted, value)
        try:
            return self.make(value)
        except (ValueError, ArithmeticError, LookupError):
            raise unfit(self.wanted, value) from None

    def read_key(self, text: str, tried: Tried) -> Any:
        if not self.takes or str in self.takes:
            return self.read(text, tried)
        try:
            return self.read(json.loads(text), tried)
        except (ValueError, RecursionError, ValidationError):
            raise unfit(self.wanted, text) from None

    def key_schema(self) -> Schema | None:
        if self.own_schema in ({}, {"type": "string"}):
            return {}
        return _KEYS.get(self.own_schema["type"], self.own_schema)


_KEYS: dict[str, Schema] = {
    "boolean": {"enum": ["true", "false"]},
    "integer": {"pattern": "^-?[0-9]+$"},
    "null": {"enum": ["null"]},
    "number": {"pattern": "^-?[0-9]+([.][0-9]+)?$"},
}

_CHOICE_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


@attrs.frozen(eq=False)
class Choice(Kind):
    """A literal or an enum.

    Attributes:
        options: JSON value and value of each.
        description: What is written about it, for the model.
        cls: The enum.
    """

    name: str
    options: tuple[tuple[Any, Any], ...]
    description: str | None = None
    cls: type | None = None

    @property
    def _wanted(self) -> str:
        return f"one of {', '.join(json.dumps(description) for description, _ in self.options)}"

    def schema(self, defs: Definitions) -> Schema:
        values = [value for value, _ in self.options]
        types = sorted({_CHOICE_TYPES.get(type(value), "null") for value in values})
        schema: Schema = {"type": types[0] if len(types) == 1 else types, "enum": values}
        return schema | {"description": self.description} if self.description else schema

    def read(self, value: Any, tried: Tried, exact: bool = False) -> Any:
        for option, choice in self.options:
            same = type(option) is type(value)
            whole = not exact and {type(option), type(value)} == {int, float}
            if (same or whole) and option == value:
                return choice
        raise unfit(self._wanted, value)

    def read_key(self, text: str, tried: Tried) -> Any:
        for option, choice in self.options:
            if text == _key_text(option):
                return choice
        raise unfit(self._wanted, text)

    def key_schema(self) -> Schema | None:
        return {"enum": [_key_text(option) for option, _ in self.options]}


def _key_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
