"""What supports one of Gemini's answers: `groundingMetadata`.

It comes once, with the end of the answer, and speaks of all its text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = (
    "JSONObject",
    "citations",
    "retrieved_contexts",
    "searches",
    "snake_case",
    "web_sources",
)

JSONObject = dict[str, Any]

_HUMP = re.compile(r"(?<=[a-z0-9])([A-Z])")


def snake_case(value: Any) -> Any:
    """Return JSON with its members in `snake_case`, without those that are null."""
    if isinstance(value, dict):
        known = ((key, each) for key, each in value.items() if each is not None)
        return {_HUMP.sub(r"_\1", key).lower(): snake_case(each) for key, each in known}
    return [snake_case(each) for each in value] if isinstance(value, list) else value


def searches(grounding: JSONObject) -> list[str]:
    """Return what was searched for in the web; some are blank, some come twice."""
    return list(grounding.get("webSearchQueries") or ())


def web_sources(grounding: JSONObject) -> list[JSONObject]:
    """Return the pages that were found in the web."""
    pages = (chunk.get("web") for chunk in grounding.get("groundingChunks") or ())
    keys = ("domain", "title", "uri")
    return [{key: page.get(key) for key in keys} for page in pages if page]


def retrieved_contexts(grounding: JSONObject) -> list[JSONObject]:
    """Return what was found in uploaded files."""
    found = (chunk.get("retrievedContext") for chunk in grounding.get("groundingChunks") or ())
    return [snake_case(context) for context in found if context]


def citations(grounding: JSONObject, texts: Mapping[int, str]) -> dict[int, list[JSONObject]]:
    """Return, by key of a text, what supports which segment of it.

    Args:
        grounding: The metadata.
        texts: The answer's texts, in their order.
    """
    chunks = grounding.get("groundingChunks") or []
    found: dict[int, list[JSONObject]] = {}
    for support in grounding.get("groundingSupports") or ():
        segment = support.get("segment") or {}
        indices = support.get("groundingChunkIndices") or []
        cited = [chunks[at] if 0 <= at < len(chunks) else None for at in indices]
        key = _cited(segment, texts)
        if key is not None and any(cited):
            entry = snake_case(support) | {"grounding_chunks": [snake_case(c) for c in cited]}
            found.setdefault(key, []).append(entry)
    return found


def _cited(segment: JSONObject, texts: Mapping[int, str]) -> int | None:
    """Return the key of the text that a segment is of, None where it cannot be told."""
    end, text = segment.get("endIndex"), segment.get("text")
    if end is None:
        return None
    if text:
        # Offsets count the bytes of all texts together, but are now and then a byte off.
        key = _at(segment.get("startIndex") or 0, end, text.encode(), texts)
        holding = [each for each, whole in texts.items() if text in whole]
        if key is not None or len(holding) == 1:
            return holding[0] if key is None else key
    return next(iter(texts)) if len(texts) == 1 else None


def _at(start: int, end: int, wanted: bytes, texts: Mapping[int, str]) -> int | None:
    offset = 0
    for key, text in texts.items():
        data = text.encode()
        if start >= offset and data[start - offset : end - offset] == wanted:
            return key
        offset += len(data)
    return None
