"""The scanner that `pii` and `sensitive` are."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import AliasChoices, Field

from promptrails_engine.ports.scanner import Finding, ScannerMeta, Verdict
from promptrails_scanners.foundation.base import BaseScanner
from promptrails_scanners.foundation.places import replace
from promptrails_scanners.personal.masks import Mask, replacement
from promptrails_scanners.personal.options import PersonalOptions
from promptrails_scanners.personal.recogniser import Recogniser


class Options(PersonalOptions):
    """What is looked for, and what stands in its place for good."""

    mask: Mask = Field(default="label", validation_alias=AliasChoices("mask", "redact_mode"))
    """A label, a label with a number, stars but for the end, a keyed hash, a made-up value, or always the same."""
    mask_key: str | None = Field(default=None, repr=False)
    """The secret of `hash`: the same value gives the same hash."""
    mask_with: str = "[REDACTED]"
    """What `constant` puts in place of all values."""


class PersonalScanner(BaseScanner[Options]):
    """Finds personal data and replaces it."""

    def __init__(self, meta: ScannerMeta, options: Options) -> None:
        self.meta = meta
        super().__init__(options)
        self._recogniser = Recogniser(options, meta.type)
        self._replacement = replacement(options.mask, options.mask_key, options.mask_with, meta.type)

    def judge(self, text: str) -> Verdict:
        found = self._recogniser.find(text)
        redacted = replace(text, found, self._replacement()) if found else text
        return verdict(found, redacted, self._recogniser.engine)

    def settled(self, text: str) -> int | None:
        return None if self.options.mask == "numbered" else self._recogniser.settled(text)


def verdict(found: Sequence[Finding], redacted: str, engine: str) -> Verdict:
    """What is said of a text in which these places were found."""
    labels: dict[str, float] = {}
    for one in found:
        labels[one.type] = max(one.score, labels.get(one.type, 0.0))
    reason = f"personal data: {', '.join(sorted(labels))}" if found else ""
    score = max(labels.values(), default=0.0)
    return Verdict(bool(found), score, tuple(found), redacted, labels, reason, engine=engine)
