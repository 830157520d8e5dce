"""What is hidden, and what is not: keys whole or cut, never the words around them."""

from __future__ import annotations

from typing import Any

import pytest

from direct_anyio import ModelHTTPError
from direct_anyio._core.secrets import Secrets

KEY = "sk-0123456789-abcdefghij"

# The headers that were sent, what a provider said, and what is shown of it.
SAID: dict[str, tuple[dict[str, str], Any, Any]] = {
    "a key": ({"authorization": f"Bearer {KEY}"}, f"No such key: {KEY}.", "No such key: ***."),
    "a cut key": ({"x-api-key": KEY}, f"No such key: {KEY[:15]}", "No such key: ***"),
    "a short piece": ({"x-api-key": KEY}, f"It begins with {KEY[:4]}", f"It begins with {KEY[:4]}"),
    "another key": ({"x-api-key": KEY}, "sk-proj-other-key-1", "sk-proj-other-key-1"),
    "a cookie": ({"cookie": "session=0123456789; a=b"}, "0123456789 of session", "*** of session"),
    "a scheme": ({"authorization": f"Signature {KEY}"}, "Signature is missing", None),
    "no secret": ({"anthropic-version": "2023-06-01"}, "use 2023-06-01", None),
    "a number": ({"x-project-key": "12345678"}, {"project": 12345678}, None),
    "a quote": ({"x-token": 'ab"cd"ef"gh'}, {"at": 'ab"cd"ef"gh'}, {"at": "***"}),
    "JSON": ({"x-token": '{"a":"b"}'}, {"error": {"a": "b"}}, None),
    "a document": ({"x-api-key": KEY}, [{"a": [KEY, 1, None]}], [{"a": ["***", 1, None]}]),
}


@pytest.mark.parametrize("case", SAID)
def test_what_is_shown(case: str) -> None:
    """None stands for all of it."""
    headers, body_sent, shown = SAID[case]
    secrets = Secrets()
    secrets.learn(headers)
    error = ModelHTTPError(400, "m", body_sent)
    secrets.scrub(error)
    assert error.body == (body_sent if shown is None else shown)
    assert KEY[:12] not in str(error)
