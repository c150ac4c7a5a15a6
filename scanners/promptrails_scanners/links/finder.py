"""Finds the links in a text, bare, in Markdown, in HTML, and those that were made harmless to read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from promptrails_scanners.foundation import lazily

LONGEST = 2048

_DOT = r"(?:\.|\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\))"
_LINK = lazily.pattern(
    rf"(?<![A-Za-z0-9])(?:(?:https?|h[x*]{{2}}ps?|ftps?|wss?)(?:\[:\]|:)(?:\[//\]|//)(?:(?!\]\()[^\s<>\"'`\\^{{}}|]){{1,{LONGEST}}}"
    rf"|(?<![@/.=_-])(?:[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])?{_DOT}){{1,5}}"
    rf"(?:com|net|org|info|biz|xyz|top|shop|club|online|site|store|live|app|link|click|icu|cn|ru|tk|ml|ga|cf|gq|cc|ws|pw|buzz"
    rf"|cfd|sbs|bond|vip|win|bid|loan|work|fun|life|world|today|support|space|website|press|host|monster|rest|uk|de|fr|br|in)"
    rf"(?![a-z0-9-])(?:[/?](?:(?!\]\()[^\s<>\"'`\\^{{}}|]){{0,{LONGEST}}})?)",
    re.IGNORECASE,
)
_SCRIPT = lazily.pattern(
    rf"(?:\]\(\s{{0,4}}<?|\b(?:href|src|action|formaction)\s{{0,4}}=\s{{0,4}}[\"']?\s{{0,4}})"
    rf"(?P<link>(?:javascript|vbscript|data):[^\s<>\"'`]{{1,{LONGEST}}})|(?P<bare>\bdata:text/html[;,][^\s<>\"'`]{{0,{LONGEST}}})",
    re.IGNORECASE,
)
_IMAGE = lazily.pattern(r"!\[[^\]\n]{0,200}\]\(\s{0,4}<?$|<img\b[^>]{0,200}\bsrc\s{0,4}=\s{0,4}[\"']?$", re.IGNORECASE)
_TARGET = lazily.pattern(r"\]\(\s{0,4}<?$|\bhref\s{0,4}=\s{0,4}[\"']?$|\]:\s{0,4}<?$", re.IGNORECASE)
_MARKED = lazily.pattern(r"\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)|\[:\]|\[//\]|^h[x*]{2}p", re.IGNORECASE)
_CLOSING = {")": "(", "]": "["}
_OPEN = lazily.pattern(
    r"!\[[^\]\n]{0,200}(?:\](?:\(\s{0,4}<?)?)?$|<img\b[^>]{0,250}$|\]\(\s{0,4}<?$|\]:\s{0,4}<?$"
    r"|\b(?:href|src|action|formaction)\s{0,4}(?:=\s{0,4}[\"']?\s{0,4})?$",
    re.IGNORECASE,
)
"""What a link may follow that is still to come."""
_LOOK = 256
_BEFORE = frozenset(" <\"'(=:")
"""One of these stands before the target of an image or a link."""


class Link(NamedTuple):
    start: int
    end: int
    text: str
    place: str
    """`image`, `link` or `text`: what follows it without being asked, what people click, and what only stands there."""
    script: bool = False


def find(text: str) -> Iterator[Link]:
    """The links in a text, in their order of kinds; they may overlap."""
    for match in _LINK.finditer(text):
        link = _trimmed(match[0])
        if _is_link(link):
            yield Link(match.start(), match.start() + len(link), link, _place(text, match.start()))
    low = text.lower()
    for match in _SCRIPT.finditer(text) if "script:" in low or "data:" in low else ():
        kind = "link" if match["link"] else "bare"
        if match[kind].lower().startswith("data:image/") and "svg" not in match[kind][:20].lower():
            continue
        link = _trimmed(match[kind])
        yield Link(match.start(kind), match.start(kind) + len(link), link, "link", script=True)


def _is_link(link: str) -> bool:
    """Whether a host without a scheme is meant as a link: it has a path, `www.`, or was made harmless."""
    return "://" in link or "/" in link or link.lower().startswith("www.") or _MARKED.search(link) is not None


def _trimmed(link: str) -> str:
    """Without the punctuation that belongs to the sentence around it."""
    while link:
        last = link[-1]
        if last in ".,;:!?*_~\u2026\u3002\uff0c":
            link = link[:-1]
        elif last in _CLOSING and link.count(last) > link.count(_CLOSING[last]):
            link = link[: link.rindex(last)]
        else:
            return link
    return link


def _place(text: str, at: int) -> str:
    if text[at - 1 : at] not in _BEFORE:
        return "text"
    before = text[max(0, at - _LOOK) : at]
    if not before.rstrip(" <\"'").endswith(("(", "=", ":")):
        return "text"
    if _IMAGE.search(before):
        return "image"
    return "link" if _TARGET.search(before) else "text"


def begin_of(text: str, at: int) -> int:
    """Where that begins which a link at `at`, or after it, may belong to: a run of characters, an image, a tag."""
    while True:
        run = len(text[: _run(text, at)].rstrip())
        match = _OPEN.search(text, max(0, run - _LOOK), run)
        if match is None:
            return run
        at = match.start()


def _run(text: str, at: int) -> int:
    """Where the run of characters begins that ends at `at`."""
    size = _LOOK
    while True:
        low = max(0, at - size)
        part = text[low:at]
        last = part.rsplit(None, 1)
        if not part or part[-1].isspace():
            return at
        if low == 0 or len(last) > 1 or part[0].isspace():
            return at - len(last[-1])
        size *= 4
