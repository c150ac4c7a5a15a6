"""What the scanner `no_refusal` looks at and how it judges, loaded at its first use.

A linear model over words judges the beginning and the end of an answer; phrases are signals of it.  English; the
commonest phrases of other languages.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import AliasChoices, Field, field_validator

from promptrails_engine.ports.scanner import Scanner
from promptrails_scanners.foundation.classifier import Classifier, ClassifierOptions, Part
from promptrails_scanners.foundation.linear import features
from promptrails_scanners.foundation.options import read_options
from promptrails_scanners.foundation.views import View, canonical, deleeted
from promptrails_scanners.no_refusal import META
from promptrails_scanners.refusals.phrases import HEAD, TAIL, shown, signals

__all__ = ["Options", "build"]


class Options(ClassifierOptions):
    """Options of no_refusal."""

    match_type: Literal["full", "sentence", "windows"] = "full"
    """`full`: the beginning and the end of the answer; `sentence` and `windows` judge every part of it alone, too."""
    phrases: tuple[str, ...] = Field(default=(), validation_alias=AliasChoices("phrases", "substrings"))
    """More phrases that are refusals wherever they stand in the window, in any case."""
    phrases_replace: tuple[str, ...] | None = None
    """Only these phrases decide, without the model."""
    partial: Literal["count", "ignore"] = "count"
    """Whether an answer that helps with a part of what was asked triggers."""
    languages: tuple[str, ...] = ("en",)
    """Languages of the answers.  The model knows English; for others, only phrases count."""
    window: tuple[int, int] = (HEAD, TAIL)
    """How many characters of the beginning and of the end are judged."""

    @field_validator("phrases", "phrases_replace")
    @classmethod
    def _phrases(cls, value: Any) -> Any:
        if value is not None and any(not phrase.strip() for phrase in value):
            raise ValueError("a phrase must not be blank")
        return value

    @field_validator("phrases_replace", "languages")
    @classmethod
    def _some(cls, value: Any) -> Any:
        if value is not None and not value:
            raise ValueError("name one at least, or leave it out")
        return value

    @field_validator("window")
    @classmethod
    def _wide(cls, value: tuple[int, int]) -> tuple[int, int]:
        if value[0] < 40 or value[1] < 0:
            raise ValueError("the beginning has 40 characters at least, the end 0")
        return value


class NoRefusal(Classifier[Options]):
    meta = META
    model = META.type

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        ours = options.phrases if options.phrases_replace is None else (*options.phrases_replace, *options.phrases)
        self._phrases = re.compile("|".join(map(re.escape, ours)), re.IGNORECASE) if ours else None

    def answers(self) -> tuple[str, ...]:
        return ("refusal", "full", "partial")

    def parts(self, text: str) -> Iterator[Part]:
        """The answer by its beginning and its end; and its parts, where they are asked for."""
        read = self.allowed.unread(text)
        answer = View(shown(canonical(read).text, *self.options.window))
        for view in (answer, deleeted(answer)):
            if view is not None:
                scores = self.scored(view.text, 0.0)
                yield Part(0, len(text), False, scores, self.top(scores))
        if self.options.match_type != "full" or self.options.redact_unit == "sentence":
            yield from super().parts(text)
        else:
            yield from self.hidden(read)

    def scores(self, text: str, handicap: float) -> Mapping[str, float]:
        if self._phrases is not None and self._phrases.search(text):
            return {"full": 1.0, "partial": 0.0}
        if self.options.phrases_replace is not None:
            return {"full": 0.0, "partial": 0.0}
        said, found = features(text), signals(text)
        if self.reader is None and "en" not in self.options.languages:
            return {"full": 0.9 if "foreign" in found else 0.0, "partial": 0.0}
        score = self.main(text, found, handicap)
        partial = self.kinds().scores(said, found).get("partial", 0.0) >= 0.5
        return {"full": 0.0 if partial else score, "partial": score if partial else 0.0}

    def top(self, scores: Mapping[str, float]) -> float:
        return scores["full"] if self.options.partial == "ignore" else max(scores.values())


def build(config: Mapping[str, Any]) -> Scanner:
    """A scanner with these options.

    Raises:
        ConfigurationError: an option is unknown or cannot be used.
    """
    return NoRefusal(read_options(Options, META.type, config))
