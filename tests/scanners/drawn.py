"""Values that look like secrets and are none: drawn anew from a seed, so that no token stands in this repository."""

from __future__ import annotations

import base64
import random
import re
import string
import zlib
from collections.abc import Iterator
from typing import Any

_parser: Any = re._parser  # type: ignore[attr-defined]  # the standard library's own reading of a pattern

LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def drawn(size: int, signs: str = LETTERS, seed: int = 7) -> str:
    """So many characters by chance, digits and letters among them."""
    source = random.Random(f"{seed} {size} {signs}")
    while True:
        value = "".join(source.choice(signs) for _ in range(size))
        if (
            len(set(value)) > min(7, size // 2, len(signs) // 2)
            and any(map(str.isdigit, value))
            and any(map(str.isalpha, value))
        ):
            return value


def github(seed: int = 7) -> str:
    """A token of GitHub's form, with the right checksum."""
    body = drawn(30, seed=seed)
    number, digits = zlib.crc32(body.encode()), ""
    while number:
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return "ghp_" + body + digits.rjust(6, "0")


def pem(lines: int = 12, kind: str = "RSA PRIVATE KEY") -> str:
    """What a private key looks like in a file."""
    body = "\n".join(drawn(64, LETTERS + "+/", seed) for seed in range(lines))
    return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----"


def jwt(header: str = '{"alg":"HS256","typ":"JWT"}') -> str:
    """A JSON Web Token with this header."""

    def part(text: str) -> str:
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    return ".".join((part(header), part('{"sub":"4711","admin":true}'), drawn(43, LETTERS + "-_")))


def like(pattern: re.Pattern[str], source: random.Random) -> str:
    """A text by chance that the pattern matches as a whole."""
    parsed = _parser.parse(pattern.pattern, pattern.flags)
    while True:
        text = "".join(_signs(parsed, source))
        if pattern.fullmatch(text):
            return text


def _signs(items: Any, source: random.Random) -> Iterator[str]:
    for kind, value in items:
        name = str(kind)
        if name == "LITERAL":
            yield chr(value)
        elif name == "IN":
            yield source.choice(_set(value))
        elif name in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inner = value
            for _ in range(source.randint(least, min(most, least + 8))):
                yield from _signs(inner, source)
        elif name == "SUBPATTERN":
            yield from _signs(value[-1], source)
        elif name == "BRANCH":
            yield from _signs(source.choice(value[1]), source)
        else:
            assert name in ("ASSERT", "ASSERT_NOT", "AT"), name


def _set(parts: Any) -> list[str]:
    if str(parts[0][0]) == "NEGATE":
        return list(LETTERS)
    signs: list[str] = []
    for kind, value in parts:
        if str(kind) == "RANGE":
            signs += map(chr, range(value[0], value[1] + 1))
        else:
            signs += chr(value) if str(kind) == "LITERAL" else LETTERS
    return signs
