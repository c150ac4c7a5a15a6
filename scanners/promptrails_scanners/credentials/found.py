"""What a rule says of a place in a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

_OTHER: Mapping[str, str] = {
    "API_KEY": "generic",
    "SECRET": "generic",
    "HIGH_ENTROPY": "generic",
    "PASSWORD": "password",
    "PASSWORD_HASH": "password",
    "USERNAME": "password",
    "URL_CREDENTIALS": "password",
    "CONNECTION_STRING": "password",
    "PRIVATE_KEY": "private_key",
    "JWT": "jwt",
    "AUTHORIZATION_HEADER": "header",
}
"""Providers of what no service hands out."""

KINDS = frozenset(_OTHER.values())


class Found(NamedTuple):
    """A secret at `text[start:end]`."""

    start: int
    end: int
    type: str
    """Such as GITHUB_TOKEN; its first word, in lower case, names the provider."""
    score: float
    checksum: bool | None = None
    """Whether the checksum in it is right; None where it has none."""


def provider_of(label: str) -> str:
    """Who hands out what has this label: a service, or for what is nobody's, one of KINDS."""
    return _OTHER.get(label) or label.partition("_")[0].lower()
