"""How fast a history of 1,000 messages is stored and loaded, against pydantic-ai.

Run `python benchmarks/bench_history.py`. Every figure is the CPU time of the best of 40 runs, the
libraries in turns so that a busy machine is fair to both, and beside it what part it is of
pydantic-ai's. pydantic-ai is measured where it is installed; both read what it wrote. orjson is
used where it is installed, and left out for the second row.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from datetime import UTC, datetime
from time import process_time
from typing import Any

from direct_anyio import _json
from direct_anyio.history import dump_messages, load_messages
from direct_anyio.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from direct_anyio.usage import RequestUsage

try:
    from pydantic_ai.messages import ModelMessagesTypeAdapter as Theirs
except ImportError:
    Theirs = None

RUNS = 40
WHEN = datetime(2026, 1, 22, 12, 0, 0, 123_456, tzinfo=UTC)


def turn(number: int) -> list[ModelMessage]:
    """A question, a tool call, its result and an answer."""
    call = f"call_{number}"
    head: dict[str, Any] = {
        "model_name": "gpt-4o",
        "provider_name": "openai",
        "provider_details": {"finish_reason": "stop"},
        "provider_response_id": f"chatcmpl-{number}",
        "usage": RequestUsage(input_tokens=50, output_tokens=60, details={"reasoning_tokens": 3}),
        "timestamp": WHEN,
    }
    question = "What is the weather like in Paris today, and should I take an umbrella? "
    return [
        ModelRequest(
            [
                SystemPromptPart("Be brief.", timestamp=WHEN),
                UserPromptPart(question * 2, timestamp=WHEN),
            ],
            timestamp=WHEN,
        ),
        ModelResponse(
            [TextPart("Let me look."), ToolCallPart("weather", '{"city":"Paris"}', call)],
            finish_reason="tool_call",
            **head,
        ),
        ModelRequest(
            [ToolReturnPart("weather", {"sky": "clear", "wind": [1, 2, 3]}, call, timestamp=WHEN)]
        ),
        ModelResponse([TextPart("It is 21 degrees and dry. " * 10)], finish_reason="stop", **head),
    ]


def best(functions: dict[str, Callable[[], object]]) -> dict[str, float]:
    """The milliseconds of the fastest run of each function, run in turns."""
    found = dict.fromkeys(functions, float("inf"))
    for _ in range(RUNS):
        for name, function in functions.items():
            started = process_time()
            function()
            found[name] = min(found[name], (process_time() - started) * 1e3)
    return found


def without_orjson(function: Callable[[], object]) -> Callable[[], object]:
    """The function, as it runs where orjson is not installed."""

    def run() -> object:
        fast, _json._fast = _json._fast, None
        try:
            return function()
        finally:
            _json._fast = fast

    return run


def main() -> None:
    """Print the table."""
    messages = [message for number in range(250) for message in turn(number)]
    stored = dump_messages(messages)
    theirs = Theirs and Theirs.validate_json(stored)
    data = Theirs.dump_json(theirs) if Theirs else stored
    rows: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {}
    plain = (
        without_orjson(lambda: dump_messages(messages)),
        without_orjson(lambda: load_messages(data)),
    )
    if _json._fast is not None:
        rows["direct_anyio, orjson"] = (
            lambda: dump_messages(messages),
            lambda: load_messages(data),
        )
    rows["direct_anyio"] = plain
    if Theirs:
        rows["pydantic-ai"] = (lambda: Theirs.dump_json(theirs), lambda: Theirs.validate_json(data))
    dumps = best({name: dump for name, (dump, _) in rows.items()})
    loads = best({name: load for name, (_, load) in rows.items()})

    print(f"{platform.python_implementation()} {platform.python_version()}, ", end="")
    print(f"{len(messages):,} messages, {len(data):,} bytes, ms")
    both = {name: dumps[name] + loads[name] for name in rows}
    print(f"{'':24}" + "".join(f"{title:>8}{'':8}" for title in ("dump", "load", "both")))
    for name in rows:
        columns = (
            f"{found[name]:8.2f}{found[name] / found[list(rows)[-1]]:6.0%}  "
            for found in (dumps, loads, both)
        )
        print(f"{name:24}{''.join(columns)}")
    if Theirs is None:
        print("pydantic-ai is not installed here")


if __name__ == "__main__":
    main()
