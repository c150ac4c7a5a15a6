"""What the scanner `prompt_injection` looks at and how it judges, loaded at its first use.

A linear model over words scores the text, its sentences and what is encoded in it; phrases that need a verb and what it
is done to are signals of it.  A document, such as an e-mail, with a task that has nothing to do with it triggers by
itself.  Not meant: questions about injections, tasks that name how to answer, and trigger words alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from promptrails_engine.ports.scanner import Scanner
from promptrails_scanners.foundation.classifier import Classifier, JudgedOptions
from promptrails_scanners.foundation.options import read_options
from promptrails_scanners.foundation.patterns import compiled
from promptrails_scanners.injection.phrases import RULES, signals
from promptrails_scanners.injection.spelling import respelled
from promptrails_scanners.prompt_injection import META

__all__ = ["Options", "build"]

_UNRULED = 1.0
"""By so much more the words of a part have to say where no phrase speaks for an injection."""


class Options(JudgedOptions):
    """Options of prompt_injection."""

    replacement: str = Field(default="[removed: instruction in untrusted text]", min_length=1)
    patterns: tuple[str, ...] = ()
    """Regular expressions that count as injections, in any case."""
    decode: bool = True
    """Whether base64, hexadecimal and percent-encoded text is read."""
    documents: Literal["auto", "always", "never"] = "auto"
    """Where tasks in a text are looked for that have nothing to do with it: in what looks like a mail or a notice, in
    every text (for retrieved documents and results of tools), or nowhere."""


class PromptInjection(Classifier[Options]):
    meta = META
    model = META.type
    looked_for = (
        "attempts to take over an assistant: orders to ignore or replace its instructions, to play a role without "
        "rules, to reveal its prompt, also hidden, encoded or planted in a document. Not: harmless requests, and talk "
        "about such attacks."
    )
    certain = 0.9
    """The score of what a rule says without the model."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.decodes = options.decode
        self._patterns = [compiled(one, META.type, "patterns") for one in options.patterns]

    def scores(self, text: str, handicap: float) -> Mapping[str, float]:
        if any(pattern.search(text) for pattern in self._patterns):
            return {META.type: 1.0}
        text = respelled(text)
        found = signals(text, self.options.documents)
        if RULES.isdisjoint(found):
            if handicap and self.reader is None:  # a sentence alone needs a phrase that speaks for an injection
                return {META.type: 0.0}
            handicap += _UNRULED
        score = self.main(text, found, handicap)
        return {META.type: max(score, self.certain) if found.get("told") or found.get("asked") else score}

    def telling(self, text: str) -> bool:
        return bool(self._patterns) or not RULES.isdisjoint(signals(respelled(text), self.options.documents))


def build(config: Mapping[str, Any]) -> Scanner:
    """A scanner with these options.

    Raises:
        ConfigurationError: an option is unknown or cannot be used.
    """
    return PromptInjection(read_options(Options, META.type, config))
