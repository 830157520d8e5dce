"""Recorded exchanges and the file that they are kept in."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from attrs import frozen

from ._annotations import wrong_field
from .exceptions import UserError, printable

__all__ = ("Cassette", "RecordedChunk", "RecordedExchange")

FORMAT = 1
"""The version of a cassette's file."""

MAX_WAIT = 86_400
"""Seconds that a recorded wait may take."""

MAX_DIFFERENCES = 3
"""Places that an error names where a request is not as it was recorded."""

MAX_SHOWN = 80
"""Characters of a value that an error shows."""


@frozen
class RecordedChunk:
    """Bytes of a response's body, as they were read.

    Attributes:
        data: The bytes.
        after: Seconds since the chunk before, or since the head of the response.
    """

    data: bytes
    after: float

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """Read a chunk of a cassette."""
        text = document.get("text")
        data = base64.b64decode(document["base64"]) if text is None else text.encode()
        return cls(data, document["after"])

    def document(self) -> dict[str, Any]:
        """Return the chunk as JSON of a cassette: text where it is such, else base64."""
        after = round(self.after, 4)
        try:
            return {"after": after, "text": self.data.decode()}
        except UnicodeDecodeError:
            return {"after": after, "base64": base64.b64encode(self.data).decode()}


@frozen
class RecordedExchange:
    """A request and the response to it, without secrets.

    Attributes:
        method: GET or POST.
        url: The URL.
        body: The JSON document of the request, None where there was none.
        status: The status of the response.
        headers: Those of its headers that say something about the answer.
        after: Seconds from the request to the head of the response.
        chunks: The body of the response.
        cut: What kept the body from being complete, None where it is.
    """

    method: str
    url: str
    body: Any
    status: int
    headers: dict[str, str]
    after: float
    chunks: tuple[RecordedChunk, ...]
    cut: str | None = None

    def __str__(self) -> str:
        return f"{self.method} {urlsplit(self.url).path}"

    @property
    def key(self) -> str:
        """What a recording is found by: method, path and body of the request."""
        return f"{self} {json.dumps(self.body, sort_keys=True)}"

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        """Read an exchange of a cassette.

        Raises:
            ValueError: A field is of a wrong type, or a wait out of bounds.
        """
        response = document["response"]
        exchange = cls(
            **document["request"],
            **{name: response[name] for name in ("status", "headers", "after")},
            chunks=tuple(map(RecordedChunk.from_document, response["chunks"])),
            cut=response.get("cut"),
        )
        wrong = wrong_field(exchange)
        times = (exchange.after, *(chunk.after for chunk in exchange.chunks))
        if wrong is not None or not all(0 <= seconds <= MAX_WAIT for seconds in times):
            raise ValueError(wrong or "a wait that is negative or longer than a day")
        urlsplit(exchange.url)
        return exchange

    def document(self) -> dict[str, Any]:
        """Return the exchange as JSON of a cassette."""
        request = {"method": self.method, "url": self.url, "body": self.body}
        response: dict[str, Any] = {
            "after": round(self.after, 4),
            "status": self.status,
            "headers": self.headers,
            "chunks": [chunk.document() for chunk in self.chunks],
        }
        if self.cut is not None:
            response["cut"] = self.cut
        return {"request": request, "response": response}


@frozen
class Cassette:
    """Recorded exchanges, in the order of their requests; a file of JSON.

    Attributes:
        exchanges: The exchanges.
    """

    exchanges: tuple[RecordedExchange, ...]

    @classmethod
    def load(cls, path: str | Path) -> Cassette:
        """Read a cassette.

        Raises:
            UserError: There is none, or this version cannot read it.
        """
        try:
            document = json.loads(Path(path).read_bytes())
        except (OSError, RecursionError, ValueError) as exc:
            raise UserError(f"The cassette {path} cannot be read: {exc}") from exc
        version = document.get("format") if isinstance(document, dict) else None
        if version != FORMAT:
            raise UserError(
                f"The cassette {path} has the format {version!r}, and this version reads "
                f"{FORMAT}: record it again."
            )
        try:
            return cls(tuple(map(RecordedExchange.from_document, document["exchanges"])))
        except (AttributeError, LookupError, TypeError, ValueError) as exc:
            raise UserError(f"The cassette {path} is damaged ({exc!r}): record it again.") from exc

    def save(self, path: str | Path) -> None:
        """Write the cassette, and the folders that it lies in."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        document = {"format": FORMAT, "exchanges": [each.document() for each in self.exchanges]}
        text = json.dumps(document, indent=1, ensure_ascii=False)
        path.write_text(f"{text}\n", encoding="utf-8", newline="\n")

    def no_recording(self, request: RecordedExchange) -> str:
        """Return the error for a request that no recording is left for: how it differs."""
        recorded = self.exchanges
        same = [each for each in recorded if each.key == request.key]
        if same:
            return (
                f"{request} was asked more often than recorded: each recording answers once, and "
                f"there are {len(same)} of this request. Record the traffic again."
            )
        if not recorded:
            return (
                f"No recording answers {request}: the cassette is empty. Record the traffic again."
            )
        near = min(
            recorded, key=lambda each: (str(each) != str(request), len(_differences(request, each)))
        )
        shown = "; ".join(_differences(request, near)[:MAX_DIFFERENCES])
        return (
            f"No recording answers {request}. The nearest is number {recorded.index(near) + 1} of "
            f"{len(recorded)}, {near}: {shown}. Record the traffic again, or ask as it was "
            "recorded."
        )


def _differences(request: RecordedExchange, recorded: RecordedExchange) -> list[str]:
    return [
        f"{where} is {_shown(new)}, and was {_shown(old)}"
        for where, new, old in (
            *_unlike("the request", str(request), str(recorded)),
            *_unlike("body", request.body, recorded.body),
        )
    ]


def _unlike(where: str, new: Any, old: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the places where two JSON documents differ, with what each has there."""
    if isinstance(new, dict) and isinstance(old, dict):
        for name in new | old:
            yield from _unlike(f"{where}.{name}", new.get(name, _ABSENT), old.get(name, _ABSENT))
    elif isinstance(new, list) and isinstance(old, list):
        for index, pair in enumerate(zip_longest(new, old, fillvalue=_ABSENT)):
            yield from _unlike(f"{where}[{index}]", *pair)
    elif repr(new) != repr(old):
        yield where, new, old


_ABSENT = object()


def _shown(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    return printable(json.dumps(value, ensure_ascii=False), MAX_SHOWN)
