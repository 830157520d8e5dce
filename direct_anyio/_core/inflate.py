"""Undoes a compression of a response's body, never further than a cap."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from ..exceptions import ResponseTooLarge, UnexpectedModelBehavior
from .codec import Item
from .decoder import MAX_RESPONSE, Decoder

__all__ = ("decompressed",)

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
        raise UnexpectedModelBehavior(f"The response has an unknown Content-Encoding: {coding!r}")
    return _Inflated(decoder, _WINDOW[coding])


class _Inflated:
    def __init__(self, decoder: Decoder, window: int) -> None:
        self._decoder = decoder
        self._zlib = zlib.decompressobj(window)
        self._room = MAX_RESPONSE

    def feed(self, chunk: bytes) -> Iterator[Item]:
        try:
            # One byte more than there is room for tells a bomb from a full house.
            data = self._zlib.decompress(chunk, self._room + 1)
        except zlib.error as exc:
            raise UnexpectedModelBehavior(f"The response is badly compressed: {exc}") from exc
        self._room -= len(data)
        if self._room < 0:
            raise ResponseTooLarge(f"The response has more than {MAX_RESPONSE} bytes")
        return self._decoder.feed(data)

    def close(self) -> Iterator[Item]:
        return self._decoder.close()
