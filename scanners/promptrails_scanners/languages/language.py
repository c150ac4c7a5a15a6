"""What the scanner `language` looks at and how it judges, loaded at its first use.

Scripts that belong to one language settle it; among the languages of one script it is told by runs of letters, with
weights fitted on words drawn from the letter counts of lingua (see `languages/SOURCES.md`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import AliasChoices, Field, field_validator

from promptrails_engine.ports.scanner import Finding, Scanner, Verdict
from promptrails_scanners.foundation.base import BaseScanner
from promptrails_scanners.foundation.options import ScannerOptions, read_options
from promptrails_scanners.foundation.places import replace
from promptrails_scanners.foundation.sentences import sentences
from promptrails_scanners.language import META
from promptrails_scanners.languages.model import heard
from promptrails_scanners.languages.prose import Ignored, prose
from promptrails_scanners.languages.scripts import ALIASES, LANGUAGES, relatives

__all__ = ["Options", "build", "detect"]

_THRESHOLD = 0.7
_TYPE = "LANGUAGE"


class Options(ScannerOptions):
    """Which languages are allowed, and where that is looked at."""

    valid_languages: tuple[str, ...] = Field(
        min_length=1, validation_alias=AliasChoices("valid_languages", "languages", "allowed_languages")
    )
    """Codes of ISO 639-1, such as `en`; what follows a hyphen is left out."""
    match_type: Literal["full", "sentence"] = "full"
    """`sentence`: it triggers where any sentence is in another language."""
    min_chars: int = Field(default=20, ge=1)
    """A text, or a sentence, of fewer characters never triggers; one of Chinese, Japanese or Korean is as three."""
    ignore: tuple[Ignored, ...] = ("code", "urls", "markup")
    unknown: Literal["allow", "flag"] = "allow"
    """What becomes of texts in a script that is not known."""
    relatives: bool = True
    """Whether languages that are hardly told apart are allowed together, such as Bosnian, Croatian and Serbian."""
    redact_unit: Literal["none", "sentence"] = "none"
    """`sentence`: where the text triggers, every sentence in another language is replaced, or all of the text where
    none alone is; `match_type="sentence"` replaces them anyway."""
    replacement: str = "[LANGUAGE_REDACTED]"
    """What stands in place of a sentence in another language."""
    action_on_mismatch: Literal["block", "redact", "log"] | None = None
    """The guard's action once more; a guard that has another one cannot be made. `redact` is `redact_unit="sentence"`
    as well."""

    @field_validator("valid_languages")
    @classmethod
    def _known(cls, languages: tuple[str, ...]) -> tuple[str, ...]:
        codes = tuple(_code(language) for language in languages)
        unknown = sorted(set(codes) - LANGUAGES)
        if unknown:
            raise ValueError(f"unknown languages {', '.join(unknown)}; there are: {', '.join(sorted(LANGUAGES))}")
        return codes


class Language(BaseScanner[Options]):
    """Asks how much of a text is in a language that is allowed."""

    meta = META

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._ignored = frozenset(options.ignore)
        self._threshold = _THRESHOLD if options.threshold is None else options.threshold
        valid = set(options.valid_languages)
        if options.relatives:
            valid |= {near for language in valid for near in relatives(language)}
        self._valid = frozenset(valid | ({"und"} if options.unknown == "allow" else set()))
        self._cuts = options.redact_unit == "sentence" or options.action_on_mismatch == "redact"

    def judge(self, text: str) -> Verdict:
        if self.options.match_type == "sentence":
            return self._by_sentence(text)
        score, languages = self._score(self.allowed.unread(text))
        found, redacted = self._cut(text, score)
        return Verdict(score >= self._threshold, score, found, redacted, languages, self._why(score))

    def _cut(self, text: str, score: float) -> tuple[tuple[Finding, ...], str | None]:
        """The sentences in other languages, and what is left: all of the text where they are not what triggers."""
        if not self._cuts or score < self._threshold:
            return (), text if self._cuts else None
        some = self._by_sentence(text)
        if some.redacted is not None and self._score(self.allowed.unread(some.redacted))[0] < self._threshold:
            return some.findings, some.redacted
        everything = (Finding(0, len(text), _TYPE, score),)
        return everything, self.options.replacement

    def _by_sentence(self, text: str) -> Verdict:
        findings: list[Finding] = []
        most, labels = 0.0, {}
        read = self.allowed.unread(text)
        for start, end in sentences(read):
            score, languages = self._score(read[start:end])
            if score > most:
                most, labels = score, languages
            if score >= self._threshold:
                findings.append(Finding(start, end, _TYPE, score))
        redacted = replace(text, findings, lambda one, found: self.options.replacement)
        return Verdict(bool(findings), most, tuple(findings), redacted, labels, self._why(most))

    def _score(self, text: str) -> tuple[float, dict[str, float]]:
        """How much of the text is likely to be in a language that is not allowed, and which it may be."""
        if self.options.replacement:
            text = text.replace(self.options.replacement, " ")
        found = heard(prose(text, self._ignored), self._valid)
        if found.length < self.options.min_chars:
            return 0.0, {}
        other = sum(share for language, share in found.languages.items() if language not in self._valid)
        return min(1.0, other), {name: share for name, share in found.languages.items() if share >= 0.05}

    def _why(self, score: float) -> str:
        return "the text is not in an allowed language" if score >= self._threshold else ""


def build(config: Mapping[str, Any]) -> Scanner:
    """A scanner with these options.

    Raises:
        ConfigurationError: an option is unknown or cannot be used; the message names it.
    """
    return Language(read_options(Options, META.type, config))


def detect(text: str) -> str | None:
    """The likeliest language as a code of ISO 639-1; None for a text without letters of a known script."""
    best = heard(text).best
    return None if best == "und" else best


def _code(language: str) -> str:
    code = language.strip().lower().replace("_", "-").partition("-")[0]
    return ALIASES.get(code, code)
