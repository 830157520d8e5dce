"""One client for each run of an event loop: shared inside it, gone with it."""

from __future__ import annotations

import asyncio
import gc
import inspect
import pickle
import socket
import subprocess
import sys
import weakref
from contextlib import AsyncExitStack
from typing import Any, cast

import anyio
import httpx
import pytest
from anyio import CapacityLimiter
from anyio.lowlevel import checkpoint

from direct_anyio import (
    ModelAPIError,
    ModelRequest,
    UserError,
    infer_model,
    model_request,
    model_request_stream,
    model_request_sync,
)
from direct_anyio._io.run import IDLE_SECONDS, MAX_CONNECTIONS, Clients
from direct_anyio.models.http import HTTPModel
from direct_anyio.models.wrapper import WrapperModel

from .serving import (
    PATIENCE,
    Connection,
    Handler,
    answering,
    delta,
    frame,
    reply,
    serving,
    streamed,
)

MESSAGES = [ModelRequest.user_text_prompt("Go on.")]
BACKENDS = ["asyncio", "trio"]


@pytest.fixture(params=BACKENDS)
def run(request: pytest.FixtureRequest) -> Any:
    """Runs an async function in an event loop of its own."""
    pytest.importorskip(request.param)
    return lambda function: anyio.run(function, backend=request.param)


def test_a_run_has_one_connection_and_takes_it_along(run: Any) -> None:
    """Two requests of a run share a connection; none outlives its run."""
    with serving(answering("a")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)

        async def twice() -> None:
            for _ in range(2):
                assert (await model_request(model, MESSAGES)).text == "a"

        for number in range(1, 4):
            run(twice)
            assert server.connections == number
            assert server.left.acquire(timeout=PATIENCE)


def test_a_block_is_a_lifetime(run: Any) -> None:
    """`async with model:` has a client of its own, closed with the outermost block."""
    with serving(answering("a")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)

        async def ask() -> None:
            async with model:
                async with WrapperModel(model) as wrapper:
                    assert (await model_request(wrapper, MESSAGES)).text == "a"
                assert (await model_request(model, MESSAGES)).text == "a"
            assert server.left.acquire(timeout=PATIENCE)
            assert server.connections == 1
            await model_request(model, MESSAGES)
            assert server.connections == 2

        run(ask)


class Closable:
    """An HTTP client that takes a while to close."""

    is_closed = False

    async def aclose(self) -> None:
        await checkpoint()
        self.is_closed = True


def _clients() -> tuple[Clients, list[Any]]:
    """Return clients, and the list of those that they have made."""
    made: list[Any] = []

    def make() -> Any:
        made.append(Closable())
        return made[-1]

    return Clients(anyio.CapacityLimiter(100), make), made


async def test_a_client_has_one_request() -> None:
    """Each request has a client, the one that was used last; in the end all are closed."""
    clients, made = _clients()
    async with AsyncExitStack() as stack:
        lent = [await stack.enter_async_context(clients.acquire()) for _ in range(20)]
    assert len(set(map(id, lent))) == 20
    async with clients.acquire() as client:
        assert client is lent[0]
    with anyio.CancelScope() as scope:
        scope.cancel()
        await clients.aclose()
    assert all(client.is_closed for client in made)


async def test_an_idle_client_is_closed_by_a_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds after its last request a client is closed, without another request."""
    now = 0.0
    timers: list[tuple[float, Any]] = []
    monkeypatch.setattr("direct_anyio._io.run.current_time", lambda: now)
    monkeypatch.setattr("direct_anyio._io.run.start_later", lambda *timer: timers.append(timer))
    clients, made = _clients()
    async with clients.acquire():
        now = 2.0
        async with clients.acquire():
            pass
        now = 3.0
    assert [seconds for seconds, _ in timers] == [IDLE_SECONDS]
    now = 2.0 + IDLE_SECONDS
    await timers.pop()[1]()
    assert [client.is_closed for client in made] == [False, True]
    assert [seconds for seconds, _ in timers] == [1.0]
    now = 3.0 + IDLE_SECONDS
    await timers.pop()[1]()
    assert [client.is_closed for client in made] == [True, True]
    assert not timers
    async with clients.acquire() as client:
        assert client is made[2]
    await clients.aclose()


def test_idle_connections_close_by_themselves(run: Any) -> None:
    """A timer closes them, and nothing refers to them any more."""
    ended: list[Any] = []

    async def ask() -> None:
        with serving(answering("a")) as server:
            model = infer_model("openai:x", api_key="k", base_url=server.url)
            await model_request(model, MESSAGES)
            assert isinstance(model, HTTPModel)
            clients = await model.clients()
            ended.append(weakref.ref(clients))
            (free,) = clients._free
            free.since -= IDLE_SECONDS
            await clients._close_idle()
            assert server.all_left()

    run(ask)
    gc.collect()
    assert ended[0]() is None


def test_models_of_a_run_share_its_client(run: Any) -> None:
    """Two models of one provider use one connection pool."""
    with serving(answering("a")) as server:

        async def ask() -> None:
            for name in ("x", "y"):
                model = infer_model(f"openai:{name}", api_key="k", base_url=server.url)
                await model_request(model, MESSAGES)

        run(ask)
        assert server.connections == 1


def test_alternating_runs_and_blocking_calls() -> None:
    """asyncio, trio and blocking calls by turns never meet each other's connections."""
    pytest.importorskip("trio")
    with serving(answering("a")) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)

        async def ask() -> str | None:
            return (await model_request(model, MESSAGES)).text

        for _ in range(3):
            assert asyncio.run(ask()) == "a"
            assert model_request_sync(model, MESSAGES).text == "a"
            assert anyio.run(ask, backend="trio") == "a"
        assert server.connections == 7


SCRIPTS = {
    "asyncio.run": "asyncio.run(ask())",
    "trio.run": "trio.run(ask)",
    "uvloop": "import uvloop; uvloop.run(ask())",
    "a task that has not begun": "asyncio.run(begin()); print('a')",
    "all tasks cancelled": "asyncio.run(cancel()); print('a')",
    "bare loop": (
        "loop = asyncio.new_event_loop(); loop.run_until_complete(ask());"
        "loop.run_until_complete(loop.shutdown_asyncgens()); loop.close()"
    ),
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_run_ends_in_silence(script: str) -> None:
    """No loop leaves a warning behind, with all of them on and as errors."""
    library = script.partition(".")[0]
    if library in ("trio", "uvloop"):
        pytest.importorskip(library)
    code = f"""
import sys, asyncio, logging
if {library == "trio"}: import trio
from direct_anyio import ModelRequest, infer_model, model_request, model_request_stream

# Outside of the loop, which would complain of the time that the import takes.
model = infer_model("openai:x", api_key="k", base_url=sys.argv[1])
# A slow machine is no fault of ours.
logging.getLogger("asyncio").setLevel(logging.ERROR)

async def ask():
    print((await model_request(model, [ModelRequest.user_text_prompt("Go.")])).text)

async def read():
    async with model_request_stream("test", [ModelRequest.user_text_prompt("Go.")]):
        pass

async def begin():
    begin.held = asyncio.create_task(read())

async def cancel():
    reading = asyncio.create_task(read())
    while len(asyncio.all_tasks()) < 3:
        await asyncio.sleep(0)
    for task in asyncio.all_tasks() - {{asyncio.current_task()}}:
        task.cancel()
    await asyncio.wait([reading])

{SCRIPTS[script]}
"""
    with serving(answering("a")) as server:
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", code, server.url],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (done.stdout, done.stderr) == ("a\n", "")
        assert server.all_left()


def test_a_users_client_stays_in_its_loop() -> None:
    """A client of the user's is used as it is, and refused in another loop."""
    with serving(answering("a")) as server:
        client = httpx.AsyncClient(headers={"x-theirs": "1"})
        model = infer_model("openai:x", api_key="k", base_url=server.url, http_client=client)

        async def ask() -> None:
            await model_request(model, MESSAGES)

        async def close() -> None:
            await client.aclose()

        async def first() -> None:
            await ask()

        with asyncio.Runner() as runner:
            runner.run(first())
            with asyncio.Runner() as other, pytest.raises(UserError, match="another event loop"):
                other.run(ask())
            runner.run(close())
            with pytest.raises(UserError, match="closed"):
                runner.run(ask())
    assert server.received[0].headers["x-theirs"] == "1"


async def test_leftover_bytes_are_no_answer_to_the_next_request() -> None:
    """A connection with bytes behind the end of a response is not used again."""

    def overfull(connection: Connection) -> None:
        if connection.number == 1:
            body = b"".join(streamed("mine"))
            head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: "
            evil = b"".join(streamed("EVIL"))
            whole = head + b"%d\r\n\r\n" % len(body) + body
            connection.send(whole + head + b"%d\r\n\r\n" % len(evil) + evil)
        else:
            answering("yours")(connection)

    from .callers import CALLERS

    with serving(overfull) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        assert (await CALLERS["streamed"](model, MESSAGES)).text == "mine"
        assert (await CALLERS["streamed"](model, MESSAGES)).text == "yours"
        assert server.connections == 2


async def test_a_dead_kept_connection_is_replaced_in_silence() -> None:
    """A connection that the server closed after its answer costs the next request nothing."""

    def once(connection: Connection) -> None:
        answering("a")(connection)
        connection.socket.close()

    with serving(once) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url)
        for _ in range(3):
            assert (await model_request(model, MESSAGES)).text == "a"
            assert await anyio.to_thread.run_sync(server.left.acquire, True, PATIENCE)
        assert len(server.received) == 3


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_request_while_another_imports(backend: str) -> None:
    """The first requests of a process may come while the first of all loads what it needs."""
    pytest.importorskip(backend)
    code = f"""
import sys
import anyio
from anyio.lowlevel import checkpoint
from direct_anyio import ModelRequest, infer_model, model_request

async def ask():
    model = infer_model("openai:x", api_key="k", base_url=sys.argv[1])
    print((await model_request(model, [ModelRequest.user_text_prompt("Go.")])).text)

async def main():
    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        while "direct_anyio._io.transport" not in sys.modules:
            await checkpoint()
        await ask()

anyio.run(main, backend={backend!r})
"""
    with serving(answering("a")) as server:
        done = subprocess.run(
            [sys.executable, "-c", code, server.url],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (done.stdout, done.stderr) == ("a\na\n", "")


async def test_in_line_as_the_block_of_a_model_is_left() -> None:
    """A request that waits for a place gets none of what is closed, and is told so."""

    def endless(connection: Connection) -> None:
        connection.stream(delta(content="one "), end=False)
        connection.closed_by_peer()

    with serving(endless) as server:
        model = infer_model("openai:x", api_key="k", base_url=server.url, max_connections=1)
        assert isinstance(model, HTTPModel)

        async def ask() -> None:
            with pytest.raises(UserError, match="was left before the request was sent"):
                await model_request(model, MESSAGES)

        block = AsyncExitStack()
        await block.enter_async_context(model)
        limiter = (await model.clients()).limiter
        async with anyio.create_task_group() as group, model_request_stream(model, MESSAGES):
            group.start_soon(ask)
            while not limiter.statistics().tasks_waiting:
                await checkpoint()
            await block.aclose()
        assert limiter.borrowed_tokens == 0


@pytest.mark.parametrize("stalls", [False, True], ids=["fails", "stalls"])
async def test_a_client_that_does_not_close(stalls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong in closing one client is no other's business, and no request's."""
    monkeypatch.setattr("direct_anyio._io.run.CLOSE_SECONDS", 0.01)
    closed: list[Any] = []

    class Broken:
        async def aclose(self) -> None:
            closed.append(self)
            if stalls:
                await anyio.sleep_forever()
            raise OSError("It does not close.")

    clients = Clients(CapacityLimiter(3), cast(Any, Broken))
    async with AsyncExitStack() as stack:
        lent = {await stack.enter_async_context(clients.acquire()) for _ in range(3)}
    with anyio.fail_after(PATIENCE):
        await clients.aclose()
    assert lent == set(closed)


def test_the_default_of_max_connections() -> None:
    """`infer_model` says it in its signature, where nothing of HTTP is imported yet."""
    default = inspect.signature(infer_model).parameters["max_connections"].default
    assert default == MAX_CONNECTIONS


async def test_a_bug_of_a_transport_keeps_its_cause() -> None:
    """An error that is none of the HTTP library's leaves as it is, cause and all."""
    mine = ValueError("a bug")

    class Buggy(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise mine from KeyError("its cause")

    async with httpx.AsyncClient(transport=Buggy()) as client:
        model = infer_model("openai:x", api_key="k", base_url="http://test/v1", http_client=client)
        with pytest.raises(ValueError, match="a bug") as caught:
            await model_request(model, MESSAGES)
    assert caught.value is mine
    assert isinstance(mine.__cause__, KeyError)


async def test_the_system_looks_after_a_silent_connection() -> None:
    """A connection is probed while nothing is said, so that no router forgets it."""
    with serving(answering("a")) as server:
        async with infer_model("openai:x", api_key="k", base_url=server.url) as model:
            assert isinstance(model, HTTPModel)
            await model_request(model, MESSAGES)
            clients: Any = await model.clients()
            (kept,) = clients._free[0].client._transport._pool.connections
            connected = kept._connection._network_stream.get_extra_info("socket")
            assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            if hasattr(socket, "TCP_KEEPIDLE"):
                assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60


KEY, TOKEN = "sk-very-secret-key", "another-very-secret-one"
SAID = f"Not a key of ours: {KEY}, nor is {TOKEN}."

ECHOES: dict[str, Handler] = {
    "an error": reply({"error": {"message": SAID}}, "401 Unauthorized"),
    "an error of text": reply(SAID.encode(), "500 No", kind="text/plain"),
    "an error that is cut": reply(("x" * 476 + SAID).encode(), "500 No", kind="text/plain"),
    "an error in an answer": reply({"error": {"message": SAID}}),
    "an error in a stream": lambda connection: connection.stream(
        delta(content="a"), frame({"error": {"message": SAID}})
    ),
    "a page": reply(SAID.encode(), kind="text/html"),
    "nonsense": lambda connection: connection.stream(
        delta(content="a"), f"data: {SAID}\n\n".encode()
    ),
}


@pytest.mark.parametrize("case", ECHOES)
async def test_a_key_never_shows(case: str) -> None:
    """Neither a key nor a token among the user's headers is in an error that echoes it."""
    with serving(ECHOES[case]) as server:
        model = infer_model("openai:x", api_key=f" {KEY}\n", base_url=server.url)
        settings: Any = {"max_retries": 0, "extra_headers": {"x-their-token": TOKEN}}
        with pytest.raises(ModelAPIError) as caught:
            async with model_request_stream(model, MESSAGES, model_settings=settings) as stream:
                await stream.drain()
    assert server.received[0].headers["authorization"] == f"Bearer {KEY}"
    error = caught.value
    printed = f"{error!r} {error} {vars(error)!r} {pickle.dumps(error)!r}"
    shown = f"{model!r} {vars(model)!r} {printed}"
    assert KEY[:12] not in shown
    assert TOKEN[:12] not in shown
    assert "***" in printed


def test_a_key_that_cannot_be_sent_is_refused() -> None:
    """A control character in a key is named by its place, and the key is not shown."""
    with pytest.raises(UserError, match="position 2") as caught:
        infer_model("openai:x", api_key="sk\nsecret")
    assert "secret" not in str(caught.value)
