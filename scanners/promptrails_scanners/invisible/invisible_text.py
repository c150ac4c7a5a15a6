"""What the scanner `invisible_text` looks at and how it judges, loaded at its first use.

Joiners that are spelling (Persian, Hindi, Bengali and others), emoji sequences, flags, marks of direction in text that
runs from right to left, and a byte order mark where a text begins are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, field_validator

from promptrails_engine.ports.scanner import Finding, Scanner, Verdict
from promptrails_scanners.foundation.base import BaseScanner
from promptrails_scanners.foundation.encoded import Decoded
from promptrails_scanners.foundation.options import ScannerOptions, read_options
from promptrails_scanners.foundation.places import without
from promptrails_scanners.invisible.characters import KINDS, SCRIPTS, Kind
from promptrails_scanners.invisible.rules import Rules
from promptrails_scanners.invisible.spelled import spelled
from promptrails_scanners.invisible_text import META

__all__ = ["Options", "build", "hidden_texts"]

_LEAST = 4
"""Fewer hidden characters in a place spell nothing."""
_OFF: frozenset[Kind] = frozenset({"controls"})


class Options(ScannerOptions):
    """What counts as hidden, and what is taken out."""

    classes: dict[Kind, bool] = Field(default_factory=dict[Kind, bool])
    """Kinds of characters switched on or off; all are on but `controls`, those of ASCII and Latin-1."""
    allow_scripts: tuple[str, ...] | None = None
    """The scripts in whose words joiners and the like are spelling; None for all that are known."""
    decode: bool = True
    """Whether the reason says that hidden characters spell a text; `hidden_texts` returns those."""
    strip: Literal["dangerous", "all"] = "dangerous"
    """`all`: takes out joiners and selectors that are of use, too, once anything else was found."""

    @field_validator("allow_scripts")
    @classmethod
    def _known(cls, scripts: tuple[str, ...] | None) -> tuple[str, ...] | None:
        unknown = sorted({script.lower() for script in scripts or ()} - set(SCRIPTS))
        if unknown:
            raise ValueError(f"unknown scripts {', '.join(unknown)}; there are: {', '.join(SCRIPTS)}")
        return scripts


class InvisibleText(BaseScanner[Options]):
    """Judges each hidden character by what is seen beside it."""

    meta = META

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        kinds: frozenset[Kind] = frozenset(kind for kind in KINDS if options.classes.get(kind, kind not in _OFF))
        scripts = SCRIPTS if options.allow_scripts is None else map(str.lower, options.allow_scripts)
        self._rules = Rules(kinds, frozenset(scripts))

    def judge(self, text: str) -> Verdict:
        findings = self.allowed.left(text, self._rules.offences(text))
        if not findings:
            return Verdict(False, 0.0, redacted=text)
        labels = {kind.lower(): 1.0 for kind in dict.fromkeys([one.type for one in findings])}
        sizes = [one.end - one.start for one in findings]
        why = f"{sum(sizes)} hidden characters: {', '.join(sorted(labels)).replace('_', ' ')}"
        long = [text[one.start : one.end] for one, size in zip(findings, sizes, strict=True) if size >= _LEAST]
        if self.options.decode and (count := sum(1 for part in long for _ in spelled(part))):
            why += f"; they spell {'a text' if count == 1 else f'{count} texts'}"
        return Verdict(True, 1.0, findings, self._redacted(text, findings), labels, why)

    def settled(self, text: str) -> int | None:
        """How much is decided: all but what stands at the end and waits for what is seen after it."""
        return self._rules.settled(text)

    def _redacted(self, text: str, findings: tuple[Finding, ...]) -> str:
        if self.options.strip == "dangerous":
            return without(text, findings)
        hidden = (at for at in self._rules.everything(text) if not self.allowed.covers(text[at]))
        gone = {*hidden, *(at for one in findings for at in range(one.start, one.end))}
        return "".join(char for at, char in enumerate(text) if at not in gone)


def build(config: Mapping[str, Any]) -> Scanner:
    """A scanner with these options.

    Raises:
        ConfigurationError: an option is unknown or cannot be used; the message names it.
    """
    return InvisibleText(read_options(Options, META.type, config))


def hidden_texts(text: str) -> tuple[Decoded, ...]:
    """What hidden characters of the text spell, and where: tags, variation selectors, private use, zero-width bits."""
    return tuple(spelled(text))
