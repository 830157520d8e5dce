"""Hypothesis strategies for every word: content, parts, messages, and what an `Any` field holds."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from direct_anyio.messages import (
    AudioUrl,
    BinaryContent,
    BinaryImage,
    BuiltinToolCallPart,
    BuiltinToolReturnPart,
    CachePoint,
    DocumentUrl,
    FilePart,
    ImageUrl,
    ModelRequest,
    ModelResponse,
    OpaquePart,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
    UserPromptPart,
    VideoUrl,
)
from direct_anyio.usage import RequestUsage

__all__ = ("anything", "content", "histories", "json_values", "request_parts", "response_parts")


def maybe(strategy: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.none() | strategy


texts = st.text(max_size=8)
# Keys and kinds that mean something in a stored history, to meet them where they mean nothing.
keys = texts | st.sampled_from(["kind", "part_kind", "url", "media_type", "ttl", "$direct_anyio"])
kinds = st.sampled_from(["image-url", "binary", "cache-point", "text-content", "dict", "bytes"])
numbers = st.integers() | st.floats(allow_nan=False)
offsets = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(
    lambda delta: timezone(timedelta(seconds=delta // timedelta(seconds=1)))
)
moments = st.datetimes(datetime(1000, 1, 1), datetime(3000, 1, 1), timezones=st.just(UTC) | offsets)

json_values: SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
    | kinds,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
"""What JSON can hold."""

media_types = st.sampled_from(["image/png", "audio/wav", "application/pdf", "x"])


def files(inside: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Every kind of file, cache point and text, with `inside` as the data of its own."""
    own = maybe(st.dictionaries(keys, inside, max_size=2))
    named: dict[str, SearchStrategy[Any]] = {"identifier": maybe(texts), "vendor_metadata": own}
    url: dict[str, SearchStrategy[Any]] = {
        "url": texts | st.sampled_from(["https://x/a.png", "https://youtu.be/x", "http://["]),
        "force_download": st.booleans(),
        "media_type": maybe(media_types),
        **named,
    }
    return st.one_of(
        *(st.builds(cls, **url) for cls in (ImageUrl, AudioUrl, DocumentUrl, VideoUrl)),
        st.builds(BinaryContent, st.binary(max_size=8), media_type=media_types, **named),
        st.builds(BinaryImage, st.binary(max_size=8), media_type=st.just("image/png"), **named),
        st.builds(
            UploadedFile, file_id=texts, provider_name=texts, media_type=media_types, **named
        ),
        st.builds(TextContent, texts, metadata=inside),
        st.builds(CachePoint, ttl=st.sampled_from(["5m", "1h"])),
    )


def record_like(inside: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Dicts of a program's own that look like stored records or marks."""
    return st.one_of(
        st.fixed_dictionaries({"kind": st.just("cache-point"), "ttl": st.just("5m") | inside}),
        st.fixed_dictionaries(
            {"kind": st.just("image-url"), "url": texts, "media_type": st.none() | inside},
            optional={"$direct_anyio": inside, "vendor_metadata": inside},
        ),
        st.fixed_dictionaries(
            {"kind": st.just("text-content"), "content": texts, "metadata": inside}
        ),
        st.fixed_dictionaries({"$direct_anyio": kinds, "data": texts | inside}),
        st.fixed_dictionaries({"$direct_anyio": st.fixed_dictionaries({"was": inside})}),
    )


anything: SearchStrategy[Any] = st.recursive(
    json_values | st.binary(max_size=8) | st.sampled_from([math.inf, -math.inf]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(keys, inner, max_size=3)
        | files(inner)
        | record_like(inner)
    ),
    max_leaves=6,
)
"""What an `Any` field holds and a stored history gives back."""

content = files(anything)
"""User content other than plain text."""

details = maybe(st.dictionaries(keys, anything, max_size=3))
arguments = maybe(texts | st.dictionaries(keys, anything, max_size=3))
outcomes = st.sampled_from(["success", "failed", "denied", "interrupted", "retried"])

opaque = st.dictionaries(keys, json_values, max_size=3).map(
    lambda data: OpaquePart({**data, "part_kind": "of-another-version"})
)
opaque_content = st.dictionaries(keys, json_values, max_size=3).map(
    lambda data: OpaquePart({**data, "kind": "of-another-version"})
)
errors = st.fixed_dictionaries(
    {"type": texts, "loc": st.lists(texts | st.integers(0, 9)).map(tuple), "msg": texts},
    optional={"input": anything, "ctx": st.dictionaries(texts, anything, max_size=2)},
)
answers: dict[str, SearchStrategy[Any]] = {"tool_call_id": texts, "timestamp": moments}
returned = answers | {
    "tool_name": texts,
    "content": anything,
    "metadata": anything,
    "outcome": outcomes,
}

request_parts: SearchStrategy[Any] = st.one_of(
    st.builds(SystemPromptPart, texts, timestamp=moments, dynamic_ref=maybe(texts)),
    st.builds(
        UserPromptPart,
        texts | st.lists(texts | content | opaque_content, max_size=3),
        timestamp=moments,
    ),
    st.builds(ToolReturnPart, **returned),
    st.builds(
        RetryPromptPart, texts | st.lists(errors, max_size=2), tool_name=maybe(texts), **answers
    ),
    opaque,
)
"""Every part of a request."""

named: dict[str, SearchStrategy[Any]] = {"id": maybe(texts), "provider_details": details}
called = named | {"tool_name": texts, "args": arguments, "tool_call_id": texts}
images = st.builds(BinaryContent, st.binary(max_size=8), media_type=media_types)

response_parts: SearchStrategy[Any] = st.one_of(
    st.builds(TextPart, texts, **named),
    st.builds(ThinkingPart, texts, signature=maybe(texts), provider_name=maybe(texts), **named),
    st.builds(FilePart, images, provider_name=maybe(texts), **named),
    st.builds(ToolCallPart, **called),
    st.builds(BuiltinToolCallPart, provider_name=maybe(texts), **called),
    st.builds(
        BuiltinToolReturnPart, provider_name=maybe(texts), provider_details=details, **returned
    ),
    opaque,
)
"""Every part of a response."""

counts = st.integers(0, 2**70)
usages = st.builds(
    RequestUsage,
    input_tokens=counts,
    cache_write_tokens=counts,
    cache_read_tokens=counts,
    output_tokens=counts,
    input_audio_tokens=counts,
    cache_audio_read_tokens=counts,
    output_audio_tokens=counts,
    details=st.dictionaries(texts, counts, max_size=3),
)
requests = st.builds(
    ModelRequest,
    st.lists(request_parts, max_size=3),
    timestamp=maybe(moments),
    instructions=maybe(texts),
    run_id=maybe(texts),
    metadata=details,
)
responses = st.builds(
    ModelResponse,
    st.lists(response_parts, max_size=3),
    usage=usages,
    model_name=maybe(texts),
    timestamp=moments,
    provider_name=maybe(texts),
    provider_url=maybe(texts),
    provider_details=details,
    provider_response_id=maybe(texts),
    finish_reason=maybe(
        st.sampled_from(["stop", "length", "content_filter", "tool_call", "error"])
    ),
    state=st.sampled_from(["complete", "incomplete", "suspended", "interrupted"]),
    run_id=maybe(texts),
    metadata=details,
)

histories = st.lists(requests | responses, max_size=3)
"""Lists of messages that hold every kind of word."""
