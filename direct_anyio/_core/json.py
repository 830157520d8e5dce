"""JSON as the wire wants it: strict UTF-8, no NaN, orjson where it is installed.

Both readers give the same answers: what orjson refuses, or would read as something
else, is read by the standard library.

What a document costs is bounded before it is read: a byte of it may become a hundred.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from ..exceptions import ResponseTooLarge, UserError

try:
    from orjson import loads as _orjson_loads  # pyright: ignore[reportMissingImports]
except ImportError:  # pragma: no cover
    _fast_loads = None
else:
    _fast_loads = _orjson_loads

__all__ = ("MAX_VALUES", "MAX_VALUES_IN_ALL", "dumps", "loads", "values")

MAX_DEPTH = 100
"""The most lists and objects within each other; the two readers alone differ in theirs."""

MAX_VALUES = 2_000_000
"""The most values, counted by the brackets and commas outside of texts: some 200 MB as objects."""

MAX_VALUES_IN_ALL = 8_000_000
"""The most values that the frames of one response may have; most are forgotten at once."""

FEW = 10_000
"""Values up to which those in texts are not left out."""

SLICE = 1024 * 1024
"""Bytes that are looked at at once where texts are left out."""

# orjson reads an integer of more than 64 bits, which has 19 digits or more, as a float.
_AS_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_BIG_NUMBER = b"0" * 19
_BOM = b"\xef\xbb\xbf"
_SURROGATE = re.compile("[\ud800-\udfff]")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _number(text: str) -> float | None:
    """Return a number, None for one that no float holds: it could not be written again."""
    number = float(text)
    return number if math.isfinite(number) else None


_decoder = json.JSONDecoder(parse_constant=_refuse, parse_float=_number)


def loads(data: bytes) -> Any:
    """Read a JSON document.

    Of duplicate keys the last one counts. A lone surrogate, which no text may hold, is read
    as U+FFFD, and a number beyond all floats as None. A byte order mark is ignored.

    Raises:
        ValueError: It is no JSON, or not UTF-8.
        RecursionError: It is nested deeper than `MAX_DEPTH`.
        ResponseTooLarge: It has more values than `MAX_VALUES`.
    """
    if len(data) > MAX_VALUES and values(data) > MAX_VALUES:
        raise ResponseTooLarge(f"A JSON document has more than {MAX_VALUES:,} values")
    document = _read(data.removeprefix(_BOM))
    # Few documents have so many brackets that their depth must be looked at.
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _is_deep(document):
        raise RecursionError("nested too deeply")
    return document


def values(data: bytes) -> int:
    """Return how many values a document has, by its brackets and commas; not below that.

    Where there are many, those in texts are left out: without escapes, what stands between
    two quotes is a text or is none, in turn.
    """
    count = _marks(data)
    if count <= FEW:
        return count
    bare = data.replace(rb"\\", b"").replace(rb"\"", b"")
    count = in_text = 0
    for start in range(0, len(bare), SLICE):
        pieces = bare[start : start + SLICE].split(b'"')
        count += _marks(b"".join(pieces[in_text::2]))
        in_text = (in_text + len(pieces) - 1) % 2
        if count > MAX_VALUES:
            break
    return count


def _marks(data: bytes) -> int:
    return data.count(b"[") + data.count(b"{") + data.count(b",")


def _read(data: bytes) -> Any:
    if _fast_loads is not None and _BIG_NUMBER not in data.translate(_AS_ZEROS):
        try:
            return _fast_loads(data)
        except ValueError:
            pass
    document = _decoder.decode(data.decode())
    # Only an escape can bring a surrogate through strict UTF-8.
    return _mended(document) if b"\\ud" in data.lower() else document


def _is_deep(document: Any) -> bool:
    level = [document]
    for _ in range(MAX_DEPTH):
        inner = (value.values() if isinstance(value, dict) else value for value in level)
        level = [each for values in inner for each in values if isinstance(each, (dict, list))]
        if not level:
            return False
    return True


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return value


def dumps(document: Any) -> bytes:
    """Write a JSON document in compact UTF-8; a lone surrogate becomes U+FFFD.

    Raises:
        UserError: It holds something that JSON does not know, such as NaN.
    """
    try:
        text = json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as exc:
        raise UserError(f"The request cannot be written as JSON: {exc}") from exc
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text).encode()
