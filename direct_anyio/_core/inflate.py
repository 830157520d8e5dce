"""Undoes a compression of a response's body, never further than a cap."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from ..exceptions import ResponseTooLarge, UnexpectedModelBehavior, printable
from .codec import Item, Mark
from .decoder import Decoder

__all__ = ("Inflate", "decompressed", "undone")

STEP = 64 * 1024
"""The most bytes that are undone at once."""

MAX_RATIO = 200
"""How many bytes a compressed one may become, beyond the first MiB; text makes about 10."""

TYPICAL_RATIO = 10

MAX_UNDONE = 256 * 1024
"""Bytes of an error's body from which on no more is undone."""

_CODINGS = ("gzip", "x-gzip", "deflate")


def decompressed(decoder: Decoder[bytes], encoding: str) -> Decoder[bytes]:
    """Return `decoder` for a body with this `Content-Encoding`.

    Raises:
        UnexpectedModelBehavior: The coding is unknown, or there are several.
    """
    inflate = Inflate(encoding)
    return _InflatingDecoder(decoder, inflate) if inflate.coding else decoder


def undone(body: bytes, encoding: str) -> bytes:
    """Return the start of a body without its `Content-Encoding`; as it is where it has none.

    For errors: what is badly compressed, or cut short, is returned as far as it goes.
    """
    plain = b""
    try:
        for piece in Inflate(encoding).feed(body):
            plain += piece
            if len(plain) > MAX_UNDONE:
                break
    except UnexpectedModelBehavior:
        return plain or body
    return plain


class Inflate:
    """Undoes gzip, of which there may be several members, zlib and raw deflate.

    Args:
        encoding: The `Content-Encoding`; '' and 'identity' leave the bytes as they are.

    Attributes:
        coding: What is undone, '' for nothing.

    Raises:
        UnexpectedModelBehavior: The coding is unknown, or there are several.
    """

    def __init__(self, encoding: str) -> None:
        coding = encoding.strip().lower()
        self.coding = "" if coding == "identity" else coding
        if self.coding and self.coding not in _CODINGS:
            shown = printable(coding, 100)
            raise UnexpectedModelBehavior(f"The response has an unknown Content-Encoding: {shown}")
        self._zlib: Any = None
        self._start = b""
        self._read = self._made = 0

    @property
    def is_whole(self) -> bool:
        """Whether the compressed data has had its end; so has a body without a byte."""
        is_over: bool = self._zlib.eof if self._zlib else not self._start
        return is_over

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Take bytes and return, lazily, what they are, in pieces.

        Raises:
            ResponseTooLarge: They grow beyond all reason.
            UnexpectedModelBehavior: They are badly compressed.
        """
        if not self.coding:
            yield chunk
            return
        self._read += len(chunk)
        while chunk or self._is_within:
            if not self._is_within:
                start = self._start + chunk
                # Zeros may fill up what is behind a member.
                self._start = start if self._zlib is None else start.lstrip(b"\0")
                if len(self._start) < 2:
                    return
                self._zlib, chunk, self._start = self._member(), self._start, b""
            data = self._piece(chunk)
            chunk = self._zlib.unused_data if self._zlib.eof else self._zlib.unconsumed_tail
            self._made += len(data)
            if self._made > 1024 * 1024 + (self._read - len(chunk)) * MAX_RATIO:
                raise ResponseTooLarge(f"The response is compressed more than {MAX_RATIO} fold")
            if data:
                yield data
            elif not chunk:
                return

    @property
    def _is_within(self) -> bool:
        return self._zlib is not None and not self._zlib.eof

    def _member(self) -> Any:
        """Return what undoes the data that begins: some servers call raw deflate 'deflate'."""
        if self.coding != "deflate":
            return zlib.decompressobj(31)
        first, second = self._start[:2]
        has_header = first & 15 == 8 and (first * 256 + second) % 31 == 0
        return zlib.decompressobj(15 if has_header else -15)

    def _piece(self, chunk: bytes) -> bytes:
        try:
            piece: bytes = self._zlib.decompress(chunk, STEP)
        except zlib.error as exc:
            raise UnexpectedModelBehavior(f"The response is badly compressed: {exc}") from exc
        return piece


class _InflatingDecoder:
    """Undoes the compression of what a decoder reads."""

    def __init__(self, decoder: Decoder[bytes], inflate: Inflate) -> None:
        self._decoder = decoder
        self._inflate = inflate

    @property
    def has_last_frame(self) -> bool:
        return self._decoder.has_last_frame

    def weight(self, chunk: bytes) -> int:
        return self._decoder.weight(chunk) * TYPICAL_RATIO

    def feed(self, chunk: bytes) -> Iterator[Item]:
        for data in self._inflate.feed(chunk):
            yield from self._decoder.feed(data)

    def close(self, mark: Mark) -> Iterator[Item]:
        return self._decoder.close(mark if self._inflate.is_whole else Mark.CUT)
