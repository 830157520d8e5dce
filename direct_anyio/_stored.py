"""What a stored history holds, and how it is written; `history` reads it.

A record is written by the names of its fields. Where any value may stand, a record of `content`
keeps this form, and what JSON has no form for is an object with the key `$direct_anyio`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, cast, get_args

import attrs

from ._record import Record, public
from ._validation import ValidationError, each, refuse
from ._values import SCALARS, Values, whole_minutes
from .content import BinaryImage, UserContent
from .messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    ModelResponsePartDelta,
    ModelResponseStreamEvent,
    OpaquePart,
    RetryPromptPart,
    UserPromptPart,
)

__all__ = (
    "CONTENT",
    "EVENTS",
    "IMAGE",
    "MARK",
    "MESSAGES",
    "REQUEST_PARTS",
    "RESPONSE_PARTS",
    "STORED",
    "TAGS",
    "UNIONS",
    "VERBATIM",
    "Union",
    "looks_like_content",
    "renamed",
    "unmarked",
)

MARK = "$direct_anyio"
IMAGE = "image"
"""The mark of a file that is a `BinaryImage`; without it, it is a `BinaryContent`."""


class Union:
    """A union of records, distinguished by a tag.

    Args:
        kind: The union, as its type alias.
        tag: The field that says which one it is.
        others: What may stand there beside its members.

    Attributes:
        tag: The field that says which one it is.
        members: All that may stand there; an `OpaquePart` has any other tag.
        classes: The class of each tag.
    """

    def __init__(self, union: Any, tag: str, *others: type) -> None:
        self.tag = tag
        self.members: set[Any] = {*get_args(union), *others}
        # Both classes of binary files have one tag, and the last one counts.
        self.classes: dict[str, type] = {
            str(attrs.fields_dict(cls)[tag].default): cls
            for cls in get_args(union)
            if hasattr(cls, tag) and cls is not OpaquePart
        }


CONTENT = Union(UserContent, "kind", OpaquePart)
REQUEST_PARTS = Union(ModelRequestPart, "part_kind")
# What pydantic-ai 2 calls a retry prompt that answers no tool call; it reads the old name, too.
REQUEST_PARTS.classes["retry-feedback"] = RetryPromptPart
RESPONSE_PARTS = Union(ModelResponsePart, "part_kind")
MESSAGES = Union(ModelMessage, "kind")
EVENTS = Union(ModelResponseStreamEvent, "event_kind")

# In this order: what a record holds stands before it.
UNIONS: dict[Any, Union] = {
    UserContent: CONTENT,
    ModelRequestPart: REQUEST_PARTS,
    ModelResponsePart: RESPONSE_PARTS,
    ModelMessage: MESSAGES,
    ModelResponsePartDelta: Union(ModelResponsePartDelta, "part_delta_kind"),
    ModelResponseStreamEvent: EVENTS,
}
TAGS = {union.tag for union in UNIONS.values()}
_LISTS: dict[type, dict[str, Union]] = {
    ModelRequest: {"parts": REQUEST_PARTS},
    ModelResponse: {"parts": RESPONSE_PARTS},
    UserPromptPart: {"content": CONTENT},
}

_OLD_KEYS: dict[str, str] = {
    "vendor_details": "provider_details",
    "vendor_id": "provider_response_id",
    "request_tokens": "input_tokens",
    "response_tokens": "output_tokens",
    "_media_type": "media_type",  # what pydantic-ai 1 writes for a file in an `Any` field
    "_identifier": "identifier",
}


def renamed(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object with its present keys for old ones; itself where it has none."""
    if _OLD_KEYS.keys().isdisjoint(value):
        return value
    new = {key: item for key, item in value.items() if key not in _OLD_KEYS}
    return {_OLD_KEYS[key]: item for key, item in value.items() if key in _OLD_KEYS} | new


# What each kind of content must have beside its kind, and what it may have; an object with more
# or less is the program's own.
_FILE_KEYS = {"kind", "media_type", "identifier", "vendor_metadata"}
_URL_KEYS = ({"url", "media_type"}, _FILE_KEYS | {"url", "force_download"})
_CONTENT_KEYS: dict[str, tuple[set[str], set[str]]] = {
    "image-url": _URL_KEYS,
    "audio-url": _URL_KEYS,
    "document-url": _URL_KEYS,
    "video-url": _URL_KEYS,
    "binary": ({"data", "media_type"}, _FILE_KEYS | {"data", MARK}),
    "uploaded-file": ({"file_id", "provider_name"}, _FILE_KEYS | {"file_id", "provider_name"}),
    "text-content": ({"content", "metadata"}, {"kind", "content", "metadata"}),
    "cache-point": ({"ttl"}, {"kind", "ttl"}),
}


def looks_like_content(value: dict[str, Any]) -> bool:
    """Return whether an object has the keys of a record of `content`, and no others."""
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in _CONTENT_KEYS:
        return False
    needed, allowed = _CONTENT_KEYS[kind]
    return needed <= renamed(value).keys() <= allowed


def _marked(value: dict[str, Any]) -> dict[str, Any]:
    return {**value, MARK: {"was": value[MARK]}} if MARK in value else value


def unmarked(value: dict[str, Any]) -> dict[str, Any]:
    """Return a dict as it was before it was marked, so that it is not taken for another thing."""
    mark = value.get(MARK)
    if mark == "dict":
        return {key: item for key, item in value.items() if key != MARK}
    if type(mark) is dict and mark.keys() == {"was"}:
        return {**value, MARK: mark["was"]}
    return value


class _Stored(Values):
    """Writes what a history holds: what JSON has no form for, so that it is read back."""

    strict = True

    def number(self, value: float) -> Any:
        return value if math.isfinite(value) else {MARK: "float", "value": repr(value)}

    def data(self, value: bytes) -> Any:
        return {MARK: "bytes", "data": value}

    def moment(self, value: datetime) -> Any:
        return whole_minutes(value)

    def mapping(self, value: dict[Any, Any], depth: int) -> Any:
        if MARK not in value and "kind" in value and looks_like_content(value):
            return {**value, MARK: "dict"}
        return _marked(value)

    def record(self, value: Record, depth: int) -> Any:
        known = type(value) in CONTENT.members and type(value) is not OpaquePart
        return self.member(value, depth + 1) if known else super().record(value, depth)

    def fields(self, record: Any, depth: int = 0) -> Any:
        """Write a record that is expected where it stands.

        Args:
            record: The record.
            depth: How many lists and dicts are around what its fields hold.
        """
        cls = type(record)
        if cls is OpaquePart:
            return VERBATIM.tree(record.data)
        done, holds, name = public(record), _holds(cast(Any, cls)), ""
        try:
            for name, value in done.items():
                if type(value) not in SCALARS:
                    done[name] = self._field(value, holds.get(name), depth)
        except ValidationError as invalid:
            invalid.inside(name)
            raise
        return done

    def member(self, record: Any, depth: int = 0) -> Any:
        """Write a record where others may stand; both classes of binary files have one form."""
        written = self.fields(record, depth)
        return written | {MARK: IMAGE} if type(record) is BinaryImage else written

    def each(self, values: Any, union: Union) -> list[Any]:
        """Write a list of a union's members."""
        if not isinstance(values, (list, tuple)):
            refuse("a list", values)
        return each(self.union_member, values, union)

    def union_member(self, value: Any, union: Union) -> Any:
        """Write a member of a union."""
        if type(value) not in union.members:
            names = sorted(cls.__name__ for cls in union.classes.values())
            refuse(f"one of {', '.join(names)}", value)
        return value if type(value) is str else self.member(value)

    def _field(self, value: Any, holds: Any, depth: int) -> Any:
        if holds is Any:
            return self.tree(value, depth)
        if isinstance(value, datetime):
            return self.moment(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value)
        if isinstance(holds, Union):
            return self.each(value, holds)
        if isinstance(value, Record):
            return self.fields(value, depth)
        if isinstance(value, Mapping):  # it is read as a dict, whatever it looks like
            return self.members(_marked(dict(value)), depth)
        if isinstance(value, (list, tuple, str, int, float)):
            return self.tree(value, depth)
        refuse("a value that its field can hold", value)


@cache
def _holds(cls: type) -> dict[str, Any]:
    """Return the fields of a record that may hold anything, or a list of a union's members."""
    anything = {field.alias: Any for field in attrs.fields(cls) if field.type in (Any, "Any")}
    return {**anything, **_LISTS.get(cls, {})}


class _Verbatim(Values):
    """Copies what is JSON and nothing more."""

    def leaf(self, value: Any, depth: int) -> Any:
        if type(value) is float and math.isfinite(value):
            return value
        refuse("a value that JSON can hold", value)


STORED, VERBATIM = _Stored(), _Verbatim()
