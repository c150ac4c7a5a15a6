"""What hidden characters spell: texts in tags, bytes in variation selectors, bits in two kinds of zero width."""

from __future__ import annotations

import re
from collections.abc import Iterator

from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.encoded import Decoded

_TAGS = lazily.pattern("[\U000e0020-\U000e007e]{4,}")
_SELECTORS = lazily.pattern("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")
_BITS = lazily.pattern("[\u200b\u200c\u200d\u2060\ufeff]{16,}")
_PRIVATE = lazily.pattern("[\ue020-\ue07e]{4,}")
_FLAG = "\U0001f3f4"


def spelled(text: str) -> Iterator[Decoded]:
    """The texts that hidden characters spell, each with its place; what is no text is left out."""
    for match in _TAGS.finditer(text):
        if text[match.start() - 1 : match.start()] != _FLAG or len(match[0]) > 5:
            yield Decoded("".join(chr(ord(char) - 0xE0000) for char in match[0]), *match.span())
    for match in _SELECTORS.finditer(text):
        yield from _text(bytes(map(_byte, match[0])), match)
    for match in _PRIVATE.finditer(text):
        yield Decoded("".join(chr(ord(char) - 0xE000) for char in match[0]), *match.span())
    for match in _BITS.finditer(text):
        yield from _of_bits(match)


def _byte(selector: str) -> int:
    code = ord(selector)
    return code - 0xFE00 if code < 0xE0100 else code - 0xE0100 + 16


def _of_bits(match: re.Match[str]) -> Iterator[Decoded]:
    signs = sorted(set(match[0]))
    if len(signs) != 2:
        return
    for zero in signs:
        bits = "".join("0" if char == zero else "1" for char in match[0])
        for width in (8, 7):
            data = bytes(int(bits[at : at + width], 2) for at in range(0, len(bits) - width + 1, width))
            found = list(_text(data, match))
            if found:
                yield from found
                return


def _text(data: bytes, match: re.Match[str]) -> Iterator[Decoded]:
    try:
        found = data.decode("utf-8")
    except UnicodeDecodeError:
        return
    if found.replace("\n", " ").replace("\t", " ").isprintable():
        yield Decoded(found, *match.span())
