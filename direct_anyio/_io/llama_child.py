"""The local model server: a script of its own, which `llama.py` runs in a child process.

It promises one line on stdout, `{"url": ...}` or `{"error": ...}`, silence besides, and to be
gone once its stdin ends, which the kernel sees to when the last process that holds the other end
has died, of whatever cause. It imports nothing of this package, so it runs by its path alone.
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
"""Tokens of context: all that SmolLM2 knows (340 MB resident), where others might take 10 GB."""


def _threads() -> int:
    """Return how many threads compute.

    llama.cpp's threads spin until the slowest has come. On two cores with other work, two
    threads gave 4-18 tokens a second and one gave 24-45; small models gain nothing above 8.
    """
    mine = os.sched_getaffinity(0) if sys.platform == "linux" else range(os.cpu_count() or 1)
    return min(max(len(mine) // 2, 1), 8)


def _start(gguf: str, alias: str) -> Any:
    """Load `gguf`; the server answers from threads of its own as long as it is referenced."""
    xllamacpp: Any = import_module("xllamacpp")  # compiled, with no stubs
    params = xllamacpp.CommonParams()
    params.model.path = gguf
    params.model_alias = {alias}
    params.port = 0  # any free one
    params.n_ctx = CONTEXT
    params.cpuparams.n_threads = _threads()
    params.verbosity = 1  # errors alone, to say why a file does not load
    params.cache_ram_mib = 0  # else up to 8 GB of old prompts are kept
    params.cors_origins = ""  # else any web page may read the answers
    params.ui = False
    return xllamacpp.Server(params)


def _reason(error: BaseException, log: str) -> str:
    """Return what llama.cpp found wrong with the file, else the exception, which never says."""
    told = (line.partition("error loading model: ")[2] for line in log.splitlines())
    return next(filter(None, told), f"{type(error).__name__}: {error}")


def _silence(file: IO[Any]) -> None:
    """Send to `file` what any library writes to stdout and stderr."""
    os.dup2(file.fileno(), 1)
    os.dup2(file.fileno(), 2)


def main(gguf: str, alias: str) -> None:
    """Serve `gguf` under the name `alias` until stdin ends."""
    parent = os.fdopen(os.dup(1), "w")
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        _silence(log)
        try:
            server = _start(gguf, alias)
        except BaseException as error:
            log.seek(0)
            print(json.dumps({"error": _reason(error, log.read())}), file=parent, flush=True)
            return
    with open(os.devnull, "w") as nowhere:
        _silence(nowhere)  # the log would grow as long as we serve
    print(json.dumps({"url": server.listening_address}), file=parent, flush=True)
    sys.stdin.buffer.read()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    finally:
        os._exit(0)  # the destructor of a server with a stream open never returns
