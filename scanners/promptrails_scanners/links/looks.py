"""Hosts that look like others: letters of other alphabets, digits for letters, one letter off, borrowed names."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.lookalikes import LOOKALIKES
from promptrails_scanners.links.address import Address
from promptrails_scanners.links.domains import domains

_SPLIT = lazily.pattern(r"[^a-z0-9]+")
_LEET = str.maketrans("01345789", "oleastbg")
_LEAST = 5
"""Shorter names stand in too many others."""


def decoded(host: str) -> str:
    """The host as it is shown: labels in Punycode are written out."""
    if "xn--" not in host:
        return host
    labels: list[str] = []
    for label in host.split("."):
        try:
            labels.append(label[4:].encode().decode("punycode") if label.startswith("xn--") else label)
        except (UnicodeError, ValueError):
            labels.append(label)
    return ".".join(labels)


def is_mixed(host: str) -> bool:
    """Whether a label mixes Latin letters with some that only look like them, or consists of such alone."""
    if host.isascii() and "xn--" not in host:
        return False
    for label in decoded(host).split("."):
        if label.isascii():
            continue
        plain = skeleton(label)
        if plain.isascii() and plain != label and not _is_accented(label):
            return True
    return False


def _is_accented(label: str) -> bool:
    return unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode() != "" and all(
        unicodedata.name(char, "LATIN").startswith("LATIN") for char in label if not char.isascii()
    )


def skeleton(label: str) -> str:
    """What a label is taken for at a glance."""
    plain = unicodedata.normalize("NFKD", "".join(LOOKALIKES.get(char, char) for char in label)).lower()
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return plain.replace("rn", "m").replace("vv", "w")


@lru_cache(maxsize=1024)
def _imitated(word: str) -> str | None:
    """The brand that a word is one step away from, and is not."""
    brands = domains().brands
    if len(word) < _LEAST or word in brands:
        return None
    read = skeleton(word).translate(_LEET)
    if read != word and read in brands:
        return read
    return next((brand for brand in _beginning(word[0]) if _is_one_off(word, brand)), None)


@lru_cache(maxsize=64)
def _beginning(letter: str) -> tuple[str, ...]:
    """The brands with that first letter that are long enough to be told by all but one of their letters."""
    return tuple(brand for brand in domains().brands if len(brand) > _LEAST and brand[0] == letter)


def _is_one_off(word: str, brand: str) -> bool:
    """Whether one letter was left out, put in, changed or swapped with the next."""
    if abs(len(word) - len(brand)) > 1:
        return False
    at = next((at for at, (one, other) in enumerate(zip(word, brand, strict=False)) if one != other), None)
    if at is None:
        return False  # a plural, or another word that begins so
    if len(word) == len(brand):
        swapped = word[at : at + 2] == brand[at : at + 2][::-1]
        return word[at + 1 :] == brand[at + 1 :] or (swapped and word[at + 2 :] == brand[at + 2 :])
    longer, shorter = (word, brand) if len(word) > len(brand) else (brand, word)
    return longer[at + 1 :] == shorter[at:]


def imitated(address: Address) -> str | None:
    """The brand that a word of the host imitates by its letters."""
    return None if address.is_ip or address.known else _imitated_by(address.host, address.domain)


@lru_cache(maxsize=1024)
def _imitated_by(host: str, domain: str) -> str | None:
    for word in words(host):
        brand = _imitated(word)
        if brand and domain not in domains().brands[brand]:
            return brand
    return None


def borrowed(address: Address) -> str | None:
    """The brand that the host names although it belongs to somebody else."""
    if address.is_ip or address.known:
        return None
    table = domains()
    for word in words(address.host):
        if word in table.brands and address.domain not in table.brands[word]:
            return word
        if table.brand.search(word):
            for name, theirs in table.brands.items():
                if len(name) > _LEAST and name in word and address.domain not in theirs:
                    return name
    return None


@lru_cache(maxsize=1024)
def words(host: str) -> tuple[str, ...]:
    """The words of a host as they are read, without its ending."""
    return tuple(
        skeletal
        for label in decoded(host).rpartition(".")[0].split(".")
        for skeletal in _SPLIT.split(skeleton_of(label))
        if skeletal
    )


def skeleton_of(label: str) -> str:
    """The label in ASCII, where it has letters of other alphabets; otherwise itself."""
    return label if label.isascii() else skeleton(label)
