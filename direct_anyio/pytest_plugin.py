"""The pytest plugin: fixtures for the tests of programs that ask models.

pytest loads it wherever the package is installed, so it imports nothing but pytest until
one of its fixtures is used, or requests are forbidden by `direct_anyio_allow_requests`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from ._io.run import HTTPClient
    from .testing import ScriptedModel

__all__ = (
    "ModelTraffic",
    "model_traffic",
    "no_model_requests",
    "pytest_addoption",
    "pytest_configure",
    "scripted_model",
)

_RECORD = "--record-model-traffic"
_ALLOW = "direct_anyio_allow_requests"
_FLAG = "direct_anyio.models.ALLOW_MODEL_REQUESTS"


class ModelTraffic(NamedTuple):
    """What the fixture `model_traffic` gives.

    Attributes:
        client: What to pass as `http_client=`; any event loop may use it.
        path: The file of the cassette.
        is_recorded: Whether this run asks real models and writes the cassette.
    """

    client: HTTPClient
    path: Path
    is_recorded: bool


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the command line option and the setting."""
    parser.getgroup("direct_anyio").addoption(
        _RECORD,
        action="store_true",
        help="ask real models in tests with `model_traffic`, and write their cassettes anew",
    )
    parser.addini(
        _ALLOW,
        type="bool",
        default=True,
        help="whether tests may send real requests to models (true)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Forbid real requests in all tests, where the setting says so."""
    if not config.getini(_ALLOW):
        patch = pytest.MonkeyPatch()
        config.add_cleanup(patch.undo)
        patch.setattr(_FLAG, False)


@pytest.fixture
def no_model_requests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forbid real requests in this test; replayed traffic is none, recorded traffic may be."""
    if not (_is_recording(request) and "model_traffic" in request.fixturenames):
        monkeypatch.setattr(_FLAG, False)


@pytest.fixture
def scripted_model() -> type[ScriptedModel]:
    """Makes models that answer by script: `scripted_model('Hello', gate, ' world')`."""
    from .testing import ScriptedModel

    return ScriptedModel


@pytest.fixture
def model_traffic(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ModelTraffic]:
    """Replays this test's traffic from its cassette, or records it with the option."""
    # Beside the test's file, named after the test.
    _, _, inside = request.node.nodeid.partition("::")
    name = re.sub(r"[^\w.\-\[\]]+", ".", inside)
    path: Path = request.path.parent / "cassettes" / request.path.stem / f"{name}.json"
    if _is_recording(request):
        from .testing import Recorder

        monkeypatch.setattr(_FLAG, True)
        recorder = Recorder()
        yield ModelTraffic(recorder, path, is_recorded=True)
        cassette = recorder.cassette
        # A test that failed before it asked anything leaves the cassette that there was.
        if cassette.exchanges:
            cassette.save(path)
    elif path.exists():
        from .testing import Replayer

        yield ModelTraffic(Replayer(path), path, is_recorded=False)
    else:
        pytest.fail(
            f"There is no cassette {path}. Run this test once with {_RECORD}, where the models "
            "can be reached and their keys are set.",
            pytrace=False,
        )


def _is_recording(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption(_RECORD))
