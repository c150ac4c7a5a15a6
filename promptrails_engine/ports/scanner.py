"""The scanner port: something that looks at a text, says whether it may pass, and may take out what it found.

A scanner is built once from its options and never changes afterwards, so any number of threads can share it.  It
neither logs nor raises the text that it was given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from promptrails_engine.ports.provider import Message

Redacts = Literal["spans", "sentences", "never"]
"""What a scanner can take out of a text: the places that it names, whole sentences if it is asked to, or nothing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A place in the text that was handed in, as offsets of its characters: `text[start:end]`."""

    start: int
    end: int
    type: str
    score: float = 1.0
    """How sure it is, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a scanner says of a text."""

    triggered: bool
    score: float
    """0 to 1; what it is held against is the scanner's threshold."""
    findings: tuple[Finding, ...] = ()
    """In their order, none over another; empty where the scanner judges the text as a whole."""
    redacted: str | None = None
    """The text without what was found, the same text if that is nothing; None where the scanner cannot take it out."""
    labels: Mapping[str, float] = field(default_factory=dict[str, float])
    """The score of each kind of thing that it looks for, where there is more than one."""
    reason: str = ""
    """One sentence for people, in which nothing of the text stands."""
    truncated: bool = False
    """Whether only the beginning of the text was looked at."""
    engine: str = "builtin"
    """What answered, where there is a choice."""


@dataclass(frozen=True, slots=True)
class ScannerMeta:
    """What a scanner is, for lists and for guards."""

    type: str
    """Its name in configurations, such as `pii`."""
    label: str
    description: str
    redacts: Redacts
    config_fields: tuple[str, ...]
    directions: tuple[Literal["input", "output"], ...] = ("input", "output")
    category: str = ""
    """What it is for, such as `privacy`: lists are grouped by it."""
    enabled: bool = True
    """Whether it can be used here."""
    disabled_reason: str = ""
    """What it lacks, where it cannot."""
    clears: bool = False
    """Whether what it takes out only hinders other scanners: it belongs before them, and leaves no placeholders."""


@runtime_checkable
class Scanner(Protocol):
    """A configured scanner."""

    @property
    def meta(self) -> ScannerMeta: ...

    def scan(self, text: str) -> Verdict:
        """The verdict, in time linear in the text."""
        ...

    def settled(self, text: str) -> int | None:
        """Where a text that still grows can be cut: None where the scanner always needs the whole.

        Whatever follows, the two parts judged apart come to what the whole comes to: the same findings, the same text
        when they are taken out.  So `text[:settled]` may be let go.
        """
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """What a scanner would have a model asked."""

    messages: tuple[Message, ...]
    schema: Mapping[str, Any]
    """JSON Schema that the answer must match."""
    max_tokens: int | None = None
    """Of the answer."""
    temperature: float | None = 0.0


@runtime_checkable
class AskingScanner(Scanner, Protocol):
    """A scanner that may want to hear what a model thinks of a text.

    It asks nobody itself: whoever holds it takes its own verdict, has the questions asked, and hands in the answers.
    """

    @property
    def asks(self) -> str | None:
        """The model, as the engine knows it; None where this one asks none, and its verdicts stand."""
        ...

    def questions(self, text: str, verdict: Verdict) -> Sequence[Question]:
        """What is to be asked about a text of which it has said this; nothing where that stands.

        Raises:
            PromptRailsError: it cannot be asked about.
        """
        ...

    def answered(self, text: str, verdict: Verdict, answers: Sequence[Any]) -> Verdict:
        """The verdict that the answers, JSON data, come to; one for each question, in their order.

        Raises:
            PromptRailsError: an answer is none, so there is no verdict.
        """
        ...


class Restorer(Protocol):
    """Restores a text that comes in pieces: what it gives back, put together, is the whole text restored."""

    def feed(self, piece: str) -> str:
        """What can be let go now."""
        ...

    def end(self) -> str:
        """The rest: no more comes."""
        ...


@runtime_checkable
class ReversibleScanner(Scanner, Protocol):
    """A scanner whose labels can be turned back into what they stand for."""

    def opened(self) -> ReversibleScanner:
        """The scanner with a vault: an empty one, unless its options name one."""
        ...

    def restore(self, text: str) -> str:
        """The text with what they stand for in place of the labels that this scanner has given."""
        ...

    def restorer(self) -> Restorer: ...


@runtime_checkable
class ScannerModule(Protocol):
    """What an entry point of the group `promptrails_engine.scanners` leads to: a module or an object with these."""

    @property
    def META(self) -> ScannerMeta: ...

    def build(self, config: Mapping[str, Any]) -> Scanner:
        """A scanner with these options.

        Raises:
            ConfigurationError: an option is unknown or cannot be used; the message names it.
        """
        ...
