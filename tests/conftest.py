"""Every async test runs on asyncio and, where it is installed, on trio; a warning is an error."""

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

BACKENDS = [name for name in ("asyncio", "trio") if find_spec(name)]


@pytest.fixture(params=[pytest.param((name, {}), id=name) for name in BACKENDS])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="session", autouse=True)
def http_library() -> None:
    """Let our own clients be httpx2's where the environment asks for it."""
    if os.environ.get("DIRECT_ANYIO_TEST_HTTPX2"):
        from direct_anyio._io import transport

        transport.new_client.__defaults__ = (import_module("httpx2"),)
