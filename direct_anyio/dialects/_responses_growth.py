"""What grows in a response of the Responses protocol, and may be sent again as a whole.

The work is linear in the length of what comes: pieces are joined once for a whole that is
longer than they are, and not at all for one that is not.
"""

from __future__ import annotations

from typing import Any

from attrs import define, field

from .._core.codec import args_of, expect_type
from .._json import loads
from .._values import to_json

__all__ = ("GrowingArgs", "GrowingText", "json_of", "listed", "text_of_args")

_HEAD = 64
"""Characters of a text by which it is known again."""


def listed(value: Any) -> list[Any]:
    """Return an optional list; a text or an object alone is a list of it, nonsense is []."""
    if isinstance(value, list):
        return value
    return [value] if value and isinstance(value, (str, dict)) else []


def json_of(text: str) -> Any:
    """Return the value of JSON text, None where it is none."""
    try:
        return loads(text.encode())
    except (ValueError, RecursionError):
        return None


def text_of_args(args: Any) -> str:
    """Return arguments as text; nonsense is ''."""
    return to_json(args) if isinstance(args, dict) else args if isinstance(args, str) else ""


@define(eq=False)
class GrowingText:
    """What is known of a text that grows.

    Attributes:
        pieces: Its pieces, none of them empty.
        length: Its length.
        head: How it begins.
        has_details: Whether the provider's own data on it has been passed on.
    """

    pieces: list[str] = field(factory=list)
    length: int = 0
    head: str = ""
    has_details: bool = False

    def add(self, text: str) -> None:
        """Take a piece."""
        if text:
            self.pieces.append(text)
            self.length += len(text)
            if len(self.head) < _HEAD:
                self.head = (self.head + text)[:_HEAD]

    @property
    def text(self) -> str:
        """The text so far."""
        if len(self.pieces) > 1:
            self.pieces = ["".join(self.pieces)]
        return self.pieces[0] if self.pieces else ""

    def rest(self, whole: str) -> str:
        """Take a whole text and return what it adds; one that begins otherwise adds nothing."""
        if len(whole) <= self.length or not whole.startswith(self.text):
            return ""
        rest = whole[self.length :]
        self.add(rest)
        return rest

    def fits(self, whole: str) -> bool:
        """Return whether a whole text begins as this one does, but for blanks."""
        known, other = _bare(self.head), _bare(whole[:_HEAD])
        return known.startswith(other) or other.startswith(known)


def _bare(text: str) -> str:
    return "".join(text.split())


@define(eq=False)
class GrowingArgs(GrowingText):
    """The arguments of a call, of which pieces can only be added to.

    Arguments that come as a whole are held back until it is known that no pieces bring them: pieces
    count, else what came last as a whole. It replaces pieces that are no JSON.

    Attributes:
        held: What came as a whole, '' for nothing: JSON text, or an object.
    """

    held: Any = ""
    _is_object: bool = False
    _read: tuple[int, bool] = (0, False)

    def begin(self, args: Any) -> str:
        """Take the arguments that a call starts with, and return what of them is a piece."""
        if isinstance(args, str) and json_of(args) is not None:
            self.hold(args)
            return ""
        return self.piece(args)

    def piece(self, args: Any) -> str:
        """Take a piece and return its text; one that nothing can follow is held.

        Raises:
            TypeError: It is neither text nor an object.
        """
        args = args_of(args)
        if isinstance(args, dict) or (args == "{}" and not self.length):
            self.hold(args)
            return ""
        text = "" if args is None or self._is_object else expect_type(args, str)
        self.add(text)
        return text

    def whole(self, args: Any) -> str:
        """Take arguments that are sent whole, and return the text that they add to pieces.

        Raises:
            TypeError: They are neither text nor an object.
        """
        rest = ""
        if isinstance(args, str) and self.length and not self._is_object:
            rest = self.rest(args)
        if not rest:
            self.hold(args)
        return rest

    def hold(self, args: Any) -> None:
        """Keep arguments that are sent whole; empty ones are ignored."""
        args = args_of(args) or ""
        if isinstance(args, dict):
            self.held = {**self.held, **args} if isinstance(self.held, dict) else args
        elif expect_type(args, str) and (args != "{}" or not self.held):
            self.held = args

    def settle(self) -> tuple[Any, bool]:
        """Return what is held, None where the pieces tell it, and whether it replaces them."""
        held, self.held = self.held, ""
        is_empty = not self.length or (self.length == 2 and self.text == "{}")
        # What is held may make no more sense than the pieces, which begin with it.
        is_cut = isinstance(held, str) and self.text.startswith(held) and json_of(held) is None
        if not held or (not is_empty and (self.is_json or is_cut)):
            return None, False
        self.replace(held)
        return held, not is_empty

    def replace(self, args: Any) -> None:
        """Take other arguments for those that are known."""
        self.pieces, self.length, self.head = [], 0, ""
        self._is_object, self._read = isinstance(args, dict), (0, False)
        self.add(text_of_args(args))

    @property
    def is_json(self) -> bool:
        """Whether what came is an object as a whole."""
        if self._read[0] != self.length:
            self._read = (self.length, isinstance(json_of(self.text), dict))
        return self._read[1]
