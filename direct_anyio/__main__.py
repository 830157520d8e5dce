"""The command line: ask a model, list the providers and their models.

Exit codes: 0; 1 for a failed request, said in one line; 2 for a wrong call; 130 for
Ctrl-C. A reader that goes away, such as `head`, ends it quietly.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .messages import ModelResponse

__all__ = ("main",)

DEFAULT_MODEL = "local:smollm2"
DEFAULT_SYSTEM = "You are a helpful assistant."


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments, those of the process by default.

    Returns:
        The exit code.
    """
    parser = _parser()
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
        # Python would complain on exit that it cannot flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="direct-anyio", description="Direct requests to language models."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    ask = commands.add_parser("ask", help="ask a model and print its answer")
    ask.add_argument("prompt", nargs="*", help="what to ask; standard input where left out")
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
    ask.set_defaults(run=_ask)
    models = commands.add_parser("models", help="list the providers, or the models of one")
    models.add_argument("provider", nargs="?", help="whose models to list, by asking it")
    models.set_defaults(run=_models)
    return parser


def _ask(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    prompt = " ".join(arguments.prompt)
    if not arguments.prompt and not sys.stdin.isatty():
        prompt = sys.stdin.read()
    if not prompt.strip():
        parser.error("the prompt is empty: pass it as an argument or on standard input")
    return _told(lambda: _answer(prompt.strip(), arguments))


def _told(what: Callable[[], None]) -> int:
    """Do something and return the exit code; say in one line what it failed of."""
    from .exceptions import ModelAPIError, UserError

    try:
        what()
    except (UserError, ModelAPIError) as exc:
        sys.stdout.flush()
        print(f"direct-anyio: {' '.join(str(exc).split())}", file=sys.stderr)
        return 1
    return 0


def _answer(prompt: str, arguments: argparse.Namespace) -> None:
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
        print(_as_json(response) if arguments.json else response.text or "")
        return
    with model_request_stream_sync(arguments.model, messages, model_settings=settings) as stream:
        for event in stream:
            print(_new_text(event), end="", flush=True)
    print()


def _new_text(event: object) -> str:
    from .messages import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta

    match event:
        case PartStartEvent(part=TextPart(content=text)):
            return text
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return text
    return ""


def _as_json(response: ModelResponse) -> str:
    import attrs

    document = attrs.asdict(response)
    return json.dumps(document, default=str, ensure_ascii=False, indent=2)


def _models(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    if arguments.provider:
        return _told(lambda: _list(arguments.provider))
    from .providers import PROVIDERS

    for name, provider in sorted(PROVIDERS.items()):
        state = _key_state(provider.key_env, provider.key(os.environ), provider.default_key)
        print(f"{name:<20} {state}")
    return 0


def _list(provider: str) -> None:
    import anyio

    from .models.listing import list_models

    for name in anyio.run(list_models, provider):
        print(name)


def _key_state(variables: tuple[str, ...], key: str | None, default: str | None) -> str:
    if key:
        return "key set"
    if default:
        return "no key needed"
    return f"key missing: set {' or '.join(variables)}"


if __name__ == "__main__":
    sys.exit(main())
