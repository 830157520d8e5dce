"""Which output item of a response of the Responses protocol an event is about.

Items are told apart by `output_index`, and calls by `call_id`: item ids may be absent, or
change with every event.
"""

from __future__ import annotations

from typing import Any

from attrs import define, field

from .._core.codec import id_of, typed
from .._core.identity import Identities
from ..parts import new_tool_call_id
from ._openai import JSONObject
from ._responses_tools import NATIVE_ITEMS

__all__ = ("EXTENDED", "GrowingText", "OutputItem", "OutputItems")

EXTENDED = ("message", "reasoning", "function_call", "tool_search_call", *NATIVE_ITEMS)
"""The types of items that events add to."""

_NAMED = ("tool_search_call", *NATIVE_ITEMS)
"""The types of items whose parts need an id."""


@define(eq=False)
class GrowingText:
    """What is known of a text that grows; it may be told again as a whole."""

    pieces: list[str] = field(factory=list)
    has_details: bool = False

    def rest(self, whole: str) -> str:
        """Return what a whole text adds; one that begins otherwise adds nothing."""
        known = "".join(self.pieces)
        rest = whole[len(known) :] if whole.startswith(known) else ""
        self.pieces.append(rest)
        return rest


@define(eq=False)
class OutputItem:
    """What is known of one output item.

    Attributes:
        key: Its key.
        kind: Its type.
        id: The first id that it had; some servers write another one in every event.
        is_announced: Whether an event said that it starts.
        is_started: Whether it has been told to the user, in a part that may grow.
        is_done: Whether it came as a whole.
        is_proven: Whether the signature of a thought has been told.
        sent: Characters of a native call's arguments.
        args: The arguments of a call of a function.
        texts: The texts of a message, by content index.
        thoughts: The summaries of a thought, by summary index.
        raw: The pieces of a raw thought, by content index.
        annotations: What a text cites, by content index.
        phase: Whether a message is commentary or the final answer.
    """

    key: int
    kind: str
    id: str | None
    is_announced: bool = False
    is_started: bool = False
    is_done: bool = False
    is_proven: bool = False
    sent: int = 0
    args: GrowingText = field(factory=GrowingText)
    texts: dict[Any, GrowingText] = field(factory=dict)
    thoughts: dict[Any, GrowingText] = field(factory=dict)
    raw: dict[Any, list[str]] = field(factory=dict)
    annotations: dict[Any, list[JSONObject]] = field(factory=dict)
    phase: str | None = None


class OutputItems:
    """The items of one response, found by what an event says of them."""

    def __init__(self) -> None:
        self._identities = Identities()
        self._items: list[OutputItem] = []

    def begin(self, item: JSONObject, index: Any = None) -> OutputItem:
        """Return a new item, which is found by its index and ids from now on."""
        kind, id = typed(item["type"], str), id_of(item.get("id"))
        call_id = item.get("call_id") if kind == "function_call" else None
        key = self._identities.start(("output", index), ("id", id), ("call", call_id))
        if id is None and kind in _NAMED:
            id = new_tool_call_id()
        self._items.append(OutputItem(key, kind, id))
        return self._items[-1]

    def find(self, kind: str, *names: tuple[str, Any]) -> OutputItem | None:
        """Return the item of a kind that has one of the names, the first that does."""
        keys = (self._identities.find(name) for name in names)
        items = (self._items[key] for key in keys if key is not None)
        return next((item for item in items if item.kind == kind), None)

    def growing(self, document: JSONObject, kind: str) -> OutputItem | None:
        """Return the item that an event adds to, None where there is none of that kind."""
        index, id = document.get("output_index"), id_of(document.get("item_id"))
        named = self.find(kind, ("id", id))
        if index is None:
            latest = self._items[-1] if self._items else None
            is_open = latest is not None and latest.kind == kind and not latest.is_done
            # An id that is not known is a new one of the same item, if its start was told.
            if named is None and is_open and latest is not None:
                return latest if id is None or latest.is_announced else None
            return named
        placed = self.find(kind, ("output", index))
        return named if placed is None or (placed.is_done and named is not None) else placed

    def open(self, document: JSONObject, kind: str) -> OutputItem:
        """Return the item that an event adds to; one that was not told to start starts here."""
        item = self.growing(document, kind)
        if item is None:
            started = {"type": kind, "id": document.get("item_id")}
            item = self.begin(started, document.get("output_index"))
        return item

    def matching(self, seen: list[OutputItem], number: int, item: JSONObject) -> OutputItem | None:
        """Return which of the items that were seen one of the final list is, None for none."""
        kind = item["type"]
        named = self.find(kind, ("call", item.get("call_id")), ("id", id_of(item.get("id"))))
        placed = self.find(kind, ("output", number))
        for known in (named, placed):
            if known in seen:
                return known
        alike = (each for each in seen if each.kind == kind and each.kind != "function_call")
        return next(alike, None)

    def is_repeated(self, item: JSONObject, index: Any) -> bool:
        """Return whether the start of an item was told before, or the item came without one."""
        kind, id = item["type"], id_of(item.get("id"))
        if self.find(kind, ("call", item.get("call_id"))) is not None:
            return True
        placed = self.find(kind, ("output", index))
        if placed is None or placed.is_done:
            return False
        return not placed.is_announced or id == placed.id

    @property
    def all(self) -> list[OutputItem]:
        """All items that were seen."""
        return self._items.copy()
