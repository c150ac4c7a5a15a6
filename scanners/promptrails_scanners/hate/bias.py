"""What the scanner `bias` looks at and how it judges, loaded at its first use.

Not meant: naming a group, and reports of discrimination.  Without a term for a group in a sentence its score is held
below the threshold.  What counts as bias is disputed and a small model knows little of the world, so this is a scanner
to log with; block on it only beside a stronger judge.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar

from pydantic import field_validator

from promptrails_engine.ports.scanner import Scanner
from promptrails_scanners.bias import META
from promptrails_scanners.foundation.classifier import Classifier, JudgedOptions
from promptrails_scanners.foundation.options import read_options
from promptrails_scanners.hate.signals import ruled, said, signals, words_of

__all__ = ["Options", "build"]

_HELD = 0.45
"""A sentence that names no group scores at most so much, as a share of the threshold."""
_GROUPS = frozenset({"group", "slur"})
_WORDS_SAY = frozenset({"slur", "insult", "hate", "worse", "trait", "scorn", "violent"})
_RULES_SAY = ("threat", "general", "typical")


class Options(JudgedOptions):
    """Options of bias."""

    groups: tuple[str, ...] = ()
    """More terms for groups of people."""

    @field_validator("groups")
    @classmethod
    def _no_blanks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not term.strip() for term in value):
            raise ValueError("a term must not be blank")
        return value


class Bias(Classifier[Options]):
    meta = META
    model = META.type
    nothing: ClassVar[Mapping[str, float]] = {META.type: 0.0}
    looked_for = (
        "statements that generalise about a protected group of people or demean it, also politely or as a joke. Not: "
        "naming a group, facts about it that demean nobody, reports of discrimination, or what speaks against it."
    )

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        terms = "|".join(re.escape(term) for term in sorted(options.groups, key=len, reverse=True))
        self._groups = re.compile(rf"(?<!\w)(?:{terms})(?!\w)", re.IGNORECASE) if terms else None

    def scores(self, text: str, handicap: float) -> Mapping[str, float]:
        kinds = said(text)
        ours = self._groups is not None and self._groups.search(text) is not None
        replaced = self.reader is not None and not self.reader.beside
        named = ours or replaced or not _GROUPS.isdisjoint(kinds)
        if handicap and self.reader is None and not (named and self._says(text, kinds)):
            return self.nothing  # a sentence alone has to say something of the group
        found = signals(text)
        score = self.main(text, {**found, "group": 1.0} if ours else found, handicap)
        return {META.type: score if named else min(score, _HELD * self.threshold)}

    def _says(self, text: str, kinds: Collection[str]) -> bool:
        return self._groups is not None or not _WORDS_SAY.isdisjoint(kinds) or ruled(text, *_RULES_SAY)

    def telling(self, text: str) -> bool:
        return self._groups is not None or not _GROUPS.isdisjoint(signals(text))

    def quiet(self, text: str) -> Callable[[str], bool] | None:
        if self._groups is not None or self.reader is not None:
            return None
        naming = words_of(text, _GROUPS)

        def is_quiet(sentence: str) -> bool:
            lowered = sentence.lower()
            return not any(word in lowered for word in naming)

        return is_quiet


def build(config: Mapping[str, Any]) -> Scanner:
    """A scanner with these options.

    Raises:
        ConfigurationError: an option is unknown or cannot be used.
    """
    return Bias(read_options(Options, META.type, config))
