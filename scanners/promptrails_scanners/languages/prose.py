"""What of a text is in a language: not its code, its addresses, its markup."""

from __future__ import annotations

import re
from typing import Literal

from promptrails_scanners.foundation import lazily

Ignored = Literal["code", "urls", "markup"]

_FENCE = lazily.pattern(r"^[ \t]{0,8}(```|~~~)", re.MULTILINE)
_INLINE = lazily.pattern(r"`[^`\n]{1,300}`")
_IDENTIFIER = lazily.pattern(r"\b(?!\d++\b)[A-Za-z]*+(?:\d|_[A-Za-z\d])[A-Za-z\d_]*+(?!\w)")
"""Letters with digits, or with underscores among them."""
_PATH = lazily.pattern(r"(?<!\S)(?:[\w.+~:-]{0,64}[/\\]){2,32}[\w.+~:-]{0,64}")
_URL = lazily.pattern(r"(?:https?://|www\.)[^\s<>\"`]{1,2000}")
_MAIL = lazily.pattern(r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}|@\w{2,40}")
_MARKUP = lazily.pattern(r"</?[a-zA-Z!][^<>\n]{0,300}>|&#?\w{1,10};|\\[a-zA-Z]{1,30}")
_SIGNS = frozenset("{}[]()<>;=_\\|&$#*+`")
_KEY = lazily.pattern(r"\s{0,40}[\"'][\w.-]{1,64}[\"']\s{0,4}:")
"""How a line of JSON begins."""
_MOST_SIGNS = 0.1
_LEAST_SIGNS = 3


def prose(text: str, ignored: frozenset[Ignored]) -> str:
    """The text without what is ignored; spaces stand in its place."""
    if "code" in ignored:
        text = _without_code(text)
    if "urls" in ignored:
        text = _without_addresses(text)
    if "code" in ignored:
        text = _IDENTIFIER.sub(" ", text)  # after addresses, which may have some of them
    return _MARKUP.sub(" ", text) if "markup" in ignored else text


def _without_addresses(text: str) -> str:
    if "://" in text or "www." in text:
        text = _URL.sub(" ", text)
    if "@" in text:
        text = _MAIL.sub(" ", text)
    return _PATH.sub(" ", text) if text.count("/") + text.count("\\") > 1 else text


def _without_code(text: str) -> str:
    """Without fenced blocks, code in lines, and lines that look like code."""
    kept: list[str] = []
    fence = ""
    for line in text.split("\n"):
        opened = _FENCE.match(line)
        if opened and (not fence or opened[1] == fence):
            fence = "" if fence else opened[1]
        elif not fence and not _is_code(line):
            kept.append(line)
    return _INLINE.sub(" ", "\n".join(kept))


def _is_code(line: str) -> bool:
    line = line.replace("**", "")  # what stands out in a text is no code
    signs = sum(map(line.count, _SIGNS))
    return (signs >= _LEAST_SIGNS and signs >= _MOST_SIGNS * len(line.strip())) or _KEY.match(line) is not None
