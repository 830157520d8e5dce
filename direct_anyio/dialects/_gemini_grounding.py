"""What supports one of Gemini's answers: `groundingMetadata`.

It comes with the end of the answer, or in several frames, and speaks of all its text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

from .._core.codec import JSONObject, dictionary, maybe

__all__ = (
    "citations",
    "merged",
    "retrieved_contexts",
    "searches",
    "snake_case",
    "web_sources",
)

_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")


def snake_case(value: Any) -> Any:
    """Return JSON with its members in `snake_case`, without those that are null."""
    if isinstance(value, dict):
        known = ((key, each) for key, each in value.items() if each is not None)
        return {_HUMP.sub(r"_\1", key).lower(): snake_case(each) for key, each in known}
    return [snake_case(each) for each in value] if isinstance(value, list) else value


def merged(known: JSONObject, new_metadata: JSONObject) -> JSONObject:
    """Return the metadata of all frames so far.

    A frame has all of it again, or what is new; then what supports the answer counts
    its sources from those of the frames before.
    """
    sources, new = (_objects(each, "groundingChunks") for each in (known, new_metadata))
    if new[: len(sources)] == sources and len(new) >= len(sources):
        return {**known, **{name: value for name, value in new_metadata.items() if value}}
    supports = [
        {**each, "groundingChunkIndices": _moved(each, len(sources))}
        for each in _objects(new_metadata, "groundingSupports")
    ]
    return {
        **known,
        **new_metadata,
        "groundingChunks": sources + new,
        "groundingSupports": _objects(known, "groundingSupports") + supports,
        "webSearchQueries": searches(known) + searches(new_metadata),
    }


def _moved(support: JSONObject, by: int) -> list[int]:
    indices = maybe(list, support.get("groundingChunkIndices")) or ()
    return [at + by for at in indices if type(at) is int]


def searches(grounding: JSONObject) -> list[str]:
    """Return what was searched for in the web; some are blank, some come twice."""
    queries = maybe(list, grounding.get("webSearchQueries")) or []
    return [query for query in queries if isinstance(query, str)]


def web_sources(grounding: JSONObject) -> list[JSONObject]:
    """Return the pages that were found in the web."""
    pages = (dictionary(chunk.get("web")) for chunk in _objects(grounding, "groundingChunks"))
    keys = ("domain", "title", "uri")
    return [{key: page.get(key) for key in keys} for page in pages if page]


def retrieved_contexts(grounding: JSONObject) -> list[JSONObject]:
    """Return what was found in uploaded files."""
    chunks = _objects(grounding, "groundingChunks")
    found = (dictionary(chunk.get("retrievedContext")) for chunk in chunks)
    return [snake_case(context) for context in found if context]


def citations(grounding: JSONObject, texts: Mapping[int, str]) -> dict[int, list[JSONObject]]:
    """Return, by key of a text, what supports which segment of it.

    Args:
        grounding: The metadata.
        texts: The answer's texts, in their order.
    """
    chunks = [snake_case(chunk) for chunk in maybe(list, grounding.get("groundingChunks")) or ()]
    answer = _Answer(texts)
    found: dict[int, list[JSONObject]] = {}
    for support in _objects(grounding, "groundingSupports"):
        indices = maybe(dict.fromkeys, support.get("groundingChunkIndices")) or ()
        places = [at if type(at) is int and 0 <= at < len(chunks) else None for at in indices]
        cited = [None if at is None else chunks[at] for at in places]
        key = maybe(answer.key_of, support.get("segment") or {})
        if key is not None and any(cited):
            entry = snake_case(support) | {"grounding_chunks": cited}
            found.setdefault(key, []).append(entry)
    return found


def _objects(grounding: JSONObject, name: str) -> list[JSONObject]:
    """Return the objects of an optional list."""
    items = grounding.get(name)
    return [each for each in items if isinstance(each, dict)] if isinstance(items, list) else []


_SLACK = 16
"""Bytes that an offset may be off."""


class _Answer:
    """The texts of an answer, in which segments are looked up by their offsets in bytes.

    Args:
        texts: The texts by their keys, in their order.
    """

    def __init__(self, texts: Mapping[int, str]) -> None:
        self._keys = list(texts)
        encoded = [text.encode() for text in texts.values()]
        self._data = b"".join(encoded)
        self._ends = list(accumulate(map(len, encoded)))

    def key_of(self, segment: JSONObject) -> int | None:
        """Return the key of the text that a segment is of, None where it is not known."""
        end, text = segment.get("endIndex"), segment.get("text")
        if end is None or not self._keys:
            return None
        if text:
            wanted, start = text.encode(), segment.get("startIndex") or 0
            keys = {self._key_at(start, wanted)}
            if None in keys:
                # Offsets count the bytes of all texts together, but are now and then off.
                places: set[int] = set()
                for at in {start, end - len(wanted)}:
                    near = max(0, at - _SLACK), max(0, at + len(wanted) + _SLACK)
                    places |= {self._data.find(wanted, *near), self._data.rfind(wanted, *near)}
                keys = {self._key_at(place, wanted) for place in places}
            if keys != {None}:
                return keys.pop() if len(keys) == 1 else None
        return self._keys[0] if len(self._keys) == 1 else None

    def _key_at(self, start: int, wanted: bytes) -> int | None:
        """Return the key of the text that has `wanted` at an offset, None where none has."""
        if not (start >= 0 and self._data.startswith(wanted, start)):
            return None
        place = bisect_right(self._ends, start)
        return self._keys[place] if start + len(wanted) <= self._ends[place] else None
