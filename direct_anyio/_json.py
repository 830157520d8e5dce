"""JSON text, read and written: strict UTF-8, no NaN, orjson where it is installed.

With and without orjson the answers are the same: what it refuses, or would read as something
else, is left to the standard library.

`loads` reads what a server sent: a byte of it may become a hundred, so what it costs is bounded
before it is read. `parse` reads what the program itself keeps, without these limits.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NoReturn, cast

from .exceptions import ResponseTooLarge, UserError

try:
    import orjson  # pyright: ignore[reportMissingImports]
except ImportError:  # pragma: no cover
    _fast = None
else:
    _fast = orjson

__all__ = (
    "MAX_DEPTH",
    "MAX_VALUES",
    "MAX_VALUES_IN_ALL",
    "STRICT",
    "dumps",
    "loads",
    "mended",
    "parse",
    "serialize",
    "text_of",
    "values",
)

MAX_DEPTH = 100
"""The most lists and objects within each other, in what is read and what is written; the two
readers alone differ in theirs, and some others give up at 200."""

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


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _number(text: str) -> float | None:
    """Return a number, None for one that no float holds: it could not be written again."""
    number = float(text)
    return number if math.isfinite(number) else None


STRICT = json.JSONDecoder(parse_constant=_refuse)
"""Reads JSON, but no `NaN` and no `Infinity`."""

_finite_decoder = json.JSONDecoder(parse_constant=_refuse, parse_float=_number)


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
    document = _read(data, read_sent)
    # Few documents have so many brackets that their depth must be looked at.
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
        level = [document]
        for _ in range(MAX_DEPTH):
            inner = (value.values() if isinstance(value, dict) else value for value in level)
            level = [each for held in inner for each in held if isinstance(each, (dict, list))]
            if not level:
                return document
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


def parse(data: bytes | bytearray | memoryview | str) -> Any:
    """Read a JSON document of the program's own, of any size and depth.

    Of duplicate keys the last one counts; a lone surrogate stays.

    Raises:
        ValueError: It is no JSON, or not UTF-8, or neither text nor bytes.
        RecursionError: It is nested too deeply for the reader.
    """
    if not isinstance(data, (str, bytes, bytearray, memoryview)):
        raise ValueError(f"JSON is text or bytes, not {type(data).__name__}")
    if isinstance(data, str):
        try:
            return parse(data.encode())
        except UnicodeEncodeError:  # a surrogate that the text holds as it is
            return STRICT.decode(data)
    return _read(bytes(data), lambda data: STRICT.decode(data.decode()))


def _read(data: bytes, read: Callable[[bytes], Any]) -> Any:
    """Read a document with orjson, and with `read` what orjson does not read alike."""
    data = data.removeprefix(_BOM)
    if _fast is not None and _BIG_NUMBER not in data.translate(_AS_ZEROS):
        try:
            return _fast.loads(data)
        except ValueError:
            pass
    return read(data)


def read_sent(data: bytes) -> Any:
    """Read JSON from a provider, with lone surrogates replaced."""
    document = _finite_decoder.decode(data.decode())
    # Only an escape can bring a surrogate through strict UTF-8.
    return mended(document) if b"\\ud" in data.lower() else document


def mended(value: Any) -> Any:
    """Return a document with U+FFFD for every lone surrogate; a pair is the character it is."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [mended(item) for item in value]
    if isinstance(value, dict):
        return {mended(key): mended(item) for key, item in value.items()}
    return value


def text_of(
    document: Any,
    *,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
    default: Callable[[Any], Any] | None = None,
) -> str:
    """Return a document as JSON text: compact, unless it is indented; nothing is escaped.

    Args:
        document: The document.
        indent: Spaces to indent each level by.
        separators: What stands between items, and between a key and its value.
        sort_keys: Whether members are sorted by their keys.
        default: Gives what stands for a value that JSON does not know.

    Raises:
        TypeError: It holds something that JSON does not know.
        ValueError: It holds NaN, an infinity, itself, or an integer of too many digits.
        RecursionError: It is nested too deeply for the writer.
    """
    return json.dumps(
        document,
        ensure_ascii=False,
        allow_nan=False,
        indent=indent,
        separators=separators or ((",", ":") if indent is None else None),
        sort_keys=sort_keys,
        default=default,
    )


def dumps(document: Any) -> bytes:
    """Write the document of a request in compact UTF-8, a lone surrogate as `mended` does.

    Raises:
        UserError: It holds something that JSON does not know, such as NaN.
    """
    try:
        text = text_of(document)
    except (TypeError, ValueError, RecursionError) as exc:
        raise UserError(f"The request cannot be written as JSON: {exc}") from exc
    try:
        return text.encode()
    except UnicodeEncodeError:
        return cast(str, mended(text)).encode()


def serialize(document: Any, default: Callable[[Any], Any], indent: int | None = None) -> bytes:
    """Write a document of the program's own in UTF-8; a lone surrogate is written as its escape.

    Args:
        document: The document.
        default: Gives what stands for bytes and for a `datetime`.
        indent: Spaces to indent each level by; None writes one line.

    Raises:
        TypeError: It holds something that JSON does not know.
        ValueError: It holds an integer of too many digits.
    """
    if _fast is not None and indent is None:
        try:
            return cast(bytes, _fast.dumps(document, default=default, option=_fast.OPT_UTC_Z))
        except TypeError:  # big integers, lone surrogates, depth
            pass
    text = text_of(document, indent=indent, default=default)
    return text.encode(errors="backslashreplace")  # which is JSON's escape of a surrogate
