"""What the scanner `harmful` looks at and how it judges, loaded at its first use.

A linear model over words judges the text and each of its sentences; acts with their objects, and contexts that make
them harmless, are signals of it.  Further heads say which category it may be.  A
safe judgement needs a larger model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import field_validator

from promptrails_engine.ports.scanner import Scanner
from promptrails_scanners.foundation.classifier import Classifier, JudgedOptions
from promptrails_scanners.foundation.linear import features
from promptrails_scanners.foundation.options import read_options
from promptrails_scanners.harm.signals import signals
from promptrails_scanners.harmful import META

__all__ = ["Category", "Options", "build"]

Category = Literal[
    "violence", "weapons", "self_harm", "sexual", "minors", "illicit", "cyber", "fraud", "hate", "private", "other"
]
CATEGORIES: tuple[Category, ...] = (
    "violence", "weapons", "self_harm", "sexual", "minors", "illicit", "cyber", "fraud", "hate", "private", "other",
)  # fmt: skip
_SURE = 0.5
"""From which score on a category's head is believed."""
_ASKED = 0.5
"""Of which category it is, is only asked from this part of the lowest threshold on."""


class Options(JudgedOptions):
    """Options of harmful."""

    categories: dict[Category, float] | tuple[Category, ...] = CATEGORIES
    """The categories that count; with a number for each, that is its own threshold.  `other` is what none fits."""

    @field_validator("categories")
    @classmethod
    def _some(cls, value: Any) -> Any:
        if not value:
            raise ValueError("name one category at least, or leave it out for all")
        return value


class Harmful(Classifier[Options]):
    meta = META
    model = META.type
    looked_for = (
        "requests for help with violence, weapons, self-harm, crime, fraud, attacks on computers, sexual content with "
        "minors or hatred, and content that gives such help. Not: the same words about games, fiction, history, news, "
        "computers or protection, and questions of people who seek help."
    )

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        given = options.categories
        least = given if isinstance(given, dict) else dict.fromkeys(given, self.threshold)
        self._least = {str(name): number for name, number in least.items()}

    def scores(self, text: str, handicap: float) -> Mapping[str, float]:
        """The score of the text for each category that it may belong to."""
        found = signals(text)
        if handicap and self.reader is None and "any" not in found:  # a sentence alone needs an act that can harm
            return {"other": 0.0}
        said = features(text)
        score = self.main(text, found, handicap)
        if score < _ASKED * min(self._least.values()):
            return {"other": score}
        sure = [name for name, likely in self.kinds().scores(said, found).items() if likely >= _SURE]
        return dict.fromkeys(sure or ["other"], score)

    def answers(self) -> tuple[str, ...]:
        return (META.type, *CATEGORIES)

    def counted(self) -> tuple[str, ...]:
        return tuple(self.options.categories)

    def telling(self, text: str) -> bool:
        return "any" in signals(text)

    def top(self, scores: Mapping[str, float]) -> float:
        """The highest score of a category that counts, moved so that its own threshold is the scanner's."""
        return max((self._moved(score, self._least.get(name)) for name, score in scores.items()), default=0.0)

    def _moved(self, score: float, least: float | None) -> float:
        if least is None:
            return 0.0
        if least == self.threshold:
            return score
        return max(score, self.threshold) if score >= least else min(score, self.threshold * 0.999)


def build(config: Mapping[str, Any]) -> Scanner:
    """A scanner with these options.

    Raises:
        ConfigurationError: an option is unknown or cannot be used.
    """
    return Harmful(read_options(Options, META.type, config))
