"""How much a link looks like those that lead to harm: by the words and letters in it, and by how it is built."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from math import log2
from types import MappingProxyType
from typing import NamedTuple

from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.linear import BITS, Head, load
from promptrails_scanners.links.address import Address, Host
from promptrails_scanners.links.domains import domains
from promptrails_scanners.links.looks import borrowed, imitated

NAME = "malicious_urls"
_MASK = (1 << BITS) - 1
_WORDS = lazily.pattern(r"[^\W_]+")
_ALIKE = bytes.maketrans(b"123456789", b"000000000")
"""Digits are all alike."""
_DRAWN = lazily.pattern(r"[0-9a-f]{16}")
_DATED = lazily.pattern(r"/(?:19|20)\d\d(?:/|-\d\d)")
_HOST_INSIDE = lazily.pattern(r"[/.=][a-z0-9-]{1,63}\.(?:com|net|org|co|ca|de|fr|uk|br|jp|gov|it|es|info)(?:[/.?&]|$)")
_LURES_WORDS = """
account accounts airdrop alert auth authentication authorize bank banking banks billing bonus claim client cmd
confirm connect connexion cuenta customer espace free gift help invoice limited log login logon mail notice office
owa particulier password pay payment portal recover recovery reset restore reward secure security seguro service
services session sign signin submit support suspend suspended token unlock update validate verification verify
wallet webmail webscr
"""
_LURES = frozenset(_LURES_WORDS.split())
"""What pages ask for, or talk about, that want to be given something."""
_FOR_READERS_WORDS = """
about abs api article articles badge badges blob blog book books changelog community concepts contributing doc
documentation docs download downloads en example examples faq features getting guide guides install installation
issues latest learn main man manual master news package packages paper papers pdf post posts project projects pull
quickstart readme reference releases repo repos rfc spec specs stable started stats topics tree tutorial tutorials
usage user users wiki
"""
_FOR_READERS = frozenset(_FOR_READERS_WORDS.split())
"""Where somebody explains something, or keeps the code of it."""
_OF_READERS = frozenset(("docs", "doc", "developer", "developers", "api", "wiki", "blog", "help", "en", "learn"))
"""The same, as the first label of a host."""
_SCRIPTS = (".php", ".asp", ".aspx", ".cgi", ".exe", ".apk", ".scr", ".jsp")
_FILES = (
    ".svg", ".png", ".jpg", ".gif", ".pdf", ".md", ".rst", ".txt", ".json", ".xml", ".yml", ".yaml", ".css", ".js",
)  # fmt: skip
_BACK_ROOMS = ("/wp-", "/cgi-bin", "/~", "/.", "/plugins/", "/includes/", "/components/", "/tmp/", "/cache/")
"""Where pages are put by those who broke in."""
_ENDINGS = frozenset(("com", "net", "org", "gov", "co", "www"))
_BEGUN = {kind: zlib.crc32(kind.encode()) for kind in ("host", "path", "ending")}
_WORD = 24
"""So much of a word is read."""
_PATH = 120
_KEPT = 4096


class Read(NamedTuple):
    """A link as the model sees it."""

    buckets: array[int]
    """One for each of its words, and for each run of 3 bytes in them, of host and path apart."""
    signals: Mapping[str, float]
    """How it is built, each from 0 to about 1."""


def read(address: Address) -> Read:
    """What the model learns from, and is asked about."""
    of_host = _read_host(address.at)
    path, query = address.path.lower(), address.query.lower()
    if path in ("", "/") and not query:
        return Read(of_host.buckets, {**of_host.signals, **_of_root(address)})
    text = f"{path}?{query}" if query else path
    words = dict.fromkeys(_WORDS.findall(text[:_PATH]))
    buckets = array("H", of_host.buckets)
    for word in words:
        buckets.extend(_buckets("path", word))
    found = _of_path(path, query, text, words)
    if address.fragment:
        found["fragment"] = 1.0
    return Read(buckets, {**of_host.signals, **found})


def _of_root(address: Address) -> dict[str, float]:
    """The signals of a link without a path."""
    said = {"no_path": 1.0, "shared_root": address.at.shared, "fragment": bool(address.fragment)}
    return {name: value for name, value in said.items() if value}


def _of_path(path: str, query: str, text: str, words: Collection[str]) -> dict[str, float]:
    said = {
        "script": path.endswith(_SCRIPTS),
        "file": path.endswith(_FILES),
        "long_path": min(1.0, len(path) / 100),
        "query": min(1.0, len(query) / 80),
        "odd_path": max(map(_oddness, words), default=0.0),
        "drawn": _DRAWN.search(text) is not None,
        "path_lures": min(1.0, len(_LURES.intersection(words)) / 2),
        "for_readers": min(1.0, len(_FOR_READERS.intersection(words)) / 2),
        "brand_in_path": domains().brand.search(text) is not None,
        "back_room": any(map(path.__contains__, _BACK_ROOMS)),
        "mail": "@" in text or "%40" in text,
        "host_in_path": "." in text and _HOST_INSIDE.search(text) is not None,
        "dated": _DATED.search(path) is not None,
    }
    return {name: value for name, value in said.items() if value}


@lru_cache(maxsize=1024)
def _read_host(host: Host) -> Read:
    """What all links to a host share."""
    if host.is_ip:
        return Read(array("H"), MappingProxyType({"ip": 1.0}))
    labels = host.name.split(".")
    words = _WORDS.findall(host.name)
    buckets = array("H")
    for word in dict.fromkeys(words[words[0] == "www" : -1]):
        buckets.extend(_buckets("host", word))
    buckets.extend(_buckets("ending", labels[-1])[:1])
    return Read(buckets, MappingProxyType(_of_host(host, labels, words)))


def _of_host(host: Host, labels: Sequence[str], words: Sequence[str]) -> dict[str, float]:
    name, table = host.name, domains()
    main = host.site.partition(".")[0]
    below = labels[: -1 - host.domain.count(".")]
    said = {
        "shared": host.shared,
        "short": host.domain in table.short,
        "cheap": labels[-1] in table.cheap,
        "earned": labels[-1] in table.earned,
        "deep_host": min(1.0, max(0, len(labels) - 3) / 3),
        "ending_inside": not _ENDINGS.isdisjoint(below[1:]),
        "long_host": min(1.0, max(0, len(name) - 20) / 40),
        "hyphens": min(1.0, name.count("-") / 4),
        "host_digits": min(1.0, _digits(name) / 8),
        "digit_words": min(1.0, sum(map(_has_both, words)) / 2),
        "long_name": min(1.0, max(0, len(main) - 12) / 20),
        "odd_name": _oddness(main),
        "odd_sub": max(map(_oddness, below), default=0.0),
        "punycode": "xn--" in name,
        "borrowed": borrowed(host) is not None,
        "imitated": imitated(host) is not None,
        "lures": min(1.0, sum(map(_LURES.__contains__, words)) / 2),
        "of_readers": labels[0] in _OF_READERS,
    }
    return {name: value for name, value in said.items() if value}


@lru_cache(maxsize=_KEPT)
def _buckets(kind: str, word: str) -> array[int]:
    """Those of a word and of all runs in it.  A sum by hand takes half the time of a CRC for as short a run."""
    plain = word[:_WORD].encode("utf-8", "surrogatepass").translate(_ALIKE)
    inside, begun = b"<%b>" % plain, _BEGUN[kind]
    runs = zip(inside, inside[1:], inside[2:], strict=False)
    found = [begun + 961 * one + 31 * two + three & _MASK for one, two, three in runs]
    return array("H", [zlib.crc32(plain, begun) & _MASK, *found])


def _has_both(word: str) -> bool:
    """Whether digits and letters stand in it."""
    return not word.isalpha() and not word.isdigit()


def _digits(word: str) -> int:
    return 0 if word.isalpha() else sum(map(word.count, "0123456789"))


@lru_cache(maxsize=_KEPT)
def _oddness(word: str) -> float:
    """How little a word is one that people say: bits of chance in its letters and digits."""
    size = len(word)
    if size < 6:
        return 0.0
    digits = _digits(word) / size
    low = word.lower()
    strange = digits + max(0.0, 0.35 - sum(map(low.count, "aeiouy")) / size) * 2
    if not strange:
        return 0.0
    bits = -sum([share * log2(share) for share in [word.count(char) / size for char in dict.fromkeys(word)]])
    return min(1.0, max(0.0, bits - 2.5) / 2 * strange)


def score(address: Address) -> float:
    """0 to 1; 0 where an organisation of good name is behind it."""
    if address.known:
        return 0.0
    return head().score(*read(address))


def head() -> Head:
    """The weights, read at their first use."""
    return load(NAME)[NAME]
