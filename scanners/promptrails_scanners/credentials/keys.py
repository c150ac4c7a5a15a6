"""Private keys in a text: from the line that opens one to the line that ends it, or to where its body breaks off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from promptrails_scanners.credentials.found import Found
from promptrails_scanners.foundation import lazily

LONGEST = 65536
"""A key without an end is followed for so many characters; nothing is said of where a longer one ends."""
REACH = 384
"""So far after what is known of a key, more of it may come."""
_LEAST = 64
"""So many characters of a body make it more than a mention of one."""
_AFTER_HEAD = 240
"""Names and values may stand between the head and the body: the cipher, a comment."""
_BETWEEN = 24
"""So far apart are the lines of a body at most, whatever a format puts between them."""
_MARK = 80

_HEAD = lazily.pattern(
    r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----|(?P<putty>PuTTY-User-Key-File-\d:)"
)
_END = lazily.pattern(r"-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PUTTY_END = lazily.pattern(r"Private-MAC: [0-9a-f]{40,64}")
_RUN = lazily.pattern(rf"[A-Za-z0-9+/=]{{16,{LONGEST}}}")
_REST = lazily.pattern(r"[\s\\\"'>|*,]{1,8}(?=[A-Za-z0-9+/]{0,14}[0-9+/=])[A-Za-z0-9+/]{1,15}={0,2}(?![A-Za-z0-9+/])")
"""The last line of a body that was cut short."""


class Key(NamedTuple):
    """A private key at `text[start:end]`; a mere mention of one is not `real`."""

    start: int
    end: int
    real: bool
    endless: bool
    """Whether it goes on for longer than it is followed."""


def at(text: str, start: int) -> Key | None:
    """The key whose head stands there."""
    head = _HEAD.match(text, start)
    return _key(text, head) if head else None


def keys(text: str) -> Iterator[Key]:
    """The keys in a text, in their order and apart."""
    head = _HEAD.search(text)
    while head:
        key = _key(text, head)
        yield key
        head = _HEAD.search(text, key.end)


def find(text: str) -> Iterator[Found]:
    """The private keys in a text."""
    for key in keys(text) if _may_have_one(text) else ():
        if key.real:
            yield Found(key.start, key.end, "PRIVATE_KEY", 1.0)


def _may_have_one(text: str) -> bool:
    return "-----BEGIN " in text or "PuTTY-" in text


def _key(text: str, head: re.Match[str]) -> Key:
    start, at, size = head.start(), head.end(), 0
    last = start + LONGEST
    putty = head["putty"] is not None
    marks, gap = (_PUTTY_END, _AFTER_HEAD) if putty else (_END, _BETWEEN)
    ahead = _AFTER_HEAD
    while at < last:
        run = _RUN.search(text, at, at + ahead + 16)
        mark = marks.search(text, at, at + ahead + _MARK)
        if mark and (run is None or mark.start() <= run.start()):
            return Key(start, mark.end(), size >= _LEAST, endless=False)
        if run is None:
            rest = _REST.match(text, at) if size else None
            return Key(start, rest.end() if rest else at, size >= _LEAST, endless=False)
        whole = _RUN.match(text, run.start(), last)
        at = whole.end() if whole else last
        size += at - run.start()
        ahead = gap
    return Key(start, last, real=True, endless=True)
