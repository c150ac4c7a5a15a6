"""Values that look like secrets and are none: drawn anew from a seed, so that no token stands in this repository."""

from __future__ import annotations

import base64
import random
import string
import zlib

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
