"""JSON in and out: the two readers agree, and nothing that is no JSON gets through."""

from __future__ import annotations

import json
import math
import tracemalloc
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from direct_anyio import _json as module
from direct_anyio._json import MAX_DEPTH, MAX_VALUES, dumps, loads
from direct_anyio.exceptions import ResponseTooLarge, UserError

READERS = ["installed", "standard"]


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "standard":
        monkeypatch.setattr(module, "_fast", None)
    return str(request.param)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


DOCUMENTS: list[tuple[bytes, Any]] = [
    (b"{}", {}),
    (b' {"a" : [1, -0, 1.5, true, null]}\n', {"a": [1, 0, 1.5, True, None]}),
    (b'{"a": 1, "a": 2}', {"a": 2}),
    (b"9007199254740993", 2**53 + 1),
    (b"18446744073709551615", 2**64 - 1),
    (b"18446744073709551616", 2**64),
    (b"-9223372036854775809", -(2**63) - 1),
    (b'{"a": 123456789012345678901234567890}', {"a": 123456789012345678901234567890}),
    (b"9" * 4300, int("9" * 4300)),
    (b"0.12345678901234567890123", 0.12345678901234568),
    (b"1e5", 1e5),
    (b"1e999", None),
    (b"[-1E+400, 1e308]", [None, 1e308]),
    (b"\xef\xbb\xbf{}", {}),
    (b'"\\ud83d\\ude00 \xf0\x9f\x98\x80"', "😀 😀"),
    (b'"a\\ud800b"', "a\ufffdb"),
    (b'"\\udc00\\uD800"', "\ufffd\ufffd"),
    (b'{"\\ud800": ["\\udfff"]}', {"\ufffd": ["\ufffd"]}),
    (b'"\\\\ud800"', "\\ud800"),
    (b'"\\u0000\xe2\x80\xa8"', "\0\u2028"),
    (b'"12345678901234567890"', "12345678901234567890"),
    (nested(MAX_DEPTH), json.loads(nested(MAX_DEPTH))),
    (b"[" + b"{}," * 1000 + b"[]]", [*[{}] * 1000, []]),
]


@pytest.mark.parametrize(("data", "document"), DOCUMENTS, ids=[str(d[:30]) for d, _ in DOCUMENTS])
def test_documents_are_read(reader: str, data: bytes, document: Any) -> None:
    """Either reader gives the same values of the same types."""
    assert repr(loads(data)) == repr(document)


REFUSED: list[tuple[bytes, type[Exception]]] = [
    (b"", ValueError),
    (b"{", ValueError),
    (b"{'a': 1}", ValueError),
    (b"[1,]", ValueError),
    (b"{} {}", ValueError),
    (b"01", ValueError),
    (b"NaN", ValueError),
    (b'{"a": Infinity}', ValueError),
    (b"[-Infinity, 1234567890123456789012]", ValueError),
    (b'"\n"', ValueError),
    (b'"\xff"', ValueError),
    (b'"\xed\xa0\x80"', ValueError),
    (b"9" * 5000, ValueError),
    (nested(MAX_DEPTH + 1), RecursionError),
    (nested(500), RecursionError),
    (nested(1020), RecursionError),
    (b'{"a":' * 200 + b"1" + b"}" * 200, RecursionError),
    (b"[" * 100_000, RecursionError),
]


@pytest.mark.parametrize(("data", "error"), REFUSED, ids=[str(d[:30]) for d, _ in REFUSED])
def test_what_is_no_json_is_refused(reader: str, data: bytes, error: type[Exception]) -> None:
    """Either reader refuses it in the same way."""
    with pytest.raises(error):
        loads(data)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def answer(data: bytes) -> str:
    try:
        return repr(loads(data))
    except (ValueError, RecursionError) as exc:
        return "deep" if isinstance(exc, RecursionError) else "refused"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(VALUES, st.data())
def test_the_readers_agree(
    monkeypatch: pytest.MonkeyPatch, value: Any, data: st.DataObject
) -> None:
    """Of any document, whole or with a byte changed, both readers say the same."""
    document = bytearray(json.dumps(value, allow_nan=True).encode())
    if data.draw(st.booleans()):
        document[data.draw(st.integers(0, len(document) - 1))] = data.draw(st.integers(0, 255))
    fast = answer(bytes(document))
    with monkeypatch.context() as patch:
        patch.setattr(module, "_fast", None)
        assert answer(bytes(document)) == fast


# Documents, and whether they have more values than are read.
SIZES: dict[str, tuple[bytes, bool]] = {
    "lists": (b"[" + b"[]," * 1_000_000 + b"[]]", True),
    "numbers": (b"[" + b"1," * MAX_VALUES + b"1]", True),
    "nearly too many": (b"[" + b"1," * (MAX_VALUES - 2) + b"1]", False),
    "objects": (b"[" + b'{"":0},' * 1_100_000 + b"0]", True),
    "a text of brackets": (b'["' + b"[,{" * 1_000_000 + b'"]', False),
    "a text of escapes": (b'["' + rb"\",[" * 1_000_000 + b'"]', False),
    "lists behind an escape": (rb'["\\",' + b"[]," * 1_000_000 + b"[]]", True),
}


@pytest.mark.parametrize("name", SIZES)
def test_values_are_counted_before_they_are_made(reader: str, name: str) -> None:
    """What is in texts does not count; a document of too many values is not read at all."""
    data, is_too_large = SIZES[name]
    if not is_too_large:
        assert loads(data) == json.loads(data)
        return
    tracemalloc.start()
    try:
        with pytest.raises(ResponseTooLarge, match="2,000,000 values"):
            loads(data)
        assert tracemalloc.get_traced_memory()[1] < 2 * len(data) + 32 * 1024 * 1024
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("end", [b"", b"\\", b'\\"', b'"', b'""'])
def test_a_text_without_an_end_is_counted_once(end: bytes) -> None:
    """Where no text ends, the search for its end is not begun anew at every quote."""
    data = b'["' + rb"\"" * (MAX_VALUES // 2) + b",[" * MAX_VALUES + end
    with pytest.raises((ValueError, ResponseTooLarge)):
        loads(data)


WRITTEN: list[tuple[Any, bytes]] = [
    ({"a": [1, None, "é"]}, b'{"a":[1,null,"\xc3\xa9"]}'),
    ("\ud800a", b'"\xef\xbf\xbda"'),
    ({"\udfff": 1}, b'{"\xef\xbf\xbd":1}'),
    ({1: 2}, b'{"1":2}'),
    (2**70, str(2**70).encode()),
]


@pytest.mark.parametrize(("document", "data"), WRITTEN, ids=[ascii(d) for d, _ in WRITTEN])
def test_documents_are_written(document: Any, data: bytes) -> None:
    """JSON is written in compact UTF-8, whatever a history holds."""
    assert dumps(document) == data


LOOP: list[Any] = []
LOOP.append(LOOP)
UNSAYABLE = [math.nan, math.inf, {"a": -math.inf}, object(), b"x", {(1, 2): 3}, LOOP]


@pytest.mark.parametrize("document", UNSAYABLE, ids=range(len(UNSAYABLE)))
def test_what_json_cannot_say_is_refused(document: Any) -> None:
    """What JSON has no words for is the program's mistake, said before anything is sent."""
    with pytest.raises(UserError, match="cannot be written as JSON"):
        dumps(document)
