"""Programs of the kinds that people run, each in a process of its own with the real package."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest

from ..serving import Connection, Server, answering, chunk, delta, serving

APPS = Path(__file__).parent / "apps"

START = 60.0
"""Seconds in which a host starts and answers first, on a slow machine."""


def provide(connection: Connection) -> None:
    """Answer 'ab'; a prompt says where the stream never ends, or nothing ever comes."""
    prompt = connection.request.json["messages"][-1]["content"]
    if prompt in ("endless", "silent"):
        if prompt == "endless":
            connection.stream(delta(content="a"), end=False)
            # A server notices that a client has gone where it writes.
            while not connection.server.over.wait(0.01):
                connection.send(chunk(delta(content="a")))
        connection.closed_by_peer()
    else:
        answering("a", "b")(connection)


@pytest.fixture
def provider() -> Iterator[Server]:
    with serving(provide) as server:
        yield server


def environment(provider: Server, **more: str) -> dict[str, str]:
    root = str(APPS.parent.parent.parent)
    return {
        **os.environ,
        "PROVIDER": provider.url,
        "PYTHONPATH": os.pathsep.join([str(APPS), root]),
        # Else `import eventlet` imports dnspython, that httpcore2, and that trio, which fails.
        "EVENTLET_NO_GREENDNS": "yes",
        **more,
    }


@contextmanager
def hosted(
    provider: Server, tmp_path: Path, command: Callable[[int], list[str]], **more: str
) -> Iterator[str]:
    """Run a server on a socket that listens already, so that nobody need wait for it."""
    log = tmp_path / "log.txt"
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener, log.open("wb") as out:
        listener.set_inheritable(True)
        process = subprocess.Popen(
            [sys.executable, *command(listener.fileno())],
            cwd=tmp_path,
            env=environment(provider, **more),
            pass_fds=[listener.fileno()],
            stdout=out,
            stderr=out,
        )
        port = listener.getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    except BaseException:
        print(log.read_text())
        raise
    finally:
        process.terminate()
        try:
            process.wait(START)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        print(log.read_text())


def run(provider: Server, *command: str, **more: str) -> tuple[str, str]:
    """Run a program to its end and return what it wrote."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *command],
        env=environment(provider, **more),
        capture_output=True,
        text=True,
        timeout=START,
        check=False,
    )
    return done.stdout, done.stderr


def read(url: str) -> str:
    with urlopen(url, timeout=START) as response:
        return str(response.read().decode().strip('"'))


def leave(url: str) -> None:
    """Read the beginning of an answer, and go."""
    with urlopen(url, timeout=START) as response:
        assert response.read(1) == b"a"


def module(name: str, *arguments: str) -> Callable[[int], list[str]]:
    """Return the command of a server, in which `{fd}` is its socket."""
    return lambda fd: ["-m", name, *(each.replace("{fd}", str(fd)) for each in arguments)]


GUNICORN = ("--bind", "fd://{fd}", "--workers", "2", "--log-level", "warning")
HOSTS: dict[str, tuple[str, Callable[[int], list[str]], dict[str, str]]] = {
    "uvicorn": ("uvicorn", module("uvicorn", "--fd", "{fd}", "asgi:app"), {}),
    "waitress": ("waitress", module("waitress_main", "{fd}"), {}),
    "gunicorn-gthread": (
        "gunicorn",
        module("gunicorn", "-k", "gthread", "--threads", "8", "--preload", *GUNICORN, "wsgi:app"),
        {"CALL_BEFORE_FORK": "1"},
    ),
    "gunicorn-gevent": ("gunicorn", module("gunicorn", "-k", "gevent", *GUNICORN, "wsgi:app"), {}),
    "hypercorn-trio": (
        "hypercorn",
        module("hypercorn", "-k", "trio", "--bind", "fd://{fd}", "trio_app:app"),
        {},
    ),
    "uwsgi": (
        "pyuwsgi",
        lambda fd: [
            "-c",
            "import sys, pyuwsgi; pyuwsgi.run(sys.argv[1:])",
            *("--http-socket", f"fd://{fd}", "--module", "wsgi:app", "--master"),
            *("--processes", "2", "--threads", "8", "--enable-threads", "--die-on-term"),
        ],
        {"CALL_BEFORE_FORK": "1"},
    ),
    "django-wsgi": (
        "django",
        module("gunicorn", "-k", "gthread", "--threads", "8", *GUNICORN, "django_app:wsgi"),
        {},
    ),
    "django-asgi": ("django", module("uvicorn", "--fd", "{fd}", "django_app:asgi"), {}),
}


@pytest.mark.parametrize("host", HOSTS)
def test_servers(host: str, provider: Server, tmp_path: Path) -> None:
    """A crowd is answered, also after clients that went in the middle of their answers."""
    package, command, more = HOSTS[host]
    if package == "pyuwsgi":
        pytest.importorskip(package, reason="its wheels are for Linux")
    extra = {
        "uvicorn": ["/async", "/stream-async/go"],
        "hypercorn-trio": ["/thread"],
        "django-asgi": ["/async", "/stream-async/go"],
    }
    paths = ["/whole", "/stream/go", *extra.get(host, [])]
    # Django's own ASGI handler reads a sync stream to its end first.
    leaving = [path.replace("go", "endless") for path in paths if "go" in path]
    if host == "django-asgi":
        leaving.remove("/stream/endless")
    with hosted(provider, tmp_path, command, **more) as url, ThreadPoolExecutor(16) as pool:
        assert read(f"{url}/whole") == "ab"
        for _ in range(2):
            crowd = [f"{url}{path}" for path in paths] * 20
            assert set(pool.map(read, crowd)) == {"ab"}
            assert len(list(pool.map(leave, [f"{url}{path}" for path in leaving] * 10)))
        if "wsgi:app" in command(0):
            assert set(pool.map(read, [f"{url}/keep"] * 20)) == {"kept"}
        assert read(f"{url}/whole") == "ab"


@pytest.mark.parametrize("kind", ["prefork", "threads", "gevent", "eventlet"])
def test_celery(kind: str, provider: Server, tmp_path: Path) -> None:
    """Tasks of a worker are answered, however it runs them."""
    for folder in ("queue", "results"):
        (tmp_path / folder).mkdir()
    broker = {"BROKER": str(tmp_path)}
    asked = """
import tasks
results = [task.delay() for task in [tasks.whole, tasks.stream] * 10]
print({result.get(timeout=60, interval=0.05) for result in results})
"""
    command = ["-m", "celery", "-A", "tasks", "worker", "-P", kind, "-c", "4", "--without-mingle"]
    before = {"CALL_BEFORE_FORK": "1"} if kind == "prefork" else {}
    with hosted(provider, tmp_path, lambda fd: command, **broker, **before):
        assert run(provider, "-c", asked, **broker) == ("{'ab'}\n", "")


GREENLETS = [("gevent", "threads"), ("gevent", "no-threads"), ("eventlet", "threads")]


@pytest.mark.parametrize(("library", "threads"), GREENLETS)
def test_greenlets(library: str, threads: str, provider: Server) -> None:
    """Blocking calls work behind the monkey patches, and the other greenlets run meanwhile."""
    lines = ["{'ab'} {'ab'}", "ab"]
    if threads == "threads":
        lines[1:1] = ["others run meanwhile: True", "a", "beside: ab", "in time", "in time"]
    reported = run(provider, str(APPS / "greenlets.py"), library, threads)
    assert reported == ("\n".join([*lines, ""]), "")


def test_greenlets_in_a_real_thread(provider: Server) -> None:
    """The first call may come from a thread of gevent's own pool; the main thread has its own."""
    code = """
from gevent import get_hub, monkey
monkey.patch_all()
import asking
print(get_hub().threadpool.apply(asking.whole), asking.whole())
from direct_anyio import model_request_sync, open_portal
with open_portal() as portal:
    print(model_request_sync(asking.MODEL, asking.messages(), portal=portal).text)
"""
    assert run(provider, "-c", code) == ("ab ab\nab\n", "")


@pytest.mark.parametrize("library", ["gevent.monkey.patch_all", "eventlet.monkey_patch"])
def test_a_patch_that_comes_late(library: str, provider: Server) -> None:
    """Behind the imports it is refused, since half of the locks would be real; nothing hangs."""
    code = f"""
import asking
asking.whole()
import {library.rpartition(".")[0]}
{library}()
for _ in range(2):
    try:
        asking.whole()
    except RuntimeError as exc:
        print(exc)
"""
    out, _ = run(provider, "-c", code)
    assert out.count("patch before direct_anyio is imported") == 2, out


def test_streamlit(provider: Server) -> None:
    """A page is run in a thread of Streamlit's."""
    code = f"""
from streamlit.testing.v1 import AppTest
page = AppTest.from_file({str(APPS / "page.py")!r}, default_timeout=60)
for _ in range(2):
    page.run()
    print([each.value for each in page.markdown], list(page.exception))
"""
    out, err = run(provider, "-c", code)
    assert out == "['ab', 'ab'] []\n" * 2, err


def test_a_notebook(provider: Server) -> None:
    """In a Jupyter kernel, whose loop runs in the same thread, every way of asking works."""
    code = """
from jupyter_client.manager import start_new_kernel

manager, client = start_new_kernel(kernel_name="python3")
cell = '''
import asking
from direct_anyio import model_request
print(asking.whole(), list(asking.pieces("Go on.")))
print((await model_request(asking.MODEL, asking.messages())).text)
'''
for _ in range(2):
    client.execute_interactive(cell, timeout=30, output_hook=lambda message: print(
        message["content"].get("text", message["content"].get("ename", "")), end=""))
client.stop_channels()
manager.shutdown_kernel(now=True)
"""
    out, err = run(provider, "-c", code)
    assert out == "ab ['a', 'b']\nab\n" * 2, err


def test_logfire(provider: Server) -> None:
    """After `logfire.configure()` a request is a span, in every way of asking."""
    code = """
import logfire
from logfire.testing import TestExporter
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
import asyncio
import asking
from direct_anyio import instrument_all, model_request, model_request_sync

exporter = TestExporter()
logfire.configure(
    send_to_logfire=False,
    console=False,
    inspect_arguments=False,
    additional_span_processors=[SimpleSpanProcessor(exporter)],
)
for _ in range(2):
    print(model_request_sync(asking.MODEL, asking.messages(), instrument=True).text)
instrument_all()
with logfire.span("mine"):
    print("".join(asking.pieces("Go on.")))
    print(asyncio.run(model_request(asking.MODEL, asking.messages())).text)
spans = exporter.exported_spans_as_dict()
print([span["name"] for span in spans], len({span["context"]["trace_id"] for span in spans}))
"""
    names = ["chat x"] * 4 + ["mine"]
    assert run(provider, "-c", code) == ("ab\n" * 4 + f"{names} 3\n", "")


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("import direct_anyio\ndirect_anyio.model_req", "model_request_stream_sync"),
        ("from direct_anyio import ModelRes", "ModelResponse"),
        ("from direct_anyio import ModelResponse\nModelResponse.te", "text"),
    ],
)
def test_names_are_completed(code: str, wanted: str) -> None:
    """Editors and notebooks that ask Jedi complete the names of the package."""
    asked = f"import jedi; print([each.name for each in jedi.Script({code!r}).complete()])"
    done = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, timeout=START, check=True
    )
    assert repr(wanted) in done.stdout
