"""Streams used in any order: a machine opens, reads, shares, leaves and drops them.

What is true is little: what the server was told to send, and what has been delivered.
Every rule compares what a reader got with that, and after every step an invariant does.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack
from queue import SimpleQueue
from threading import Event
from typing import Any

import anyio
import hypothesis.stateful as machine
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, precondition, rule

import direct_anyio as callers
from direct_anyio import ModelAPIError, ModelRequest, ModelResponse, UserError, infer_model
from direct_anyio.models.http import HTTPModel

from .serving import Connection, chunk, completion, delta, frame, reply, serving, streamed

LIMIT = 5.0
"""Seconds after which a step hangs."""

MOST = 3
"""Streams that are in use at once."""

ONCE: Any = {"max_retries": 0}
LAST_WORDS = {
    "finished": b"".join(map(chunk, [*streamed()[1:], b""])),
    "cut": b"",
    "failed": chunk(frame({"error": {"message": "No.", "type": "server_error"}})),
}
EVENTS = ("part", "final")
WAYS = ["in turn", "twice", "glance", "look"]
LEAVINGS = ["close", "leave", "fail", "drop"]
OUTCOMES = {"finished": "END", "cut": "StreamInterrupted", "failed": "ModelServerError"}


def _asked(number: int) -> list[ModelRequest]:
    return [ModelRequest.user_text_prompt(str(number))]


def _shown(event: Any) -> str:
    """Return an event in short, or the name of an error and the text that it brings."""
    if isinstance(event, Exception):
        response = getattr(event, "response", None)
        return f"{type(event).__name__} {response.text or '' if response else ''}".strip()
    text = getattr(getattr(event, "delta", None), "content_delta", "")
    if event.event_kind == "part_start":
        text = event.part.content
    return f"{event.event_kind} {text}".strip()


@define(eq=False)
class Reader:
    """Uses one stream; each call of it comes from whichever thread is free."""

    model: HTTPModel
    portal: BlockingPortal
    number: int
    stream: Any = field(default=None, init=False)

    def events(self) -> Iterator[Any]:
        raise NotImplementedError

    def read(self, most: int) -> list[str]:
        """Read so many events; what ends the stream is the last."""
        seen: list[str] = []
        try:
            for event in self.events():
                seen.append(_shown(event))
                if len(seen) == most:
                    return seen
            return [*seen, "END"]
        except RuntimeError as exc:
            return [*seen, _shown(exc)]

    def look(self) -> ModelResponse:
        self.stream.usage()
        return self.stream.response  # type: ignore[no-any-return]


class Blocking(Reader):
    """A stream of blocking code."""

    def enter(self) -> None:
        self.stream = callers.model_request_stream_sync(
            self.model, _asked(self.number), model_settings=ONCE, portal=self.portal
        )
        assert self.read(1) == ["RuntimeError"], "it is not entered yet"
        self.stream.__enter__()
        with pytest.raises(UserError, match="only once"):
            self.stream.__enter__()

    def events(self) -> Iterator[Any]:
        return iter(self.stream)

    def close(self) -> None:
        self.stream.close()

    def leave(self, exc: Exception | None) -> None:
        assert not self.stream.__exit__(type(exc) if exc else None, exc, None)

    def ask(self) -> ModelResponse:
        return callers.model_request_sync(self.model, _asked(0), portal=self.portal)


@define(eq=False)
class Awaited(Reader):
    """A stream in an event loop; each use of it is a task of its own."""

    _block: Any = field(default=None, init=False)
    _opening: Any = field(default=None, init=False)
    _scope: Any = field(default=None, init=False)

    def enter(self) -> None:
        self._block = callers.model_request_stream(
            self.model, _asked(self.number), model_settings=ONCE
        )
        self._opening = self.portal.start_task_soon(self._open)

    async def _open(self) -> None:
        with anyio.CancelScope() as self._scope:
            self.stream = await self._block.__aenter__()
            return
        raise UserError("It was left while it opened.")

    def events(self) -> Iterator[Any]:
        self._opening.result()
        events = aiter(self.stream)
        while event := self.portal.call(anext, events, None):
            yield event

    async def glance(self) -> list[str]:
        """Return the next event where it has come, with a wait that is cancelled at once."""
        with anyio.CancelScope() as scope:
            scope.cancel()
            return [_shown(await anext(self.stream))]
        return []

    def look(self) -> ModelResponse:
        self._opening.result()
        return super().look()

    def close(self) -> None:
        if self._is_open():
            self.portal.call(self.stream.cancel)

    def _is_open(self) -> bool:
        """Return whether it is open; where it still opens, that is cancelled."""
        self.portal.call(self._scope.cancel)
        wait([self._opening])
        return self.stream is not None

    def leave(self, exc: Exception | None) -> None:
        block, self._block = self._block, None
        if self._is_open() and block is not None:
            assert not self.portal.call(block.__aexit__, type(exc) if exc else None, exc, None)

    def ask(self) -> ModelResponse:
        return self.portal.call(callers.model_request, self.model, _asked(0))  # type: ignore[no-any-return]


@define(eq=False)
class Case:
    """One stream: what the server was told, and what came of it."""

    reader: Any
    words: list[str] = field(factory=list)
    ending: str | None = None
    got: list[str] = field(factory=list)
    state: str = "incomplete"
    is_open: bool = False
    is_closed: bool = False
    is_free: bool = False
    is_broken: bool = False
    to_send: SimpleQueue[bytes] = field(factory=SimpleQueue)
    asked: Event = field(factory=Event)
    gone: Event = field(factory=Event)

    @property
    def text(self) -> str:
        return "".join(seen.partition(" ")[2] for seen in self.got)

    def due(self, most: int) -> list[str]:
        """Return what the next so many reads give; fewer where the rest would wait."""
        if self.state == "complete":
            return ["END"]
        if (self.is_closed and self.is_open) or self.is_broken:
            return ["UserError"]
        events = [f"part_delta {word}" for word in self.words]
        if events:
            events[:1] = [f"part_start {self.words[0]}", "final_result"]
        events += ["part_end"] * (self.ending == "finished")
        outcome = [OUTCOMES[self.ending]] if self.ending else []
        if self.ending in ("cut", "failed"):
            outcome = [f"{outcome[0]} {''.join(self.words)}".strip()]
        return [*events[len(self.got) :], *outcome][:most]

    def took(self, seen: list[str]) -> None:
        """Take note of what a reader got."""
        for each in seen:
            if each.startswith(EVENTS):
                self.got.append(each)
            elif each == "END":
                self.state = "complete"
            else:
                self.is_broken = self.is_open or bool(self.words)
        self.is_open = self.is_open or bool(self.got)


class Streams(RuleBasedStateMachine):
    """A server that says what the rules let it say, a model, and its streams."""

    cases = Bundle("cases")
    left = Bundle("left")

    def __init__(self, kind: Any, portal: BlockingPortal, pool: ThreadPoolExecutor) -> None:
        super().__init__()
        self.kind, self.portal, self.pool = kind, portal, pool
        self.all: list[Case] = []
        self.asks = 0
        self.stack = ExitStack()
        self.server = self.stack.enter_context(serving(self._answer))
        model: Any = infer_model(
            "openai:x", api_key="k", base_url=self.server.url, max_connections=MOST + 1
        )
        self.model = model
        portal.call(model.__aenter__)
        self.stack.callback(portal.call, model.__aexit__, None, None, None)
        self.limiter = portal.call(model.clients).limiter

    def _answer(self, connection: Connection) -> None:
        asked = connection.request.json
        if not asked.get("stream"):
            reply(completion("whole"))(connection)
            return
        case = self.all[int(asked["messages"][0]["content"])]
        case.asked.set()
        try:
            connection.stream(end=False)
            while data := case.to_send.get():
                connection.send(data)
            if case.ending != "finished" and (case.ending == "cut" or connection.closed_by_peer()):
                raise ConnectionAbortedError
        except OSError:
            case.gone.set()
            raise

    def teardown(self) -> None:
        with self.stack:
            for case in self.in_use():
                case.to_send.put(b"")
                self.do(case.reader.leave, KeyError("mine"))
        assert self.server.all_left()

    def do(self, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function in another thread; it must not take long."""
        return self.pool.submit(function, *args).result(LIMIT)

    def in_use(self) -> list[Case]:
        return [case for case in self.all if not case.is_free]

    @machine.initialize(target=cases)
    def begin(self) -> Case:
        return self.open()

    @rule(target=cases)
    @precondition(lambda self: len(self.in_use()) < MOST)
    def open_another(self) -> Case:
        return self.open()

    def open(self) -> Case:
        case = Case(self.kind(self.model, self.portal, len(self.all)))
        self.all.append(case)
        self.do(case.reader.enter)
        assert case.asked.wait(LIMIT)
        return case

    @rule(case=cases, count=st.integers(0, 3), ending=st.none() | st.sampled_from(sorted(OUTCOMES)))
    def let_say(self, case: Case, count: int, ending: str | None) -> None:
        if case.ending or case.is_closed:
            return
        for _ in range(count):
            case.words.append(f"{case.reader.number}.{len(case.words)};")
            case.to_send.put(chunk(delta(content=case.words[-1])))
        if ending and (case.words or ending != "finished"):
            case.ending = ending
            case.to_send.put(LAST_WORDS[ending])
            if ending != "failed":
                case.to_send.put(b"")

    @rule(case=cases, most=st.sampled_from([1, 2, 999]), way=st.sampled_from(WAYS))
    def read(self, case: Case, most: int, way: str) -> None:
        events = all(each.startswith(EVENTS) for each in case.due(2))
        if way == "twice" and case.is_open and events and len(case.due(2)) != 1:
            self._read_twice(case)
        elif way == "glance" and case.is_open and events and self.kind is Awaited:
            self._glance(case)
        elif way == "look" and (case.words or case.ending):
            self._look(case)
        else:
            self._read(case, most)

    def _read(self, case: Case, most: int) -> None:
        """Read what there is; where that is nothing, it is said while the reader waits."""
        due = case.due(most)
        if not due and not case.is_closed:
            reading = self.pool.submit(case.reader.read, 1)
            self.let_say(case, 1, None)
            due = case.due(1)
            assert reading.result(LIMIT) == due
        elif case.is_closed and not case.is_open:
            # Whether it still opened, or failed to, as it was left is not known.
            known = [["UserError"]] if case.words else [["UserError"], due]
            assert self.do(case.reader.read, most) in known
            return
        else:
            assert self.do(case.reader.read, most if case.ending else len(due)) == due
        case.took(due)

    def _look(self, case: Case) -> None:
        """Look at a stream that perhaps opens only now."""
        repr(case.reader.stream)
        try:
            self.do(case.reader.look)
        except ModelAPIError:
            assert not case.words
        else:
            case.is_open = True

    def _read_twice(self, case: Case) -> None:
        """Read in two threads at once: each gets an event of its own, or one is refused."""
        due = case.due(2)
        readings = {self.pool.submit(case.reader.read, 1) for _ in range(2)}
        if not due:
            refused, readings = wait(readings, LIMIT, FIRST_COMPLETED)
            assert [each.result() for each in refused] == [["UserError"]]
            self.let_say(case, 1, None)
            due = case.due(1)
        seen = [each for reading in readings for each in reading.result(LIMIT)]
        got = [each for each in due if each in seen]
        assert got == due[: len(got)]
        assert sorted(seen) == sorted([*got, *["UserError"] * (len(readings) - len(got))])
        case.took(got)

    def _glance(self, case: Case) -> None:
        """A read that is cancelled loses nothing."""
        seen = self.portal.start_task_soon(case.reader.glance).result(LIMIT)
        assert seen in ([], case.due(1))
        case.took(seen)

    @rule()
    @precondition(lambda self: self.asks < len(self.all))
    def ask(self) -> None:
        self.asks += 1
        assert self.do(self.kind(self.model, self.portal, 0).ask).text == "whole"

    @rule(target=left, case=machine.consumes(cases), how=st.sampled_from(LEAVINGS))
    def leave(self, case: Case, how: str) -> Any:
        if how == "drop" and case.is_open and not case.ending:
            self._drop(case)
            return machine.multiple()
        if how == "close":
            self._close(case)
        else:
            self._leave(case, KeyError("mine") if how == "fail" else None)
        return case

    def _close(self, case: Case) -> None:
        """Close a stream, under a reader where one would wait."""
        reading = None
        if case.is_open and not case.due(1):
            reading = self.pool.submit(case.reader.read, 1)
        self.do(case.reader.close)
        self._left(case, self.kind is Blocking or not case.reader.stream)
        assert reading is None or reading.result(LIMIT) == ["UserError"]

    def _leave(self, case: Case, exc: Exception | None) -> None:
        try:
            self.do(case.reader.leave, exc)
        except ModelAPIError:
            assert exc is None
            assert not case.is_open
        self._left(case, True)

    def _left(self, case: Case, is_free: bool) -> None:
        if case.is_open and case.state == "incomplete" and not case.is_broken:
            case.state = "interrupted"
        case.is_closed, case.is_free = True, is_free
        case.to_send.put(b"")
        assert case.ending == "finished" or case.gone.wait(LIMIT)

    @rule(case=machine.consumes(left), most=st.sampled_from([1, 999]))
    def use_what_was_left(self, case: Case, most: int) -> None:
        """Read, close and leave once more."""
        self._read(case, most)
        self.do(case.reader.close)
        self._leave(case, None)

    def _drop(self, case: Case) -> None:
        """Let go of a stream that nobody has left."""
        case.is_closed, case.is_free, case.is_open = True, True, False
        case.to_send.put(b"")
        with pytest.warns(ResourceWarning):  # noqa: PT031
            case.reader = None
            gc.collect()
            assert case.gone.wait(LIMIT)
        self.portal.start_task_soon(self._settled).result(LIMIT)

    async def _settled(self) -> None:
        while self.limiter.borrowed_tokens > len(self.in_use()):
            await anyio.lowlevel.checkpoint()

    @machine.invariant()
    def as_told(self) -> None:
        """Streams show what their readers got, and only those in use hold a place."""
        for case in filter(lambda case: case.is_open, self.all):
            response = case.reader.look()
            assert (response.state, response.text or "") == (case.state, case.text)
            assert "".join(case.words).startswith(case.text)
        held = self.portal.call(lambda: self.limiter.borrowed_tokens)
        running = [case for case in self.all if not (case.is_closed or case.ending)]
        assert len(running) <= held <= len(self.in_use())


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("kind", [Blocking, Awaited])
def test_streams_in_any_order(kind: Any, backend: str) -> None:
    """However streams are used, their readers get what was sent, once, and nothing is left."""
    pytest.importorskip(backend)
    with start_blocking_portal(backend) as portal, ThreadPoolExecutor(5) as pool:
        machine.run_state_machine_as_test(
            lambda: Streams(kind, portal, pool),  # type: ignore[arg-type]
            settings=settings(max_examples=20, stateful_step_count=40, deadline=None),
        )
