"""Content encodings, undone piece by piece with a bound on what comes out."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

MAX_RATIO = 100
"""Decoded to encoded bytes; model answers reach 10 to 30."""
RATIO_FREE_BYTES = 256 * 1024
"""Decoded bytes below which the ratio says nothing: short repetitive texts pass it."""
_PIECE = 64 * 1024
_WINDOW_BITS = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


class CompressionRatioError(Exception):
    """The encoded data swells beyond `MAX_RATIO`; internal to this package."""


class BadEncodingError(Exception):
    """Data that is not in its encoding, or an encoding nobody asked for; internal to this package."""


def make_inflater(encoding: str) -> Inflater | None:
    """The decoder for a Content-Encoding header, or None where nothing is encoded.

    Raises:
        BadEncodingError: another encoding than gzip or deflate, or several.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return None
    if name not in _WINDOW_BITS:
        raise BadEncodingError(f"the content encoding '{name[:40]}', which was not asked for")
    return Inflater(_WINDOW_BITS[name])


class Inflater:
    """Decodes gzip or deflate, never holding more than one piece of output."""

    def __init__(self, window_bits: int) -> None:
        self._window_bits = window_bits
        self._inner = zlib.decompressobj(window_bits)
        self._encoded = 0
        self._decoded = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Pieces of at most 64 KiB of decoded data.

        Raises:
            CompressionRatioError, BadEncodingError.
        """
        self._encoded += len(data)
        piece = b""
        while data or len(piece) == _PIECE:  # a full piece may leave output inside the decoder, and no input
            piece = self._inflate(data)
            self._decoded += len(piece)
            if self._decoded > RATIO_FREE_BYTES and self._decoded > MAX_RATIO * self._encoded:
                raise CompressionRatioError
            if piece:
                yield piece
            data = self._inner.unconsumed_tail
            if self._inner.eof:  # gzip data may consist of several members
                data = self._inner.unused_data
                self._inner = zlib.decompressobj(self._window_bits)

    def _inflate(self, data: bytes) -> bytes:
        try:
            return self._inner.decompress(data, _PIECE)
        except zlib.error:
            pass
        if self._decoded == 0 and self._window_bits == zlib.MAX_WBITS:  # "deflate" without its zlib header is common
            self._window_bits = -zlib.MAX_WBITS
            self._inner = zlib.decompressobj(self._window_bits)
            try:
                return self._inner.decompress(data, _PIECE)
            except zlib.error:
                pass
        raise BadEncodingError("data that is not in its content encoding")
