"""Hosts that look like others: letters of other alphabets, digits for letters, one letter off, borrowed names."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from types import MappingProxyType

from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.lookalikes import LOOKALIKES
from promptrails_scanners.links.address import Host
from promptrails_scanners.links.domains import TOLD, domains

_SPLIT = lazily.pattern(r"[^a-z0-9]+")
_LEET = str.maketrans("01345789", "oleastbg")


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
    if label.isascii():  # none of these looks like another one
        return label.lower().replace("rn", "m").replace("vv", "w")
    plain = unicodedata.normalize("NFKD", "".join(LOOKALIKES.get(char, char) for char in label)).lower()
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return plain.replace("rn", "m").replace("vv", "w")


def _imitated(word: str, read: str) -> str | None:
    """The brand that a word is one step away from, and is not; with how it may be read."""
    brands = domains().brands
    if word in brands:
        return None
    if read != word and read in brands:
        return read
    for brand in _near().get((word[0], len(word)), ()):
        # one step changes the second letter or one of the last two, never both: as brands are longer than five letters
        if (word[1] == brand[1] or word[-2:] == brand[-2:]) and _is_one_off(word, brand):
            return brand
    return None


@cache
def _near() -> Mapping[tuple[str, int], tuple[str, ...]]:
    """By first letter and length of a word: the brands that may be one step away, of those that are long enough to be
    told by all but one of their letters."""
    found: dict[tuple[str, int], tuple[str, ...]] = {}
    for brand in domains().brands:
        size = len(brand)
        for key in ((brand[0], size - 1), (brand[0], size), (brand[0], size + 1)) if size > TOLD else ():
            found[key] = (*found.get(key, ()), brand)
    return MappingProxyType(found)


def _is_one_off(word: str, brand: str) -> bool:
    """Whether one letter was left out, put in, changed or swapped with the next; lengths are one apart at most."""
    at = next((at for at, (one, other) in enumerate(zip(word, brand, strict=False)) if one != other), None)
    if at is None:
        return False  # a plural, or another word that begins so
    if len(word) == len(brand):
        swapped = word[at : at + 2] == brand[at : at + 2][::-1]
        return word[at + 1 :] == brand[at + 1 :] or (swapped and word[at + 2 :] == brand[at + 2 :])
    longer, shorter = (word, brand) if len(word) > len(brand) else (brand, word)
    return longer[at + 1 :] == shorter[at:]


@lru_cache(maxsize=1024)
def imitated(host: Host) -> str | None:
    """The brand that a word of the host imitates by its letters."""
    if host.is_ip or host.known:
        return None
    said = words(host.name)
    read = skeleton(" ".join(said)).translate(_LEET).split()
    for word, plain in zip(said, read, strict=True):
        brand = _imitated(word, plain) if len(word) >= TOLD else None
        if brand and host.domain not in domains().brands[brand]:
            return brand
    return None


def borrowed(host: Host) -> bool:
    """Whether the host names a brand although it belongs to somebody else."""
    table, read = domains(), words(host.name)
    if not table.brands.keys().isdisjoint(read):
        named = [word for word in read if word in table.brands]
    elif table.brand.search(" ".join(read)):
        named = [name for name in table.brands if len(name) >= TOLD and any(name in word for word in read)]
    else:
        return False
    return any(host.domain not in table.brands[name] for name in named)


@lru_cache(maxsize=1024)
def words(host: str) -> tuple[str, ...]:
    """The words of a host as they are read, without its ending."""
    shown = decoded(host).rpartition(".")[0]
    if not shown.isascii():
        shown = ".".join(label if label.isascii() else skeleton(label) for label in shown.split("."))
    return tuple(word for word in _SPLIT.split(shown) if word)
