"""Every async test runs on asyncio and, where it is installed, on trio; a warning is an error.

No test leaves anything behind: a socket, a thread, or what the garbage collector would
have to close. What belongs to the process, its portal and the portal's connections, stays.
"""

import gc
import os
import threading
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import hypothesis
import pytest

if os.environ.get("CI"):
    # A build is about its change: the search for new examples goes on at people's desks.
    hypothesis.settings.register_profile("ci", derandomize=True)
    hypothesis.settings.load_profile("ci")

BACKENDS = [name for name in ("asyncio", "trio") if find_spec(name)]
PATIENCE = 20.0
"""Seconds that a thread has to end after its test."""

OF_THE_PROCESS = ("direct_anyio", "AnyIO worker", "Trio thread", "ThreadPoolExecutor", "asyncio_")
"""Begin the names of threads that outlive a test by right: the portal, and idle workers."""


@pytest.fixture(params=[pytest.param((name, {}), id=name) for name in BACKENDS])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="session", autouse=True)
def http_library() -> None:
    """Let our own clients be httpx2's where the environment asks for it."""
    if os.environ.get("DIRECT_ANYIO_TEST_HTTPX2"):
        from direct_anyio._io import transport

        transport.new_client.__defaults__ = (import_module("httpx2"),)


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry at once, and from a full budget: full jitter may be nothing at all."""
    from direct_anyio._io import retry

    monkeypatch.setattr("random.uniform", lambda least, most: 0.0)
    monkeypatch.setattr(retry, "_budgets", {})


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Fail a test that leaves a socket or a thread; garbage warns, and so fails, by itself."""
    sockets, threads = _sockets(), set(threading.enumerate())
    yield
    # What a test made is young, and a collection of the young is cheap.
    gc.collect(1)
    for thread in set(threading.enumerate()) - threads:
        if not thread.name.startswith(OF_THE_PROCESS):
            thread.join(PATIENCE)
            assert not thread.is_alive(), thread
    if _sockets() != sockets:
        gc.collect()
        left = _sockets() - sockets - _of_the_portal()
        assert not left, f"{len(left)} sockets are left open"


def _sockets() -> set[str]:
    """Return the open sockets of this process; none where there is no such list."""
    found = set()
    try:
        with os.scandir("/proc/self/fd") as entries:
            for entry in entries:
                try:
                    found.add(os.readlink(entry.path))
                except OSError:
                    continue
    except OSError:
        return set()
    return {name for name in found if name.startswith("socket:")}


def _of_the_portal() -> set[str]:
    """Return the sockets of the process's portal: its loop's own, and its kept connections."""
    from direct_anyio import _blocking
    from direct_anyio._io import run

    if _blocking._place() not in _blocking._portals:
        return set()

    async def sockets() -> list[Any]:
        import asyncio

        loop: Any = asyncio.get_running_loop()
        of_run: Any = (run._clients_of_run.get(None) or {}).values()
        clients = [free.client for clients in of_run for free in clients._free]
        kept = [kept for client in clients for kept in client._transport._pool.connections]
        streams = [each._connection._network_stream for each in kept]
        return [loop._ssock, loop._csock, *(s.get_extra_info("socket") for s in streams)]

    found = _blocking.call(_blocking._process_portal(), sockets)
    return {os.readlink(f"/proc/self/fd/{each.fileno()}") for each in found if each.fileno() >= 0}
