"""The blocking function: one portal, any thread, Ctrl-C, exit, and where it refuses."""

from __future__ import annotations

import contextvars
import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import anyio
import pytest
from anyio.from_thread import start_blocking_portal

from direct_anyio import (
    FunctionModel,
    ModelRequest,
    ModelResponse,
    StreamedResponseSync,
    StreamInterrupted,
    TextPart,
    UserError,
    infer_model,
    model_request_stream,
    model_request_stream_sync,
    model_request_sync,
    open_portal,
)
from direct_anyio._blocking import portal_host, wait

from .serving import PATIENCE, Connection, Handler, answering, delta, serving

MESSAGES = [ModelRequest.user_text_prompt("Go on.")]


def test_requests_and_streams_share_one_connection() -> None:
    """All blocking calls go through one loop, so one connection serves them all."""
    with serving(answering("a", "b")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        assert model_request_sync(model, MESSAGES).text == "ab"
        with model_request_stream_sync(model, MESSAGES) as stream:
            assert len(list(stream)) == 4
        assert model_request_sync(model, MESSAGES).text == "ab"
        assert server.connections == 1


def test_many_threads_share_one_loop_thread() -> None:
    """Fifty calling threads need no more threads of ours than one does."""
    with serving(answering("a")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        model_request_sync(model, MESSAGES)
        before = {thread.name for thread in threading.enumerate() if "direct_anyio" in thread.name}
        with ThreadPoolExecutor(50) as pool:
            texts = list(pool.map(lambda _: model_request_sync(model, MESSAGES).text, range(50)))
        after = {thread.name for thread in threading.enumerate() if "direct_anyio" in thread.name}
    assert texts == ["a"] * 50
    assert before == after == {"direct_anyio-portal"}


def test_break_closes_the_connection() -> None:
    """Leaving the block after one event ends the request, and the server sees it."""
    closed = threading.Event()

    def endless(connection: Connection) -> None:
        connection.stream(delta(content="one "), end=False)
        if connection.closed_by_peer():
            closed.set()

    with serving(endless) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        with model_request_stream_sync(model, MESSAGES) as stream:
            for _ in stream:
                break
        assert closed.wait(PATIENCE)
    assert stream.response.state == "interrupted"
    assert stream.response.text == "one "


def test_draining_and_cancelling() -> None:
    """`drain` gives the whole response; `cancel` leaves, and what follows is an error."""
    with serving(answering("a", "b")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        with model_request_stream_sync(model, MESSAGES) as stream:
            next(stream)
            assert stream.drain().text == "ab"
            assert stream.drain().state == "complete"
        with model_request_stream_sync(model, MESSAGES) as stream:
            next(stream)
            stream.cancel()
            stream.close()
            with pytest.raises(UserError, match="closed"):
                stream.drain()
    assert stream.response.state == "interrupted"


def test_a_stream_travels_between_threads() -> None:
    """One thread opens a stream, another reads it, a third leaves it."""
    with serving(answering("a", "b")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        with ThreadPoolExecutor(3) as pool:
            stream = pool.submit(model_request_stream_sync(model, MESSAGES).__enter__).result()
            events = pool.submit(list, stream).result()
            pool.submit(stream.__exit__, None, None, None).result()
    assert len(events) == 4
    assert stream.response.text == "ab"


def test_an_open_error_is_raised_at_first_use() -> None:
    """What kept the stream from opening is raised by the first use of it."""
    model = infer_model("openai:x", api_key="k", base_url="http://127.0.0.1:9/v1")
    settings: Any = {"max_retries": 0}
    with model_request_stream_sync(model, MESSAGES, model_settings=settings) as stream:
        with pytest.raises(StreamInterrupted.__mro__[1], match="Could not connect"):
            next(iter(stream))


def test_an_open_error_is_raised_by_the_end_of_the_block() -> None:
    """A block that never looks at its stream still learns that it failed."""
    model = infer_model("openai:x", api_key="k", base_url="http://127.0.0.1:9/v1")
    settings: Any = {"max_retries": 0}
    gate = threading.Event()
    with pytest.raises(StreamInterrupted.__mro__[1], match="Could not connect"):
        with model_request_stream_sync(model, MESSAGES, model_settings=settings) as stream:
            stream._held.opened.add_done_callback(lambda _: gate.set())
            assert gate.wait(PATIENCE)


def test_outside_of_a_block_there_is_no_stream() -> None:
    """A stream that was not entered says how it is to be used."""
    stream = model_request_stream_sync("test", MESSAGES)
    assert repr(stream) == "StreamedResponseSync(context_entered=False)"
    for use in (iter, StreamedResponseSync.get, StreamedResponseSync.usage):
        with pytest.raises(RuntimeError, match="must be used as a context manager"):
            use(stream)


async def test_a_blocking_call_in_a_running_loop_is_refused() -> None:
    """In an event loop the error names the async twin, and nothing hangs."""
    with pytest.raises(RuntimeError, match=r"await model_request\(\.\.\.\)"):
        model_request_sync("test", MESSAGES)
    with pytest.raises(RuntimeError, match=r"async with model_request_stream"):
        with model_request_stream_sync("test", MESSAGES):
            pass


async def test_a_thread_beside_the_loop_is_fine() -> None:
    """Blocking code in a worker thread works, whatever loop runs beside it."""
    response = await anyio.to_thread.run_sync(model_request_sync, "test", MESSAGES)
    assert response.text == "success (no tool calls)"


def test_a_blocking_call_on_the_portal_is_refused() -> None:
    """A model's function that calls a blocking function would wait for itself: it is told."""

    async def nested(messages: Any, info: Any) -> ModelResponse:
        return model_request_sync("test", messages)

    with pytest.raises(RuntimeError, match="running asyncio event loop"):
        model_request_sync(FunctionModel(nested), MESSAGES)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_portal_of_the_users_own(backend: str) -> None:
    """`portal=` runs the request there, on either backend."""
    pytest.importorskip(backend)
    with serving(answering("a", "b")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        with start_blocking_portal(backend) as portal:
            assert model_request_sync(model, MESSAGES, portal=portal).text == "ab"
            with model_request_stream_sync(model, MESSAGES, portal=portal) as stream:
                assert len(list(stream)) == 4
        assert server.all_left()


def test_the_callers_context_is_the_requests() -> None:
    """A context variable of the caller is visible in the request."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")

    async def look(messages: Any, info: Any) -> ModelResponse:
        return ModelResponse([TextPart(variable.get())])

    async def look_stream(messages: Any, info: Any) -> AsyncIterator[Any]:
        yield variable.get()

    variable.set("mine")
    model = FunctionModel(look, stream_function=look_stream)
    assert model_request_sync(model, MESSAGES).text == "mine"
    with model_request_stream_sync(model, MESSAGES) as stream:
        for _ in stream:
            pass
        assert stream.response.text == "mine"


def test_a_stream_of_somebody_elses_making() -> None:
    """Any async context manager of an async iterable with a stream's members will do."""

    class Theirs:
        model_name = "theirs"

        def get(self) -> ModelResponse:
            return ModelResponse([TextPart("theirs")])

        async def __aiter__(self) -> Any:
            yield "event"

        async def __aenter__(self) -> Any:
            return self

        async def __aexit__(self, *exc_info: object) -> None:
            pass

    theirs: Any = Theirs()
    with StreamedResponseSync(theirs) as stream:
        events: list[Any] = list(stream)
        assert events == ["event"]
        assert (stream.model_name, stream.response.text) == ("theirs", "theirs")


def test_two_threads_cannot_wait_for_one_stream() -> None:
    """The second thread that wants the next event is told so; the first goes on."""
    waiting = threading.Event()

    class Theirs:
        def __init__(self) -> None:
            self.gate = anyio.Event()

        async def __aiter__(self) -> Any:
            waiting.set()
            await self.gate.wait()
            yield "event"

        async def __aenter__(self) -> Any:
            return self

        async def __aexit__(self, *exc_info: object) -> None:
            pass

    theirs: Any = Theirs()
    with start_blocking_portal() as portal, ThreadPoolExecutor(1) as pool:
        with StreamedResponseSync(theirs, portal=portal) as stream:
            reading: Any = pool.submit(next, stream)
            assert waiting.wait(PATIENCE)
            try:
                with pytest.raises(UserError, match="Another thread"):
                    next(stream)
            finally:
                portal.call(theirs.gate.set)
            assert reading.result(PATIENCE) == "event"


def test_entering_twice_is_refused() -> None:
    """A stream is one request."""
    with model_request_stream_sync("test", MESSAGES) as stream:
        with pytest.raises(UserError, match="only once"):
            stream.__enter__()


CHILD = """
import logging, os, sys
from direct_anyio import ModelRequest, infer_model, model_request_stream_sync, model_request_sync

MESSAGES = [ModelRequest.user_text_prompt("Go on.")]
model = infer_model("openai:x", api_key="k", base_url=sys.argv[1])
# A slow machine is no fault of ours.
logging.getLogger("asyncio").setLevel(logging.ERROR)
"""


def _child(code: str, url: str, before: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-X", "dev", "-W", "error", "-c", before + CHILD + code, url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _endless(connection: Connection) -> None:
    connection.stream(delta(content="one "), end=False)
    connection.closed_by_peer()


def _silent(connection: Connection) -> None:
    connection.closed_by_peer()


def test_exit_with_a_stream_in_flight_is_quick_and_silent() -> None:
    """A process that ends in the middle of a stream ends with 0, and says nothing."""
    code = """
stream = model_request_stream_sync(model, MESSAGES).__enter__()
next(iter(stream))
"""
    with serving(_endless) as server:
        out, err = _child(code, server.url).communicate(timeout=PATIENCE)
        assert (out, err) == ("", "")
        assert server.all_left()


def test_exit_with_a_daemon_thread_blocked_in_our_call() -> None:
    """A daemon thread that waits for a stream does not hold the process up."""
    code = """
import threading
started = threading.Event()

def read():
    try:
        with model_request_stream_sync(model, MESSAGES) as stream:
            for event in stream:
                started.set()
    except Exception as exc:
        print(type(exc).__name__)

threading.Thread(target=read, daemon=True).start()
started.wait(10)
"""
    with serving(_endless) as server:
        child = _child(code, server.url)
        out, err = child.communicate(timeout=PATIENCE)
        assert (child.returncode, err) == (0, "")
        # The process may end before the print, or between its text and its newline.
        assert out.rstrip() in ("", "UserError")
        assert server.all_left()


def test_ctrl_c_stops_the_request() -> None:
    """SIGINT in the middle of a stream is a KeyboardInterrupt, and the server sees the close."""
    code = """
try:
    with model_request_stream_sync(model, MESSAGES) as stream:
        for event in stream:
            print(event.event_kind, flush=True)
except KeyboardInterrupt:
    print("interrupted", model_request_sync("test", MESSAGES).text)
"""
    with serving(_endless) as server:
        child = _child(code, server.url)
        assert child.stdout is not None
        assert child.stdout.readline() == "part_start\n"
        assert child.stdout.readline() == "final_result\n"
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=PATIENCE)
        assert (out, err) == ("interrupted success (no tool calls)\n", "")
        assert child.returncode == 0
        assert server.all_left()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_has_a_portal_of_its_own() -> None:
    """After a fork the child's calls work, and so do the parent's."""
    code = """
assert model_request_sync(model, MESSAGES).text == "a"
child = os.fork()
if not child:
    assert model_request_sync(model, MESSAGES).text == "a"
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert model_request_sync(model, MESSAGES).text == "a"
print("both")
"""
    with serving(answering("a")) as server:
        out, err = _child(code, server.url).communicate(timeout=PATIENCE)
    assert (out, err) == ("both\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_with_a_stream_open() -> None:
    """The parent goes on reading; the child is told that the stream is not its own."""
    code = """
from direct_anyio import UserError

with model_request_stream_sync(model, MESSAGES) as stream:
    first = next(stream)
    child = os.fork()
    if not child:
        try:
            next(stream)
        except UserError as exc:
            assert "forked" in str(exc)
            stream.close()
            del stream
            os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert len(list(stream)) == 3
print(stream.response.text)
"""
    with serving(answering("a", "b")) as server:
        out, err = _child(code, server.url).communicate(timeout=PATIENCE)
    assert (out, err) == ("ab\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_that_calls_no_hooks_of_ours() -> None:
    """A server that forks in C may call none; locks may be held meanwhile."""
    before = """
import asyncio, concurrent.futures.thread, logging, os, random, threading
os.register_at_fork = lambda **hooks: None
"""
    code = """
from direct_anyio import UserError
from direct_anyio._io.retry import _budgets_lock

held, done = threading.Event(), threading.Event()

def hold():
    with _budgets_lock:
        held.set()
        done.wait()

with model_request_stream_sync(model, MESSAGES) as stream:
    first = next(stream)
    threading.Thread(target=hold).start()
    held.wait()
    child = os.fork()
    if not child:
        try:
            next(stream)
        except UserError as exc:
            assert "forked" in str(exc)
        for _ in range(2):
            assert model_request_sync(model, MESSAGES).text == "ab"
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    done.set()
    print(stream.drain().text)
"""
    with serving(answering("a", "b")) as server:
        out, err = _child(code, server.url, before).communicate(timeout=PATIENCE)
    assert (out, err) == ("ab\n", "")


@pytest.mark.parametrize("first", ["asyncio", "trio"])
def test_the_first_calls_come_from_many_threads(first: str) -> None:
    """In a fresh process, while nothing is imported yet and another thread imports trio."""
    pytest.importorskip(first)
    code = f"""
import sys, threading, warnings
from concurrent.futures import ThreadPoolExecutor
from direct_anyio import ModelRequest, model_request_stream_sync, model_request_sync

assert not {{"asyncio", "trio"}} & set(sys.modules)
sys.setswitchinterval(1e-6)
MESSAGES = [ModelRequest.user_text_prompt("Go on.")]
together = threading.Barrier(17)

def ask(number):
    together.wait()
    if number % 2:
        return model_request_sync("test", MESSAGES).text
    with model_request_stream_sync("test", MESSAGES) as stream:
        return stream.drain().text

with ThreadPoolExecutor(16) as pool:
    asked = [pool.submit(ask, number) for number in range(16)]
    together.wait()
    import {first}
    print({{each.result() for each in asked}})
"""

    def run(_: int) -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            capture_output=True,
            text=True,
            timeout=6 * PATIENCE,
            check=False,
        )
        return done.stdout, done.stderr

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(run, range(25))) == {("{'success (no tool calls)'}\n", "")}


def test_threads_and_handlers_that_outlive_the_main_thread() -> None:
    """They are served to their end, and names are still looked up for them."""
    code = """
import atexit, threading
model = infer_model("openai:x", api_key="k", base_url=sys.argv[1].replace("127.0.0.1", "localhost"))

def outlives():
    threading.main_thread().join()
    for _ in range(2):
        print("thread", model_request_sync(model, MESSAGES).text, flush=True)
    with model_request_stream_sync(model, MESSAGES) as stream:
        print("thread", stream.drain().text, flush=True)

model_request_sync("test", MESSAGES)
atexit.register(lambda: print("handler", model_request_sync(model, MESSAGES).text, flush=True))
threading.Thread(target=outlives).start()
"""
    before = "import atexit; atexit.register(lambda: print('last', end=' '))\n"
    before += "atexit.register(lambda: print('first', model_request_sync(model, MESSAGES).text))\n"
    with serving(answering("a")) as server:
        out, err = _child(code, server.url, before).communicate(timeout=PATIENCE)
    assert (out, err) == ("thread a\n" * 3 + "handler a\nfirst a\nlast ", "")


INTERPRETERS = "_xxsubinterpreters" if sys.version_info < (3, 13) else "_interpreters"
INSIDE = """
import anyio
from direct_anyio import ModelRequest, model_request, model_request_sync
MESSAGES = [ModelRequest.user_text_prompt("Go on.")]
try:
    model_request_sync("test", MESSAGES)
except RuntimeError as exc:
    print("anyio.run(model_request, ...)" in str(exc), flush=True)
print(anyio.run(model_request, "test", MESSAGES).text, flush=True)
"""


@pytest.mark.skipif(not find_spec(INTERPRETERS), reason="there are no sub-interpreters here")
def test_in_a_sub_interpreter() -> None:
    """Python starts no daemon threads there; the error says what works."""
    # Python 3.12.1 crashes as such an interpreter ends.
    code = f"""
import os, sys, {INTERPRETERS} as interpreters
run = getattr(interpreters, "run_string", None) or interpreters.exec
run(interpreters.create(), {INSIDE!r})
os._exit(0)
"""
    # Coverage cannot be measured there.
    env = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=env,
    )
    assert (done.stdout, done.stderr) == ("True\nsuccess (no tool calls)\n", "")


def test_the_first_call_comes_from_an_exit_handler() -> None:
    """Some Pythons from 3.12 on start no thread for it, which the error tells; nothing hangs."""
    code = """
import atexit

def ask():
    try:
        print(model_request_sync(model, MESSAGES).text, flush=True)
    except RuntimeError as exc:
        print("if the program has made one before" in str(exc), flush=True)

atexit.register(ask)
"""
    with serving(answering("a")) as server:
        child = _child(code, server.url)
        out, err = child.communicate(timeout=PATIENCE)
    assert (child.returncode, err) == (0, "")
    assert out in (("a\n",) if sys.version_info < (3, 12) else ("a\n", "True\n"))


def test_as_python_shuts_down() -> None:
    """What is called later than any handler is told, and waits for nothing."""
    code = """
class Late:
    def __init__(self):
        self.stream = model_request_stream_sync(model, MESSAGES).__enter__()
        next(self.stream)

    def __del__(self):
        self.stream.close()
        try:
            model_request_sync("test", MESSAGES)
        except RuntimeError as exc:
            os.write(1, str(exc).encode())

late = sys.modules["late"] = Late()
"""
    with serving(_endless) as server:
        out, err = _child(code, server.url).communicate(timeout=PATIENCE)
    assert (out, err) == ("Python is shutting down: no more requests can be made.", "")


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no alarms here")
@pytest.mark.parametrize("use", ["call", "iterate", "look", "leave"])
def test_an_alarm_that_raises_a_timeout_error(use: str) -> None:
    """What a signal's handler raises reaches the caller at once, and the request is over."""

    def alarmed(*_: object) -> None:
        raise TimeoutError("mine")

    def stubborn(connection: Connection) -> None:
        if use == "iterate":
            connection.stream(delta(content="one "), end=False)
        server.asked.release()
        os.kill(os.getpid(), signal.SIGALRM)
        connection.closed_by_peer()

    before = signal.signal(signal.SIGALRM, alarmed)
    try:
        with serving(stubborn) as server:
            model = infer_model("openai:x", api_key="k", base_url=server.url)
            with pytest.raises(TimeoutError, match="mine"):
                if use == "call":
                    model_request_sync(model, MESSAGES)
                with model_request_stream_sync(model, MESSAGES) as stream:
                    if use == "leave":
                        threading.Event().wait(PATIENCE)
                    if use == "look":
                        stream.get()
                    list(stream)
            assert server.all_left()
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_signal_handler_looks_at_the_response() -> None:
    """Wherever the thread is, the handler gets what has come, and changes nothing."""
    seen: list[str] = []

    def look(frame: Any, event: str, arg: Any) -> Any:
        # As a handler does, it runs between any two lines of the thread's own code.
        if event == "line" and frame.f_code.co_filename.endswith(
            ("_sync_stream.py", "accumulator.py")
        ):
            sys.settrace(None)
            seen.append(stream.response.text or "")
            sys.settrace(look)
        return look

    with serving(answering(*"abcdefgh")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        with model_request_stream_sync(model, MESSAGES) as stream:
            next(stream)
            before = sys.gettrace()
            sys.settrace(look)
            try:
                for _ in stream:
                    pass
            finally:
                sys.settrace(before)
    assert stream.response.text == "abcdefgh"
    assert len(seen) > 100
    assert all(after.startswith(before) for before, after in pairwise(seen))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("opening", [True, False])
@pytest.mark.parametrize("collected", [True, False])
def test_a_stream_is_dropped_on_the_portals_thread(
    backend: str, opening: bool, collected: bool
) -> None:
    """A generator is closed where its last reference goes, or where the collector runs."""
    pytest.importorskip(backend)

    def events(url: str) -> Any:
        model = infer_model("openai:x", api_key="k", base_url=url)
        with model_request_stream_sync(model, MESSAGES, portal=portal) as stream:
            yield stream
            yield from stream

    handler = _silent if opening else _endless
    with serving(handler) as server, start_blocking_portal(backend) as portal:
        generator = events(server.url)
        next(generator)
        if not opening:
            next(generator)
        assert server.asked.acquire(timeout=PATIENCE)
        cycle: list[Any] = [generator]
        cycle.extend([cycle] if collected else [])
        held = [cycle]
        del generator, cycle
        portal.call(held.clear)
        portal.call(gc.collect if collected else int)
        assert server.all_left()
        assert model_request_sync("test", MESSAGES, portal=portal).text


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_stream_is_closed_on_its_portals_thread(backend: str) -> None:
    """`close` does not wait there; a call that would have to wait is refused."""
    pytest.importorskip(backend)
    with serving(_endless) as server, start_blocking_portal(backend) as portal:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        with model_request_stream_sync(model, MESSAGES, portal=portal) as stream:
            next(stream)
            portal.call(stream.close)
            assert server.all_left()
        with pytest.raises(UserError, match="would wait for itself"):
            portal.call(lambda: model_request_sync("test", MESSAGES, portal=portal))
        with pytest.raises(UserError, match="closed"):
            next(stream)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
def test_what_ends_a_program_is_its_callers(kind: type[BaseException]) -> None:
    """A model's function that exits does so in the thread that called; others go on."""

    async def ends(messages: Any, info: Any) -> ModelResponse:
        raise kind

    async def ends_later(messages: Any, info: Any) -> AsyncIterator[str]:
        yield "a"
        raise kind

    async def ends_at_once(messages: Any, info: Any) -> AsyncIterator[str]:
        raise kind
        yield "never"

    @asynccontextmanager
    async def ends_as_it_is_left() -> AsyncIterator[Any]:
        async with model_request_stream("test", MESSAGES) as stream:
            yield stream
        raise kind

    model = FunctionModel(ends, stream_function=ends_later)
    at_once = FunctionModel(ends, stream_function=ends_at_once)
    with model_request_stream_sync("test", MESSAGES) as other:
        with pytest.raises(kind):
            model_request_sync(model, MESSAGES)
        with pytest.raises(kind), model_request_stream_sync(model, MESSAGES) as stream:
            for _ in stream:
                pass
        with pytest.raises(kind), model_request_stream_sync(at_once, MESSAGES) as opening:
            next(opening)
        with pytest.raises(kind), StreamedResponseSync(ends_as_it_is_left()) as whole:
            whole.drain()
        assert len(list(other)) == 7
    assert stream.response.text == "a"


def test_a_portal_whose_loop_is_stopped() -> None:
    """Whoever waits is told, and the next call starts another."""
    code = """
import asyncio, threading, warnings
from anyio import sleep_forever

# Of a task that had not begun, which asyncio forgets and anyio cannot tell of.
warnings.filterwarnings("ignore", "coroutine 'BlockingPortal", RuntimeWarning)
from direct_anyio import FunctionModel, UserError

async def stops(messages, info):
    asyncio.get_running_loop().stop()
    await sleep_forever()

def waits():
    try:
        with model_request_stream_sync(model, MESSAGES) as stream:
            for event in stream:
                opened.set()
    except UserError as exc:
        print("told", flush=True)

opened = threading.Event()
thread = threading.Thread(target=waits)
thread.start()
opened.wait()
try:
    model_request_sync(FunctionModel(stops), MESSAGES)
except UserError as exc:
    print("told", flush=True)
thread.join()
print(model_request_sync("test", MESSAGES).text)
"""
    with serving(_endless) as server:
        out, err = _child(code, server.url).communicate(timeout=PATIENCE)
        assert (out, err) == ("told\ntold\nsuccess (no tool calls)\n", "")
        assert server.all_left()


@pytest.mark.parametrize("handler", [_endless, _silent], ids=["reading", "opening"])
async def test_a_thread_is_cancelled_with_its_task(handler: Handler) -> None:
    """Blocking code in a worker thread ends where the task is cancelled that waits for it."""
    reading = anyio.Event()

    def read(url: str) -> None:
        model = infer_model("openai:x", api_key="k", base_url=url)
        with model_request_stream_sync(model, MESSAGES) as stream:
            anyio.from_thread.run_sync(reading.set)
            for _ in stream:
                pass

    with serving(handler) as server:
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.to_thread.run_sync, read, server.url)
                await reading.wait()
                assert await anyio.to_thread.run_sync(server.asked.acquire, True, PATIENCE)
                group.cancel_scope.cancel()
        assert await anyio.to_thread.run_sync(server.all_left)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_with_a_portal_of_ones_own() -> None:
    """The child is told that the portal is not its own, though the parent has not used it."""
    code = """
from direct_anyio import UserError, open_portal

with open_portal() as portal:
    child = os.fork()
    if not child:
        try:
            model_request_sync("test", MESSAGES, portal=portal)
        except UserError as exc:
            os._exit(7 if "forked" in str(exc) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    print(model_request_sync("test", MESSAGES, portal=portal).text)
"""
    out, err = _child(code, "").communicate(timeout=PATIENCE)
    assert (out, err) == ("success (no tool calls)\n", "")


def test_a_future_that_its_loop_has_forgotten() -> None:
    """Where a loop was closed before a task began, whoever waits for that is told."""
    with open_portal() as portal:
        host = portal_host(portal)
        assert wait(Future(), host, 0.001) is False
    with pytest.raises(UserError, match="portal was closed"):
        wait(Future(), host)


def test_ctrl_c_three_times_ends_the_program() -> None:
    """Impatience does not make it hang."""
    code = """
try:
    with model_request_stream_sync(model, MESSAGES) as stream:
        for event in stream:
            print(event.event_kind, flush=True)
finally:
    print("over", flush=True)
"""
    with serving(_endless) as server:
        child = _child(code, server.url)
        assert child.stdout is not None
        assert child.stdout.readline() == "part_start\n"
        for _ in range(3):
            child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=PATIENCE)
        assert "KeyboardInterrupt" in err
        assert child.returncode != 0
        assert server.all_left()


@pytest.mark.parametrize("handler", [_endless, _silent], ids=["open", "opening"])
def test_a_stream_that_is_dropped(handler: Handler) -> None:
    """A stream that nobody holds any more warns, and its connection is closed."""
    with serving(handler) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        held = [model_request_stream_sync(model, MESSAGES).__enter__()]
        if handler is _endless:
            next(held[0])
        else:
            assert server.asked.acquire(timeout=PATIENCE)
        with pytest.warns(ResourceWarning, match="never closed"):
            held.clear()
        assert server.all_left()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_open_portal_of_the_users_own(backend: str) -> None:
    """`open_portal` lasts as long as its block, and takes its connections along."""
    pytest.importorskip(backend)
    with serving(answering("a")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        with open_portal(backend) as portal:
            for _ in range(2):
                assert model_request_sync(model, MESSAGES, portal=portal).text == "a"
        assert server.all_left()
        assert server.connections == 1
        with pytest.raises(UserError, match="portal cannot be used"):
            model_request_sync(model, MESSAGES, portal=portal)


def test_a_stream_that_another_thread_leaves() -> None:
    """A reader that waits while the stream is left is told so, by an error of ours."""
    with serving(_endless) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        stream = model_request_stream_sync(model, MESSAGES)
        with stream, ThreadPoolExecutor(1) as pool:
            seen = threading.Event()

            def read() -> None:
                for event in stream:
                    if event.event_kind == "final_result":
                        seen.set()

            reading = pool.submit(read)
            assert seen.wait(PATIENCE)
            stream.close()
            with pytest.raises(UserError, match="closed"):
                reading.result(PATIENCE)
