"""Linear models over hashed features: small enough for a wheel, and scored without a package for numbers.

A text is its distinct words, the distinct pairs of words in a row, and the runs of 3 to 5 characters in each word.
Every one of these has a bucket, the lowest 16 bits of its CRC-32.  A head has a weight for each bucket; what a text
scores is the sum of its features' weights divided by the square root of how many there are, and what named signals add
to that, such as a rule that matched.  A head can have weights of single words beside them: their sum, divided by the
square root of how many distinct words the text has, is added.

A file of weights is, in order:

- `PRLM1` and a line feed;
- all that follows, compressed by zlib: one line of JSON with a line feed,
  `{"bits": 16, "heads": [{"name", "scale", "bias", "slope", "signals": {name: weight}}]}`, and then
- for each head `2 ** bits` bytes: its weights plus 128, in units of `scale`.  With fewer than 16 bits, the lowest ones
  of a bucket count; and then
- for each head with `"words": {"many", "scale"}` the weights of its words, as `foundation.meanings` has them.

The score of a head is the logistic function of `slope * (sum + signals + bias)`: 0.5 at the point chosen for it.
"""

from __future__ import annotations

import json
import sys
import zlib
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from math import exp, fsum, sqrt
from operator import itemgetter
from threading import Lock
from types import MappingProxyType
from typing import Any, NamedTuple

from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.meanings import Meanings, unpacked
from promptrails_scanners.foundation.parted import spaced, table

MAGIC = b"PRLM1\n"
BITS = 16
ZERO = 128
"""The byte that stands for a weight of nothing."""

_LONGEST = 40
_WORD = lazily.pattern(rf"[^\W_]{{1,{_LONGEST}}}(?:['\u2019][^\W_]{{1,8}})?|[?!]")
_TABLE = table("'?!")
_DIGITS = lazily.pattern(r"\d")
_LOW_HALF = 0 if sys.byteorder == "little" else 1
_RUNS = (3, 4, 5)
"""Lengths of the runs of characters."""
_WORDS_KEPT = 8192
"""Of so many words the features are kept, for all models together: about 2 MB."""
_SUMS_KEPT = 4096
_LANE = 40
_LANE_MASK = (1 << _LANE) - 1
"""Bits for the sum of one head, enough for any text that fits into memory."""
_WORD_BEGUN = zlib.crc32(b"w ")
_FIRST_BEGUN = zlib.crc32(b"p ^ ")
"""What the pair of the first word begins with."""
_TEXTS_KEPT = 128
_KEPT_TEXT = 2048
"""The features of short texts are kept for the next model that is asked; longer ones would take too much room."""

_LOADING = Lock()


def words(text: str) -> tuple[str, ...]:
    """The words of a text in lower case and in their order, and its question and exclamation marks."""
    return _kept_words(text) if len(text) <= _KEPT_TEXT else _words(text)


def _words(text: str) -> tuple[str, ...]:
    lowered = text.lower()
    plain = spaced(lowered.replace("?", " ? ").replace("!", " ! "), _TABLE, "\u2019")
    if plain is None:
        return tuple(_WORD.findall(lowered))
    runs = plain.split()
    whole = list(map(str.isalnum, runs))
    if max(map(len, runs), default=0) > _LONGEST:
        whole = [is_word and len(run) <= _LONGEST for is_word, run in zip(whole, runs, strict=True)]
    found: list[str] = []
    after = 0
    for _ in range(whole.count(False)):
        at = whole.index(False, after)
        found += runs[after:at]
        found += _WORD.findall(runs[at])
        after = at + 1
    return (*found, *runs[after:])


_kept_words = lru_cache(maxsize=64)(_words)


@lru_cache(maxsize=_WORDS_KEPT)
def word_buckets(word: str) -> array[int]:
    """The buckets of a word and of the runs of 3 to 5 characters in it.  Digits are all alike."""
    plain = word if word.isalpha() else _DIGITS.sub("0", word).replace("\u2019", "'")
    found = [zlib.crc32(plain.encode(), _WORD_BEGUN)]
    if plain[0].isalnum():
        inside = f"<{plain}>"
        cut = _runs_of(len(inside))
        runs = cut(inside.encode()) if plain.isascii() else map(str.encode, cut(inside))
        found += dict.fromkeys(map(zlib.crc32, runs))
    return _lowest(found)


def _lowest(sums: list[int]) -> array[int]:
    """The lowest 16 bits of each: every other of their halves."""
    return array("H", array("I", sums).tobytes())[_LOW_HALF::2]


@cache
def _runs_of(size: int) -> Callable[[Any], tuple[Any, ...]]:
    """What cuts a word of this size into its runs; there are few sizes, for words are short."""
    cuts = [slice(at, at + length) for length in _RUNS for at in range(size - length + 1)]
    return itemgetter(cuts[0], *cuts)  # the first one twice, for of a single one it would make no tuple


class Features(NamedTuple):
    """All features of a text."""

    words: tuple[str, ...]
    """Its distinct words."""
    pairs: array[int]
    """The buckets of the pairs of words in a row."""

    def buckets(self) -> array[int]:
        """The buckets of all; one stands twice where two features share it."""
        found = array("H")
        for word in self.words:
            found.extend(word_buckets(word))
        found.extend(self.pairs)
        return found


def features(text: str) -> Features:
    """The features of a text."""
    return _kept_features(text) if len(text) <= _KEPT_TEXT else _features(text)


def buckets(text: str) -> array[int]:
    """The buckets of all features of a text; one stands twice where two features share it."""
    return features(text).buckets()


def _features(text: str) -> Features:
    tokens = words(text)
    ours = tuple(dict.fromkeys(tokens))
    if not tokens:
        return Features(ours, array("H"))
    crc32 = zlib.crc32
    spelled = dict(zip(ours, "\n".join(ours).encode().split(b"\n"), strict=True))
    begun = {word: crc32(b"p %b " % said) for word, said in spelled.items()}  # the second word goes on from there
    begun["^"] = _FIRST_BEGUN
    pairs = dict.fromkeys(zip(("^", *tokens), tokens, strict=False))
    return Features(ours, _lowest([crc32(spelled[second], begun[first]) for first, second in pairs]))


_kept_features = lru_cache(maxsize=_TEXTS_KEPT)(_features)


@dataclass(frozen=True)
class Head:
    """One answer of a model."""

    name: str
    scale: float
    bias: float
    slope: float
    signals: Mapping[str, float]
    weights: bytes
    """One for each of the 65,536 buckets."""
    meanings: Meanings | None = None
    """Weights of single words; of a text that is given by its buckets alone they say nothing."""

    def total(self, features: array[int] | Features, signals: Mapping[str, float]) -> float:
        """The sum before it is made a score: above 0 is above the point that was chosen."""
        if not isinstance(features, Features):
            return self.weighed(sum(map(self.weights.__getitem__, features)), len(features), signals)
        drawn = sum(map(self._of_word, features.words))
        pairs = sum(map(self.weights.__getitem__, features.pairs))
        size = (drawn >> _LANE & _LANE_MASK) + len(features.pairs)
        total = self.weighed((drawn & _LANE_MASK) + pairs, size, signals)
        if self.meanings is None or not features.words:
            return total
        return total + self.meanings.scale * (drawn >> 2 * _LANE) / sqrt(len(features.words))

    def weighed(self, drawn: int, size: int, signals: Mapping[str, float]) -> float:
        """The same where the weights of all features, `size` in number, have been added up."""
        known = self.signals
        added = fsum([known[name] * value for name, value in signals.items() if name in known])
        if not size:
            return self.bias + added
        return self.bias + added + self.scale * (drawn - ZERO * size) / sqrt(size)

    @cached_property
    def _of_word(self) -> Callable[[str], int]:
        """What the features of a word add up to, above that how many they are, and above that the weight of what the
        word means; kept for so many words of each head."""
        meant = None if self.meanings is None else self.meanings.weight
        weight = self.weights.__getitem__

        def drawn(word: str) -> int:
            buckets = word_buckets(word)
            features = sum(map(weight, buckets)) + (len(buckets) << _LANE)
            return features if meant is None else features + (meant(word) << 2 * _LANE)

        return lru_cache(maxsize=_SUMS_KEPT)(drawn)

    def score(self, features: array[int] | Features, signals: Mapping[str, float], handicap: float = 0.0) -> float:
        """0 to 1; a handicap is taken off the sum."""
        return logistic(self.slope * (self.total(features, signals) - handicap))


class Together:
    """Several heads that are always asked at once: one number for each bucket holds the weights of all of them."""

    def __init__(self, heads: Mapping[str, Head]) -> None:
        self._heads = heads
        ours = [head.weights for head in heads.values()]
        bits = next(bits for bits in range(BITS + 1) if all(_repeats(weights, 1 << bits) for weights in ours))
        self._mask = (1 << bits) - 1
        lanes = [(weights, _LANE * at) for at, weights in enumerate(ours)]
        self._all = tuple(sum(weights[at] << lane for weights, lane in lanes) for at in range(1 << bits))
        self._many = _LANE * len(ours)
        """Above the sums of the heads stands how many features they are sums of."""
        self._of_word = lru_cache(maxsize=_SUMS_KEPT)(self._word_sum)

    def scores(self, features: Features, signals: Mapping[str, float]) -> dict[str, float]:
        """The score of each head, as it would give it alone."""
        drawn = sum(map(self._of_word, features.words)) + self._sum(features.pairs)
        size = drawn >> self._many
        found: dict[str, float] = {}
        for at, (name, head) in enumerate(self._heads.items()):
            total = head.weighed(drawn >> _LANE * at & _LANE_MASK, size, signals)
            found[name] = logistic(head.slope * total)
        return found

    def _word_sum(self, word: str) -> int:
        return self._sum(word_buckets(word))

    def _sum(self, features: array[int]) -> int:
        mask, ours = self._mask, self._all
        return sum([ours[feature & mask] for feature in features]) + (len(features) << self._many)


def _repeats(weights: bytes, size: int) -> bool:
    return weights[size:] == weights[:-size]


def logistic(value: float) -> float:
    """0 to 1; values far away are held, so that nothing overflows."""
    return 1.0 / (1.0 + exp(-max(-40.0, min(40.0, value))))


def load(name: str) -> Mapping[str, Head]:
    """The heads of a model that ships with this package, by their names; read once, whoever asks first."""
    with _LOADING:
        return _loaded(name)


def together(name: str) -> Together:
    """The same heads, to be asked at once."""
    with _LOADING:
        return _joined(name)


@cache
def _joined(name: str) -> Together:
    return Together(_loaded(name))


@cache
def _loaded(name: str) -> Mapping[str, Head]:
    folder = files("promptrails_scanners") / "weights"
    return MappingProxyType({head.name: head for head in read((folder / f"{name}.bin").read_bytes())})


def read(data: bytes) -> list[Head]:
    """The heads in a file of weights.

    Raises:
        ValueError: it is not such a file.
    """
    if not data.startswith(MAGIC):
        raise ValueError("not a file of weights, or of another version: it does not begin with PRLM1")
    about, _, rest = zlib.decompress(data[len(MAGIC) :]).partition(b"\n")
    head = json.loads(about)
    size, many = 1 << head["bits"], len(head["heads"])
    wanted = size * many + sum(4 * one["words"]["many"] for one in head["heads"] if "words" in one)
    if len(rest) != wanted:
        raise ValueError(f"a file of weights with {len(rest)} weights where there should be {wanted}")
    repeated = 1 << (BITS - head["bits"])
    heads: list[Head] = []
    begin = size * many
    for at, one in enumerate(head["heads"]):
        about_words = one.get("words")
        end = begin + (4 * about_words["many"] if about_words else 0)
        heads.append(
            Head(
                name=one["name"],
                scale=one["scale"],
                bias=one["bias"],
                slope=one["slope"],
                signals=one["signals"],
                weights=rest[at * size : (at + 1) * size] * repeated,
                meanings=unpacked(rest[begin:end], about_words["scale"]) if about_words else None,
            )
        )
        begin = end
    return heads


def written(bits: int, heads: Iterable[Head]) -> bytes:
    """A file of weights; of each head the first `2 ** bits` weights count."""
    ours = list(heads)
    body = json.dumps({"bits": bits, "heads": list(map(_about, ours))}, sort_keys=True).encode() + b"\n"
    body += b"".join(one.weights[: 1 << bits] for one in ours)
    body += b"".join(one.meanings.packed() for one in ours if one.meanings is not None)
    return MAGIC + zlib.compress(body, 9)


def _about(head: Head) -> dict[str, object]:
    told: dict[str, object] = {
        "name": head.name,
        "scale": head.scale,
        "bias": head.bias,
        "slope": head.slope,
        "signals": dict(head.signals),
    }
    if head.meanings is not None:
        told["words"] = {"many": len(head.meanings.prints), "scale": head.meanings.scale}
    return told
