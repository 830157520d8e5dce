"""The tree of errors: its shape, what its errors carry, and that they hold nothing unbounded."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import pytest

from direct_anyio import exceptions
from direct_anyio.exceptions import (
    FallbackExceptionGroup,
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelTimeoutError,
    UnexpectedModelBehavior,
    UserError,
    printable,
)
from direct_anyio.messages import ModelResponse, TextPart

DRAWN = re.compile(r"^ {4}( *)(\w+) {2,}\S", re.MULTILINE)


def drawn_tree() -> dict[str, str | None]:
    """Return each error of the drawing with the one that it stands under."""
    above: list[str] = []
    tree: dict[str, str | None] = {}
    for indent, name in DRAWN.findall(exceptions.__doc__ or ""):
        del above[len(indent) // 2 :]
        tree[name] = above[-1] if above else None
        above.append(name)
    return tree


TREE = drawn_tree()


def test_the_drawing_is_complete() -> None:
    """Every public error stands in the drawing, once."""
    errors = {
        name
        for name in exceptions.__all__
        if isinstance(value := getattr(exceptions, name), type)
        and issubclass(value, BaseException)
        and value.__name__ == name
    }
    assert set(TREE) == errors


@pytest.mark.parametrize("name", TREE)
def test_the_tree_is_as_drawn(name: str) -> None:
    """An error's first base is the error that it is drawn under."""
    base = getattr(exceptions, name).__bases__[0]
    parent = TREE[name]
    assert base.__name__ == parent if parent else base.__name__ not in TREE


def test_other_names_and_bases() -> None:
    """Timeouts are also the standard library's; porters find their names."""
    assert issubclass(ModelTimeoutError, TimeoutError)
    assert issubclass(ModelAPIError, RuntimeError)
    assert issubclass(UserError, RuntimeError)
    assert exceptions.AgentRunError is ModelAPIError
    assert exceptions.ModelRequestTimeout is ModelTimeoutError


def made(cls: type[BaseException]) -> BaseException:
    """Return an error of a class, with everything set that it can carry."""
    error: Any
    if issubclass(cls, FallbackExceptionGroup):
        return cls("all failed", [ModelAPIError("m", "x"), ModelHTTPError(500, "n")])
    if issubclass(cls, ModelHTTPError):
        error = cls(429, "m", {"error": {"message": "slow down"}}, hint="wait")
    elif issubclass(cls, UnexpectedModelBehavior):
        error = cls("odd", "<html>")
    elif issubclass(cls, ModelAPIError):
        error = cls("m", "failed")
    else:
        return cls("wrong")
    error.provider, error.request_id, error.phase = "p", "r", "body"
    error.attempts, error.retry_after, error.in_stream = ("1: 503",), 1.5, True
    error.response = ModelResponse([TextPart("so far")], state="incomplete")
    if isinstance(error, ModelTimeoutError):
        error.limit = "idle"
    error.add_note("a note")
    return error  # type: ignore[no-any-return]


CLASSES = [getattr(exceptions, name) for name in TREE]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize(
    "copied", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy],
    ids=["pickle", "copy", "deepcopy"],
)  # fmt: skip
def test_errors_travel(cls: type[BaseException], copied: Any) -> None:
    """Every error survives pickling and copying with its class, text and attributes."""
    error = made(cls)
    twin = copied(error)
    assert type(twin) is cls
    assert (str(twin), repr(twin)) == (str(error), repr(error))
    if not isinstance(error, FallbackExceptionGroup):
        assert twin.args == error.args
        assert vars(twin) == vars(error)


MESSAGES: list[tuple[BaseException, str]] = [
    (UserError("no key"), "no key"),
    (ModelAPIError("m", "failed"), "failed"),
    (ModelTimeoutError("m", "too late"), "too late"),
    (ModelConnectionError("m", "refused"), "refused"),
    (ModelHTTPError(404, "m"), "status_code: 404, model_name: m, body: None"),
    (
        ModelHTTPError(404, "m", {"a": 1}, hint="look"),
        "status_code: 404, model_name: m, body: {'a': 1} (look)",
    ),
    (UnexpectedModelBehavior("odd"), "odd"),
    (UnexpectedModelBehavior("odd", "a\x1b[2J\u202eb"), r"odd, body:" + "\n" + r"a\x1b[2J\u202eb"),
]


@pytest.mark.parametrize(("error", "text"), MESSAGES, ids=range(len(MESSAGES)))
def test_errors_say_what_happened(error: BaseException, text: str) -> None:
    """An error's text is its message, with the status, the model and the body where known."""
    assert str(error) == text


BODIES: list[tuple[Any, int]] = [
    ("x" * 100_000, 4096),
    ({"error": "x" * 100_000}, 4096),
    ("\x00" * 100_000, 4096),
    (["x"] * 10, 10),
]


@pytest.mark.parametrize(("body", "kept"), BODIES, ids=["text", "document", "control", "small"])
def test_bodies_and_messages_are_bounded(body: Any, kept: int) -> None:
    """An error keeps 4,096 characters of a body and shows 512 of it, printable ones alone."""
    error = ModelHTTPError(502, "m", body)
    assert isinstance(error.body, (str, list))
    assert len(error.body) == kept
    assert len(str(error)) <= 512 + len("status_code: 502, model_name: m, body: ")
    assert str(error).isprintable()
    assert len(UnexpectedModelBehavior("odd", str(body)).body or "") <= 4096


SHOWN: dict[str, str] = {
    "plain é 漢 😀": "plain é 漢 😀",
    "a\r\n\tb\x7f": r"a\r\n\tb\x7f",
    "\x1b[31m\x9b": r"\x1b[31m\x9b",
    "\u202e\u2066\u200b\ufeff": r"\u202e\u2066\u200b\ufeff",
    "\ud800": r"\ud800",
    "\U000e0001": r"\U000e0001",
}


@pytest.mark.parametrize("text", SHOWN, ids=ascii)
def test_control_characters_are_escaped(text: str) -> None:
    """What would act on a terminal is shown as an escape, what is to be read is kept."""
    assert printable(text) == SHOWN[text]


@pytest.mark.parametrize("text", ["x" * 513, "\x00" * 512, "x" * 511 + "\n"], ids=len)
def test_what_is_shown_is_bounded(text: str) -> None:
    """A text that is too long, as it is or escaped, is cut to 512 characters and an ellipsis."""
    assert len(printable(text)) == 512
    assert printable(text).endswith("…")
