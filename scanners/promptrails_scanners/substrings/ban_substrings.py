"""What the scanner `ban_substrings` looks at and how it judges, loaded at its first use."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, StringConstraints

from promptrails_engine.errors import ConfigurationError
from promptrails_engine.ports.scanner import Finding, Scanner, Verdict
from promptrails_scanners.ban_substrings import META
from promptrails_scanners.foundation.base import BaseScanner
from promptrails_scanners.foundation.options import ScannerOptions, read_options
from promptrails_scanners.foundation.places import replace, union
from promptrails_scanners.foundation.views import View, canonical, deleeted
from promptrails_scanners.substrings.finder import Finder, folded, folded_term

__all__ = ["Options", "build"]

_TYPE = "BANNED_SUBSTRING"
_MASKS = ("[REDACTED]", "(removed)", "█████", "▒▒▒▒▒")
"""Of these the first that makes no banned term is put in place of one."""
_PASSES = 4

Normalise = Literal["none", "unicode", "aggressive"]
Term = Annotated[str, StringConstraints(min_length=1, max_length=1000)]


class Options(ScannerOptions):
    """What is banned, and what counts as the same."""

    substrings: tuple[Term, ...] = Field(
        min_length=1, validation_alias=AliasChoices("substrings", "banned_substrings", "banned_words")
    )
    match_type: Literal["str", "word"] = "str"
    """`word`: only where letters, digits and marks do not go on before or after it; scripts without spaces go on
    nowhere."""
    case_sensitive: bool = False
    contains_all: bool = False
    """It triggers only where every term stands in the text."""
    redact: bool = True
    replacement: str | None = None
    """What stands in place of a term; `[REDACTED]` unless that would itself make a banned term."""
    normalise: Normalise = Field(default="none", validation_alias=AliasChoices("normalise", "normalize"))
    """`unicode`: as well without accents, styles, lookalikes, invisible characters and spelled letter by letter;
    `aggressive`: as well with digits and signs for letters."""
    allow: tuple[Term, ...] = ()
    """Phrases within which nothing counts, such as a name with a banned term in it."""
    max_terms: int = Field(default=100_000, ge=1)


Views = Sequence[tuple[int, View]]
"""Views of a text without case, each with how far its disguises are off."""


class BanSubstrings(BaseScanner[Options]):
    """Finds literal terms in one pass, whatever their number."""

    meta = META

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._banned = _Terms(options.substrings, options, words=options.match_type == "word")
        self._allowed = _Terms(options.allow, options, words=False) if options.allow else None
        self._mask = _mask(options, self._banned.written) if options.redact else ""

    def judge(self, text: str) -> Verdict:
        findings = self._findings(text)
        redacted = self._redacted(text, findings) if self.options.redact else None
        if not findings:
            return Verdict(False, 0.0, redacted=redacted)
        places = "one place" if len(findings) == 1 else f"{len(findings)} places"
        return Verdict(True, 1.0, findings, redacted, reason=f"banned terms stand in {places}")

    def settled(self, text: str) -> int | None:
        """How much is decided: all before the first place where a term, or a phrase that allows one, may begin.

        Where disguises count, a line is decided when it is complete; where all terms must stand in the text, nothing.
        """
        options = self.options
        if options.contains_all:
            return None
        head = text if options.normalise == "none" else text[: text.rfind("\n") + 1]
        views = _views(head, options)
        at = min([len(head), *self._banned.open_from(views)])
        if self._allowed:
            at = min([at, *self._allowed.open_from(views)])
        for one in self._findings(head):
            if one.start < at < one.end:
                return one.start
        return at

    def _findings(self, text: str) -> tuple[Finding, ...]:
        views = _views(text, self.options)
        allowed = union(_marked(self._allowed.places(views))) if self._allowed else ()
        if self.options.contains_all and not self._banned.all_stand(views, allowed):
            return ()
        return self.allowed.left(text, union(_outside(_marked(self._banned.places(views)), allowed)))

    def _redacted(self, text: str, findings: Sequence[Finding]) -> str | None:
        """The text without the terms; None where they come back in another disguise whatever is cut."""
        for _ in range(_PASSES):
            if not findings:
                return text
            text = replace(text, findings, lambda one, found: self._mask)
            if self.options.normalise == "none" and not self._allowed:
                return text  # the mask makes no term with what stands beside it
            findings = self._findings(text)
        return None if findings else text


class _Terms:
    """Terms as they are written in each of the views in which they are looked for."""

    def __init__(self, terms: Sequence[str], options: Options, *, words: bool) -> None:
        self.written = [[_written(term, depth, options) for term in terms] for depth in _depths(options)]
        """For each depth, the terms in their order; a term of which nothing is left there is empty."""
        self._finders = [
            Finder(filter(None, written), words=words) if any(written) else None for written in self.written
        ]

    def places(self, views: Views) -> Iterator[tuple[int, int]]:
        """All the places in the original; they may overlap."""
        for depth, view in views:
            if finder := self._finders[depth]:
                yield from finder.places(view)

    def open_from(self, views: Views) -> Iterator[int]:
        """For each view, where in the original a term may begin that is not complete."""
        for depth, view in views:
            if finder := self._finders[depth]:
                yield finder.open_from(view)

    def all_stand(self, views: Views, allowed: Sequence[Finding]) -> bool:
        """Whether each of the terms stands somewhere where it is not allowed to."""
        terms = zip(*self.written, strict=True)
        return all(any(_outside(self._all_of(written, views), allowed)) for written in terms)

    def _all_of(self, written: Sequence[str], views: Views) -> Iterator[Finding]:
        for depth, view in views:
            if (finder := self._finders[depth]) and written[depth]:
                yield from _marked(finder.places_of(written[depth], view))


def build(config: Mapping[str, Any]) -> Scanner:
    """A scanner with these options.

    Raises:
        ConfigurationError: an option is unknown or cannot be used, or the replacement would make a banned term.
    """
    options = read_options(Options, META.type, config)
    if len(options.substrings) > options.max_terms:
        raise ConfigurationError(
            f"scanner 'ban_substrings': {len(options.substrings)} substrings, at most {options.max_terms};"
            " raise 'max_terms' if the memory for more is there"
        )
    return BanSubstrings(options)


# ------------------------------------------------------------------ views


def _depths(options: Options) -> range:
    return range({"none": 1, "unicode": 2, "aggressive": 3}[options.normalise])


def _views(text: str, options: Options) -> Views:
    views = [(0, View(text))]
    if options.normalise != "none":
        plain = canonical(text)
        views.append((1, plain))
        read = deleeted(plain) if options.normalise == "aggressive" else None
        if read is not None:
            views.append((2, read))
    return views if options.case_sensitive else [(depth, folded(view)) for depth, view in views]


def _written(term: str, depth: int, options: Options) -> str:
    read = term
    if depth:
        view = canonical(term)
        read = ((deleeted(view) if depth == 2 else None) or view).text
    return read if options.case_sensitive else folded_term(read)


# ------------------------------------------------------------------ places


def _marked(places: Iterable[tuple[int, int]]) -> Iterator[Finding]:
    return (Finding(start, end, _TYPE) for start, end in places)


def _outside(findings: Iterable[Finding], allowed: Sequence[Finding]) -> Iterator[Finding]:
    """Those that are no part of a place where they are allowed."""
    starts = [one.start for one in allowed]
    for one in findings:
        at = bisect_right(starts, one.start) - 1
        if at < 0 or one.end > allowed[at].end:
            yield one


def _mask(options: Options, terms: Iterable[Iterable[str]]) -> str:
    """What stands in place of the terms, which are given as they are written in each of the views."""
    masks = _MASKS if options.replacement is None else (options.replacement,)
    for mask in masks:
        written = {_written(mask, depth, options) for depth in _depths(options)}
        if all(written) and not any(_meet(terms, one) for one in written):
            return mask
    raise ConfigurationError(
        "scanner 'ban_substrings': the replacement is empty, or would make a banned term with what stands beside it;"
        " set another 'replacement', or 'redact' to false"
    )


def _meet(terms: Iterable[Iterable[str]], mask: str) -> bool:
    """Whether a term may stand in a text in which the mask does, so that it holds a part of the mask."""
    heads = tuple(mask[:size] for size in range(1, len(mask) + 1))
    tails = tuple(mask[-size:] for size in range(1, len(mask) + 1))
    return any(
        term in mask or mask in term or term.endswith(heads) or term.startswith(tails)
        for ours in terms
        for term in ours
        if term
    )
