"""Which part of a response a piece belongs to.

Providers name the parts of a stream by an index, an id, or both; some names are missing, some
change with every frame, and some are used again. Each part gets a key of its own here, and is
found again by any of its names.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from attrs import define

from ..events import ToolCallPartDelta
from .codec import PartChunk, args_of, id_of, tool_call_chunk, typed
from .json import loads

__all__ = ("Identities", "ToolCalls")


class Identities:
    """Keys for the parts of one response.

    A name is a pair of its kind and its value, such as `('index', 0)`; one whose value is
    neither a number nor a text is as good as absent.

    Attributes:
        latest: The key of the part that started last, None before the first.
    """

    def __init__(self) -> None:
        self.latest: int | None = None
        self._keys: dict[tuple[str, Hashable], int] = {}
        self._count = 0

    def start(self, *names: tuple[str, Any]) -> int:
        """Return the key of a new part, which is found by its names from now on."""
        self.latest = self._count
        self._count += 1
        self.name(self.latest, *names)
        return self.latest

    def name(self, key: int, *names: tuple[str, Any]) -> None:
        """Have a part be found by more names."""
        for name in names:
            if isinstance(name[1], (int, str)):
                self._keys[name] = key

    def find(self, *names: tuple[str, Any]) -> int | None:
        """Return the key of the part with the first of the names that is known."""
        for name in names:
            if isinstance(name[1], (int, str)) and name in self._keys:
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
        args: The first piece of its arguments; '' before that.
        is_grown: Whether there were more.
    """

    key: tuple[str, int]
    index: Any = None
    id: str | None = None
    name: str = ""
    args: str | dict[str, Any] = ""
    is_grown: bool = False


class ToolCalls:
    """Reads the pieces of tool calls as the Chat family sends them.

    A call is known by its index and id: another id together with a name starts a new call,
    also at the same index; without an index a call is known by its id, else a name starts a
    new one, else it is the latest.
    """

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._identities = Identities()

    @property
    def count(self) -> int:
        """How many calls there are."""
        return len(self._calls)

    def knows(self, id: Any, number: int) -> bool:
        """Return whether a call has been seen: by its id, else by its place among the calls."""
        id = id_of(id)
        return number < self.count if id is None else self._known(("id", id)) is not None

    def whole(self, id: Any, name: Any, args: Any, details: dict[str, Any] | None) -> PartChunk:
        """Return a call of a whole message, in which each is one of its own."""
        return self._chunk(self._started(None, id_of(id)), id_of(id), name, args, details)

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
            if latest.is_grown and index == latest.index:
                # Nearly all pieces are more of the latest call's arguments.
                return PartChunk(latest.key, ToolCallPartDelta(args_delta=args))
        id = id_of(id)
        call = self._continued(index, id, name, args)
        if call is None:
            call = self._started(index, id)
        elif id is not None and call.id is None:
            self._identities.name(call.key[1], ("id", id), (f"at {index}", id))
        return self._chunk(call, id, name, args, details)

    def _continued(self, index: Any, id: str | None, name: Any, args: Any) -> _Call | None:
        """Return the call that a piece belongs to, None where it starts one."""
        at = self._known(("index", index))
        if at is not None and not name and id in (None, at.id):
            return at
        same = self._known((f"at {index}", id))
        by_id = self._known(("id", id))
        latest = self._calls[-1] if self._calls else None
        call: _Call | None
        if at is not None:
            is_other = id is not None and at.id not in (None, id)
            call = same or (None if name and is_other else at)
        elif isinstance(index, (int, str)):
            # An index that was not seen: a name starts a call; without one it is a mistake of
            # the server's, unless the name is still to come.
            awaits_name = id is not None and not args
            call = None if name else by_id or (None if awaits_name else latest)
        elif by_id is not None:
            call = by_id
        elif name:
            is_awaited = latest is not None and not latest.name and id in (None, latest.id)
            call = latest if is_awaited else None
        else:
            call = None if id is not None and not args else latest
        return None if call is not None and name and _is_over(call, id, name, args) else call

    def _known(self, name: tuple[str, Any]) -> _Call | None:
        key = self._identities.find(name)
        return None if key is None else self._calls[key]

    def _started(self, index: Any, id: str | None) -> _Call:
        key = self._identities.start(("index", index), ("id", id), (f"at {index}", id))
        self._calls.append(_Call(("call", key), index))
        return self._calls[-1]

    def _chunk(
        self, call: _Call, id: str | None, name: Any, args: Any, details: dict[str, Any] | None
    ) -> PartChunk:
        new_name = None if name is None or name == call.name else typed(name, str)
        call.name += new_name or ""
        args = _arguments(call, args)
        if args:
            call.is_grown = bool(call.args)
            call.args = call.args or args
        # A call keeps its first id: some servers make another for every piece.
        new_id = id if call.id is None else None
        call.id = call.id or id
        return tool_call_chunk(call.key, name=new_name, args=args, call_id=new_id, details=details)


def _arguments(call: _Call, args: Any) -> str | dict[str, Any] | None:
    """Return a piece of arguments; `null` and an empty list are none."""
    if not call.args:
        args = args_of(args)
    if args and args == call.args and not call.is_grown and _is_whole(call.args):
        return None  # repeated
    return args if args is None or isinstance(args, dict) else typed(args, str)


def _is_over(call: _Call, id: str | None, name: Any, args: Any) -> bool:
    """Return whether a piece with a name cannot belong to a call that looks like its own.

    Names are given whole, or in pieces before the arguments. The arguments of a call that
    came whole cannot grow.
    """
    if not call.name or not call.args:
        return False
    if name != call.name:
        return True
    is_repeated = id is not None and args == call.args
    return bool(args) and not is_repeated and not call.is_grown and _is_whole(call.args)


def _is_whole(args: str | dict[str, Any]) -> bool:
    if isinstance(args, dict):
        return True
    try:
        return isinstance(loads(args.encode()), dict)
    except (ValueError, RecursionError):
        return False
