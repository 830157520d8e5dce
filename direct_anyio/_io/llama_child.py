"""The local model server: a script of its own, which `llama.py` runs in a child process.

It writes one line to stdout, `{"url": ...}` or `{"error": ...}`, and nothing else. It ends once its
stdin ends, which the kernel closes when the last process that holds the other end has died, of
any cause. It imports nothing of this package, so it runs by its path alone.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from importlib import import_module
from typing import IO, Any

__all__ = ("main",)

CONTEXT = 8192
"""Tokens of context: all of SmolLM2's (340 MB resident), where a longer one may take gigabytes."""


def _threads() -> int:
    """Return how many threads compute.

    Half of the cores: llama.cpp's threads spin until the slowest of them has come. On two cores
    with other work, two threads gave 4-18 tokens a second and one gave 24-45.
    """
    mine = os.sched_getaffinity(0) if sys.platform == "linux" else range(os.cpu_count() or 1)
    return max(len(mine) // 2, 1)


def _start(gguf: str, alias: str, key: str) -> Any:
    """Load `gguf`; the server answers from threads of its own as long as it is referenced."""
    xllamacpp: Any = import_module("xllamacpp")  # compiled, with no stubs
    params = xllamacpp.CommonParams()
    params.model.path = gguf
    params.model_alias = {alias}
    params.port = 0  # any free one
    params.api_keys = [key]  # else other users of this machine may ask, and web pages
    params.n_ctx = CONTEXT
    params.cpuparams.n_threads = _threads()
    params.verbosity = 1  # errors alone, to say why a file does not load
    params.cache_ram_mib = 0  # else up to 8 GB of old prompts are kept
    params.cors_origins = ""  # else any web page may read the answers
    params.ui = False
    return xllamacpp.Server(params)


def _reason(error: BaseException, log: str) -> str:
    """Return what llama.cpp found wrong with the file, else the exception, which never says."""
    reasons = (line.partition("error loading model: ")[2] for line in log.splitlines())
    return next(filter(None, reasons), f"{type(error).__name__}: {error}")


def _silence(file: IO[Any]) -> None:
    """Send to `file` what any library writes to stdout and stderr."""
    os.dup2(file.fileno(), 1)
    os.dup2(file.fileno(), 2)


def _load(gguf: str, alias: str, key: str) -> tuple[dict[str, str], Any]:
    """Return what to tell the parent, and the server, None if there is none."""
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        _silence(log)
        try:
            server = _start(gguf, alias, key)
        except BaseException as error:
            log.seek(0)
            return {"error": _reason(error, log.read())}, None
    return {"url": server.listening_address}, server


def main(gguf: str, alias: str) -> None:
    """Serve `gguf` under the name `alias` until stdin ends, and leave the process."""
    parent = os.fdopen(os.dup(1), "w")
    # By the pipe, since the arguments and the environment of a process can be looked at.
    key = sys.stdin.buffer.readline().decode().strip()
    reply, server = _load(gguf, alias, key)
    with open(os.devnull, "w") as nowhere:
        _silence(nowhere)  # the log would grow as long as we serve
    try:
        print(json.dumps(reply), file=parent, flush=True)
        if server is not None:
            sys.stdin.buffer.read()
    finally:
        # From here, where `server` is still referenced: its destructor waits for open streams.
        os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
