"""Secrets that do not show themselves, and their removal from texts that leave the engine."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable
from typing import NoReturn
from urllib.parse import quote

MASK = "***"
MIN_SECRET_LENGTH = 6
"""Shorter values are no credentials ("none", "x"), and removing them would tear texts apart."""

_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?i)\b(bearer|authorization:\s{0,4}basic)\s+[A-Za-z0-9._~+/=\-]{8,}"), r"\1 " + MASK),
    (re.compile(r"(?i)\b((?:x-)?api[-_]?key[\"']?\s*[:=]\s*[\"']?)[A-Za-z0-9._~+/=\-]{8,}"), r"\1" + MASK),
    (re.compile(r"(?i)([?&](?:key|token|api[-_]?key|access[-_]token|signature|sig)=)[^&\s\"'<>]+"), r"\1" + MASK),
    (re.compile(r"(://[^/\s:@]*:)[^/\s@]+@"), r"\1" + MASK + "@"),
    (re.compile(r"\b(?:sk|rk|pk)-[A-Za-z0-9_\-*.]{8,}"), MASK),
    (re.compile(r"\b(?:gsk|xai|pplx|fw|hf|r8|ghp|gho|ghs|github_pat|glpat|xoxb|xoxp)[-_][A-Za-z0-9_\-]{16,}"), MASK),
    (re.compile(r"\bAIza[0-9A-Za-z_\-]{30,}"), MASK),
    (re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"), MASK),
    (re.compile(r"(?<![A-Za-z0-9_\-])eyJ[A-Za-z0-9_\-]{8,4096}\.[A-Za-z0-9_\-]{8,4096}\.[A-Za-z0-9_\-]*"), MASK),
)


class Secret:
    """Holds a credential; `reveal` gives it, and nothing else does.

    repr, str and format show `Secret(***)`; pickling is refused, copying gives the same object.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The credential itself."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return format(repr(self), format_spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_as_bytes(self._value), _as_bytes(other._value))

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be pickled; pickle the name under which it is stored instead")


def _as_bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def mask(text: str, secrets: Iterable[Secret | str] = ()) -> str:
    """The text with the given secrets, and whatever has the shape of a credential, replaced by `***`.

    Values shorter than `MIN_SECRET_LENGTH` characters are left alone; the URL-encoded form of a value is replaced too.
    """
    known: set[str] = set()
    for secret in secrets:
        value = secret.reveal() if isinstance(secret, Secret) else secret
        if len(value) >= MIN_SECRET_LENGTH:
            known.update((value, quote(value, safe="", errors="replace")))
    for value in sorted(known, key=len, reverse=True):  # the longest first: one may be a part of another
        text = text.replace(value, MASK)
    for pattern, replacement in _SHAPES:
        text = pattern.sub(replacement, text)
    return text
