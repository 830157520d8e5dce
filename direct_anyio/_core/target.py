"""Fits a history of any model to the model that it is sent to, before a dialect writes it.

The profile says what the model requires. Ids of calls that it does not take are replaced,
results are put behind their calls, and blank texts are left out. A call without a result, and
a result without a call, are an error that says what to do.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from operator import is_
from string import ascii_letters, ascii_lowercase, digits
from typing import Any, Self, TypeAlias, TypeGuard, cast

import attrs
from attrs import define, field

from ..content import TextContent
from ..exceptions import UserError, shown
from ..messages import ModelMessage, ModelRequest, ModelResponse
from ..parts import (
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from ..profiles import ModelProfile
from ..tools import DEFAULT_OUTPUT_TOOL_NAME, ModelRequestParameters
from .returned import items_of

__all__ = ("history_for", "with_parts")

Result: TypeAlias = ToolReturnPart | RetryPromptPart

OUTPUT_RESULT = "Final result processed."
"""The result of a call of an output tool that has none: the call was the answer."""

MAX_ID_TRIES = 1000
"""Ids that are tried in the place of one that does not fit, before the pattern is an error."""

MAX_NAMED = 3
"""Calls and results that are named in one error."""


def history_for(
    messages: Sequence[ModelMessage],
    profile: ModelProfile,
    parameters: ModelRequestParameters,
    *,
    continues: bool = False,
) -> list[ModelMessage]:
    """Return messages as a model of this profile takes them; what it takes stays itself.

    Args:
        messages: The history.
        profile: What the model takes.
        parameters: What the request offers; a call of an output tool needs no result.
        continues: Whether the provider has kept what came before the history, so that a
            result may answer a call that is not in it.

    Raises:
        UserError: A call has no result, or a result has no call.
    """
    links = _Links.of(messages, follow=profile.tool_results_must_follow)
    fitted = _with_fitting_ids(messages, links, profile)
    if profile.tool_results_must_match:
        fitted = _with_output_results(fitted, links, parameters)
        _check(links, continues)
    if links.calls and profile.tool_results_must_follow:
        runs = groupby(fitted, lambda message: isinstance(message, ModelRequest))
        fitted = [each for _, run in runs for each in _results_first(list(run))]
    if profile.refuses_blank_text:
        fitted = [_without_blanks(message) for message in fitted]
    return _without_trailing_blanks(fitted) if profile.refuses_trailing_blanks else fitted


# Which result answers which call.


@define(eq=False)
class _Call:
    """A call, and the place of its result once that is found.

    Attributes:
        place: Its message and, in that, its part.
        run: The number of its run of responses.
        part: The call.
        result: The place of its result.
    """

    place: tuple[int, int]
    run: int
    part: ToolCallPart
    result: tuple[int, int] | None = None


@define(eq=False)
class _Links:
    """The calls of a history.

    Attributes:
        calls: The calls.
        strays: The results that answer none of them.
        builtin: The calls and results of the provider's own tools.
    """

    calls: list[_Call] = field(factory=list)
    strays: list[tuple[tuple[int, int], Result]] = field(factory=list)
    builtin: list[tuple[tuple[int, int], BuiltinToolCallPart | BuiltinToolReturnPart]] = field(
        factory=list
    )

    @classmethod
    def of(cls, messages: Sequence[ModelMessage], *, follow: bool) -> Self:
        """Find the result of each call.

        Args:
            messages: The history.
            follow: Whether a result must be in the request behind the response of its call.
        """
        links = cls()
        pending: dict[str, deque[_Call]] = defaultdict(deque)
        run, behind_request = 0, False
        for at, message in enumerate(messages):
            if isinstance(message, ModelRequest):
                behind_request = True
                for number, part in enumerate(message.parts):
                    if not _is_result(part):
                        continue
                    if pending[part.tool_call_id]:
                        pending[part.tool_call_id].popleft().result = (at, number)
                    else:
                        links.strays.append(((at, number), part))
                continue
            if behind_request:
                run, behind_request = run + 1, False
                if follow:
                    pending.clear()
            for number, each in enumerate(message.parts):
                if isinstance(each, ToolCallPart):
                    call = _Call((at, number), run, each)
                    links.calls.append(call)
                    pending[each.tool_call_id].append(call)
                elif isinstance(each, (BuiltinToolCallPart, BuiltinToolReturnPart)):
                    links.builtin.append(((at, number), each))
        return links


def _is_result(part: object) -> TypeGuard[Result]:
    """Return whether a part answers a call; a retry prompt without a tool is a user's text."""
    return isinstance(part, ToolReturnPart) or (
        isinstance(part, RetryPromptPart) and part.tool_name is not None
    )


def _check(links: _Links, continues: bool) -> None:
    """Refuse calls without a result, and results without a call.

    Raises:
        UserError: There are some; the message names the first.
    """
    wrong: list[tuple[tuple[int, int], str]] = []
    for call in links.calls:
        if call.result is None:
            id, name = shown(call.part.tool_call_id), shown(call.part.tool_name)
            text = (
                f"The call {id} of the tool {name} in message {call.place[0]} has no result in "
                f"the request behind it: add ToolReturnPart({name}, ..., {id}) there, or leave "
                "out the call."
            )
            wrong.append((call.place, text))
    known = {call.part.tool_call_id for call in links.calls}
    for place, part in () if continues else links.strays:
        if part.tool_call_id in known:
            why = "comes too late, or is a second one: a call has one, in the request behind it"
        else:
            why = (
                "answers no call of the response before it: give it the call's id, or leave it out"
            )
        id, name = shown(part.tool_call_id), shown(part.tool_name)
        wrong.append((place, f"The result {id} of the tool {name} in message {place[0]} {why}."))
    if wrong:
        raise UserError(" ".join(text for _, text in sorted(wrong)[:MAX_NAMED]))


def _with_output_results(
    messages: list[ModelMessage], links: _Links, parameters: ModelRequestParameters
) -> list[ModelMessage]:
    """Return messages with results for calls of output tools, which programs leave open."""
    usual = DEFAULT_OUTPUT_TOOL_NAME  # several output tools mostly have names that start with it
    known = {tool.name for tool in parameters.output_tools}
    known |= {tool.name for tool in parameters.function_tools if tool.kind == "output"}
    results: dict[int, list[ToolReturnPart]] = defaultdict(list)
    for call in links.calls:
        name = call.part.tool_name
        is_output = name == usual or name.startswith(f"{usual}_") or name in known
        if call.result is None and is_output:
            at, number = call.place
            following = range(at + 1, len(messages))
            next_request = (n for n in following if isinstance(messages[n], ModelRequest))
            call.result = (next(next_request, len(messages)), 0)
            written: Any = messages[at].parts[number]
            result = ToolReturnPart(name, OUTPUT_RESULT, written.tool_call_id)
            results[call.result[0]].append(result)
    if not results:
        return messages
    whole = [*messages, ModelRequest([])] if len(messages) in results else messages
    return [
        with_parts(message, [*results.get(at, ()), *message.parts])
        for at, message in enumerate(whole)
    ]


# Ids.


def _with_fitting_ids(
    messages: Sequence[ModelMessage], links: _Links, profile: ModelProfile
) -> list[ModelMessage]:
    """Return messages with ids that the target takes; a result has the id of its call."""
    others = [*links.strays, *links.builtin]
    known = [call.part.tool_call_id for call in links.calls]
    ids = _Ids(profile.tool_call_id_pattern, [*known, *(part.tool_call_id for _, part in others)])
    new: dict[tuple[int, int], str] = {}
    uses: dict[str, int] = defaultdict(int)
    run = 0
    for call in links.calls:
        id = call.part.tool_call_id
        if call.run != run and not profile.tool_call_ids_must_be_unique:
            # Those of one response must differ for any target.
            uses.clear()
            run = call.run
        new[call.place] = ids.fitted(id, uses[id])
        uses[id] += 1
        if call.result is not None:
            new[call.result] = new[call.place]
    new |= {place: ids.fitted(part.tool_call_id) for place, part in others}
    changed: dict[int, list[Any]] = {}
    for (at, number), id in new.items():
        part: Any = messages[at].parts[number]
        if id != part.tool_call_id:
            more = {}
            head, _, item_id = part.tool_call_id.partition("|")
            if isinstance(part, ToolCallPart) and head == id and part.id is None:
                more["id"] = item_id  # older histories hold the call's and the item's id in one
            parts = changed.setdefault(at, list(messages[at].parts))
            parts[number] = attrs.evolve(part, tool_call_id=id, **more)
    return [
        with_parts(message, changed[at]) if at in changed else message
        for at, message in enumerate(messages)
    ]


class _Ids:
    """Replaces ids that a target does not take: two are never replaced by the same.

    An id is replaced by the same one in every history that does not hold it already.

    Args:
        pattern: What a whole id must match, None for anything.
        known: All ids of the history.
    """

    def __init__(self, pattern: str | None, known: Iterable[str]) -> None:
        self._pattern = pattern
        self._taken = {id for id in set(known) if self._fits(id)}
        self._new: dict[tuple[str, int], str] = {}

    def fitted(self, id: str, use: int = 0) -> str:
        """Return the id to send for the first use of an id in the history, or for a later one."""
        if not use and id in self._taken:
            return id
        if (id, use) not in self._new:
            head, joined, _ = id.partition("|")
            alphabet, length = _writable(self._pattern)
            new = head
            is_free = bool(joined) and not use and self._fits(head) and head not in self._taken
            for salt in range(0 if is_free else MAX_ID_TRIES):
                text = f"{use} {salt} {id}".encode(errors="surrogatepass")
                # No alphabet divides 256, but an id need only differ from others.
                hashed = hashlib.sha256(text).digest()[:length]
                new = "".join([alphabet[byte % len(alphabet)] for byte in hashed])
                if new not in self._taken:
                    is_free = True
                    break
            if not is_free:
                raise UserError(
                    f"The profile's `tool_call_id_pattern` {self._pattern!r} has too few ids"
                )
            self._taken.add(new)
            self._new[id, use] = new
        return self._new[id, use]

    def _fits(self, id: str) -> bool:
        # No target can tell calls apart by ids that are empty.
        return id != "" and (self._pattern is None or bool(re.fullmatch(self._pattern, id)))


_ALPHABETS = (digits + ascii_letters, digits + ascii_lowercase, digits)


@lru_cache
def _writable(pattern: str | None) -> tuple[str, int]:
    """Return what ids of our making are made of: an alphabet, and how many of its characters.

    Raises:
        UserError: The pattern takes no letters or digits.
    """
    for alphabet in _ALPHABETS:
        for length in range(32, 0, -1):
            ends = (alphabet * 4)[:length], (alphabet * 4)[-length:]
            if pattern is None or all(re.fullmatch(pattern, each) for each in ends):
                return alphabet, length
    raise UserError(f"The profile's `tool_call_id_pattern` {pattern!r} takes no letters or digits.")


# Order.


def _results_first(run: list[Any]) -> list[Any]:
    """Return a run of requests with all results first, or of responses with their calls in one."""
    if len(run) == 1 and (isinstance(run[0], ModelResponse) or len(run[0].parts) == 1):
        return run
    if isinstance(run[0], ModelRequest):
        results = [part for each in run for part in each.parts if _is_result(part)]
        first = run[0].parts[: len(results)]
        if len(first) == len(results) and all(map(_is_result, first)):
            return run
        others = [[part for part in each.parts if not _is_result(part)] for each in run]
        others[0] = [*results, *others[0]]
        return [with_parts(each, parts) for each, parts in zip(run, others, strict=True)]
    has_calls = [any(isinstance(part, ToolCallPart) for part in each.parts) for each in run]
    if not any(has_calls[:-1]):
        return run
    names = {each.provider_name for each in run}
    return [
        attrs.evolve(
            run[-1],
            parts=[part for each in run for part in each.parts],
            provider_name=names.pop() if len(names) == 1 else None,
        )
    ]


# Blank texts.


def _is_blank(item: object) -> bool:
    text = item.content if isinstance(item, TextContent) else item
    return isinstance(text, str) and (not text or text.isspace())


def _without_blanks(message: ModelMessage) -> ModelMessage:
    """Return a message without the texts that are nothing but blank space."""
    parts: list[Any] = []
    for part in message.parts:
        if not isinstance(part, (TextPart, SystemPromptPart, UserPromptPart, ToolReturnPart)):
            parts.append(part)
            continue
        content: Any = part.content
        if isinstance(part, ToolReturnPart) and not isinstance(content, str):
            content = items_of(part)
        kept = content
        if isinstance(content, (list, tuple)):
            kept = [item for item in content if not _is_blank(item)]
            kept = content if len(kept) == len(content) else kept
        elif _is_blank(content):
            kept = []
        if kept or isinstance(part, ToolReturnPart):
            changed = part if kept is content else cast(Any, attrs.evolve)(part, content=kept)
            parts.append(changed)
    return with_parts(message, parts)


def _without_trailing_blanks(messages: list[ModelMessage]) -> list[ModelMessage]:
    """Return messages whose last text is the user's, or ends in no blank space."""
    for at in reversed(range(len(messages))):
        message = messages[at]
        if isinstance(message, ModelRequest):
            if all(isinstance(part, SystemPromptPart) for part in message.parts):
                continue
            break
        texts = [n for n, part in enumerate(message.parts) if isinstance(part, TextPart)]
        if texts:
            parts: list[Any] = list(message.parts)
            last = parts[texts[-1]]
            parts[texts[-1]] = attrs.evolve(last, content=last.content.rstrip())
            return [*messages[:at], with_parts(message, parts), *messages[at + 1 :]]
    return messages


def with_parts(message: ModelMessage, parts: Sequence[Any]) -> ModelMessage:
    """Return a message with these parts, itself where they are its own."""
    same = len(parts) == len(message.parts) and all(map(is_, parts, message.parts))
    changed: ModelMessage = message if same else cast(Any, attrs.evolve)(message, parts=parts)
    return changed
