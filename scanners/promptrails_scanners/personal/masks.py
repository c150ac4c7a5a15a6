"""What stands in place of a value."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping
from functools import cache
from typing import Literal

from promptrails_engine.errors import ConfigurationError
from promptrails_engine.ports.scanner import Finding
from promptrails_scanners.foundation.places import Replacement
from promptrails_scanners.personal import features
from promptrails_scanners.personal.kinds import DENIED, PRESIDIO_ONLY, label

Mask = Literal["label", "numbered", "partial", "hash", "faker", "constant"]
_KEPT = 4
_WHOLE = frozenset({"PERSON", "ADDRESS", "DATE_OF_BIRTH", DENIED, *PRESIDIO_ONLY})
"""Kinds of which no part is left: their last characters say something by themselves."""


def replacement(mask: Mask, key: str | None, constant: str, scanner: str) -> Callable[[], Replacement]:
    """What makes, for each text, the function that replaces the values in it.

    Raises:
        ConfigurationError: a hash has no key.
    """
    if mask == "hash" and not key:
        raise ConfigurationError(f"scanner '{scanner}': mask 'hash' needs 'mask_key', or anybody could try values out")
    makers: Mapping[str, Callable[[], Replacement]] = {
        "label": lambda: labelled,
        "numbered": _numbered,
        "partial": lambda: partial,
        "hash": lambda: _hashed(key or ""),
        "faker": lambda: faked,
        "constant": lambda: lambda found, value: constant,
    }
    return makers[mask]


def labelled(found: Finding, value: str) -> str:
    """The kind's name, as `[EMAIL_REDACTED]`."""
    return f"[{label(found.type)}_REDACTED]"


def partial(found: Finding, value: str) -> str:
    """Stars, and the last characters where they say nothing by themselves."""
    if found.type in _WHOLE or len(value) < 3 * _KEPT:
        return "*" * len(value)
    if found.type == "EMAIL_ADDRESS" and "@" in value:
        local, _, domain = value.rpartition("@")
        return f"{'*' * len(local)}@{domain}"
    return "".join("*" if char.isalnum() else char for char in value[:-_KEPT]) + value[-_KEPT:]


def faked(found: Finding, value: str) -> str:
    """A made-up value of the kind, the same for the same value; of ranges that are kept free for such use."""
    chance = random.Random(hashlib.sha256(f"{found.type}\0{value}".encode("utf-8", "surrogatepass")).digest())
    number = chance.randrange
    if found.type == "PERSON":
        given, family = _names()
        return f"{chance.choice(given).title()} {chance.choice(family).title()}"
    made = {
        "EMAIL_ADDRESS": f"user{number(10**5)}@example.com",
        "PHONE_NUMBER": f"+1-202-555-01{number(100):02}",
        "IP_ADDRESS": f"192.0.2.{number(1, 255)}",
        "MAC_ADDRESS": f"00:00:5e:00:53:{number(256):02x}",
        "CREDIT_CARD": "4000 0000 0000 0002",
        "US_SSN": f"000-{number(1, 100):02}-{number(1, 10000):04}",
        "ADDRESS": f"{number(1, 1000)} Example Street",
        "DATE_OF_BIRTH": f"{number(1940, 2006)}-01-01",
    }
    return made.get(found.type, labelled(found, value))


@cache
def _names() -> tuple[list[str], list[str]]:
    """Given names and family names."""
    of_lists = features.lists().items()
    given, family = (1 << features.GROUPS.index(group) for group in ("given", "family"))
    return [word for word, bits in of_lists if bits & given], [word for word, bits in of_lists if bits & family]


def _hashed(key: str) -> Replacement:
    secret = hashlib.sha256(key.encode()).digest()

    def hashed(found: Finding, value: str) -> str:
        plain = f"{found.type}\0{value}".encode("utf-8", "surrogatepass")
        return f"[{label(found.type)}_{hashlib.blake2b(plain, key=secret, digest_size=6).hexdigest()}]"

    return hashed


def _numbered() -> Replacement:
    numbers: dict[tuple[str, str], int] = {}
    counts: dict[str, int] = {}

    def numbered(found: Finding, value: str) -> str:
        known = (found.type, " ".join(value.split()).casefold())
        if known not in numbers:
            counts[found.type] = numbers[known] = counts.get(found.type, 0) + 1
        return f"[{label(found.type)}_{numbers[known]}]"

    return numbered
