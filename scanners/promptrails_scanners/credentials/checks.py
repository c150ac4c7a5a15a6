"""What can be checked of a token without asking who handed it out."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Callable, Mapping

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def crc_base62(token: str) -> bool:
    """Whether the last six characters are the CRC-32 of those between the prefix and them, in base 62.

    So GitHub and npm make their tokens (GitHub's engineering blog, "Behind GitHub's new authentication token formats").
    """
    body = token[token.rfind("_") + 1 :]
    number = zlib.crc32(body[:-6].encode())
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _BASE62[digit] + digits
    return digits.rjust(6, "0") == body[-6:]


def is_jwt(token: str) -> bool:
    """Whether the header of a JSON Web Token can be read and names an algorithm (RFC 7519)."""
    header = token.partition(".")[0]
    try:
        said = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    except (ValueError, binascii.Error, RecursionError):
        return False
    return isinstance(said, dict) and ("alg" in said or "typ" in said)


def _has_digit(tail: str) -> bool:
    return any(map(str.isdigit, tail))


def _is_mixed(tail: str) -> bool:
    return _has_digit(tail) and any(map(str.isupper, tail)) and any(map(str.islower, tail))


def _is_upper(tail: str) -> bool:
    return _has_digit(tail) and any(map(str.isupper, tail))


KINDS: Mapping[str, Callable[[str], bool]] = {"digits": _has_digit, "mixed": _is_mixed, "upper": _is_upper}
"""What some rows of the table of tokens ask for, of what follows the prefix."""
