"""The command line: ask a model, list the providers and their models.

Exit codes: 0; 1 for a failed request, or output that cannot be written, said in one line; 2
for a wrong call; 130 for Ctrl-C. A reader that goes away, such as `head`, ends it quietly.
"""

from __future__ import annotations

import argparse
import os
import select
import stat
import sys
from collections.abc import Callable, Sequence

from . import __version__

__all__ = ("main",)

DEFAULT_MODEL = "local:smollm2"
PIPE_SECONDS = 10.0
"""How long a pipe beside a prompt may take until something comes."""

DEFAULT_SYSTEM = "You are a helpful assistant."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments, those of the process by default.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(
        prog="direct-anyio", description="Direct requests to language models."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    ask = commands.add_parser("ask", help="ask a model and print its answer")
    ask.add_argument(
        "prompt",
        nargs="*",
        help="what to ask; what is piped in, or redirected from a file, is added below it",
    )
    ask.add_argument("-m", "--model", default=DEFAULT_MODEL, help="default: %(default)s")
    ask.add_argument("--system", default=DEFAULT_SYSTEM, help="system prompt: %(default)r")
    ask.add_argument(
        "--stream",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="print tokens as they arrive",
    )
    ask.add_argument("--max-tokens", type=int, help="the most tokens that the answer may have")
    ask.add_argument("--json", action="store_true", help="print the whole response as JSON")
    ask.set_defaults(run=ask_command)
    models = commands.add_parser("models", help="list the providers, or the models of one")
    models.add_argument("provider", nargs="?", help="whose models to list, by asking it")
    models.set_defaults(run=models_command)
    arguments = parser.parse_args(argv)
    try:
        code: int = arguments.run(arguments, parser)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        # At once: the exit hooks would wait for what was interrupted.
        sys.stdout.flush()
        os._exit(130)
    except BrokenPipeError:
        _drop_output()
        return 0
    except (OSError, UnicodeError) as exc:  # a full disk, or input that is no text
        _drop_output()
        return _failed(exc)


def _drop_output() -> None:
    # Python would complain on exit that it cannot flush.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(error: Exception) -> int:
    print(f"direct-anyio: {' '.join(str(error).split())}", file=sys.stderr)
    return 1


def ask_command(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Ask a model and print its answer."""
    words = arguments.prompt
    wants_input = words[-1:] == ["-"]  # elsewhere a `-` is a minus
    if wants_input:
        words = words[:-1]
    try:
        # A pipe or a file, and not a terminal, a device or nothing.
        mode = os.fstat(sys.stdin.fileno()).st_mode
        is_piped = stat.S_ISFIFO(mode) or stat.S_ISREG(mode)
    except (AttributeError, OSError, ValueError):
        is_piped = False
    reads = wants_input or (is_piped and (not words or _has_input()))
    piped = sys.stdin.read().strip() if reads else ""
    prompt = "\n\n".join((" ".join(words), piped)).strip()
    if not prompt:
        parser.error("the prompt is empty: pass it as an argument or on standard input")
    return _exit_code(lambda: _answer(prompt, arguments))


def _has_input() -> bool:
    """Wait for standard input to have something, or to end, and return whether it has.

    Services and remote shells may leave a pipe open that is never written to.
    """
    try:
        has_input = bool(select.select([sys.stdin], [], [], PIPE_SECONDS)[0])
    except (OSError, ValueError):  # a system where only sockets can be waited for
        return True
    if not has_input:
        print(
            f"direct-anyio: nothing came on standard input in {PIPE_SECONDS:g} s, so the question "
            "is asked without it; with `-` at the end it is waited for",
            file=sys.stderr,
        )
    return has_input


def _exit_code(command: Callable[[], None]) -> int:
    """Run a command and return the exit code; an error is printed in one line."""
    from .exceptions import ModelAPIError, UserError

    try:
        command()
    except (UserError, ModelAPIError) as exc:
        sys.stdout.flush()
        return _failed(exc)
    return 0


def _answer(prompt: str, arguments: argparse.Namespace) -> None:
    from ._values import to_json
    from .direct import model_request_stream_sync, model_request_sync
    from .messages import ModelRequest, SystemPromptPart, UserPromptPart
    from .settings import ModelSettings

    parts: list[SystemPromptPart | UserPromptPart] = [UserPromptPart(prompt)]
    if arguments.system:
        parts.insert(0, SystemPromptPart(arguments.system))
    messages = [ModelRequest(parts)]
    settings = ModelSettings()
    if arguments.max_tokens is not None:
        settings["max_tokens"] = arguments.max_tokens
    if arguments.json or not arguments.stream:
        response = model_request_sync(arguments.model, messages, model_settings=settings)
        print(to_json(response, indent=2) if arguments.json else response.text or "")
        return
    with model_request_stream_sync(arguments.model, messages, model_settings=settings) as stream:
        for text in stream.text_deltas():
            print(text, end="", flush=True)
    print()


def models_command(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """List the providers, or the models of one."""
    from .providers import PROVIDERS

    if arguments.provider:
        return _exit_code(lambda: _print_models(arguments.provider))
    for name, provider in sorted(PROVIDERS.items()):
        if provider.key(os.environ):
            state = "key set"
        elif provider.default_key:
            state = "no key needed"
        else:
            state = f"key missing: set {' or '.join(provider.key_env)}"
        if not (provider.local or provider.find_url or provider.url(os.environ)):
            variables = " or ".join(provider.base_url_env)
            how = f"set {variables}" if variables else "only Python code can pass it"
            state += f"; base URL missing: {how}"
        print(f"{name:<25} {state}")
    return 0


def _print_models(provider: str) -> None:
    import anyio

    from .exceptions import UserError
    from .models.listing import list_models
    from .providers import PROVIDERS, nearest_provider

    if provider not in PROVIDERS:
        near = nearest_provider(provider)
        hint = f"Did you mean {near!r}?" if near else "`direct-anyio models` lists them."
        raise UserError(f"Unknown provider: {provider}. {hint}")
    for name in anyio.run(list_models, provider):
        print(name)


if __name__ == "__main__":
    sys.exit(main())
