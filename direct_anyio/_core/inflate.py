"""Undoes a compression of a response's body, never further than a cap."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from ..exceptions import (
    ResponseTooLarge,
    StreamInterrupted,
    UnexpectedModelBehavior,
    printable,
)
from .codec import Item
from .decoder import Decoder

__all__ = ("decompressed",)

STEP = 64 * 1024
"""The most bytes that are undone at once."""

MAX_RATIO = 200
"""How many bytes a compressed one may become, beyond the first MiB; text makes about 10."""

_WINDOW = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""zlib's window bits for each coding that we can undo."""


def decompressed(decoder: Decoder, encoding: str) -> Decoder:
    """Return `decoder` for a body with this `Content-Encoding`.

    Raises:
        UnexpectedModelBehavior: It is none that we can undo, or several at once.
    """
    coding = encoding.strip().lower()
    if coding in ("", "identity"):
        return decoder
    if coding not in _WINDOW:
        shown = printable(coding, 100)
        raise UnexpectedModelBehavior(f"The response has an unknown Content-Encoding: {shown}")
    return _Inflated(decoder, _WINDOW[coding])


class _Inflated:
    def __init__(self, decoder: Decoder, window: int) -> None:
        self._decoder = decoder
        self._zlib = zlib.decompressobj(window)
        self._read = self._made = 0

    def feed(self, chunk: bytes) -> Iterator[Item]:
        self._read += len(chunk)
        while data := self._undone(chunk):
            chunk = self._zlib.unconsumed_tail
            self._made += len(data)
            if self._made > 1024 * 1024 + (self._read - len(chunk)) * MAX_RATIO:
                raise ResponseTooLarge(f"The response is compressed more than {MAX_RATIO} fold")
            yield from self._decoder.feed(data)

    def _undone(self, chunk: bytes) -> bytes:
        try:
            return self._zlib.decompress(chunk, STEP)
        except zlib.error as exc:
            raise UnexpectedModelBehavior(f"The response is badly compressed: {exc}") from exc

    def close(self) -> Iterator[Item]:
        try:
            yield from self._decoder.close()
        except UnexpectedModelBehavior as exc:
            if self._zlib.eof:
                raise
            raise StreamInterrupted("", "The compressed response was cut short.") from exc
