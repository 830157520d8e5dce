"""The pytest plugin, in runs of pytest of its own over a small file of tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .serving import PATIENCE, answering, serving

CANARY = "sk-canary-0123456789"

Run = subprocess.CompletedProcess[str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that pytest takes for a project's."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    return tmp_path


def run(folder: Path, code: str, *options: str, anyio: bool = True, **variables: str) -> Run:
    """Run pytest over `code` with no plugins but this one and, by default, anyio's."""
    (folder / "test_asking.py").write_text(code)
    plugins = ["-p", "direct_anyio.pytest_plugin", *(["-p", "anyio"] if anyio else [])]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugins, *options],
        cwd=folder,
        env=plain | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OPENAI_API_KEY": CANARY} | variables,
        capture_output=True,
        text=True,
        timeout=6 * PATIENCE,
        check=False,
    )


def passed(done: Run, number: int) -> bool:
    """Return whether `number` tests passed and nothing else happened."""
    last = done.stdout.strip().splitlines()[-1]
    return done.returncode == 0 and last.startswith(f"{number} passed in ")


def test_loading_the_plugin_loads_nothing_else(folder: Path) -> None:
    """A run of pytest that uses no fixture of the plugin pays for a file and no library."""
    code = """
import sys

def test_loaded():
    tops = {name.partition(".")[0] for name in sys.modules}
    assert not tops & {"anyio", "attr", "attrs", "cattrs", "httpx", "httpcore", "trio"}
    ours = {name for name in sys.modules if name.startswith("direct_anyio.")}
    assert ours == {"direct_anyio.pytest_plugin"}
"""
    done = run(folder, code, anyio=False)
    assert passed(done, 1), done.stdout


def test_the_plugin_is_an_entry_point(folder: Path) -> None:
    """Where the package is installed, pytest finds the plugin itself."""
    code = "from importlib.metadata import entry_points as e\nprint(*e(group='pytest11'))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "direct_anyio.pytest_plugin" in found.stdout


def test_the_fixtures_are_documented(folder: Path) -> None:
    """`pytest --fixtures` and `--help` say what there is."""
    fixtures = run(folder, "", "--fixtures").stdout
    for name in ("no_model_requests", "scripted_model", "model_traffic"):
        assert name in fixtures
    printed = run(folder, "", "--help").stdout
    assert "--record-model-traffic" in printed
    assert "direct_anyio_allow_requests" in printed


FORBIDDEN = """
import pytest
from direct_anyio import ModelRequest, infer_model, model_request_sync, models

MESSAGES = [ModelRequest.user_text_prompt("Hello")]

def test_forbidden({fixture}):
    with pytest.raises(RuntimeError, match="not allowed"):
        model_request_sync(infer_model("openai:x"), MESSAGES)
    assert model_request_sync("test", MESSAGES).text == "success (no tool calls)"

def test_elsewhere():
    assert models.ALLOW_MODEL_REQUESTS is {allowed}
"""


def test_requests_are_forbidden_in_a_test(folder: Path) -> None:
    """With the fixture a real request is refused, a test double answers, and so it ends."""
    done = run(folder, FORBIDDEN.format(fixture="no_model_requests", allowed=True))
    assert passed(done, 2), done.stdout


def test_requests_are_forbidden_everywhere(folder: Path) -> None:
    """With the setting a real request is refused in all tests."""
    code = FORBIDDEN.format(fixture="", allowed=False)
    done = run(folder, code, "-o", "direct_anyio_allow_requests=false")
    assert passed(done, 2), done.stdout


def test_a_run_inside_another_gives_the_setting_back(folder: Path) -> None:
    """What the setting forbids is allowed again once its run of pytest is over."""
    (folder / "test_inner.py").write_text("def test_nothing(): pass")
    code = """
import pytest, sys
from direct_anyio import models
options = ["-p", "direct_anyio.pytest_plugin", "-o", "direct_anyio_allow_requests=false"]
assert pytest.main(["-q", "-p", "no:cacheprovider", *options, sys.argv[1]]) == 0
assert models.ALLOW_MODEL_REQUESTS is True
"""
    inner = [sys.executable, "-c", code, str(folder / "test_inner.py")]
    quiet = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    subprocess.run(inner, check=True, env=quiet, cwd=folder, capture_output=True)


SCRIPTED = """
import pytest
from direct_anyio import ModelRequest, model_request_stream, model_request_stream_sync
from direct_anyio.testing import Gate

MESSAGES = [ModelRequest.user_text_prompt("Hello")]

@pytest.mark.anyio
async def test_async(scripted_model, anyio_backend):
    gate = Gate()
    model = scripted_model("a", gate, "b")
    async with model_request_stream(model, MESSAGES) as stream:
        await gate.reached()
        gate.open()
        assert [event async for event in stream]
    assert stream.response.text == "ab"
    assert len(model.requests) == 1

def test_blocking(scripted_model):
    with model_request_stream_sync(scripted_model("a", "b"), MESSAGES) as stream:
        assert list(stream)
    assert stream.response.text == "ab"
"""


def test_models_by_script(folder: Path) -> None:
    """The fixture makes scripted models, for async tests on both backends and blocking ones."""
    pytest.importorskip("trio")
    done = run(folder, SCRIPTED)
    assert passed(done, 3), done.stdout


TRAFFIC = """
import os
import pytest
from direct_anyio import ModelRequest, infer_model, model_request, model_request_sync

MESSAGES = [ModelRequest.user_text_prompt("Hello")]

def model_of(traffic):
    return infer_model("openai:x", base_url=os.environ["URL"], http_client=traffic.client)

@pytest.mark.anyio
async def test_async(model_traffic):
    assert (await model_request(model_of(model_traffic), MESSAGES)).text == "Hello."

class TestBlocking:
    @pytest.mark.parametrize("word", ["a/b"])
    def test_it(self, model_traffic, no_model_requests, word):
        assert model_traffic.is_recorded is ("RECORDS" in os.environ)
        assert model_request_sync(model_of(model_traffic), MESSAGES).text == "Hello."
"""

FILES = ["TestBlocking.test_it[a.b].json", "test_async[asyncio].json", "test_async[trio].json"]


def test_traffic_is_recorded_once_and_replayed(folder: Path) -> None:
    """A recording run writes a cassette for each test; the next runs need no server and no key."""
    pytest.importorskip("trio")
    strict = ("-o", "direct_anyio_allow_requests=false")
    with serving(answering("Hello.")) as server:
        url = server.url
        done = run(folder, TRAFFIC, "--record-model-traffic", *strict, URL=url, RECORDS="1")
        assert passed(done, 3), done.stdout
        assert len(server.received) == 3
        assert server.received[0].headers["authorization"] == f"Bearer {CANARY}"
    written = sorted((folder / "cassettes" / "test_asking").iterdir())
    assert [path.name for path in written] == FILES
    for path in written:
        assert CANARY not in path.read_text()
        (exchange,) = json.loads(path.read_text())["exchanges"]
        assert exchange["request"]["url"] == f"{url}/chat/completions"
    again = run(folder, TRAFFIC, *strict, URL=url, OPENAI_API_KEY="none")
    assert passed(again, 3), again.stdout
    assert len(server.received) == 3


def test_without_a_cassette_there_is_one_clear_error(folder: Path) -> None:
    """The error names the file that is missing and the option that writes it."""
    done = run(folder, TRAFFIC, "-k", "blocking", URL="http://127.0.0.1:9/v1")
    assert done.returncode == 1
    path = folder / "cassettes" / "test_asking" / FILES[0]
    assert f"There is no cassette {path}. Run this test once with" in done.stdout
    assert "--record-model-traffic" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_changed_request_fails_with_the_difference(folder: Path) -> None:
    """A test whose request has changed is told what is not as it was recorded."""
    with serving(answering("Hello.")) as server:
        options = ("-k", "blocking", "--record-model-traffic")
        done = run(folder, TRAFFIC, *options, URL=server.url, RECORDS="1")
        assert done.returncode == 0, done.stdout
    changed = TRAFFIC.replace('"Hello")', '"Good evening")')
    done = run(folder, changed, "-k", "blocking", URL=server.url)
    assert 'body.messages[0].content is "Good evening", and was "Hello".' in done.stdout


def test_a_run_that_asks_nothing_keeps_the_cassette(folder: Path) -> None:
    """A recording run in which a test fails before its request loses no recording."""
    path = folder / "cassettes" / "test_asking" / "test_it.json"
    path.parent.mkdir(parents=True)
    path.write_text("kept")
    done = run(folder, "def test_it(model_traffic): assert 0", "--record-model-traffic")
    assert done.returncode == 1
    assert path.read_text() == "kept"
