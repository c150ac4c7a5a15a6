"""A link taken apart."""

from __future__ import annotations

import html
import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from promptrails_scanners.foundation import lazily
from promptrails_scanners.links.domains import domains

_DOTS = lazily.pattern(r"\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)", re.IGNORECASE)
_MADE_UP = frozenset("[({")
_SCHEME = lazily.pattern(r"^(?:h[tx*]{2}ps?|ftps?|wss?)\s?(?:\[:\]|:)(?:\[//\]|//)", re.IGNORECASE)
_HOST = lazily.pattern(r"[\w.:-]{1,253}")
_NUMERIC = lazily.pattern(r"[0-9a-fx.:]{1,64}", re.IGNORECASE)
_NUMBERS = lazily.pattern(r"0x[0-9a-f]{1,8}|\d{8,10}", re.IGNORECASE)
_SECOND_LEVEL = frozenset(
    (
        "co",
        "com",
        "org",
        "net",
        "ac",
        "gov",
        "gob",
        "edu",
        "or",
        "ne",
        "go",
        "in",
        "web",
        "nom",
        "mil",
        "sch",
        "ltd",
        "me",
    )
)


class Address(NamedTuple):
    """Where a link leads; all of it in plain writing, the host in lower case."""

    scheme: str
    user: str
    """What stands before an `@`, with the password."""
    host: str
    port: int | None
    path: str
    query: str
    domain: str
    """What somebody registered: `example.co.uk`; for an address in numbers, that."""
    site: str
    """The same, or where anybody can have pages, the part that is one person's: `someone.github.io`."""
    is_ip: bool

    @property
    def known(self) -> bool:
        """Whether an organisation of good name is behind it, and nobody else; or it leads to one's own network."""
        return _is_known(self.host, self.is_ip)

    @property
    def shared(self) -> bool:
        """Whether anybody can have pages there."""
        return _is_shared(self.host)


@lru_cache(maxsize=1024)
def _is_known(host: str, is_ip: bool) -> bool:
    if is_ip:
        return not ipaddress.ip_address(host).is_global
    if _is_shared(host):
        return False
    return host == "localhost" or not domains().known.isdisjoint(parents(host))


@lru_cache(maxsize=1024)
def _is_shared(host: str) -> bool:
    return not domains().shared.isdisjoint(parents(host))


def parents(host: str) -> list[str]:
    """The host, and all domains that it belongs to, without the last label alone."""
    labels = host.split(".")
    return [".".join(labels[at:]) for at in range(max(1, len(labels) - 1))]


def plain(link: str) -> str:
    """A link without what was done to it so that nobody follows it."""
    text = html.unescape(link) if "&" in link else link
    if not _MADE_UP.isdisjoint(text):
        text = _DOTS.sub(".", text)
    match = _SCHEME.match(text)
    if match and match[0] in ("https://", "http://"):
        return text
    if match:
        scheme = match[0].lower().replace("[", "").replace("]", "").replace(" ", "").replace("x", "t").replace("*", "t")
        return scheme + text[match.end() :]
    return "http://" + text


def parsed(link: str) -> Address | None:
    """The parts of a link; None where it leads nowhere."""
    try:
        parts = urlsplit(plain(link))
        host = (parts.hostname or "").rstrip(".").lower()
        port = parts.port
    except ValueError:
        return None
    if not host or len(host) > 253 or not _HOST.fullmatch(host):
        return None
    number = _number(host)
    user = unquote(parts.netloc.rpartition("@")[0]) if "@" in parts.netloc else ""
    if number is not None:
        return Address(parts.scheme, user, number, port, parts.path, parts.query, number, number, is_ip=True)
    domain = registered(host)
    return Address(parts.scheme, user, host, port, parts.path, parts.query, domain, _site(host, domain), is_ip=False)


def _number(host: str) -> str | None:
    """The address that a host in numbers stands for, however it is written."""
    if not _NUMERIC.fullmatch(host):
        return None
    try:
        if _NUMBERS.fullmatch(host):
            return str(ipaddress.ip_address(int(host, 0)))
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def registered(host: str) -> str:
    """The domain that was registered, as far as its form tells."""
    labels = host.split(".")
    if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL:
        return ".".join(labels[-3:])
    return ".".join(labels[-2:])


def _site(host: str, domain: str) -> str:
    table = domains()
    found = [one for one in parents(host) if one in table.shared]
    if not found:
        return domain
    below = host[: -len(found[0]) - 1].rpartition(".")[2]
    return f"{below}.{found[0]}" if below else found[0]
