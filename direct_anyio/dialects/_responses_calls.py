"""Reads calls of the Responses protocol: of functions, and of the provider's own tools.

A call of a function grows with its frames. A call of a built-in tool becomes a call, its files
and a return, the same in a stream as in a whole response; but arguments that come in pieces
are JSON text, and a dict where they come at once.

Facts: OpenAI's API reference for the response object and for its streaming events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs

from .._core.codec import (
    Item,
    JSONObject,
    WholePart,
    dictionary,
    expect_type,
    id_of,
    tool_call_chunk,
)
from .._values import to_json
from ..parts import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    ToolCallPart,
    new_tool_call_id,
)
from ._responses_growth import json_of, listed, text_of_args
from ._responses_items import OutputItem, OutputItems
from ._responses_tools import (
    ARGS_CUT,
    ARGS_END,
    ARGS_LATE,
    INNER,
    NATIVE_ITEMS,
    TOOL_SEARCH,
    Native,
    args_text,
)

__all__ = ("CALL_FRAMES", "Calls")

_CLIENT_TOOL_SEARCH = "search_tools"
"""The function that a search for tools which the program makes is a call of."""


class Calls:
    """Reads the calls of one response.

    Args:
        items: The items of the response.
        provider_name: The provider, which built-in calls are marked with.
    """

    def __init__(self, items: OutputItems, provider_name: str) -> None:
        self._items = items
        self._provider = provider_name
        # Searches for tools whose outputs will not name them: they come in the same order.
        self._searches: deque[str] = deque()

    def started(self, known: OutputItem, item: JSONObject) -> Iterator[Item]:
        """Read a call that has only started."""
        if known.item_type == "function_call":
            yield from self._tell(known, item, known.args.begin(item.get("arguments")))
        elif known.item_type == "tool_search_call":
            yield self._search(known, item, started=True)
        else:
            known.is_started = True
            item_type, key = known.item_type, ("item", known.key)
            known.fields = _kept(item)
            if item_type not in ARGS_CUT:
                call = self._native(known, item).call
                is_late = item_type in ARGS_LATE
                yield WholePart(key, attrs.evolve(call, args=None) if is_late else call)
                return
            # What the arguments hold may still come in pieces.
            call = self._native(known, item | {INNER[item_type]: None}).call
            yield WholePart(key, attrs.evolve(call, args=None))
            text = call.args_as_json_str().removesuffix(ARGS_CUT[item_type])
            yield self._more_args(known, text)

    def repeated(self, known: OutputItem, item: JSONObject) -> Iterator[Item]:
        """Read the start of a call of which something came before."""
        if known.item_type == "function_call":
            yield from self._tell(known, item, "")

    def done(self, known: OutputItem, item: JSONObject) -> Iterator[Item]:
        """Complete a call by its whole form; add all of it, where none is known."""
        was_done, known.is_done = known.is_done, True
        if known.item_type == "function_call":
            rest = known.args.whole(item.get("arguments"))
            if not known.is_started:
                rest, _ = known.args.settle()
            yield from self._tell(known, item, rest or "")
            yield from self._settled(known)
        elif was_done:
            return
        elif known.item_type == "tool_search_call":
            key, args = ("item", known.key), _queries(item.get("arguments"))
            if not known.is_started:
                yield self._search(known, item)
            elif item.get("execution") == "client":
                # A call of a function as any other: its arguments are text in a stream.
                yield tool_call_chunk(key, args=to_json(args), call_id=item.get("call_id"))
            else:
                yield tool_call_chunk(key, args=args, details=_search_details(item))
        else:
            yield from self._native_done(known, item)

    def held(self, known: OutputItem) -> Iterator[Item]:
        """Return the arguments of a function that were held back."""
        return self._settled(known) if known.item_type == "function_call" else iter(())

    def closed(self, known: OutputItem) -> Iterator[Item]:
        """Complete a built-in call that the whole response does not tell to be done."""
        if known.item_type in ARGS_CUT and known.is_started and not known.is_done:
            yield from self._rest_of_args(known, known.fields)

    def found_tools(self, item: JSONObject) -> BuiltinToolReturnPart:
        """Read what a search for tools found."""
        call_id = id_of(item.get("call_id"))
        if call_id is None:
            call_id = self._searches.popleft() if self._searches else expect_type(item["id"], str)
        tools = map(dictionary, listed(item.get("tools")))
        found = [{"name": tool["name"]} for tool in tools if tool.get("type") == "function"]
        return BuiltinToolReturnPart(
            TOOL_SEARCH,
            {"discovered_tools": found},
            call_id,
            provider_name=self._provider,
            provider_details={"id": item.get("id"), **_search_details(item)},
        )

    # Functions.

    def _tell(self, known: OutputItem, item: JSONObject, args: Any) -> Iterator[Item]:
        """Tell what is new of a call: its name, its ids, and more of its arguments."""
        self._items.learn(known, item)
        news = {"name": known.name, "id": known.call_id, "namespace": item.get("namespace")}
        news = {key: value for key, value in news.items() if value and key not in known.fields}
        known.fields.update(news)
        is_new, known.is_started = not known.is_started, True
        if is_new and "id" not in news:
            # Until the provider gives one; a call needs an id.
            known.fields["made"] = known.id or new_tool_call_id()
        if is_new or news or args:
            yield tool_call_chunk(
                ("item", known.key),
                name=news.get("name"),
                args=args if args or is_new else None,
                call_id=_call_id(known),
                id=known.id,
                details={"namespace": news["namespace"]} if "namespace" in news else None,
            )

    def _settled(self, known: OutputItem) -> Iterator[Item]:
        """Tell the arguments that were held back, in the place of pieces that make no sense."""
        if known.name is None:  # they wait for it
            return
        args, replaces = known.args.settle()
        if not replaces:
            yield from self._tell(known, {}, args) if args else ()
        else:
            namespace = known.fields.get("namespace")
            details = {"namespace": namespace} if namespace else None
            call = ToolCallPart(
                known.name, args, _call_id(known), id=known.id, provider_details=details
            )
            yield WholePart(("item", known.key), call)

    def args_delta(self, document: JSONObject) -> Iterator[Item]:
        """Read a piece of the arguments of a function."""
        if document.get("delta") is None or self._items.is_search(document):
            return
        known = self._items.open(document, "function_call")
        yield from self._tell(known, document, known.args.piece(document["delta"]))

    def args_done(self, document: JSONObject) -> Iterator[Item]:
        """Read the arguments of a function as they are sent whole."""
        if self._items.is_search(document):
            return
        known = self._items.open(document, "function_call", lambda known: known.fits(document))
        args = document.get("arguments")
        yield from self._tell(known, document, known.args.whole(args))
        # The item may tell more than an empty object, and shows whether pieces make sense.
        if not known.args.length and text_of_args(args) not in ("", "{}", "null"):
            yield from self._settled(known)

    # Searches for tools.

    def _search(self, known: OutputItem, item: JSONObject, *, started: bool = False) -> Item:
        """Read a search for tools: the provider's own, or one that it asks the program for."""
        known.is_started = True
        key = ("item", known.key)
        told_id = id_of(item.get("call_id"))
        call_id = told_id or known.id
        args = None if started else _queries(item.get("arguments"))
        if item.get("execution") == "client":
            return tool_call_chunk(
                key, name=_CLIENT_TOOL_SEARCH, args=args, call_id=call_id, id=known.id
            )
        if told_id is None:
            self._searches.append(expect_type(call_id, str))
        call = BuiltinToolCallPart(
            TOOL_SEARCH,
            args,
            expect_type(call_id, str),
            id=known.id,
            provider_name=self._provider,
            provider_details=_search_details(item),
        )
        return WholePart(key, call)

    # The provider's own tools.

    def _native(self, known: OutputItem, item: JSONObject) -> Native:
        return NATIVE_ITEMS[known.item_type](item | {"id": known.id}, self._provider)

    def _native_done(self, known: OutputItem, item: JSONObject) -> Iterator[Item]:
        if not known.is_started:
            native = self._native(known, item)
            yield WholePart(("item", known.key), native.call)
        elif known.item_type in ARGS_CUT:
            native = self._native(known, item | known.fields | _kept(item))
            yield from self._rest_of_args(known, item)
        else:
            native = self._native(known, item)
            if known.item_type in ARGS_LATE and native.call.args is not None:
                yield tool_call_chunk(("item", known.key), args=native.call.args)
        for file in native.files:
            yield WholePart(None, file)
        yield WholePart(None, native.result)

    def _rest_of_args(self, known: OutputItem, item: JSONObject) -> Iterator[Item]:
        """Complete the arguments of a built-in call, or put others in their place."""
        inner = INNER[known.item_type]
        fields = {inner: known.inner.text} | known.fields | _kept(item)
        call = self._native(known, fields).call
        whole = args_text(known.item_type, fields, call)
        rest = known.args.rest(whole)
        if rest:
            yield tool_call_chunk(("item", known.key), args=rest)
        elif json_of(known.args.text) != call.args:
            known.args.replace(whole)
            yield WholePart(("item", known.key), attrs.evolve(call, args=whole))

    def _more_args(self, known: OutputItem, text: str) -> Item:
        known.args.add(text)
        return tool_call_chunk(("item", known.key), args=text)

    def _growing(self, document: JSONObject, item_type: str) -> OutputItem | None:
        # An item whose start did not come is read when it is done.
        known = self._items.growing(document, item_type)
        return known if known is not None and known.is_started and not known.is_done else None

    def inner_delta(self, document: JSONObject, item_type: str) -> Iterator[Item]:
        """Read a piece of what the arguments of a built-in call hold."""
        known, delta = self._growing(document, item_type), document.get("delta")
        if known is not None and delta:
            known.fields.pop(INNER[item_type], None)
            known.inner.add(expect_type(delta, str))
            yield self._more_args(known, _written(item_type, delta))

    def inner_done(self, document: JSONObject, item_type: str) -> Iterator[Item]:
        """Read the end of what the arguments of a built-in call hold."""
        known = self._growing(document, item_type)
        if known is None:
            return
        whole = _kept(document)
        known.fields |= whole
        text = whole.get(INNER[item_type])
        if isinstance(text, str):
            rest = known.inner.rest(text)
            if rest:
                yield self._more_args(known, _written(item_type, rest))
        if known.inner.length:
            yield self._more_args(known, ARGS_END[item_type])


def _code(read: Callable[[Calls, JSONObject, str], Iterable[Item]]) -> _Frame:
    return lambda calls, document: read(calls, document, "code_interpreter_call")


def _mcp(read: Callable[[Calls, JSONObject, str], Iterable[Item]]) -> _Frame:
    return lambda calls, document: read(calls, document, "mcp_call")


_Frame = Callable[[Calls, JSONObject], Iterable[Item]]

CALL_FRAMES: dict[str, _Frame] = {
    "response.code_interpreter_call_code.delta": _code(Calls.inner_delta),
    "response.code_interpreter_call_code.done": _code(Calls.inner_done),
    "response.function_call_arguments.delta": Calls.args_delta,
    "response.function_call_arguments.done": Calls.args_done,
    "response.mcp_call_arguments.delta": _mcp(Calls.inner_delta),
    "response.mcp_call_arguments.done": _mcp(Calls.inner_done),
}
"""The events that are about calls."""


def _call_id(known: OutputItem) -> str:
    return expect_type(known.fields.get("id") or known.fields["made"], str)


_KEPT = ("arguments", "code", "container_id", "name", "server_label")


def _kept(item: JSONObject) -> JSONObject:
    """Return the fields of the call itself, without those that are empty."""
    empty: tuple[Any, ...] = (None, "", "{}", {})
    return {key: item[key] for key in _KEPT if key in item and item[key] not in empty}


def _written(item_type: str, text: str) -> str:
    """Return a piece as it stands in the arguments: code is a string inside their JSON."""
    return to_json(text)[1:-1] if item_type == "code_interpreter_call" else text


def _search_details(item: JSONObject) -> JSONObject:
    return {key: item.get(key) for key in ("call_id", "execution", "status")}


def _queries(arguments: Any) -> JSONObject:
    """Return a search's arguments in one form: the provider's own searches name `paths`."""
    queries = dictionary(json_of(arguments) if isinstance(arguments, str) else arguments)
    return {"queries": queries.get("queries") or queries.get("paths") or []}
