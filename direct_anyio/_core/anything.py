"""What an `Any` field holds, as JSON and back: the records of `content`, bytes and all of JSON.

A dict under a kind of `content` with exactly a record's keys is read as that record. What JSON
has no form for is an object with the key `$direct_anyio` (`history` lists them), and so is a
dict that would be taken for one of these. So whatever is written is read back as it was.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

import attrs

from .fields import data, written_moment
from .shapes import Kinds, Writer
from .trees import refuse, walked, walked_dict

__all__ = ("IMAGE", "MARK", "Anything", "verbatim")

MARK = "$direct_anyio"
IMAGE = "image"
"""The mark of a file that is a `BinaryImage`; without it, it is a `BinaryContent`."""

_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}

# What each kind of record must have beside its kind, and what it may have; an object with more
# or less is the program's own.
_FILE_KEYS = {"kind", "media_type", "identifier", "vendor_metadata"}
_URL_KEYS = ({"url", "media_type"}, _FILE_KEYS | {"url", "force_download"})
_RECORD_KEYS: dict[str, tuple[set[str], set[str]]] = {
    "image-url": _URL_KEYS,
    "audio-url": _URL_KEYS,
    "document-url": _URL_KEYS,
    "video-url": _URL_KEYS,
    "binary": ({"data", "media_type"}, _FILE_KEYS | {"data", MARK}),
    "uploaded-file": ({"file_id", "provider_name"}, _FILE_KEYS | {"file_id", "provider_name"}),
    "text-content": ({"content", "metadata"}, {"kind", "content", "metadata"}),
    "cache-point": ({"ttl"}, {"kind", "ttl"}),
}


class Anything:
    """Reads and writes `Any` fields.

    Args:
        content: Gives the records that may stand in them; called when there is one.
        renamed: Gives a stored record its present keys for old ones.
    """

    def __init__(
        self,
        content: Callable[[], Kinds],
        renamed: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> None:
        self._content = content
        self._renamed = renamed

    def read(self, value: Any, _: Any = None) -> Any:
        """Read a value."""
        return walked(value, _kept, self._revived)

    def read_dict(self, value: Any, _: Any = None) -> dict[str, Any] | None:
        """Read an object, which is no record itself whatever it looks like, or null."""
        if value is None:
            return None
        if not isinstance(value, dict):
            refuse("an object or null", value)
        return walked_dict(_unmarked(value) if MARK in value else value, _kept, self._revived, 0)

    def write(self, value: Any) -> Any:
        """Write a value."""
        return walked(value, self._leaf, self._escaped)

    def write_dict(self, value: Any) -> Any:
        """Write a dict that is read by `read_dict`, or null or text."""
        if value is None:
            return None
        if type(value) is not dict:
            return self.write(value)
        return walked_dict(_marked(value) if MARK in value else value, self._leaf, self._escaped, 0)

    def _revived(self, value: dict[str, Any]) -> Any:
        if "kind" not in value and MARK not in value:
            return value
        mark = value.get(MARK)
        if mark is None or mark == IMAGE:
            return self._content().read(value) if self._is_record(value) else value
        if mark == "bytes" and value.keys() == {MARK, "data"}:
            return data(value["data"])
        if mark == "float" and value.keys() == {MARK, "value"}:
            name = value["value"]
            return _FLOATS.get(name, value) if isinstance(name, str) else value
        return _unmarked(value)

    def _is_record(self, value: dict[str, Any]) -> bool:
        """Whether an object is a record: its keys fit, and so do its plain values.

        These are read here once more than needed, so that a misfit is known before the fields
        that nest are read; finding out after them would double the work at each level.
        """
        return self._looks_like_record(value) and self._content().fits(
            value["kind"], self._renamed(value)
        )

    def _looks_like_record(self, value: dict[str, Any]) -> bool:
        kind = value.get("kind")
        if not isinstance(kind, str) or kind not in _RECORD_KEYS:
            return False
        needed, allowed = _RECORD_KEYS[kind]
        return needed <= self._renamed(value).keys() <= allowed

    def _escaped(self, value: dict[str, Any]) -> dict[str, Any]:
        if MARK in value:
            return _marked(value)
        if "kind" in value and self._looks_like_record(value):
            return {**value, MARK: "dict"}
        return value

    def _leaf(self, value: Any, depth: int) -> Any:
        write = _LEAVES.get(type(value))
        if write is not None:
            return write(value)
        if type(value) in self._content():
            return self._content().write(value)
        return walked(_nearest(value), self._leaf, self._escaped, depth)


def _kept(value: Any, _: int) -> Any:
    return value


def _unmarked(value: dict[str, Any]) -> dict[str, Any]:
    mark = value.get(MARK)
    if mark == "dict":
        return {key: item for key, item in value.items() if key != MARK}
    if type(mark) is dict and mark.keys() == {"was"}:
        return {**value, MARK: mark["was"]}
    return value


def _marked(value: dict[str, Any]) -> dict[str, Any]:
    return {**value, MARK: {"was": value[MARK]}}


def _written_bytes(value: bytes) -> dict[str, Any]:
    return {MARK: "bytes", "data": bytes(value)}


def _written_float(value: float) -> Any:
    return value if math.isfinite(value) else {MARK: "float", "value": repr(value)}


_LEAVES: dict[type, Writer] = {
    float: _written_float,
    bytes: _written_bytes,
    bytearray: _written_bytes,
    memoryview: _written_bytes,
    datetime: written_moment,
}

# By `isinstance` and in this order: an enum may be a str, a datetime is a date.
_CONVERTED: tuple[tuple[Any, Writer], ...] = (
    (Enum, lambda value: value.value),
    (str, str.__str__),
    (int, int),
    (float, float),
    (Mapping, dict),
    ((tuple, list, set, frozenset), list),
    (datetime, lambda value: value.isoformat()),
    ((date, time), lambda value: value.isoformat()),
    ((Decimal, UUID, PurePath, BaseException), str),
)
_OPENED: tuple[tuple[Callable[[Any], bool], Writer], ...] = (
    (lambda value: attrs.has(type(value)), lambda value: attrs.asdict(value, recurse=False)),
    (
        dataclasses.is_dataclass,
        lambda value: {f.name: getattr(value, f.name) for f in dataclasses.fields(value)},
    ),
    (lambda value: hasattr(value, "model_dump"), lambda value: value.model_dump(mode="json")),
)


def _nearest(value: Any) -> Any:
    """What is nearest to a value in JSON, or nearer to that."""
    for kind, convert in _CONVERTED:
        if isinstance(value, kind):
            return convert(value)
    for has, convert in _OPENED:
        if not isinstance(value, type) and has(value):
            return convert(value)
    refuse("a value that JSON can hold", value)


def verbatim(value: Any) -> Any:
    """Copy what is JSON and nothing more."""
    return walked(value, _json_leaf, lambda value: value)


def _json_leaf(value: Any, _: int) -> Any:
    if type(value) is float and math.isfinite(value):
        return value
    refuse("a value that JSON can hold", value)
