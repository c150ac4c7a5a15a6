"""Text that hides in a text: in tags, which nothing draws, or as base64, hexadecimal or percent-encoded bytes."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.sentences import windows

_LEAST = 24
_MOST = 65536
"""Of one run of encoded characters, so much is decoded."""
_DEPTH = 2
_PIECE, _STEP = 2000, 1600
"""A long text is given in pieces, so that a sentence in it is not lost among the others."""
_ALL = 4
"""All that is decoded is at most so many times as long as the text."""

_BASE64 = lazily.pattern(rf"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{{{_LEAST},{_MOST}}}={{0,2}}")
_WRAPPED = lazily.pattern(r"(?<![A-Za-z0-9+/=])(?:[A-Za-z0-9+/]{40,100}\r?\n){1,800}[A-Za-z0-9+/]{1,100}={0,2}")
"""The same in lines, as in mails."""
_HEX = lazily.pattern(
    rf"(?<![0-9A-Za-z])(?:0x)?((?:[0-9A-Fa-f]{{2}}[ :]?){{{_LEAST // 2},{_MOST // 2}}})(?![0-9A-Za-z])"
)
_BESIDE = 64
_PERCENT = lazily.pattern(rf"(?:%[0-9A-Fa-f]{{2}}[^\s%]{{0,{_BESIDE}}}){{4,{_MOST // 3}}}")
_BEFORE = lazily.pattern(r"[^\s%]*\Z")
"""What stands before the first sign belongs to it; it is looked for from there, for most texts have no such sign."""
_TAG = "[\\U000e0020-\\U000e007e]"
_TAGS = lazily.pattern(rf"{_TAG}(?:[^\U000e0020-\U000e007f\U0001f3f4]{{0,3}}{_TAG}){{11,65536}}+")
"""Line feeds and letters of other alphabets have no tag.  A flag has fewer, and another sign at its end."""
_FROM_TAGS = {0xE0000 + code: code for code in range(0x20, 0x7F)}


class Decoded(NamedTuple):
    """A text that stood in another one, hidden."""

    text: str
    start: int
    end: int
    """Where: the part of the outer text that it stands for."""


def tagged(text: str) -> Iterator[Decoded]:
    """Every text that is written in tags, in pieces of 2,000 characters."""
    for match in _TAGS.finditer(text) if not text.isascii() else ():
        for start, end in windows(match[0], _PIECE, _STEP):
            place = match.start()
            yield Decoded(match[0][start:end].translate(_FROM_TAGS), place + start, place + end)


def decoded(text: str) -> Iterator[Decoded]:
    """Every part of the text that is an encoded text, in pieces of 2,000 characters, and what is encoded in that again.

    What does not decode to a text, such as a key or an image, is left out.
    """
    for one in _within(text, None, _DEPTH, _ALL * len(text)):
        for start, end in windows(one.text, _PIECE, _STEP):
            yield Decoded(one.text[start:end], one.start, one.end)


def _within(text: str, outer: Decoded | None, depth: int, budget: int) -> Iterator[Decoded]:
    for start, end, data in _candidates(text):
        budget -= len(data)
        if budget < 0:
            return
        found = _as_text(data)
        if found is None:
            continue
        one = Decoded(found, start, end) if outer is None else Decoded(found, outer.start, outer.end)
        yield one
        if depth > 1:
            yield from _within(found, one, depth - 1, budget)


def _candidates(text: str) -> Iterator[tuple[int, int, bytes]]:
    for match in _BASE64.finditer(text):
        data = _base64(match[0])
        if data:
            yield match.start(), match.end(), data
    for match in _WRAPPED.finditer(text) if "\n" in text else ():
        data = _base64("".join(match[0].split()))
        if data:
            yield match.start(), match.end(), data
    for match in _HEX.finditer(text):
        digits = re.sub("[ :]", "", match[1])
        yield match.start(), match.end(), bytes.fromhex(digits)
    for start, end in _percents(text):
        yield start, end, unquote_to_bytes(text[start:end])


def _percents(text: str) -> Iterator[tuple[int, int]]:
    """Where percent-encoded bytes stand, with what stands beside them without a space."""
    end = 0
    while match := _PERCENT.search(text, end):
        first = max(end, match.start() - _BESIDE)
        beside = _BEFORE.search(text[first : match.start()])
        start, end = match.start() - len(beside[0] if beside else ""), match.end()
        yield start, end


def _base64(run: str) -> bytes | None:
    digits = run.rstrip("=").replace("-", "+").replace("_", "/")
    digits = digits[: len(digits) - (len(digits) % 4 == 1)]
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _as_text(data: bytes) -> str | None:
    """The bytes as text, if that is what they look like: words, hardly any control characters."""
    try:
        found = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if len(found) < _LEAST // 2:
        return None
    plain = sum(char.isalnum() or char in " \n\t.,;:!?'\"-_/()" for char in found)
    letters = sum(map(str.isalpha, found))
    return found if plain >= 0.9 * len(found) and letters >= 0.5 * len(found) else None
