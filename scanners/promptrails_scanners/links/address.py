"""A link taken apart."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from promptrails_scanners.foundation import lazily
from promptrails_scanners.links.domains import domains

_DOTS = lazily.pattern(r"\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)", re.IGNORECASE)
_MADE_UP = frozenset("[({")
_SCHEME = lazily.pattern(r"^(?:h[tx*]{2}ps?|ftps?|wss?)\s?(?:\[:\]|:)(?:\[//\]|//)", re.IGNORECASE)
_PARTS = lazily.pattern(
    r"[a-z]+://(?P<place>[^/?#]*)(?P<path>[^?#]*)(?:\?(?P<query>[^#]*))?(?:\#(?P<fragment>.*))?",
    re.IGNORECASE | re.DOTALL,
)
"""As RFC 3986 has it, appendix B."""
_NAME = lazily.pattern(r"[\w.-]{1,253}")
_DOTS_ELSEWHERE = str.maketrans("\u3002\uff0e\uff61", "...")
"""What browsers read as a full stop in the name of a host (UTS 46)."""
_HIGHEST_PORT = 65535
_NUMERIC = lazily.pattern(r"[0-9a-fx.:]{1,64}", re.IGNORECASE)
_NUMBERS = lazily.pattern(r"0x[0-9a-f]{1,8}|\d{8,10}", re.IGNORECASE)
_SECOND_LEVELS = "co com org net ac gov gob edu or ne go in web nom mil sch ltd me"
_SECOND_LEVEL = frozenset(_SECOND_LEVELS.split())
"""Before the ending of a country, these are a part of the ending."""
_HOSTS_KEPT = 1024


class Host(NamedTuple):
    """Who is behind a link, as far as a name tells."""

    name: str
    """In lower case; an address in numbers as it is usually written."""
    domain: str
    """What somebody registered: `example.co.uk`; for an address in numbers, that."""
    site: str
    """The same, or where anybody can have pages, the part that is one person's: `someone.github.io`."""
    is_ip: bool
    known: bool
    """Whether an organisation of good name is behind it, and nobody else; or it leads to one's own network."""
    shared: bool
    """Whether anybody can have pages there."""


class Address(NamedTuple):
    """Where a link leads; all of it in plain writing."""

    user: str
    """What stands before an `@`, with the password."""
    at: Host
    path: str
    query: str
    fragment: str

    @property
    def host(self) -> str:
        return self.at.name

    @property
    def domain(self) -> str:
        return self.at.domain

    @property
    def known(self) -> bool:
        return self.at.known


def parents(host: str) -> list[str]:
    """The host, and all domains that it belongs to, without the last label alone."""
    labels = host.split(".")
    return [".".join(labels[at:]) for at in range(max(1, len(labels) - 1))]


def plain(link: str) -> str:
    """A link without what was done to it so that nobody follows it."""
    text = lazily.module("html").unescape(link) if "&" in link else link
    if not _MADE_UP.isdisjoint(text):
        text = _DOTS.sub(".", text)
    if text.startswith(("https://", "http://")):
        return text
    match = _SCHEME.match(text)
    if match:
        scheme = match[0].lower().replace("[", "").replace("]", "").replace(" ", "").replace("x", "t").replace("*", "t")
        return scheme + text[match.end() :]
    return "http://" + text


def parsed(link: str) -> Address | None:
    """The parts of a link; None where it leads nowhere."""
    parts = _PARTS.match(plain(link))
    if parts is None:
        return None
    before, path, query, fragment = parts.groups("")
    user, _, place = before.rpartition("@")
    host = _host(place)
    return None if host is None else Address(unquote(user) if user else "", host, path, query, fragment)


@lru_cache(maxsize=_HOSTS_KEPT)
def _host(place: str) -> Host | None:
    """Who is behind what stands before the path of a link, a port included; None where nobody can be."""
    if "%" in place or not place.isascii():
        place = unquote(place).translate(_DOTS_ELSEWHERE)
    name, port = _apart(place.lower())
    if port and not (port.isdecimal() and port.isascii() and int(port) <= _HIGHEST_PORT):
        return None
    number = _number(name)
    if number is not None:
        text = str(number)
        return Host(text, text, text, is_ip=True, known=not number.is_global, shared=False)
    return _named(name) if _NAME.fullmatch(name) else None


def _apart(place: str) -> tuple[str, str]:
    """Host and port; in brackets, the host has colons of its own."""
    if place.startswith("["):
        name, _, port = place[1:].partition("]")
        return name, port.removeprefix(":")
    name, _, port = place.partition(":")
    return name.rstrip("."), port


def _named(name: str) -> Host:
    table, above = domains(), parents(name)
    domain = registered(name)
    if not table.shared.isdisjoint(above):
        common = next(one for one in above if one in table.shared)
        below = name[: -len(common) - 1].rpartition(".")[2]
        site = f"{below}.{common}" if below else common
        return Host(name, domain, site, is_ip=False, known=False, shared=True)
    known = name == "localhost" or not table.known.isdisjoint(above)
    return Host(name, domain, domain, is_ip=False, known=known, shared=False)


def _number(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host in numbers stands for, however it is written."""
    if not _NUMERIC.fullmatch(host):
        return None
    try:
        return ipaddress.ip_address(int(host, 0) if _NUMBERS.fullmatch(host) else host)
    except ValueError:
        return None


def registered(host: str) -> str:
    """The domain that was registered, as far as its form tells."""
    labels = host.split(".")
    if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL:
        return ".".join(labels[-3:])
    return ".".join(labels[-2:])
