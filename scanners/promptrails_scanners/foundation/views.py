"""Views of a text: what a reader would take it for, whatever tricks hide that from a pattern.

A view knows of each of its characters where it comes from, so that what is found in it is cut out of the original.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.lookalikes import LOOKALIKES
from promptrails_scanners.foundation.origins import Origins

_MIXED = lazily.pattern(r"[^\x00-\x7f\W\d_](?:(?<=[A-Za-z].)|(?=[A-Za-z]))")
"""A letter outside ASCII in a word beside one of ASCII."""
_REPLACED_EACH = 8
"""So many different characters are replaced one after the other."""
_SPELLED = lazily.pattern(
    r"(?P<between>[ .*_\-|\u00b7])(?<=[^\W_].)(?<![^\W_][^\W_].)[^\W_](?:(?P=between)[^\W_])*(?![^\W_])"
)
"""Letters apart, always by the same sign; from the first sign on, for there are fewer of those than of letters."""
_ONE_MORE = r"(?:(?: {1,3}|\n)\S(?![^\W_]))"
_APART = lazily.pattern(rf"(?<![^\W_])\S{_ONE_MORE}{{5,}}+")
"""Nothing but single characters, word after word; what stands between words is more than a space."""
_MAYBE_APART = lazily.pattern(_ONE_MORE + "{5}")
"""How that goes on after its first character: there are fewer spaces than characters."""
_GAP = lazily.pattern(r"\s+")
_SPELLED_WORD, _OFTEN = 4, 2
"""Fewer letters apart are an abbreviation, unless so many longer words are written in the same way."""
_LEET_TOKEN = lazily.pattern(r"(?<![A-Za-z0-9@$!|+()/])[A-Za-z()]*+[0-9@$!|+][A-Za-z0-9@$!|+()]*+")
_DISGUISED = lazily.pattern(r"[A-Za-z][013457@$!|+]++[A-Za-z]|^\(*(?:[013457$!|][A-Za-z]{3}|\$[A-Za-z]|@ss)")
"""What is hardly ever written but to disguise a word; without it, digits and signs are taken for what they are."""
_MAYBE_DISGUISED = lazily.pattern(
    r"[013457@$!|+](?:(?<=[A-Za-z].)[013457@$!|+]*+[A-Za-z]|(?<=[013457$!|])[A-Za-z]{3}|(?<=\$)[A-Za-z]|(?<=@)ss)"
)
"""Without this there is no such word in a text; it looks at the signs alone, and so takes less time."""
_MANY, _SHORT = 3, 3
"""With so many disguised words in a text, numbers of so many digits are words as well."""
_NUMBER = lazily.pattern(r"\d{1,3}(?:st|nd|rd|th)|\d{2,}[a-z]{1,2}", re.IGNORECASE)
"""Numbers that are written with letters, such as 2nd and 10am."""
_LEET = str.maketrans("013457@$!|+", "oieastasiit")
_TEXTS_KEPT = 16
_KEPT_TEXT = 4096
"""The views of short texts are kept for the next scanner that is asked; longer ones would take too much room."""
_HANGUL = range(0xAC00, 0xD7A4)
_TAGS = range(0xE0020, 0xE007F)
_MARKS = ((0x300, 0x370), (0x483, 0x48A), (0x1AB0, 0x1B00), (0x1DC0, 0x1E00), (0x20D0, 0x2100), (0xFE20, 0xFE30))
"""Combining marks of scripts that are read without them; those of other scripts are letters of their own."""


class View(NamedTuple):
    """A text made of another one, the original."""

    text: str
    origins: Origins | None = None
    """Where each character comes from, and one more for the end; None where that is its own place."""

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """The part of the original that `text[start:end]` comes from; it is not empty."""
        if self.origins is None:
            return start, end
        return self.origins[start], self.origins[end - 1] + 1

    @property
    def end(self) -> int:
        """Where the original ends."""
        return len(self.text) if self.origins is None else self.origins[len(self.text)]

    def runs(self, start: int, end: int) -> Iterable[tuple[int, int]]:
        """Where characters of a part begin that stand side by side in the original, and where they come from."""
        return ((start, start),) if self.origins is None else self.origins.runs(start, end)


def canonical(text: str) -> View:
    """The text as it is read: what hides in tags is told, what is invisible left out, what is drawn like a Latin letter
    in a word of Latin letters is that letter, full width, styles and accents are gone, and spelled words are joined.

    Offsets hold for every character.  Words of one script stay as they are, up to their accents.
    """
    return _kept_canonical(text) if len(text) <= _KEPT_TEXT else _canonical(text)


def _canonical(text: str) -> View:
    view = folded(text)
    return _without(view, _between_letters(view.text))


_kept_canonical = lru_cache(maxsize=_TEXTS_KEPT)(_canonical)


def folded(text: str) -> View:
    """The text without what cannot be seen, with plain characters for styled and accented ones, and with Latin letters
    for what is drawn like them in words of Latin letters.  Text that is written in single characters throughout is
    written together; else, spelled words stay spelled, and so do numbers with dots.
    """
    view = View(text) if text.isascii() else _latinised(_folded(text))
    return _without(view, _between_all(view.text))


def deleeted(view: View) -> View | None:
    """The view with digits and signs inside words read as the letters that they are drawn like; None without any."""
    text = view.text
    if not _MAYBE_DISGUISED.search(text):
        return None
    signs = sum(1 for _ in islice(filter(_is_disguised, _LEET_TOKEN.finditer(text)), _MANY))
    if not signs:
        return None
    parts: list[str] = []
    after = 0
    for match in _LEET_TOKEN.finditer(text):
        token = match[0]
        if _NUMBER.fullmatch(token):
            continue
        letters = sum(map(str.isalpha, token))
        spelled = signs == _MANY and len(token) <= _SHORT  # "4" for a and "70" for to, where all is written so
        if letters * 5 < len(token) and not spelled:  # an order number with a letter in it
            continue
        parts += text[after : match.start()], _plain(token)
        after = match.end()
    if not parts:
        return None
    changed = "".join([*parts, text[after:]])
    return None if changed == text else View(changed, view.origins)


def _is_disguised(match: re.Match[str]) -> bool:
    address = "@" in match[0] and match.string[match.end() : match.end() + 1] in (".", "-")
    return not address and _DISGUISED.search(match[0]) is not None


def _plain(token: str) -> str:
    word = token.rstrip("!")
    return word.translate(_LEET) + token[len(word) :]


# ------------------------------------------------------------------ character by character


@lru_cache(maxsize=8192)
def _fold(char: str) -> str:
    """What a character outside ASCII is read as; maybe nothing."""
    code = ord(char)
    if code in _HANGUL:
        return char
    if code in _TAGS:
        return chr(code - 0xE0000)
    if _is_ignorable(code):
        return ""
    plain = unicodedata.normalize("NFKD", char)
    if plain == char:
        return "" if _is_mark(code) else char
    if not plain[0].isascii():  # a mark on a letter of another script makes another letter of it
        return unicodedata.normalize("NFKC", char)
    return "".join(part for part in plain if not _is_mark(ord(part)) and not _is_ignorable(ord(part)))


def _is_mark(code: int) -> bool:
    return any(low <= code < high for low, high in _MARKS)


def _is_ignorable(code: int) -> bool:
    """Whether it is drawn as nothing: Default_Ignorable_Code_Point of Unicode, and the fillers that look empty."""
    return (
        code in (0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFEFF, 0xFFA0)
        or 0x180B <= code <= 0x180F
        or 0x200B <= code <= 0x200F
        or 0x202A <= code <= 0x202E
        or 0x2060 <= code <= 0x206F
        or 0xFE00 <= code <= 0xFE0F
        or 0xFFF0 <= code <= 0xFFFB
        or 0x1BCA0 <= code <= 0x1BCA3
        or 0x1D173 <= code <= 0x1D17A
        or 0xE0000 <= code <= 0xE0FFF
    )


def _folded(text: str) -> View:
    """Without what cannot be seen, and with compatible characters for styled ones."""
    table = {char: _fold(char) for char in set(text) if not char.isascii()}
    table = {char: read for char, read in table.items() if read != char}
    if not table:
        return View(text)
    changed = _replaced(text, table)
    uneven = sorted(char for char, read in table.items() if len(read) != 1)
    return View(changed, grown(View(text), uneven, table) if uneven else None)


def _replaced(text: str, table: Mapping[str, str]) -> str:
    """The text with others for some of its characters, in less time than `str.translate` takes where these are few."""
    if len(table) <= _REPLACED_EACH and table.keys().isdisjoint("".join(table.values())):
        for char, read in table.items():
            text = text.replace(char, read)
        return text
    return re.sub(f"[{re.escape(''.join(table))}]", lambda match: table[match[0]], text)


def grown(view: View, uneven: Iterable[str], table: Mapping[str, str]) -> Origins:
    """Where characters come from when some of a view have become others, not one each."""
    origins = Origins()
    after = more = 0
    for match in re.finditer(f"[{re.escape(''.join(uneven))}]", view.text):
        at = match.start()
        for start, origin in view.runs(after, at + 1):
            origins.add(start + more, origin)
        origin, after = view.origin(at, at + 1)[0], at + 1
        size = len(table[match[0]])
        for place in range(1, size):
            origins.add(at + more + place, origin)
        more += size - 1
    for start, origin in view.runs(after, len(view.text)):
        origins.add(start + more, origin)
    origins.add(len(view.text) + more, view.end)
    return origins


def _latinised(view: View) -> View:
    """With lookalikes as Latin letters in those words that have Latin letters, too: other words are in their script."""
    text = view.text
    if LOOKALIKES.keys().isdisjoint(set(text)):
        return view
    parts: list[str] = []
    after = 0
    for match in _MIXED.finditer(text):
        if match.start() >= after:
            start, end = _word_around(text, match.start())
            parts += text[after:start], "".join(LOOKALIKES.get(char, char) for char in text[start:end])
            after = end
    if not parts:
        return view
    return View("".join([*parts, text[after:]]), view.origins)


def _word_around(text: str, at: int) -> tuple[int, int]:
    """Where the letters begin and end of which this is one."""
    start = end = at
    while start and text[start - 1].isalnum() and not text[start - 1].isdecimal():
        start -= 1
    while end < len(text) and text[end].isalnum() and not text[end].isdecimal():
        end += 1
    return start, end


# ------------------------------------------------------------------ spelled words


def _without(view: View, dropped: Sequence[int]) -> View:
    """The view without the characters at some places, which are given in their order."""
    if not dropped:
        return view
    text = view.text
    origins = Origins()
    parts: list[str] = []
    start = size = 0
    for end in (*dropped, len(text)):
        for at, origin in view.runs(start, end) if start < end else ():
            origins.add(at - start + size, origin)
        parts.append(text[start:end])
        size += end - start
        start = end + 1
    origins.add(size, view.end)
    return View("".join(parts), origins)


def _between_letters(text: str) -> Sequence[int]:
    """The places of what stands between the letters of words that are spelled ("i-g-n-o-r-e")."""
    words = list(_spelled(text))
    long = [match for match in words if len(match[0]) >= 2 * (_SPELLED_WORD - 1)]
    often = {sign for sign, times in Counter(match["between"] for match in long).items() if times >= _OFTEN} - {" "}
    taken = (match for match in words if len(match[0]) >= 2 * (_SPELLED_WORD - 1) or match["between"] in often)
    return [at for match in taken for at in range(match.start(), match.end(), 2)]


def _spelled(text: str) -> Iterator[re.Match[str]]:
    """The spelled words, each without its first letter."""
    begin = 0
    while match := _SPELLED.search(text, begin):
        yield match
        begin = match.end() + 1  # no letter is of two words


def _between_all(text: str) -> Sequence[int]:
    """The places of the spaces that are too many where a text is written in single characters throughout."""
    return [at for apart in _apart(text) for at in _spaces(text, *apart.span())]


def _apart(text: str) -> Iterator[re.Match[str]]:
    """Every part that is written in single characters."""
    begin = 0
    while maybe := _MAYBE_APART.search(text, begin + 1):
        apart = _APART.match(text, maybe.start() - 1)
        begin = maybe.start()
        if apart:
            yield apart
            begin = apart.end()


def _spaces(text: str, start: int, end: int) -> Iterator[int]:
    """Those of a part: all but one between words; none where no words can be told, and among numbers and signs."""
    gaps = list(_GAP.finditer(text, start, end))
    letters = sum(char.isalpha() or not char.isascii() for char in text[start:end])
    if 2 * letters > len(gaps) and len({gap[0] for gap in gaps}) > 1:
        for gap in gaps:
            if "\n" not in gap[0]:
                yield from range(gap.start() + (len(gap[0]) > 1), gap.end())
