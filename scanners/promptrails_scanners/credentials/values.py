"""Whether a run of characters looks drawn at random, as tokens are, or written by a person."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from math import log2

from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.tree import tree

_PAIRS = (
    "47874573725988072989665563",
    "74546322652743640664611152",
    "83658438607754942768633140",
    "75469533833644742665633240",
    "85897764524879575998466852",
    "63456731800633731655602140",
    "52438246602546530664521012",
    "71238212703443720546410140",
    "76877771314879873788261506",
    "40114100302000420030402000",
    "52347241621424331254314020",
    "84569442914844850476642172",
    "86358321703563772265621130",
    "84888694735546752489662141",
    "56774662536779671977767422",
    "83458436704734762867623161",
    "00010100000412000231610000",
    "94669563805676851687654260",
    "63759547825655774589744260",
    "84659538903654861887644373",
    "66656550601778560777110200",
    "72308210600132520222001010",
    "61246315602315520553112100",
    "43535312500342361236110331",
    "33434331400445460355123132",
    "40006101400020310111000010",
)
"""How often each pair of letters stands in English words, a row for each first letter: 6 is as often as by chance, one
less is half as often, one more twice.  Counted over the words of the standard library of Python."""

_EVEN = 6
_SCORES = {
    first: {second: int(often) - _EVEN for second, often in enumerate(row, ord("a"))}
    for first, row in enumerate(_PAIRS, ord("a"))
}
_WRITTEN = -0.4
"""On average over its pairs, a word of English scores above this, letters by chance below."""
_STEPS = 10
"""A run of so many neighbours in the alphabet or on the keyboard is written, not drawn."""
_SAME = 6
"""So is one character that often in a row."""

_COUNTED = "0123456789abcdefghijklmnopqrstuvwxyz 12345678901234567890 qwertyuiopasdfghjklzxcvbnm"
_RISING = "abcdefghijklmnopqrstuvwxyz 0123456789"
_RISE = 4
_RISES = lazily.pattern(
    "|".join(part for at in range(len(_RISING) - 3) if " " not in (part := _RISING[at : at + _RISE]))
)
_ONE = lazily.pattern(rf"(.)\1{{{_SAME - 1},4096}}")
_LONGER = "\u0130"
"""The one character that is two in lower case: a capital i with a dot."""
_LETTERS = lazily.pattern(r"[A-Z]?[a-z]+|[A-Z]+")
_EXAMPLES = """
example sample dummy placeholder changeme change-it change_it changeit redacted removed masked foobar lorem unknown
undefined your- your_ -your _your insert- insert_ fakefake xxxx *** ... 0000000 1111111 process.env os.environ getenv
secrets. ${ {{ $( %(
"""
_EXAMPLE = lazily.pattern(
    tree([*_EXAMPLES.split(), "your "])
    + r"|replace[-_ ]?(?:with|me|this)|t[-_]?o[-_]?d[-_]?o\b|not[-_]?a[-_]?real|not[-_](?:a|your|set)|<[^>]{0,64}>"
    r"|\[[^\]]{0,64}\]"
)
_LEFT_OPEN = lazily.pattern(
    r"your|not[a-z]{3,8}token|\{[^}]{0,64}\}$|\#\{|\$[a-z_{(]|%[a-z_]{1,64}%$|@|&lt;|(?:env|vars?|config|self|this)\."
)
"""How a value in lower case begins that is to be filled in."""
_REPEATED = lazily.pattern(r"([A-Za-z0-9]{3,8})[-_.:]?\1[-_.:]?\1")
_UUID = lazily.pattern(r"[0-9a-zA-Z]{8}-[0-9a-zA-Z]{4}-[0-9a-zA-Z]{4}-[0-9a-zA-Z]{4}-[0-9a-zA-Z]{12}")
_HEX = lazily.pattern(r"[0-9a-f]+|[0-9A-F]+")
_BOTH_CASES = lazily.pattern(r"(?=[^A-F]*[A-F])(?=[^a-f]*[a-f])[0-9A-Fa-f]{20,}")
_OWN_LETTERS = 4
_LEAST_ENCODED = 16
_SAID = lazily.pattern(r"[A-Za-z][a-z]*(?:[ ./-][A-Za-z]?[a-z]*){0,32}")
_DATE = lazily.pattern(r"(?<![0-9A-Za-z])(?:19|20)\d\d[-/.]?[01]\d[-/.]?[0-3]\d(?![0-9A-Za-z])")
_DATED = 48
_FILE = lazily.pattern(
    r"\.(?:png|jpe?g|gif|svg|ico|css|m?js|tsx?|py|go|rs|java|html?|php|json|ya?ml|xml|md|txt|pdf|zip|t?gz|tar|whl|jar|pem"
    r"|p12|crt|key|bfu|exe|dll|so|log|csv|lock|com|org|net|io|dev|int|local|internal)$",
    re.IGNORECASE,
)


def entropy(value: str) -> float:
    """Bits per character (Shannon)."""
    size = len(value)
    shares = [count / size for count in Counter(value).values()]
    return -sum([share * log2(share) for share in shares])


@lru_cache(maxsize=4096)
def _letters_score(letters: str) -> int:
    raw = letters.encode()
    return sum([_SCORES[first][second] for first, second in pairwise(raw)])


def is_written(value: str) -> bool:
    """Whether the letters in it make words of English, or names in a program."""
    if not value.isalpha() and sum(map(str.isdigit, value)) * 5 > len(value):
        return False
    if is_hex(value):
        return False
    score = pairs = letters = 0
    for part in _LETTERS.findall(value):
        letters += len(part)
        if len(part) > 1:
            score += _letters_score(part.lower())
            pairs += len(part) - 1
    if letters * 2 < len(value) or not pairs:
        return False
    # Names in a program have long parts; what is drawn changes its case and kind all the time.
    return score / pairs > _WRITTEN and pairs >= 0.55 * letters


def gibberish(word: str) -> bool:
    """Whether a run of letters alone is no word; short ones are always words."""
    if len(word) < 8 or not word.isalpha() or not word.isascii():
        return False
    return _letters_score(word.lower()) / (len(word) - 1) < _WRITTEN


def is_uuid(value: str) -> bool:
    """Whether it has the shape of a UUID."""
    return _UUID.fullmatch(value) is not None


def lowered(text: str) -> str:
    """The text in lower case, as long as before."""
    return text.replace(_LONGER, "i").lower()


def is_hex(value: str) -> bool:
    """Whether it consists of hexadecimal digits of one case."""
    return _HEX.fullmatch(value) is not None


def is_file(value: str) -> bool:
    """Whether it ends as names of files and hosts do."""
    return "." in value and _FILE.search(value) is not None


def is_dated(value: str) -> bool:
    """Whether a date stands in it, as in versions and names of builds."""
    return len(value) < _DATED and not is_hex(value) and _DATE.search(value) is not None


def is_typed(value: str) -> bool:
    """Whether its form says that a person made it up: hexadecimal digits in both cases, which no machine mixes, but for
    letters that it begins with; or words in base64."""
    if _BOTH_CASES.fullmatch(value):
        return not is_hex(value[_OWN_LETTERS:])
    return len(value) >= _LEAST_ENCODED and _SAID.fullmatch(_from_base64(value)) is not None


def _from_base64(value: str) -> str:
    """What a value says in base64; nothing if it is none."""
    plain = value.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True).decode("ascii")
    except ValueError:
        return ""


def is_placeholder(value: str) -> bool:
    """Whether it stands for a value: marked as an example, left to be filled in, all one character, or counted up."""
    low = value.lower()
    if _LEFT_OPEN.match(low) or _EXAMPLE.search(low):
        return True
    if len(set(value)) < (2 if len(value) < 6 else 3 if len(value) < 12 else 5):
        return True
    return _is_monotone(value) or _is_counted_up(low) or _REPEATED.search(value) is not None


def _is_monotone(value: str) -> bool:
    """Whether a good part of it is one character over and over."""
    same = _ONE.search(value)
    return same is not None and len(same[0]) >= len(value) // 5


def _is_counted_up(low: str) -> bool:
    """Whether a good part of it counts up."""
    size = len(low)
    if not any([low[at : at + _RISE] in _COUNTED for at in range(0, size - _RISE + 1, _STEPS - _RISE + 1)]):
        return False  # every run of ten has one of these whole
    return any(low[at : at + _STEPS] in _COUNTED for at in range(size - _STEPS + 1)) and (
        size <= 4 * _STEPS or any(low[at : at + size // 4] in _COUNTED for at in range(size - size // 4 + 1))
    )


def _counted(low: str) -> Iterator[str]:
    """The parts of a value that count up, as `abcdef` and `1234`; each at least four long."""
    at = 0
    while at < len(low) - _RISE + 1:
        size = 0
        while at + size < len(low) and low[at : at + size + 1] in _RISING:
            size += 1
        if size >= _RISE:
            yield low[at : at + size]
        at += max(1, size)


def is_random(value: str, bits: float) -> bool:
    """Whether it has digits and letters in no order that a person would write, and at least so many bits a character.

    What has hexadecimal digits alone can have at most 4 bits, and is asked for less.
    """
    return looks_drawn(value, bits) and not is_placeholder(value)


def looks_drawn(value: str, bits: float) -> bool:
    """The same, of what is known to be no placeholder."""
    digits = sum(map(str.isdigit, value))
    letters = sum(map(str.isalpha, value))
    if not digits or not letters:
        return False
    if entropy(value) < (min(bits, 3.0) if is_hex(value) else bits):
        return False
    low = value.lower()
    if _RISES.search(low) and sum(map(len, _counted(low))) * 2 >= len(value):
        return False
    return not is_written(value)
