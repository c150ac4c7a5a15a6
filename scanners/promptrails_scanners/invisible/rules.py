"""Which hidden characters of a text have no business where they stand.

A run of hidden characters is judged by what is seen on either side of it, never by its neighbours in the run: so what
is left of a text from which the rest was deleted is judged as it was before.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set

from promptrails_engine.ports.scanner import Finding
from promptrails_scanners.foundation import lazily
from promptrails_scanners.invisible.characters import (
    BOM,
    BRAILLE_BLANK,
    JOINING,
    KINDS,
    MARKS,
    RIGHT_TO_LEFT,
    UNSPACED,
    ZWJ,
    ZWNJ,
    ZWSP,
    Kind,
    is_picture,
    kind_of,
    script_of,
)

_AT_ONE_PLACE = 2
"""More hidden characters than these have no use in one place, whatever they are."""
_FLOOD = 6
_FLOOD_KEPT = 2
_NESTED = 2
_INDENT = 16
_FEW = 32
"""So many different characters are looked for one after the other; more, by looking at each place."""
_BESIDE = 2
"""So many characters on either side say whether a hidden one is of use."""

_MARK = lazily.pattern(f"[{MARKS}]")
_FIRST_MARK = MARKS[0]
_PLAIN = frozenset(map(chr, range(0x20, 0x7F))) | frozenset("\t\n\r")
"""Most characters of most texts: they are seen."""
_FLOODS = lazily.pattern(f"[{MARKS}]{{{_FLOOD},}}")
_BRAILLE = lazily.pattern(f"{BRAILLE_BLANK}[{BRAILLE_BLANK}\\s]*")
_FLAG = lazily.pattern("[\U000e0061-\U000e007a]{2}[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,3}\U000e007f")
"""The region of a flag emoji, in tags."""
_BLACK_FLAG = "\U0001f3f4"
_LINE_END = lazily.pattern("[\n\r\u2029]")

_TURNED = lazily.pattern("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefe\U00010800-\U00010fff\U0001e800-\U0001efff]")
"""Characters that are read from right to left are among these."""

_OPENS = {"\u202a": "\u202c", "\u202b": "\u202c", "\u2066": "\u2069", "\u2067": "\u2069", "\u2068": "\u2069"}
_OVERRIDES = frozenset("\u202d\u202e")
_CLOSES = frozenset("\u202c\u2069")
_NEEDS_RIGHT_TO_LEFT = frozenset("\u202b\u2067")
"""These turn what is inside around; the others are of use wherever the line has both directions."""
_NEVER_OF_USE = frozenset("\xad\u206a\u206b\u206c\u206d\u206e\u206f\u2063\u2064")
_DIRECTIONAL = _CLOSES | _OVERRIDES | frozenset(_OPENS)

_NAMES: Mapping[Kind, str] = {kind: kind.upper() for kind in KINDS}
"""What a finding of each kind is called."""

Scripts = frozenset[str]


class Place:
    """What is seen beside a run of hidden characters; nothing where the text begins or ends."""

    __slots__ = ("_end", "_scripts", "_start", "_text", "after", "before", "letter")

    def __init__(self, text: str, start: int, end: int, letter: str, scripts: Scripts) -> None:
        self._text, self._start, self._end, self._scripts = text, start, end, scripts
        self.letter = letter
        """What the marks before it are set on, where there are some; else what stands before it."""
        self.before = text[start - 1] if start else ""
        self.after = text[end] if end < len(text) else ""

    @property
    def alone(self) -> bool:
        """Whether the run is one character."""
        return self._end - self._start == 1

    @property
    def line_start(self) -> bool:
        """Whether a line begins there, spaces and tabs aside."""
        indent = self._text[max(0, self._start - _INDENT) : self._start].rstrip(" \t")
        return indent.endswith(("\n", "\r")) or (not indent and self._start < _INDENT)

    def beside(self, scripts: Scripts) -> bool:
        """Whether a letter of one of the scripts stands beside it."""
        return self._is_in(self.after, scripts) or self._is_in(self.letter, scripts)

    def near(self, scripts: Scripts) -> bool:
        """The same, maybe with one character that is no letter between."""
        if self.beside(scripts):
            return True
        before, after = self._text[max(0, self._start - 2) : self._start], self._text[self._end : self._end + 2]
        ends = [before[0]] if len(before) == 2 and not before[1].isalnum() else []
        ends += [after[1]] if len(after) == 2 and not after[0].isalnum() else []
        return any(self._is_in(char, scripts) for char in ends if kind_of(char) is None)

    def _is_in(self, char: str, scripts: Scripts) -> bool:
        script = script_of(char) if char else None
        return script in scripts and script in self._scripts


def _is_mark(char: str) -> bool:
    return char >= _FIRST_MARK and _MARK.match(char) is not None


def _letter(text: str, start: int, end: int) -> str:
    """The last character of a part that is no mark; empty if there is none."""
    at = end - 1
    while at >= start and _is_mark(text[at]):
        at -= 1
    return text[at] if at >= start else ""


def _is_seen(text: str) -> bool:
    """Whether all of it is seen, and for itself."""
    return all(kind_of(char) is None and not _is_mark(char) for char in text)


class Rules:
    """The rules, with the kinds that count and the scripts in which some of them are spelling."""

    def __init__(self, kinds: frozenset[Kind], scripts: Scripts) -> None:
        self._kinds = kinds
        self._scripts = scripts

    def offences(self, text: str) -> list[Finding]:
        """Hidden characters that have no business where they stand, those of a kind that follow each other together."""
        characters = self._characters(text)
        special = _special(characters)
        hidden = _places(text, special)
        found = list(self._in_runs(text, hidden, special)) if hidden else []
        floods = list(self._floods(text, hidden)) if _MARK.search("".join(characters)) else []
        return sorted(found + floods, key=lambda one: one.start) if floods else found

    def everything(self, text: str) -> list[int]:
        """The places of all hidden characters, of use or not."""
        return _places(text, _special(self._characters(text)))

    def settled(self, text: str) -> int:
        """Where a growing text can be cut: between characters that are seen, for each hidden one is judged by what is
        seen beside it, and by what stands next but one."""
        at = len(text) - _BESIDE
        line = max((text.rfind(end) for end in "\n\r\u2029"), default=-1) + 1
        if "bidi" in self._kinds:
            at = min([at, *(text.find(char, line) for char in _DIRECTIONAL if char in text[line:])])
        if "fillers" in self._kinds:
            at = min([at, *(match.start() for match in _BRAILLE.finditer(text) if match.end() == len(text))])
        while at > 0 and not _is_seen(text[max(at - _BESIDE, 0) : at + _BESIDE]):
            at -= 1
        return max(at, 0)

    def _characters(self, text: str) -> Collection[str]:
        """The different characters of a text but plain ones; none where none of them can count."""
        return () if text.isascii() and "controls" not in self._kinds else set(text) - _PLAIN

    def _in_runs(self, text: str, hidden: Sequence[int], special: Set[str]) -> Iterator[Finding]:
        excused = self._drawn(text)
        if not special.isdisjoint(_DIRECTIONAL):
            excused |= self._paired(text, hidden)
        last, letter = 0, ""
        for start, end in _runs(hidden):
            letter = _letter(text, last, start) or letter  # what is hidden in between may not stay
            last = end
            if end - start > 1:
                yield from self._offending(text, start, end, letter, excused)
            elif start not in excused and (kind := self._offence(text, start, letter)):
                yield Finding(start, end, _NAMES[kind])

    def _offence(self, text: str, at: int, letter: str) -> Kind | None:
        """The kind of a hidden character that stands alone; None if it does not count, or is of use there."""
        char = text[at]
        kind = kind_of(char)
        if kind is None or kind not in self._kinds:
            return None
        if char in _NEVER_OF_USE or char in _DIRECTIONAL:
            return kind
        return None if _MAY_STAND[kind](char, Place(text, at, at + 1, letter, self._scripts)) else kind

    def _offending(self, text: str, start: int, end: int, letter: str, excused: set[int]) -> Iterator[Finding]:
        place = Place(text, start, end, letter, self._scripts)
        region = _FLAG.match(text, start, end) if place.before == _BLACK_FLAG else None
        start = region.end() if region else start
        run = text[start:end]
        bad: dict[str, str] = {}
        kept: dict[str, str] = {}
        for char in set(run):
            kind = kind_of(char)
            if kind is not None and kind in self._kinds:
                fits = char not in _DIRECTIONAL and _MAY_STAND[kind](char, place)
                (kept if fits else bad)[char] = _NAMES[kind]
        spared = excused.intersection(range(start, end)) if excused else set[int]()
        if sum(map(run.count, kept)) - sum(text[at] in kept for at in spared) > _AT_ONE_PLACE:
            bad |= kept
        if not bad:
            return
        if not spared and len(set(bad.values())) == 1 and bad.keys() >= set(run):
            yield Finding(start, end, bad[run[0]])
            return
        yield from _together((at, bad[text[at]]) for at in range(start, end) if text[at] in bad and at not in spared)

    def _floods(self, text: str, hidden: Sequence[int]) -> Iterator[Finding]:
        """Of too many marks on a letter, hidden characters between them or not, all but the first ones."""
        if "combining_floods" not in self._kinds or len(_MARK.findall(text)) < _FLOOD:
            return
        places: Sequence[int] = range(len(text))
        if hidden:
            skipped = set(hidden)
            places = [at for at in places if at not in skipped]
            text = "".join(map(text.__getitem__, places))
        for match in _FLOODS.finditer(text):
            marks = places[match.start() + _FLOOD_KEPT : match.end()]
            yield from _together((at, "COMBINING_FLOODS") for at in marks)

    def _drawn(self, text: str) -> set[int]:
        """The places of blanks that are parts of a picture drawn in Braille."""
        drawn: set[int] = set()
        if BRAILLE_BLANK not in text:
            return drawn
        for match in _BRAILLE.finditer(text):
            at = match.start()
            while at and text[at - 1].isspace():
                at -= 1
            beside = text[at - 1 : at] if at else "", text[match.end() : match.end() + 1]
            if any("\u2800" < char <= "\u28ff" for char in beside if char):
                drawn.update(at for at in range(*match.span()) if text[at] == BRAILLE_BLANK)
        return drawn

    def _paired(self, text: str, hidden: Sequence[int]) -> set[int]:
        """The places of marks of direction that come in pairs, in lines that have both directions."""
        excused: set[int] = set()
        directional = [at for at in hidden if text[at] in _DIRECTIONAL]
        ends = [match.start() for match in _LINE_END.finditer(text)]
        lines: dict[int, list[int]] = {}
        for at in directional:
            lines.setdefault(bisect_left(ends, at), []).append(at)
        for line, places in lines.items():
            start = ends[line - 1] + 1 if line else 0
            end = ends[line] if line < len(ends) else len(text)
            turned = [
                match.start()
                for match in _TURNED.finditer(text, start, end)
                if script_of(match[0]) in RIGHT_TO_LEFT & self._scripts
            ]
            if turned:
                excused |= _of_use(text, places, turned)
        return excused


def _of_use(text: str, places: Sequence[int], turned: Sequence[int]) -> set[int]:
    """The pairs of marks among those of one line that hold something, the turning ones what is read that way."""
    excused: set[int] = set()
    open_at: dict[str, list[int]] = {"\u202c": [], "\u2069": []}
    for at in places:
        char = text[at]
        if char in _OVERRIDES:
            open_at["\u202c"].append(at)
        elif char in _OPENS:
            open_at[_OPENS[char]].append(at)
        elif open_at[char]:
            start = open_at[char].pop()
            deep = len(open_at["\u202c"]) + len(open_at["\u2069"]) >= _NESTED
            if not deep and text[start] not in _OVERRIDES and _holds(text, start, at, turned):
                excused |= {start, at}
    return excused


def _holds(text: str, start: int, end: int, turned: Sequence[int]) -> bool:
    if text[start] in _NEEDS_RIGHT_TO_LEFT:
        at = bisect_left(turned, start)
        return at < len(turned) and turned[at] < end
    return end - start > 1 and kind_of(text[start + 1]) is None


def _special(characters: Iterable[str]) -> Set[str]:
    """Those that are hidden."""
    return {char for char in characters if kind_of(char) is not None}


def _places(text: str, special: Set[str]) -> list[int]:
    """Where these characters stand."""
    if len(special) > _FEW:
        return [at for at, char in enumerate(text) if char in special]
    return sorted(at for char in special for at in _each(text, char))


def _each(text: str, char: str) -> Iterator[int]:
    at = text.find(char)
    while at >= 0:
        yield at
        at = text.find(char, at + 1)


def _runs(hidden: Sequence[int]) -> Iterator[tuple[int, int]]:
    start = 0
    for at in range(1, len(hidden) + 1):
        if at == len(hidden) or hidden[at] != hidden[at - 1] + 1:
            yield hidden[start], hidden[at - 1] + 1
            start = at


def _together(offences: Iterable[tuple[int, str]]) -> Iterator[Finding]:
    """Characters of one kind that follow each other as one finding."""
    start = end = -1
    kind = ""
    for at, of_kind in offences:
        if at != end or of_kind != kind:
            if kind:
                yield Finding(start, end, kind)
            start, kind = at, of_kind
        end = at + 1
    if kind:
        yield Finding(start, end, kind)


# ------------------------------------------------------------------ one character in its place


def _zero_width(char: str, place: Place) -> bool:
    if char == ZWSP:
        return place.beside(UNSPACED)
    if char == ZWNJ:
        return place.near(JOINING)
    if char == ZWJ:
        pictures = all(one and is_picture(one) for one in (place.before, place.after))
        return pictures or place.near(JOINING)
    if char == BOM:
        return place.line_start
    if char == "\u034f":
        return place.beside(frozenset({"hebrew"}))
    if char == "\u180e":
        return place.beside(frozenset({"mongolian"}))
    return "\U0001d173" <= char <= "\U0001d17a" and "\U0001d100" <= place.before <= "\U0001d1ff"


def _bidi(char: str, place: Place) -> bool:
    """A mark of direction is harmless unless it stands within a word of letters that have one direction."""
    within = place.letter.isalnum() and place.after.isalnum()
    return not within or place.beside(RIGHT_TO_LEFT)


def _variation(char: str, place: Place) -> bool:
    before = place.before
    if "\u180b" <= char <= "\u180f":
        return place.beside(frozenset({"mongolian"}))
    if char in "\ufe0e\ufe0f":
        return not before.isalpha() or is_picture(before) or script_of(before) == "han"
    if not before:
        return False
    if char <= "\ufe0d":
        return script_of(before) in {"han", "myanmar", "phags_pa"} or "\u2200" <= before <= "\u2aff"
    return script_of(before) == "han"


def _private(char: str, place: Place) -> bool:
    """A single sign of a font of symbols, as word processors leave it: a bullet, or an accent on a letter."""
    return "\uf020" <= char <= "\uf0ff" and place.alone


def _filler(char: str, place: Place) -> bool:
    return char in "\u115f\u1160" and any("\u1100" <= one <= "\u11ff" for one in (place.before, place.after))


def _operator(char: str, place: Place) -> bool:
    """A function is applied, or factors stand side by side, as formulas on pages are copied."""
    if char == "\u2061":
        return place.letter.isalpha() and (
            place.after in {"(", "[", "{"} or "\U0001d400" <= place.after <= "\U0001d7ff"
        )
    if char == "\u2062":
        return (place.before.isdigit() or place.before in {")", "]"}) and place.after.isalpha()
    return False


def _never(char: str, place: Place) -> bool:
    return False


_MAY_STAND: Mapping[Kind, Callable[[str, Place], bool]] = {
    "tags": _never,
    "zero_width": _zero_width,
    "bidi": _bidi,
    "variation_selectors": _variation,
    "private_use": _private,
    "unassigned": _never,
    "soft_hyphen": _never,
    "fillers": _filler,
    "invisible_operators": _operator,
    "combining_floods": _never,
    "controls": _never,
}
