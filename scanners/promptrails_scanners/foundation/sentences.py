"""A text as sentences with their places, cut in linear time."""

from __future__ import annotations

from collections.abc import Iterator

from promptrails_scanners.foundation import lazily

LONGEST = 600
"""A sentence has at most so many characters; what is longer, such as a table, is cut at white space or anywhere."""

ENDS = "\u3002\uff01\uff1f\u0964"
"""Where one of these stands a sentence ends, whatever follows; other signs need white space after them."""
_END = lazily.pattern(
    rf"""[.!?\n{ENDS}](?:(?<=[.!?])["')\]\u201d\u2019]{{0,3}}(?=\s)|(?<=[{ENDS}])|(?<=\n)(?=\s{{0,4}}\S))"""
)
_ABBREVIATED = lazily.pattern(
    r"(?:^|[\s(\"'])(?:[A-Za-z]|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|e\.g|i\.e|cf|no|No|approx|Inc|Ltd)\.$"
)


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """The places of the sentences, in order and apart; between them stands white space only.

    A line is at least one sentence.  What ends in an abbreviation or an initial goes on.
    """
    start = 0
    for match in _END.finditer(text):
        end = match.end()
        if match[0] == "." and _ABBREVIATED.search(text, max(start, end - 8), end):
            continue
        yield from _cut(text, start, end)
        start = end
    yield from _cut(text, start, len(text))


def stands_apart(text: str, start: int, end: int) -> bool:
    """Whether a sentence is one, and no piece of a long one that was cut within a word."""
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    return (not before or before.isspace() or before in ENDS) and (
        not after or after.isspace() or text[end - 1] in ENDS
    )


def _cut(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The part without the white space around it, in pieces that are not too long."""
    start, end = _stripped(text, start, end)
    while end - start > LONGEST:
        at = max(
            text.rfind(" ", start + LONGEST // 2, start + LONGEST),
            text.rfind("\t", start + LONGEST // 2, start + LONGEST),
        )
        at = start + LONGEST if at < 0 else at
        first, last = _stripped(text, start, at)
        if first < last:
            yield first, last
        start, end = _stripped(text, at, end)
    if start < end:
        yield start, end


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def windows(text: str, size: int, step: int) -> Iterator[tuple[int, int]]:
    """Parts of `size` characters that begin every `step` ones; together they are the whole text."""
    at = 0
    while True:
        end = min(at + size, len(text))
        yield at, end
        if end == len(text):
            return
        at += step
