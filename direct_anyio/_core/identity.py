"""Which part of a response a piece belongs to.

Providers name the parts of a stream by an index, an id, or both; some names are missing, some
change with every frame, and some are used again. Each part gets a key of its own here, and is
found again by any of its names.
"""

from __future__ import annotations

from typing import Any

from attrs import define, field

from .._json import loads
from ..events import ToolCallPartDelta
from .codec import PartChunk, args_of, expect_type, id_of, index_of, tool_call_chunk

__all__ = ("Identities", "ToolCalls")


class Identities:
    """Keys for the parts of one response.

    A name is a pair of its kind and its value, such as `('index', 0)`; one whose value is
    None is as good as absent.

    Attributes:
        latest: The key of the part that started last, None before the first.
    """

    def __init__(self) -> None:
        self.latest: int | None = None
        self._keys: dict[tuple[str, int | str | None], int] = {}
        self._count = 0

    def start(self, *names: tuple[str, int | str | None]) -> int:
        """Return the key of a new part, which is found by its names from now on."""
        self.latest = self._count
        self._count += 1
        self.name(self.latest, *names)
        return self.latest

    def name(self, key: int, *names: tuple[str, int | str | None]) -> None:
        """Have a part be found by more names."""
        for name in names:
            if name[1] is not None:
                self._keys[name] = key

    def find(self, *names: tuple[str, int | str | None]) -> int | None:
        """Return the key of the part with the first of the names that is known."""
        for name in names:
            if name in self._keys:
                return self._keys[name]
        return None


@define(eq=False)
class _Call:
    """What is known of a call.

    Attributes:
        key: Its key.
        index: Its index, None where none was given.
        id: The provider's id of it.
        name: The tool's name, so far.
        args: Its arguments, where they came as an object.
        pieces: Their text, in pieces that are not empty.
        length: Characters of it.
    """

    key: tuple[str, int]
    index: int | None = None
    id: str | None = None
    name: str = ""
    args: dict[str, Any] | None = None
    pieces: list[str] = field(factory=list)
    length: int = 0
    _read: tuple[int, dict[str, Any] | None] = (0, None)

    def clear(self) -> None:
        """Forget the arguments."""
        self.args, self.pieces, self.length, self._read = None, [], 0, (0, None)

    def add(self, text: str) -> None:
        if text:
            self.pieces.append(text)
            self.length += len(text)

    @property
    def is_growing(self) -> bool:
        """Whether its text has begun and has no end yet that can be one of an object."""
        return bool(self.pieces) and self.pieces[-1][-1:] not in ("}", "\n", " ")

    @property
    def has_args(self) -> bool:
        return bool(self.pieces) or self.args is not None

    @property
    def text(self) -> str:
        """The text of the arguments so far."""
        self.pieces = ["".join(self.pieces)] if self.pieces else []
        return self.pieces[0] if self.pieces else ""

    @property
    def object(self) -> dict[str, Any] | None:
        """The arguments where they are an object, None where they are not yet.

        Nothing can follow an object. A long text is not looked at with every piece.
        """
        if self.args is not None:
            return self.args
        if self._read[0] != self.length:
            is_short = self.length <= LOOKED_AT and self.pieces[-1].rstrip()[-1:] == "}"
            self._read = (self.length, _object(self.text) if is_short else None)
        return self._read[1]

    @property
    def is_whole(self) -> bool:
        return self.object is not None

    @property
    def is_placeholder(self) -> bool:
        """Whether the arguments are `{}`, which some servers write before they come."""
        return self.object == {}


LOOKED_AT = 64 * 1024
"""Characters of arguments up to which it is looked whether they are whole."""


class ToolCalls:
    """Reads the pieces of tool calls as the Chat family sends them.

    A call is known by its index and id: another id together with a name starts a new call,
    also at the same index; without an index a call is known by its id, else a name starts a
    new one, else it is the latest.

    Args:
        nameless_continue: Whether a piece without a name never starts a call.
    """

    def __init__(self, *, nameless_continue: bool = False) -> None:
        self._nameless_continue = nameless_continue
        self._calls: list[_Call] = []
        self._identities = Identities()

    @property
    def count(self) -> int:
        """How many calls there are."""
        return len(self._calls)

    def whole(self, id: Any, name: Any, args: Any, details: dict[str, Any] | None) -> PartChunk:
        """Return a call of a whole message, in which each is one of its own."""
        id = id_of(id)
        return self._chunk(self._started(None, id), id, name, args, details)

    def completed(
        self, number: int, id: Any, name: Any, args: Any, details: dict[str, Any] | None
    ) -> PartChunk | None:
        """Return what a call of a whole message adds to those that came in pieces.

        Args:
            number: Its place among the calls of the message.
            id: Its id; a server may have given it another one before.
            name: The tool's name.
            args: Its arguments.
            details: The provider's own data.
        """
        call = self._known("id", id_of(id))
        if call is None and number < len(self._calls) and self._calls[number].name == name:
            call = self._calls[number]
        if call is None:
            return self.whole(id, name, args, details)
        known = "" if call.is_placeholder else call.text
        if not isinstance(args, str) or call.args or not args.startswith(known):
            return None
        rest = args[len(known) :]
        return self._chunk(call, None, None, rest, None) if rest else None

    def piece(
        self, index: Any, id: Any, name: Any, args: Any, details: dict[str, Any] | None = None
    ) -> PartChunk:
        """Return a piece of a call.

        Args:
            index: The index of the call, None where none is given.
            id: Its id, likewise.
            name: The tool's name, or some of it.
            args: JSON text, or some of it, or an object.
            details: The provider's own data.

        Raises:
            TypeError: The name is no text, or the arguments are neither text nor an object.
        """
        if self._calls and name is None and id is None and type(args) is str:
            latest = self._calls[-1]
            if index == latest.index and latest.is_growing and args != "null":
                # Nearly all pieces are more of the latest call's arguments.
                latest.add(args)
                return PartChunk(latest.key, ToolCallPartDelta(args_delta=args))
        index, id = index_of(index), id_of(id)
        call = self._continued(index, id, name, args)
        if call is None:
            call = self._started(index, id)
        elif id is not None and call.id is None:
            self._identities.name(call.key[1], ("id", id), (f"at {index}", id))
        return self._chunk(call, id, name, args, details)

    def _continued(self, index: int | None, id: str | None, name: Any, args: Any) -> _Call | None:
        """Return the call that a piece belongs to, None where it starts one."""
        at = self._known("index", index)
        if at is not None and not name and id in (None, at.id):
            return at
        latest = self._calls[-1] if self._calls else None
        by_id = self._known("id", id)
        call: _Call | None
        if at is not None:
            is_other = id is not None and at.id not in (None, id)
            call = self._known(f"at {index}", id) or (None if name and is_other else at)
        elif name and index is None and by_id is None:
            # The name of the latest call may still be awaited.
            is_awaited = latest is not None and not latest.name and id in (None, latest.id)
            call = latest if is_awaited else None
        elif index is None or not name:
            # A new id without a name starts a call whose name is still to come; with arguments
            # and no index it is one of a server that makes an id for every piece.
            starts = id is not None and (index is not None or not args)
            call = by_id or (None if starts and not self._nameless_continue else latest)
        else:
            call = None
        return None if call is not None and name and _is_over(call, id, name, args) else call

    def _known(self, namespace: str, value: int | str | None) -> _Call | None:
        key = None if value is None else self._identities.find((namespace, value))
        return None if key is None else self._calls[key]

    def _started(self, index: int | None, id: str | None) -> _Call:
        key = self._identities.start(("index", index), ("id", id), (f"at {index}", id))
        self._calls.append(_Call(("call", key), index))
        return self._calls[-1]

    def _chunk(
        self, call: _Call, id: str | None, name: Any, args: Any, details: dict[str, Any] | None
    ) -> PartChunk:
        new_name = None if name is None or name == call.name else expect_type(name, str)
        call.name += new_name or ""
        args = _new_args(call, args)
        if isinstance(args, str):
            if args.strip() and call.is_placeholder:
                call.clear()
            call.add(args)
        elif args is not None:
            call.args = expect_type(args, dict)
        # A call keeps its first id: some servers make another for every piece.
        new_id = id if call.id is None else None
        call.id = call.id or id
        return tool_call_chunk(call.key, name=new_name, args=args, call_id=new_id, details=details)


def _new_args(call: _Call, args: Any) -> Any:
    """Return a piece of arguments; None for one that says nothing, or repeats what is whole."""
    if not call.has_args:
        return args_of(args)
    if args in ({}, []) or (isinstance(args, str) and not args):
        return None
    if isinstance(args, str) and len(args) == call.length > LOOKED_AT and args == call.text:
        return None
    if isinstance(args, str) and not (call.is_whole and not call.is_placeholder):
        return args
    if call.args is None and not call.is_whole:
        return args
    # Nothing can follow an object: not even the same, however it is written.
    says_nothing = isinstance(args, str) and args.strip() in ("", "null", "{}")
    return None if says_nothing or _object(args) == call.object else args


def _is_over(call: _Call, id: str | None, name: Any, args: Any) -> bool:
    """Return whether a piece with a name cannot belong to a call that looks like its own.

    Names are given whole, or in pieces before the arguments; what is whole cannot grow.
    """
    if not call.name or not call.has_args:
        return False
    if name != call.name:
        return True
    read = _object(args)
    if read is None or not call.is_whole:
        return False
    # With an id it is another call only where it has other arguments; `{}` may mean none.
    return id is None or (read not in ({}, call.object) and not call.is_placeholder)


def _object(args: Any) -> dict[str, Any] | None:
    """Return arguments that are an object as a whole, None for any others."""
    if isinstance(args, dict):
        return args
    if not isinstance(args, str) or len(args) > LOOKED_AT or not args.rstrip().endswith("}"):
        return None
    try:
        document = loads(args.encode())
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
