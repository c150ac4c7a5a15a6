"""Texts about subjects that are banned, or about others than those that are allowed.

A topic is a name, with a description, words or examples if there are any.  Names of about forty subjects bring words of
their own (`topics/fields.txt`, English); with examples a small model is fitted when the scanner is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from promptrails_engine.ports.scanner import Finding, Scanner, ScannerMeta, Verdict
from promptrails_scanners.foundation.base import BaseScanner, alone
from promptrails_scanners.foundation.options import ScannerOptions, option_names, read_options
from promptrails_scanners.foundation.places import replace
from promptrails_scanners.foundation.sentences import sentences
from promptrails_scanners.foundation.views import canonical
from promptrails_scanners.topics.examples import Likeness, elsewhere
from promptrails_scanners.topics.words import Vocabulary, terms_of, words_of

__all__ = ["META", "Options", "Topic", "build", "scan"]

_THRESHOLD = 0.5
_TYPE = "BANNED_TOPIC"
_ALIKE = 0.5
"""What likeness to the examples adds to what the words tell."""
_ALIKE_ALONE = 0.8
_ALIKE_AGAINST = 0.95
"""What it tells where a topic has no words to speak of, without and with texts that are not about it."""
_FEW = 12
_TOGETHER = 3
"""So many sentences in a row are looked at as one text where any may trigger."""

Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]


class Topic(BaseModel):
    """A subject."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Said
    description: str = ""
    words: tuple[Said, ...] = ()
    """Each of these alone tells that a text is about it."""
    examples: tuple[Said, ...] = ()
    """Texts about it; twenty are a good number."""
    counter_examples: tuple[Said, ...] = ()
    """Texts that are near, but not about it."""
    threshold: float | None = Field(default=None, ge=0, le=1)
    """From which score on it counts; None for the scanner's."""


def _named(topic: object) -> object:
    return {"name": topic} if isinstance(topic, str) else topic


class Options(ScannerOptions):
    """What is banned, or what alone is allowed."""

    topics: tuple[Annotated[Topic, BeforeValidator(_named)], ...] = Field(min_length=1)
    """Names, or mappings with `name` and any of `description`, `words`, `examples`, `counter_examples`, `threshold`."""
    mode: Literal["ban", "allow_only"] = "ban"
    """`allow_only`: it triggers where a text is about none of the topics."""
    match_type: Literal["full", "sentence"] = "full"
    """`sentence`: each sentence is judged, too, and those that are about a topic are what a redaction takes out."""
    min_words: int = Field(default=3, ge=1)
    """With `allow_only`, texts of fewer words never trigger: they are greetings and follow-ups."""
    replacement: str = "[TOPIC_REDACTED]"


META = ScannerMeta(
    type="ban_topics",
    label="Banned topics",
    description="Triggers on texts about the topics that you name, describe or give examples of.",
    redacts="sentences",
    config_fields=option_names(Options),
    category="custom",
)


class BanTopics(BaseScanner[Options]):
    """Asks of each topic how much a text is about it."""

    meta = META

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._threshold = _THRESHOLD if options.threshold is None else options.threshold
        self._judges = tuple(_Judge(topic, options.topics, self._threshold) for topic in options.topics)

    def judge(self, text: str) -> Verdict:
        if self.options.mode == "allow_only":
            return self._only(text)
        labels = self._labels(text)
        found = self._found(text, labels)
        score = max(labels.values())
        names = [judge.name for judge in self._judges if labels[judge.name] >= judge.threshold]
        reason = f"the text is about a banned topic: {', '.join(names)}" if names else ""
        redacted = None
        if self.options.match_type == "sentence" and (found or not names):
            redacted = replace(text, found, lambda one, part: self.options.replacement)
        return Verdict(bool(names), score, found, redacted, labels, reason)

    def _only(self, text: str) -> Verdict:
        words = words_of(canonical(text).text)
        labels = {judge.name: judge.score(words) for judge in self._judges}
        about = any(labels[judge.name] >= judge.threshold for judge in self._judges)
        strange = not about and len(words) >= self.options.min_words
        score = 1.0 - max(labels.values()) if len(words) >= self.options.min_words else 0.0
        return Verdict(strange, score, labels=labels, reason="the text is about no allowed topic" if strange else "")

    def _labels(self, text: str) -> dict[str, float]:
        """The score of each topic: of the text as a whole, or of the few sentences in it that are most about it."""
        said = [words_of(canonical(text[start:end]).text) for start, end in sentences(text)]
        size = 1 if self.options.match_type == "sentence" else _TOGETHER
        parts = [list(chain.from_iterable(said[at : at + size])) for at in range(max(1, len(said) - size + 1))]
        return {judge.name: max(map(judge.score, parts)) for judge in self._judges}

    def _found(self, text: str, labels: Mapping[str, float]) -> tuple[Finding, ...]:
        """The sentences that are about a topic, where those are looked at."""
        suspects = [judge for judge in self._judges if labels[judge.name] >= judge.threshold]
        if self.options.match_type == "full" or not suspects:
            return ()
        found: list[Finding] = []
        for start, end in sentences(text):
            words = words_of(canonical(text[start:end]).text)
            scores = [score for judge in suspects if (score := judge.score(words)) >= judge.threshold]
            if scores:
                found.append(Finding(start, end, _TYPE, max(scores)))
        return tuple(found)


class _Judge:
    """One topic, ready to be asked."""

    def __init__(self, topic: Topic, topics: tuple[Topic, ...], threshold: float) -> None:
        self.name = topic.name
        self.threshold = threshold if topic.threshold is None else topic.threshold
        terms = terms_of(topic.name, topic.description, topic.words)
        self._vocabulary = Vocabulary(terms)
        alone = _ALIKE_AGAINST if topic.counter_examples else _ALIKE_ALONE
        self._alone = alone if len(terms) < _FEW else 0.0
        self._likeness: Likeness | None = None
        if topic.examples:
            others = [text for other in topics if other is not topic for text in other.examples]
            others += topic.counter_examples
            self._likeness = Likeness(topic.examples, others + elsewhere(terms))

    def score(self, words: list[str]) -> float:
        """0 to 1."""
        told = self._vocabulary.score(words)
        if self._likeness is None:
            return told
        alike = self._likeness.score(words)
        return min(1.0, max(told + _ALIKE * alike, self._alone * alike))


def build(config: Mapping[str, Any]) -> Scanner:
    """A scanner with these options; fits the models of topics with examples, which takes milliseconds.

    Raises:
        ConfigurationError: an option is unknown or cannot be used; the message names it.
    """
    return BanTopics(read_options(Options, META.type, config))


scan = alone(build)
