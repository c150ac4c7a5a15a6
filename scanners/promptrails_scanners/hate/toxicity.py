"""What the scanner `toxicity` looks at and how it judges, loaded at its first use.

A linear model over words judges the text and each of its sentences; the kinds of words in it, at whom they are aimed
and whether they are quoted are signals of it.  Words of abuse in what triggers are the places that can be redacted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any, ClassVar, Literal

from pydantic import AliasChoices, Field, field_validator

from promptrails_engine.ports.scanner import Finding, Scanner
from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.classifier import Classifier, JudgedOptions, Part
from promptrails_scanners.foundation.options import read_options
from promptrails_scanners.foundation.places import replace, union
from promptrails_scanners.foundation.views import View, canonical, deleeted
from promptrails_scanners.hate.signals import kinds_of, ruled, said, signals, words_of
from promptrails_scanners.toxicity import META

__all__ = ["Label", "Options", "build"]

Label = Literal["insult", "identity_attack", "threat", "obscenity", "sexual"]
LABELS: tuple[Label, ...] = ("insult", "identity_attack", "threat", "obscenity", "sexual")
_MARKS: tuple[tuple[str, Label], ...] = (
    ("insult", "insult"),
    ("order", "insult"),
    ("slur", "identity_attack"),
    ("hate and group", "identity_attack"),
    ("worse and group", "identity_attack"),
    ("insult and group", "identity_attack"),
    ("violent and group", "identity_attack"),
    ("threat", "threat"),
    ("obscene", "obscenity"),
    ("sexual", "sexual"),
)
"""Which signals speak for which label."""
_WORD = lazily.pattern(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_STARS = lazily.pattern(r"\*{2,}")
_WORDS_TELL = frozenset({"slur", "insult", "obscene", "fused"})
_GROUP_TELLS = frozenset({"hate and group", "worse and group"})
_RULES_TELL = ("threat", "order", "masked")
_LOUD = _WORDS_TELL | {"scorn", "sexual"}
_LOUD_BESIDE_GROUPS = _LOUD | {"hate", "worse", "violent"}
"""A sentence without words of these kinds tells nothing by its words, and has no label."""
_CUT = ("slur", "insult", "obscene")
_WORDS_KEPT = 8192


class Options(JudgedOptions):
    """Options of toxicity."""

    replacement: str = Field(default="[TOXIC]", min_length=1)
    labels: dict[Label, float] | tuple[Label, ...] = LABELS
    """The kinds that count; with a number for each, that is its own threshold."""
    words: tuple[str, ...] = Field(default=(), validation_alias=AliasChoices("words", "toxic_words", "custom_words"))
    """More words that trigger by themselves."""
    words_replace: tuple[str, ...] | None = None
    """Only these words trigger by themselves and are cut; the model judges as before."""
    mask: Literal["label", "stars"] = "label"
    """What stands in place of a word: the replacement, or as many stars as it has characters."""
    min_sentences: int = Field(default=1, ge=1, validation_alias=AliasChoices("min_sentences", "least_sentences"))
    """So many sentences have to be over the threshold, where a text has that many."""

    @field_validator("labels")
    @classmethod
    def _some(cls, value: Any) -> Any:
        if not value:
            raise ValueError("name one label at least, or leave it out for all")
        return value

    @field_validator("words", "words_replace")
    @classmethod
    def _no_blanks(cls, value: Any) -> Any:
        if value is not None and any(not word.strip() for word in value):
            raise ValueError("a word must not be blank")
        return value


class Toxicity(Classifier[Options]):
    meta = META
    model = META.type
    nothing: ClassVar[Mapping[str, float]] = {"insult": 0.0}
    looked_for = (
        "toxic language: insults, slurs, threats, obscene abuse, sexual insults, attacks on groups of people. Not: "
        "unpleasant subjects, abuse that is quoted, reported or spoken against, rude words aimed at nobody."
    )

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        given = options.labels
        least = given if isinstance(given, dict) else dict.fromkeys(given, self.threshold)
        self._least = {str(name): number for name, number in least.items()}
        ours = options.words if options.words_replace is None else (*options.words_replace, *options.words)
        self._words = _any_of(ours) if ours else None

    def scores(self, text: str, handicap: float) -> Mapping[str, float]:
        if self.options.mask == "stars":
            text = _STARS.sub(" ", text)
        ours = self._words is not None and self._words.search(text) is not None
        if not ours and handicap and self.reader is None and not _tells(text):
            score, marks = 0.0, _in_words(text)
        else:
            found = signals(text)
            score, marks = 1.0 if ours else self.main(text, found, handicap), found
        marked = [label for mark, label in _MARKS if mark in marks]
        return {**dict.fromkeys(LABELS, 0.0), **dict.fromkeys(marked, score)} if marked else {"insult": score}

    def answers(self) -> tuple[str, ...]:
        return (META.type, *LABELS)

    def counted(self) -> tuple[str, ...]:
        return tuple(self.options.labels)

    def telling(self, text: str) -> bool:
        return self._words is not None or _found_tell(signals(text))

    def quiet(self, text: str) -> Callable[[str], bool] | None:
        if self._words is not None or self.reader is not None or self.options.mask == "stars":
            return None
        found = signals(text).keys()
        loud = words_of(text, _LOUD_BESIDE_GROUPS if "group" in found else _LOUD)
        ruled_at_all = not found.isdisjoint(_RULES_TELL)

        def is_quiet(sentence: str) -> bool:
            lowered = sentence.lower()
            return not (any(word in lowered for word in loud) or (ruled_at_all and ruled(sentence, *_RULES_TELL)))

        return is_quiet

    def top(self, scores: Mapping[str, float]) -> float:
        """The highest score of a kind that counts, moved so that its own threshold is the scanner's."""
        counted = (
            score if least == self.threshold or score < least else max(score, self.threshold)
            for label, score in scores.items()
            if (least := self._least.get(label)) is not None and (score >= least or score < self.threshold)
        )
        return max(counted, default=0.0)

    @property
    def one_is_enough(self) -> bool:
        return super().one_is_enough and self.options.min_sentences == 1

    def enough(self, parts: list[Part]) -> bool:
        if self.options.min_sentences == 1:
            return True
        sentences = [part for part in parts if part.sentence]
        over = sum(part.top >= self.threshold for part in sentences)
        return len(sentences) < self.options.min_sentences or over >= self.options.min_sentences

    def findings(self, text: str, parts: list[Part]) -> tuple[Finding, ...]:
        if self.options.redact_unit == "sentence":
            return super().findings(text, parts)
        view = canonical(self.allowed.unread(text))
        plain = deleeted(view)
        places = [*self._words_of(view), *(self._words_of(plain) if plain else ())]
        return self.allowed.left(text, union(places, {"slur": 2, "word": 3, "insult": 1}))

    def redacted(self, text: str, findings: tuple[Finding, ...]) -> str | None:
        """The text without words of abuse; None where it would trigger even so."""
        if self.options.redact_unit == "sentence":
            return super().redacted(text, findings)
        clean = replace(text, findings, self._mask)
        return clean if findings and not self._triggers(clean) else None

    def untouched(self, text: str) -> str | None:
        return text

    def _mask(self, found: Finding, was: str) -> str:
        return "*" * len(was) if self.options.mask == "stars" else self.options.replacement

    def _words_of(self, view: View) -> list[Finding]:
        found: list[Finding] = []
        listed: list[str] = _WORD.findall(view.text) if self.options.words_replace is None else []
        cut = {word: kind for word in set(listed) if (kind := _cut_as(word))}
        at = 0
        for word in listed if cut else ():
            at = view.text.find(word, at)  # no word begins within what stands between words
            if word in cut:
                found.append(Finding(*view.origin(at, at + len(word)), cut[word]))
            at += len(word)
        if self._words is not None:
            found += [Finding(*view.origin(*match.span()), "word") for match in self._words.finditer(view.text)]
        return found


@lru_cache(maxsize=_WORDS_KEPT)
def _cut_as(word: str) -> str | None:
    """The kind for which a word is cut; None for one that stays."""
    kinds = kinds_of(word.lower())
    return next((kind for kind in _CUT if kind in kinds), None)


def _tells(text: str) -> bool:
    """Whether a text has a word or a phrase that tells: without, a sentence alone counts as nothing."""
    kinds = said(text)
    if not (_WORDS_TELL.isdisjoint(kinds) and _GROUP_TELLS.isdisjoint(_in_words(text))):
        return True
    return ruled(text, *_RULES_TELL) or ("scorn" in kinds and ruled(text, "you"))


def _found_tell(found: Mapping[str, float]) -> bool:
    """The same by all signals of a text."""
    if not all(names.isdisjoint(found) for names in (_WORDS_TELL, _GROUP_TELLS)) or "scorn and you" in found:
        return True
    return not found.keys().isdisjoint(_RULES_TELL)


def _in_words(text: str) -> Collection[str]:
    """The signals of a text that its words alone make, as far as labels ask for them."""
    kinds = said(text)
    return kinds if "group" not in kinds else {*kinds, *(f"{kind} and group" for kind in kinds)}


def _any_of(words: tuple[str, ...]) -> re.Pattern[str]:
    ordered = sorted(words, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, ordered))})(?!\w)", re.IGNORECASE)


def build(config: Mapping[str, Any]) -> Scanner:
    """A scanner with these options.

    Raises:
        ConfigurationError: an option is unknown or cannot be used.
    """
    return Toxicity(read_options(Options, META.type, config))
