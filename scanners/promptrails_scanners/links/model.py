"""How much a link looks like those that lead to harm: by the words and letters in it, and by how it is built."""

from __future__ import annotations

import zlib
from array import array
from functools import lru_cache
from math import log2

from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.linear import BITS, Head, load
from promptrails_scanners.links.address import Address
from promptrails_scanners.links.domains import domains
from promptrails_scanners.links.looks import borrowed, imitated

NAME = "malicious_urls"
_MASK = (1 << BITS) - 1
_WORDS = lazily.pattern(r"[a-z0-9]+")
_DIGITS = lazily.pattern(r"\d")
_LURE_WORDS = """
account accounts airdrop alert bank banking billing bonus claim client confirm connect customer free gift help
invoice limited log login logon notice password pay payment recover recovery reset restore reward secure security
service services sign signin support suspended token unlock update validate verification verify wallet webscr
"""
_LURES = frozenset(_LURE_WORDS.split())
_FOR_READERS = ("docs", "doc", "developer", "developers", "api", "wiki", "blog", "help", "en", "learn")
_SCRIPTS = (".php", ".asp", ".aspx", ".cgi", ".exe", ".apk", ".scr", ".jsp")
_SIZES = (3, 4, 5)
_PATH = 120
_HOST = 100


def features(address: Address) -> array[int]:
    """The buckets of a link's features: its words, and runs of 3 to 5 characters of host and path apart."""
    path = _DIGITS.sub("0", (address.path + ("?" + address.query if address.query else ""))[:_PATH].lower())
    found = _runs("p", path)
    found.update([_sum("P ", word) for word in _WORDS.findall(path)])
    return array("H", [number & _MASK for number in found.union(_of_host(address.host))])


@lru_cache(maxsize=1024)
def _of_host(host: str) -> frozenset[int]:
    read = _DIGITS.sub("0", host[-_HOST:])
    found = _runs("h", read.removeprefix("www."))
    found.update([_sum("H ", word) for word in _WORDS.findall(read)])
    found.add(_sum("T ", host.rpartition(".")[2]))
    return frozenset(found)


def _runs(kind: str, text: str) -> set[int]:
    """A number for each run of characters."""
    begun = zlib.crc32(f"{kind} ".encode())
    inside = f"<{text}>"
    if not inside.isascii():
        return {
            zlib.crc32(inside[at : at + size].encode("utf-8", "surrogatepass"), begun)
            for size in _SIZES
            for at in range(len(inside) - size + 1)
        }
    data, crc = inside.encode(), zlib.crc32  # of one byte each: so sums are begun once, and nothing is put together
    return {crc(data[at : at + size], begun) for size in _SIZES for at in range(len(data) - size + 1)}


def _sum(kind: str, word: str) -> int:
    return zlib.crc32((kind + word).encode("utf-8", "surrogatepass"))


def signals(address: Address) -> dict[str, float]:
    """How a link is built, each from 0 to about 1."""
    host, path = address.host, address.path
    table = domains()
    labels = host.split(".")
    main = address.site.partition(".")[0]
    words = _WORDS.findall(host)
    lures = len([word for word in words if word in _LURES])
    said = {
        "known": float(address.known),
        "shared": float(address.shared),
        "short": float(address.domain in table.short),
        "ip": float(address.is_ip),
        "port": float(address.port not in (None, 80, 443)),
        "deep_host": min(1.0, max(0, len(labels) - 3) / 3),
        "long_host": min(1.0, max(0, len(host) - 20) / 40),
        "hyphens": min(1.0, host.count("-") / 4),
        "host_digits": min(1.0, sum(map(host.count, "0123456789")) / 8) if not address.is_ip else 0.0,
        "long_name": min(1.0, max(0, len(main) - 12) / 20),
        "odd_name": _oddness(main),
        "punycode": float("xn--" in host),
        "borrowed": float(borrowed(address) is not None),
        "imitated": float(imitated(address) is not None),
        "lures": min(1.0, lures / 2),
        "script": float(path.lower().endswith(_SCRIPTS)),
        "no_path": float(path in ("", "/") and not address.query),
        "long_path": min(1.0, len(path) / 100),
        "odd_path": max((_oddness(word) for word in path.split("/")), default=0.0),
        "brand_in_path": float(not address.known and _names_brand(path.lower())),
        "query": min(1.0, len(address.query) / 80),
        "docs": float(labels[0] in _FOR_READERS),
    }  # fmt: skip
    return {name: value for name, value in said.items() if value}


def _names_brand(path: str) -> bool:
    return domains().brand.search(path) is not None


@lru_cache(maxsize=1024)
def _oddness(word: str) -> float:
    """How little a word is one that people say: bits of chance in its letters and digits."""
    size = len(word)
    if size < 6:
        return 0.0
    digits = sum(map(word.count, "0123456789")) / size
    low = word.lower()
    strange = digits + max(0.0, 0.35 - sum(map(low.count, "aeiouy")) / size) * 2
    if not strange:
        return 0.0
    bits = -sum([share * log2(share) for share in [word.count(char) / size for char in set(word)]])
    return min(1.0, max(0.0, bits - 2.5) / 2 * strange)


def score(address: Address) -> float:
    """0 to 1."""
    return head().score(features(address), signals(address))


def head() -> Head:
    """The weights, read at their first use."""
    return load(NAME)[NAME]
