"""How much a link looks like those that lead to harm: by the words and letters in it, and by how it is built."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from functools import cache, lru_cache
from types import MappingProxyType
from typing import NamedTuple

from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.linear import BITS, Head, load, logistic
from promptrails_scanners.links.address import Address, Host
from promptrails_scanners.links.domains import domains
from promptrails_scanners.links.looks import borrowed, imitated

NAME = "malicious_urls"
_MASK = (1 << BITS) - 1
_PLAIN = bytes(48 if 48 <= one < 58 else one if 97 <= one < 123 or one > 127 else 46 for one in range(256))
_VOWELS = b"aeiouy"
_DATED = lazily.pattern(r"/(?:19|20)\d\d(?:/|-\d\d)")
_LURES_WORDS = """
account accounts airdrop alert auth authentication authorize bank banking banks billing bonus claim client cmd
confirm connect connexion cuenta customer espace free gift help invoice limited log login logon mail notice office
owa particulier password pay payment portal recover recovery reset restore reward secure security seguro service
services session sign signin submit support suspend suspended token unlock update validate verification verify
wallet webmail webscr
"""
_LURES = frozenset(_LURES_WORDS.encode().split())
"""What pages ask for, or talk about, that want to be given something."""
_FOR_READERS_WORDS = """
about abs api article articles badge badges blob blog book books changelog community concepts contributing doc
documentation docs download downloads en example examples faq features getting guide guides install installation
issues latest learn main man manual master news package packages paper papers pdf post posts project projects pull
quickstart readme reference releases repo repos rfc spec specs stable started stats topics tree tutorial tutorials
usage user users wiki
"""
_FOR_READERS = frozenset(_FOR_READERS_WORDS.encode().split())
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
_LONG = 6
"""Shorter words can look like anything."""
_DRAWN = 16
"""So long a word with digits was not written by a person."""
_PATH = 80
"""So much of a path is read word by word."""


class Read(NamedTuple):
    """A link as the model sees it."""

    buckets: tuple[int, ...]
    """One for each of its words, and for each run of 3 bytes, of host and path apart."""
    signals: Mapping[str, float]
    """How it is built, each from 0 to about 1."""


def read(address: Address) -> Read:
    """What the model learns from, and is asked about."""
    of_host = _read_host(address.at)
    path, query = address.path.lower(), address.query.lower()
    if path in ("", "/") and not query:
        return Read(of_host.buckets, {**of_host.signals, **_of_root(address)})
    text = f"{path}?{query}" if query else path
    spelled = _spelled(text[:_PATH])
    words = frozenset(spelled.split(b"."))
    found = _of_path(path, text, words)
    if address.fragment:
        found["fragment"] = 1.0
    return Read((*of_host.buckets, *_buckets("path", spelled, words)), {**of_host.signals, **found})


def _spelled(text: str) -> bytes:
    """The letters of a text in lower case; digits are all alike, and so is what stands between words."""
    return text.encode("utf-8", "surrogatepass").translate(_PLAIN)


def _buckets(kind: str, spelled: bytes, words: Collection[bytes]) -> list[int]:
    begun, crc32 = _BEGUN[kind], zlib.crc32
    runs = zip(spelled, spelled[1:], spelled[2:], strict=False)
    found = [begun + 961 * one + 31 * two + three & _MASK for one, two, three in runs]  # cheaper than a CRC of each
    found += [crc32(word, begun) & _MASK for word in words]
    return found


def _of_root(address: Address) -> dict[str, float]:
    """The signals of a link without a path."""
    said = {"no_path": 1.0, "shared_root": address.at.shared, "fragment": bool(address.fragment)}
    return {name: value for name, value in said.items() if value}


def _of_path(path: str, text: str, words: frozenset[bytes]) -> dict[str, float]:
    long = [word for word in words if len(word) >= _LONG]
    said = {
        "script": path.endswith(_SCRIPTS),
        "file": path.endswith(_FILES),
        "odd_path": max(map(_oddness, long), default=0.0),
        "drawn": any([len(word) >= _DRAWN and b"0" in word for word in long]),
        "path_lures": min(1.0, len(words & _LURES) / 2),
        "for_readers": min(1.0, len(words & _FOR_READERS) / 2),
        "brand_in_path": domains().brand.search(text) is not None,
        "back_room": any(map(path.__contains__, _BACK_ROOMS)),
        "mail": "@" in text or "%40" in text,
        "dated": ("/20" in path or "/19" in path) and _DATED.search(path) is not None,
    }
    return {name: value for name, value in said.items() if value}


@lru_cache(maxsize=1024)
def _read_host(host: Host) -> Read:
    """What all links to a host share."""
    if host.is_ip:
        return Read((), MappingProxyType({"ip": 1.0}))
    spelled = _spelled(f".{host.name.removeprefix('www.')}")
    above, _, ending = spelled.rpartition(b".")
    words = above.split(b".")
    buckets = _buckets("host", above + b".", words)
    buckets.append(zlib.crc32(ending, _BEGUN["ending"]) & _MASK)
    return Read(tuple(buckets), MappingProxyType(_of_host(host, words)))


def _of_host(host: Host, words: Sequence[bytes]) -> dict[str, float]:
    name, table = host.name, domains()
    labels = name.split(".")
    main = host.site.partition(".")[0]
    digits = [word.count(b"0") for word in words]
    said = {
        "shared": host.shared,
        "cheap": labels[-1] in table.cheap,
        "earned": labels[-1] in table.earned,
        "ending_inside": not _ENDINGS.isdisjoint(labels[1 : -1 - host.domain.count(".")]),
        "long_host": min(1.0, max(0, len(name) - 20) / 40),
        "hyphens": min(1.0, name.count("-") / 4),
        "host_digits": min(1.0, sum(digits) / 8),
        "digit_words": min(1.0, sum([0 < many < len(word) for many, word in zip(digits, words, strict=True)]) / 2),
        "long_name": min(1.0, max(0, len(main) - 12) / 20),
        "odd_name": _oddness(_spelled(main)),
        "borrowed": borrowed(host),
        "imitated": imitated(host) is not None,
        "lures": min(1.0, len(_LURES.intersection(words)) / 2),
        "of_readers": labels[0] in _OF_READERS,
    }
    return {name: value for name, value in said.items() if value}


def _oddness(word: bytes) -> float:
    """How little a word is one that people say: it has digits or few vowels, and hardly a letter twice."""
    size = len(word)
    if size < _LONG:
        return 0.0
    strange = word.count(b"0") / size + max(0.0, len(word.translate(None, _VOWELS)) / size - 0.65) * 2
    return min(1.0, (len(set(word)) - 4) / 8 * strange) if strange else 0.0


def score(address: Address) -> float:
    """0 to 1; 0 where an organisation of good name is behind it."""
    if address.known:
        return 0.0
    buckets, signals = read(address)
    ours = head()
    drawn = sum(map(ours.weights.__getitem__, buckets))
    return logistic(ours.slope * ours.weighed(drawn, len(buckets), signals))


@cache
def head() -> Head:
    """The weights, read at their first use."""
    return load(NAME)[NAME]
