"""Every async test runs on asyncio and, where it is installed, on trio; a warning is an error."""

from importlib.util import find_spec
from typing import Any

import pytest

BACKENDS = [name for name in ("asyncio", "trio") if find_spec(name)]


@pytest.fixture(params=[pytest.param((name, {}), id=name) for name in BACKENDS])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param
