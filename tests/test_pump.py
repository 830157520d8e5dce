"""What crosses from a pump to its reader, and what must not be lost on the way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import anyio
import pytest
import trio

from direct_anyio import ModelRequest, model_request_stream, model_request_stream_sync
from direct_anyio._io.pump import BUFFER, Pipe
from direct_anyio._io.retry import retry_reason
from direct_anyio._io.tasks import HostedTaskGroup, open_task_group
from direct_anyio.exceptions import ModelConnectionError, UserError
from direct_anyio.messages import ModelMessage
from direct_anyio.models import infer_model
from direct_anyio.models.fallback import FallbackModel
from direct_anyio.models.function import AgentInfo, FunctionModel

ASKED = [ModelRequest.user_text_prompt("Hello")]


def test_a_native_cancellation_loses_nothing() -> None:
    """An item that came as asyncio cancelled its reader is there for the next call."""

    async def main() -> list[bytes]:
        pipe: Pipe[bytes] = Pipe(len, 10)
        reader = asyncio.create_task(pipe.receive())
        await anyio.wait_all_tasks_blocked()
        await pipe.send(b"one")
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await pipe.send(b"two")
        received = await pipe.receive()
        pipe.finish()
        pipe.leave()
        return received

    assert asyncio.run(main()) == [b"one", b"two"]


async def test_a_full_pipe_waits_for_its_reader() -> None:
    """A send waits while the pipe is full, and breaks when the reader leaves."""
    pipe: Pipe[bytes] = Pipe(len, 2)
    sent: list[bytes] = []

    async def pump() -> None:
        with pytest.raises(anyio.BrokenResourceError):
            for _ in range(20):
                await pipe.send(b"ab")
                sent.append(b"ab")
        pipe.finish()

    async with anyio.create_task_group() as group:
        group.start_soon(pump)
        await anyio.wait_all_tasks_blocked()
        assert len(sent) == BUFFER
        assert await pipe.receive() == [b"ab"] * (BUFFER + 1)
        await anyio.wait_all_tasks_blocked()
        assert len(sent) == 2 * BUFFER + 1
        pipe.leave()
    with pytest.raises(anyio.ClosedResourceError):
        await pipe.receive()


async def test_a_failure_keeps_its_cause() -> None:
    """What a pump failed of reaches the reader with the error that it came from."""
    pipe: Pipe[bytes] = Pipe(len, 10)
    failure = ModelConnectionError("m", "broken")
    failure.__cause__ = OSError("reset")
    pipe.finish(failure)
    with pytest.raises(ModelConnectionError) as caught:
        await pipe.receive()
    assert isinstance(caught.value.__cause__, OSError)
    pipe.leave()


async def test_a_stream_function_is_closed_with_its_stream() -> None:
    """A stream that is left early has closed its function's generator by then."""
    closed: list[bool] = []

    async def words(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        try:
            while True:
                yield "word "
        finally:
            closed.append(True)

    async with model_request_stream(FunctionModel(stream_function=words), ASKED) as stream:
        await anext(stream)
        await anyio.wait_all_tasks_blocked()
        assert not closed
    assert closed


async def test_fallback_from_a_model_that_does_not_stream() -> None:
    """A model that refuses to stream as it is asked is one to fall back from."""

    class Silent(FunctionModel):
        def request_stream(self, *args: object) -> object:  # type: ignore[override]
            raise UserError("does not stream")

    async def words(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        yield "word"

    second = FunctionModel(stream_function=words)
    model = FallbackModel(Silent(stream_function=words), second, fallback_on=UserError)
    async with model_request_stream(model, ASKED) as stream:
        response = await stream.drain()
    assert response.text == "word"


def test_a_thread_that_waits_for_the_opening_learns_of_the_leaving() -> None:
    """A stream that is left while it opens raises our error in the thread that waits."""
    asked = threading.Event()

    async def never(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        asked.set()
        await anyio.sleep_forever()
        yield ""

    failures: list[BaseException] = []
    stream = model_request_stream_sync(FunctionModel(stream_function=never), ASKED)

    def read() -> None:
        try:
            next(iter(stream))
        except BaseException as exc:
            failures.append(exc)

    with stream:
        assert asked.wait(10)
        reader = threading.Thread(target=read)
        reader.start()
        stream.close()
        reader.join(10)
    assert [type(failure) for failure in failures] == [UserError]


def test_an_interrupt_in_a_task_wins_over_the_body() -> None:
    """A SystemExit of a task is not lost where the body failed as well."""

    async def leave() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            raise SystemExit(3)

    async def main() -> None:
        async with open_task_group() as group:
            group.start_soon(leave)
            await anyio.wait_all_tasks_blocked()
            raise ValueError

    with pytest.raises(SystemExit):
        trio.run(main)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_interrupt_in_a_task_apart_is_raised(backend: str) -> None:
    """A SystemExit of a task that a block holds apart ends the program as any other does."""

    async def leave() -> None:
        raise SystemExit(3)

    async def main() -> None:
        async with HostedTaskGroup() as group:
            group.start_soon(leave)
            await anyio.wait_all_tasks_blocked()

    with pytest.raises(SystemExit):
        anyio.run(main, backend=backend)


def test_a_host_called_tls_is_tried_again() -> None:
    """Whether a connection is hopeless is told by its error, not by the host's name."""
    error = ModelConnectionError("m", "Could not connect to https://tls.example: refused")
    error.phase = "connect"
    assert retry_reason(error, ambiguous=False) == "transient"


@pytest.mark.parametrize("value", ["sk-secret ", " sk-secret", "sk\x0bsecret"])
async def test_a_header_that_cannot_be_sent_is_not_shown(value: str) -> None:
    """The error for a header with blanks around its value does not hold the value."""
    model = infer_model("openai:m", api_key="key", base_url="http://127.0.0.1:1/v1")
    settings = {"extra_headers": {"authorization": value}}
    with pytest.raises(UserError, match="'authorization'") as caught:
        async with model_request_stream(model, ASKED, model_settings=settings):  # type: ignore[arg-type]
            pass
    assert "secret" not in str(caught.value)
