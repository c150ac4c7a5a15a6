"""Links that carry something away: what a page would learn that gets them as an image, or that somebody clicks."""

from __future__ import annotations

import base64
import binascii
import re
from math import log2
from urllib.parse import unquote_plus

from promptrails_scanners.foundation import lazily
from promptrails_scanners.links.address import Address

LONG = 32
_VERY_LONG = 160
_BITS = 3.6
_LEFT_OPEN = lazily.pattern(
    r"\{\{?[a-z _.-]{1,40}\}?\}|\[(?:data|info|secret|summary|text|message|base64)[a-z _-]{0,40}\]"
    r"|<[a-z_ -]{2,40}>|\$\{",
    re.IGNORECASE,
)
_TEXT = lazily.pattern(r"[\w.,;:@'\"!?/ -]{12,}")
_LABELS = lazily.pattern(r"[A-Za-z0-9_-]{24,63}")


def carries(address: Address) -> bool:
    """Whether its query, its path or its host have room for what somebody should not learn, and look used for it."""
    if _LEFT_OPEN.search(unquote_plus(address.query)) or _LEFT_OPEN.search(unquote_plus(address.path)):
        return True
    values = [part.partition("=")[2] or part for part in re.split("[&;]", address.query)[:64]]
    if any(_is_load(value) for value in values):
        return True
    if any(_is_encoded_text(part) for part in address.path.split("/")[:32]):
        return True
    return any(_is_encoded_text(label) for label in address.host.split(".") if _LABELS.fullmatch(label))


def _is_load(value: str) -> bool:
    said = unquote_plus(value)
    if len(said) < LONG:
        return False
    if said.startswith(("http://", "https://")):
        return False
    if _is_encoded_text(said) or (" " in said and len(said) >= 2 * LONG):
        return True
    return len(said) >= _VERY_LONG or (
        _bits(said) >= _BITS and any(map(str.isdigit, said)) and any(map(str.isupper, said))
    )


def _is_encoded_text(value: str) -> bool:
    if len(value) < LONG or len(value) > 8192:
        return False
    for decode in (_from_base64, _from_hex):
        data = decode(value)
        if data is None:
            continue
        try:
            if _TEXT.search(data.decode("utf-8")) is not None:
                return True
        except UnicodeDecodeError:
            continue
    return False


def _from_base64(value: str) -> bytes | None:
    try:
        plain = value.replace("-", "+").replace("_", "/").rstrip("=")
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _from_hex(value: str) -> bytes | None:
    try:
        return bytes.fromhex(value)
    except ValueError:
        return None


def _bits(value: str) -> float:
    shares = [value.count(char) / len(value) for char in set(value)]
    return -sum(share * log2(share) for share in shares)
