"""The cache: what one request is, how often it is asked, and stores that fail."""

from __future__ import annotations

import os
import pickle
import sqlite3
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from direct_anyio import (
    CachedModel,
    FunctionModel,
    MemoryCache,
    ModelHTTPError,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ResponseCacheWarning,
    SQLiteCache,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserError,
    UserPromptPart,
    model_request,
    model_request_stream,
)

from .callers import streamed, unary

MESSAGES = [ModelRequest.user_text_prompt("Go on.")]


def _counting(*gates: anyio.Event) -> tuple[FunctionModel, list[int]]:
    """Return a model that answers with its number, each behind its gate, and what it was asked."""
    asked: list[int] = []

    async def answer(messages: Any, info: Any) -> ModelResponse:
        number = len(asked)
        asked.append(number)
        if number < len(gates):
            await gates[number].wait()
        return ModelResponse([TextPart(f"answer {number}")])

    async def stream(messages: Any, info: Any) -> AsyncIterator[str]:
        asked.append(len(asked))
        yield "streamed"

    return FunctionModel(answer, stream_function=stream), asked


def _returned(content: Any, at: int = 1, **more: Any) -> list[ModelMessage]:
    """Return a history with a tool's result, made at some time."""
    time = datetime(2026, 1, at, tzinfo=UTC)
    call = ToolCallPart("find", {"timestamp": at if more.get("args") else 0}, "id")
    return [
        ModelRequest([UserPromptPart("Find it.", timestamp=time)], run_id=f"run {at}"),
        ModelResponse([call], timestamp=time, metadata={"at": at}),
        ModelRequest([ToolReturnPart("find", content, "id", timestamp=time, metadata=at)]),
    ]


async def test_what_one_request_is() -> None:
    """Records' own times and ids are not compared; what tools are given and return is."""
    inner, asked = _counting()
    model = CachedModel(inner)
    for at in (1, 2):
        await model_request(model, _returned({"identifier": "ORDER-1"}, at))
    assert len(asked) == 1
    different = [
        _returned({"identifier": "ORDER-2"}),
        _returned({"timestamp": "noon", "run_id": 1, "metadata": 1}),
        _returned({"timestamp": "noon", "run_id": 2, "metadata": 1}),
        _returned({"timestamp": "noon", "run_id": 2, "metadata": 2}),
        _returned({"parts": [{"timestamp": 1}]}),
        _returned({"parts": [{"timestamp": 2}]}),
        _returned({"identifier": "ORDER-1"}, 1, args=True),
    ]
    for messages in different:
        await model_request(model, messages)
    assert len(asked) == 1 + len(different)
    none: Any = {"temperature": None, "on_retry": print, "max_retries": 7}
    await model_request(model, different[0], model_settings=none)
    assert len(asked) == 1 + len(different)


async def test_equal_requests_at_once_are_one() -> None:
    """Fifty wait for one; a stream waits too, and is replayed."""
    gate = anyio.Event()
    inner, asked = _counting(gate)
    model = CachedModel(inner)
    answers: list[ModelResponse] = []

    async def ask() -> None:
        answers.append(await model_request(model, MESSAGES))

    async def stream() -> None:
        async with model_request_stream(model, MESSAGES) as stream:
            answers.append(await stream.drain())

    async with anyio.create_task_group() as group:
        for _ in range(50):
            group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(stream)
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert len(asked) == 1
    assert {answer.text for answer in answers} == {"answer 0"}
    cached = [bool((answer.provider_details or {}).get("direct_anyio")) for answer in answers]
    assert Counter(cached) == {True: 50, False: 1}


async def test_streams_do_not_wait_for_streams() -> None:
    """A reader may open two equal streams within each other."""
    inner, asked = _counting()
    model = CachedModel(inner)
    async with (
        model_request_stream(model, MESSAGES) as one,
        model_request_stream(model, MESSAGES) as other,
    ):
        assert (await one.drain()).text == (await other.drain()).text == "streamed"
    assert len(asked) == 2


async def test_a_cancelled_leader_hands_over() -> None:
    """One of those that wait asks, and the others wait for that one."""
    gates = [anyio.Event(), anyio.Event()]
    inner, asked = _counting(*gates)
    model = CachedModel(inner)
    answers: list[str | None] = []

    async def ask(scope: anyio.CancelScope) -> None:
        with scope:
            answers.append((await model_request(model, MESSAGES)).text)

    scopes = [anyio.CancelScope() for _ in range(10)]
    async with anyio.create_task_group() as group:
        for scope in scopes:
            group.start_soon(ask, scope)
            await anyio.wait_all_tasks_blocked()
        assert asked == [0]
        scopes[0].cancel()
        await anyio.wait_all_tasks_blocked()
        assert asked == [0, 1]
        gates[1].set()
    assert answers == ["answer 1"] * 9


async def test_a_leader_that_fails_fails_alone() -> None:
    """The others ask for themselves, as they would have without the cache."""
    gate = anyio.Event()
    asked: list[int] = []

    async def answer(messages: Any, info: Any) -> ModelResponse:
        asked.append(1)
        await gate.wait()
        raise ModelHTTPError(500, "m")

    model = CachedModel(FunctionModel(answer))
    failed: list[Exception] = []

    async def ask() -> None:
        try:
            await model_request(model, MESSAGES)
        except ModelHTTPError as exc:
            failed.append(exc)

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        gate.set()
    assert len(asked) == len(set(map(id, failed))) == 5


async def test_what_is_not_wanted_is_not_kept() -> None:
    """`keep` is asked of each whole response, whole or streamed, async or not."""

    async def keep(response: ModelResponse) -> bool:
        return response.text == "answer 1"

    inner, asked = _counting()
    model = CachedModel(inner, keep=keep)
    texts = [(await model_request(model, MESSAGES)).text for _ in range(4)]
    assert texts == ["answer 0", "answer 1", "answer 1", "answer 1"]
    never = CachedModel(inner, keep=lambda response: False)
    for _ in range(2):
        async with model_request_stream(never, MESSAGES) as stream:
            await stream.drain()
    assert len(asked) == 4

    def fails(response: ModelResponse) -> bool:
        raise KeyError("city")

    unsure = CachedModel(inner, keep=fails)
    for _ in range(2):
        with pytest.warns(ResponseCacheWarning, match="`keep` failed.*city"):
            await model_request(unsure, MESSAGES)
    assert len(asked) == 6


CACHES: dict[str, Any] = {
    "memory": lambda path: MemoryCache(),
    "sqlite": lambda path: SQLiteCache(path / "responses.sqlite"),
}


@pytest.mark.parametrize("cache", CACHES)
async def test_a_response_can_be_forgotten(cache: str, tmp_path: Path) -> None:
    """The next equal request is asked, and others are kept."""
    inner, asked = _counting()
    model = CachedModel(inner, CACHES[cache](tmp_path))
    other = [ModelRequest.user_text_prompt("Another.")]
    for messages in (MESSAGES, other, MESSAGES):
        await model_request(model, messages)
    await model.forget(MESSAGES)
    await model.forget(MESSAGES)
    for messages in (MESSAGES, other):
        await model_request(model, messages)
    assert len(asked) == 3


class _Failing:
    """A store that fails."""

    async def get(self, key: str) -> ModelResponse | None:
        raise OSError("no such disk")

    async def set(self, key: str, response: ModelResponse) -> None:
        raise OSError("no room")

    async def forget(self, key: str) -> None:
        """Have nothing."""


async def test_a_store_that_fails_costs_no_answer() -> None:
    """It is told of by warnings, and the model is asked."""
    inner, _ = _counting()
    model = CachedModel(inner, _Failing())
    for way, text in ((unary, "answer 0"), (streamed, "streamed")):
        with pytest.warns(ResponseCacheWarning) as reported:
            assert (await way(model, MESSAGES)).text == text
        read, written = [str(each.message) for each in reported]
        assert "no such disk" in read
        assert "no room" in written


@pytest.mark.skipif(sys.platform == "win32", reason="permissions are those of POSIX")
async def test_the_database_is_its_owners(tmp_path: Path) -> None:
    """Nobody else can read it, nor the files beside it; it is in WAL mode."""
    path = tmp_path / "responses.sqlite"
    mask = os.umask(0)
    try:
        await SQLiteCache(path).set("key", ModelResponse([TextPart("a")]))
    finally:
        os.umask(mask)
    for file in os.scandir(tmp_path):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with closing(sqlite3.connect(path)) as database, database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def _foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE users (name TEXT)")


def _alike(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE responses (name TEXT)")


BROKEN: dict[str, Any] = {
    "text": lambda path: path.write_text("This is no database. " * 100),
    "foreign": _foreign,
    "alike": _alike,
}


@pytest.mark.parametrize("broken", BROKEN)
async def test_a_file_that_is_no_cache(broken: str, tmp_path: Path) -> None:
    """It is one clear error, before the model is asked, and nothing of it is changed."""
    path = tmp_path / "responses.sqlite"
    BROKEN[broken](path)
    before = path.read_bytes()
    inner, asked = _counting()
    with pytest.raises(UserError, match=r"responses\.sqlite is not a response cache"):
        await model_request(CachedModel(inner, SQLiteCache(path)), MESSAGES)
    assert asked == []
    assert path.read_bytes() == before


async def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """The model is asked all the same, and the warnings name the file."""
    inner, _ = _counting()
    model = CachedModel(inner, SQLiteCache(tmp_path / "missing" / "responses.sqlite"))
    with pytest.warns(ResponseCacheWarning, match=r"missing.*cannot be opened"):
        assert (await model_request(model, MESSAGES)).text == "answer 0"


async def test_a_kept_response_that_cannot_be_read(tmp_path: Path) -> None:
    """It is asked for again, and replaced."""
    path = tmp_path / "responses.sqlite"
    inner, asked = _counting()
    model = CachedModel(inner, SQLiteCache(path))
    await model_request(model, MESSAGES)
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE responses SET response = '[{'")
    with pytest.warns(ResponseCacheWarning, match="cannot be read"):
        await model_request(model, MESSAGES)
    await model_request(model, MESSAGES)
    assert len(asked) == 2


async def test_a_database_that_another_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that cannot be kept is returned, with a warning."""
    monkeypatch.setattr("direct_anyio.models.stores.BUSY_SECONDS", 0.0)
    path = tmp_path / "responses.sqlite"
    inner, _ = _counting()
    model = CachedModel(inner, SQLiteCache(path))
    await model_request(model, MESSAGES)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.warns(ResponseCacheWarning, match="could not be written.*locked"):
        response = await model_request(model, [ModelRequest.user_text_prompt("More.")])
    assert response.text == "answer 1"
    holder.close()


async def test_a_cache_is_sent_to_other_processes(tmp_path: Path) -> None:
    """It pickles by its path, and its connection can be closed and is opened again."""
    cache = SQLiteCache(tmp_path / "responses.sqlite")
    await cache.set("key", ModelResponse([TextPart("a")]))
    other = pickle.loads(pickle.dumps(cache))
    for each in (other, cache):
        each.close()
        each.close()
        found = await each.get("key")
        assert found is not None
        assert found.text == "a"


CROWD = """
import sys, warnings
import anyio
from direct_anyio import *

warnings.simplefilter("error")
path, backend, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
asked = 0

async def answer(messages, info):
    global asked
    asked += 1
    await anyio.sleep(0)
    return ModelResponse([TextPart("to " + messages[0].parts[0].content)])

limiter = RateLimiter(requests_per_minute=1_000_000)
inner = ConcurrencyLimitedModel(FunctionModel(answer), 50)
model = CachedModel(RateLimitedModel(inner, limiter), SQLiteCache(path))

async def ask(row):
    response = await model_request(model, [ModelRequest.user_text_prompt(f"row {row}")])
    assert response.text == f"to row {row}"

async def main():
    async with anyio.create_task_group() as group:
        for row in range(number):
            group.start_soon(ask, row)

anyio.run(main, backend=backend)
print(asked)
"""


def test_a_crowd_in_two_processes(tmp_path: Path) -> None:
    """Two processes ask the same rows at once: nothing is lost, and a second run asks nothing."""
    pytest.importorskip("trio")
    path = tmp_path / "responses.sqlite"

    def run() -> list[int]:
        children = [
            subprocess.Popen(
                [sys.executable, "-c", CROWD, str(path), backend, "300"],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for backend in ("asyncio", "trio")
        ]
        reported = [child.communicate(timeout=60) for child in children]
        assert [err for _, err in reported] == ["", ""]
        return [int(out) for out, _ in reported]

    first = run()
    assert 300 <= sum(first) <= 600
    assert run() == [0, 0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_has_its_own_connection(tmp_path: Path) -> None:
    """What the parent has open is left alone, and both go on."""
    cache = SQLiteCache(tmp_path / "responses.sqlite")

    async def set_and_get(key: str) -> bool:
        await cache.set(key, ModelResponse([TextPart(key)]))
        return all([await cache.get(each) is not None for each in ("parent", key)])

    assert anyio.run(set_and_get, "parent")
    child = os.fork()
    if not child:
        os._exit(0 if anyio.run(set_and_get, "child") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert anyio.run(set_and_get, "again")
    assert anyio.run(cache.get, "child") is not None
