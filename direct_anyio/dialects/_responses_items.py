"""Which output item of a response of the Responses protocol an event is about.

Items are distinguished by their ids, by `output_index`, and calls by `call_id`; but ids may be
absent, be the same for all, or change with every event, and an index may be given to several
items. Two names count before one, an id before an index, and of several items that have a name
the latest that is not done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from typing import Any

from attrs import define, field

from .._core.codec import JSONObject, expect_type, id_of, index_of, text_of
from ..parts import new_tool_call_id
from ._responses_growth import GrowingArgs, GrowingText, listed, text_of_args
from ._responses_tools import NATIVE_ITEMS

__all__ = ("EXTENDED", "OutputItem", "OutputItems")

EXTENDED = ("message", "reasoning", "function_call", "tool_search_call", *NATIVE_ITEMS)
"""The types of items that events add to."""

_NAMED = ("tool_search_call", *NATIVE_ITEMS)
"""The types of items whose parts need an id."""


@define(eq=False)
class OutputItem:
    """What is known of one output item.

    Attributes:
        key: Its key.
        item_type: Its type.
        id: The first id that it had; some servers write another one in every event.
        index: The first index that it had.
        call_id: The id of a call, as the provider gave it.
        name: The name of a function, as the provider gave it.
        is_announced: Whether an event said that it starts.
        is_steady: Whether its id came more than once, so that another id is another item.
        is_started: Whether the user has been given a part of it, which may grow.
        is_done: Whether it came as a whole.
        is_proven: Whether the signature of a thought has been passed on.
        fields: What is known of a call beside its arguments.
        args: The arguments of a call, as they are sent to the user.
        inner: The text inside the arguments of a built-in call, such as its code.
        texts: The texts of a message, by content index.
        thoughts: The summaries of a thought, by summary index.
        raw: The raw thoughts, by content index.
        is_raw_told: Whether the user has been given all of them, None where nothing.
        annotations: What a text cites, by content index.
        phase: Whether a message is commentary or the final answer.
    """

    key: int
    item_type: str
    id: str | None
    index: int | None = None
    call_id: str | None = None
    name: str | None = None
    is_announced: bool = False
    is_steady: bool = False
    is_started: bool = False
    is_done: bool = False
    is_proven: bool = False
    fields: JSONObject = field(factory=dict)
    args: GrowingArgs = field(factory=GrowingArgs)
    inner: GrowingText = field(factory=GrowingText)
    texts: dict[int, GrowingText] = field(factory=dict)
    thoughts: dict[int, GrowingText] = field(factory=dict)
    raw: dict[int, GrowingText] = field(factory=dict)
    is_raw_told: bool | None = None
    annotations: dict[int, list[JSONObject]] = field(factory=dict)
    phase: str | None = None

    @property
    def is_begun(self) -> bool:
        """Whether more of it came than its start."""
        args = bool(self.args.length or self.args.held or self.inner.length)
        return self.is_done or args or bool(self.texts or self.thoughts or self.raw)

    def agrees(self, item: JSONObject) -> bool:
        """Return whether nothing that names a call says that an item is another one."""
        pairs = ((self.call_id, id_of(item.get("call_id"))), (self.name, item.get("name") or None))
        return all(None in pair or pair[0] == pair[1] for pair in pairs)

    def is_renamed(self, item: JSONObject) -> bool:
        """Return whether an item is this call, with the same id and arguments, by another name."""
        args, name = text_of_args(item.get("arguments")), item.get("name") or self.name
        is_same = self.id is not None and self.id == id_of(item.get("id")) and self.name == name
        return is_same and args != "" and args == self.args.text

    def fits(self, item: JSONObject) -> bool:
        """Return whether what an item tells begins as what is known does."""
        if self.item_type == "message":
            return _fit(self.texts, item.get("content"))
        if self.item_type == "reasoning":
            return _fit(self.thoughts, item.get("summary"))
        return self.agrees(item) and self.args.fits(text_of_args(item.get("arguments")))

    def is_elsewhere(self, index: int | None) -> bool:
        """Return whether an index is another one than that of this item."""
        return None not in (index, self.index) and index != self.index


def _fit(known: dict[int, GrowingText], contents: Any) -> bool:
    texts = enumerate(map(text_of, listed(contents)))
    return all(known[number].fits(text) for number, text in texts if number in known)


_Name = tuple[str, str, Hashable]
"""A type of items, a kind of name, such as 'id' or 'id and index', and the name."""


@define(eq=False)
class _Namesakes:
    """The items that have one name; some of them are not done."""

    all: list[OutputItem] = field(factory=list)
    _open: list[OutputItem] = field(factory=list)

    def add(self, item: OutputItem) -> None:
        self.all.append(item)
        self._open.append(item)

    @property
    def latest(self) -> OutputItem:
        """The latest that is not done, else the latest."""
        while self._open and self._open[-1].is_done:
            self._open.pop()
        return self._open[-1] if self._open else self.all[-1]


_Fits = Callable[[OutputItem], bool] | None


class OutputItems:
    """The items of one response, found by what an event says of them."""

    def __init__(self) -> None:
        self._named: dict[_Name, _Namesakes] = {}
        self.all: list[OutputItem] = []

    def begin(self, item: JSONObject, index: Any = None) -> OutputItem:
        """Return a new item, which is found by its index and ids from now on."""
        item_type, id, place = (
            expect_type(item["type"], str),
            id_of(item.get("id")),
            index_of(index),
        )
        made = new_tool_call_id() if id is None and item_type in _NAMED else id
        known = OutputItem(len(self.all), item_type, made, place)
        self._name(known, id=id, output=place, both=_pair(id, place), any="")
        self.learn(known, item)
        self.all.append(known)
        return known

    def learn(self, known: OutputItem, item: JSONObject) -> None:
        """Take what names a call, where it was not known."""
        name = item.get("name")
        known.name = known.name or (name if isinstance(name, str) and name else None)
        if known.call_id is None and known.item_type == "function_call":
            call = known.call_id = id_of(item.get("call_id"))
            placed, named = _pair(call, known.index), _pair(known.id, call)
            self._name(known, call=call, placed_call=placed, named_call=named)

    def _name(self, known: OutputItem, **names: Hashable) -> None:
        for by, value in names.items():
            if value is not None:
                self._named.setdefault((known.item_type, by, value), _Namesakes()).add(known)

    def _find(self, item_type: str, **names: Hashable) -> OutputItem | None:
        """Return the item with the first of the names that is known."""
        for by, value in names.items():
            same = self._named.get((item_type, by, value))
            if same is not None:
                return same.latest
        return None

    def is_search(self, document: JSONObject) -> bool:
        """Return whether an event about arguments is about those of a search for tools."""
        id = id_of(document.get("item_id"))
        is_known = self._find("tool_search_call", id=id) is not None
        return is_known and self._find("function_call", id=id) is None

    # Events that add to an item.

    def growing(
        self, document: JSONObject, item_type: str, fits: _Fits = None
    ) -> OutputItem | None:
        """Return the item that an event adds to, None where there is none of that kind.

        Args:
            document: The event.
            item_type: The type of the item.
            fits: Whether an item may be the one that the event describes as a whole; None
                for an event with a piece.
        """
        index, id = index_of(document.get("output_index")), id_of(document.get("item_id"))
        known = self._find(item_type, both=_pair(id, index), id=id)
        if known is not None:
            known.is_steady = True
            # Some servers have one id for all items.
            if known.is_done:
                is_one = fits is not None and fits(known)
            else:
                is_one = known.is_announced or not known.is_elsewhere(index)
            return known if is_one else None
        latest = self.all[-1] if self.all and index is None else None
        placed = self._find(item_type, output=index) or latest
        is_one = placed is not None and placed.item_type == item_type and _goes_on(placed, id, fits)
        return placed if is_one else None

    def open(self, document: JSONObject, item_type: str, fits: _Fits = None) -> OutputItem:
        """Return the item that an event adds to; one that had no start event starts here."""
        item = self.growing(document, item_type, fits)
        if item is None:
            started = {"type": item_type, "id": document.get("item_id")}
            item = self.begin(started, document.get("output_index"))
        return item

    # Events that tell an item.

    def _called(self, item: JSONObject, index: int | None) -> OutputItem | None:
        """Return the item that has the id of another, else its call id."""
        id, call = id_of(item.get("id")), id_of(item.get("call_id"))
        by_id = {"named_call": _pair(id, call), "both": _pair(id, index), "id": id}
        return self._find(item["type"], **by_id, placed_call=_pair(call, index), call=call)

    def repeated(self, item: JSONObject, index: Any) -> OutputItem | None:
        """Return the item whose start is repeated, or that came without one; None for none."""
        id, place = id_of(item.get("id")), index_of(index)
        known = self._called(item, place)
        if known is not None:
            is_call = known.call_id is not None and known.call_id == id_of(item.get("call_id"))
            is_again = is_call or not (known.is_announced and known.is_begun)
            is_other = known.is_elsewhere(place) or _differ(known.id, id)
            return known if is_again and not is_other and known.agrees(item) else None
        placed = self._find(item["type"], output=place)
        if placed is None or placed.is_done or not placed.agrees(item):
            return None
        is_again = not placed.is_announced or (id == placed.id and not placed.is_begun)
        return placed if is_again else None

    def finished(self, item: JSONObject, index: Any) -> OutputItem | None:
        """Return the item that an event says is done, None for one that is new."""
        item_type, id, place = item["type"], id_of(item.get("id")), index_of(index)
        known = self._called(item, place)
        if known is None:
            latest = self._find(item_type, any="") if place is None else None
            known = self._find(item_type, output=place) or latest
            is_one = known is not None and _goes_on(known, id, lambda known: known.fits(item))
        elif known.is_done or (known.is_elsewhere(place) and _differ(known.id, id)):
            is_one = not _differ(known.id, id) and known.fits(item)
        else:
            is_one = True
        if known is None or not is_one:
            return None
        is_renamed = not known.is_done and known.is_renamed(item)
        return known if is_renamed or known.agrees(item) else None

    # The final list.

    def matched(self, output: list[Any]) -> Iterator[tuple[OutputItem | None, JSONObject]]:
        """Return each item of the final list with the one that was seen of it, if any.

        Names count before the place in the list; an item that has other names now
        is known by its place and its order, where it begins as what was seen.
        """
        found: dict[int, OutputItem] = {}
        left = dict.fromkeys(self.all)
        for by, must_fit in _PASSES:
            queues: dict[_Name, deque[OutputItem]] = {}
            for number, item in enumerate(output):
                if number in found:
                    continue
                value: int | str | None = number
                if by != "output":
                    value = "" if by == "any" else id_of(item.get(_ID_FIELDS[by]))
                name = (item["type"], by, value)
                if name not in queues:
                    same = self._named.get(name)
                    queues[name] = deque(same.all if same else ())
                queue = queues[name]
                while queue and queue[0] not in left:
                    queue.popleft()
                known = queue[0] if queue else None
                if known is None or not (known.agrees(item) or known.is_renamed(item)):
                    continue
                if not must_fit or known.fits(item):
                    found[number] = queue.popleft()
                    del left[known]
        for number, item in enumerate(output):
            yield found.get(number), item


_PASSES = (("id", False), ("call", False), ("output", True), ("any", True), ("output", False))
"""By what the items of the final list are found, and whether they must begin as what was seen."""

_ID_FIELDS = {"id": "id", "call": "call_id"}


def _differ(known: str | None, other: str | None) -> bool:
    return None not in (known, other) and known != other


def _pair(one: Hashable, other: Hashable) -> Hashable:
    """Return two names as one, None where one is absent."""
    return None if one is None or other is None else (one, other)


def _goes_on(known: OutputItem, id: str | None, fits: _Fits) -> bool:
    """Return whether an event at an item's index, whose id is not known, is about that item."""
    if not known.is_done and (id is None or known.is_announced):
        return True
    if (fits is None or known.is_done) and id is not None and known.is_steady:
        return False
    return not known.is_done if fits is None else fits(known)
