"""What the scanner `ban_topics` looks at and how it judges, loaded at its first use.

A topic is a name, with a description, words or examples if there are any.  Names of about forty subjects bring words of
their own (`topics/fields.txt`, English); with examples a small model is fitted when the scanner is built.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator

from promptrails_engine.ports.scanner import Finding, Scanner, Verdict
from promptrails_scanners.ban_topics import META
from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.base import BaseScanner
from promptrails_scanners.foundation.options import ScannerOptions, read_options
from promptrails_scanners.foundation.places import replace
from promptrails_scanners.foundation.sentences import sentences
from promptrails_scanners.foundation.views import canonical
from promptrails_scanners.models.options import ModelOption
from promptrails_scanners.topics.examples import Likeness, Part, elsewhere
from promptrails_scanners.topics.words import Vocabulary, named, terms_of, words_of

__all__ = ["Options", "Topic", "build"]

if TYPE_CHECKING:
    from promptrails_scanners.models.embedder import Embedder
    from promptrails_scanners.topics.vectors import Nearness

_EMBEDDER, _VECTORS = "promptrails_scanners.models.embedder", "promptrails_scanners.topics.vectors"
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

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

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
    redact_unit: Literal["none", "sentence"] = "none"
    """`sentence`: where the text triggers, every sentence about a topic is replaced, or all of the text where none
    alone is; `match_type="sentence"` replaces them anyway."""
    replacement: str = "[TOPIC_REDACTED]"
    model: ModelOption | None = None
    """`{"embed": FOLDER}`: sentence vectors tell beside the words how near a text is to a topic or its examples."""

    @field_validator("model")
    @classmethod
    def _of_vectors(cls, value: ModelOption | None) -> ModelOption | None:
        if value is not None and value.embed is None:
            raise ValueError("topics need vectors of texts: name a folder as {'embed': FOLDER}")
        return value


class BanTopics(BaseScanner[Options]):
    """Asks of each topic how much a text is about it."""

    meta = META

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._threshold = _THRESHOLD if options.threshold is None else options.threshold
        embed = None if options.model is None or options.model.embed is None else options.model.embed
        embedder: Embedder | None = None if embed is None else lazily.module(_EMBEDDER).Embedder(embed, META.type)
        self._engine = "builtin" if embedder is None else embedder.engine
        self._judges = tuple(_Judge(topic, options.topics, self._threshold, embedder) for topic in options.topics)

    def judge(self, text: str) -> Verdict:
        read = self.allowed.unread(text)
        if self.options.mode == "allow_only":
            return self._only(text, read)
        labels = dict.fromkeys((judge.name for judge in self._judges), 0.0)
        for part in self._parts(read):
            for judge in self._judges:
                labels[judge.name] = max(labels[judge.name], judge.score(part))
        names = [judge.name for judge in self._judges if labels[judge.name] >= judge.threshold]
        reason = f"the text is about a banned topic: {', '.join(names)}" if names else ""
        found, redacted = self._cut(text, names)
        return Verdict(bool(names), max(labels.values()), found, redacted, labels, reason, engine=self._engine)

    def _only(self, text: str, read: str) -> Verdict:
        part = _part(canonical(read).text)
        labels = {judge.name: judge.score(part) for judge in self._judges}
        about = any(labels[judge.name] >= judge.threshold for judge in self._judges)
        enough = len(part.words) >= self.options.min_words
        score = 1.0 - max(labels.values()) if enough else 0.0
        if about or not enough:
            return Verdict(False, score, redacted=text if self._cuts else None, labels=labels, engine=self._engine)
        found, redacted = self._whole(text) if self._cuts else ((), None)
        return Verdict(True, score, found, redacted, labels, "the text is about no allowed topic", engine=self._engine)

    def _parts(self, text: str) -> Iterator[Part]:
        """Every few sentences in a row, as one; or each sentence alone, where those are judged."""
        size = 1 if self.options.match_type == "sentence" else _TOGETHER
        last: deque[Part] = deque(maxlen=size)
        for start, end in sentences(text):
            last.append(_part(canonical(text[start:end]).text))
            if len(last) == size:
                yield _joined(last)
        if len(last) < size:
            yield _joined(last)

    @property
    def _cuts(self) -> bool:
        return self.options.match_type == "sentence" or self.options.redact_unit == "sentence"

    def _cut(self, text: str, names: Sequence[str]) -> tuple[tuple[Finding, ...], str | None]:
        """The sentences about these topics, and the text without them; all of it where no sentence alone is."""
        if not self._cuts or not names:
            return (), text if self._cuts else None
        suspects = [judge for judge in self._judges if judge.name in names]
        found: list[Finding] = []
        read = self.allowed.unread(text)
        for start, end in sentences(read):
            part = _part(canonical(read[start:end]).text)
            scores = [score for judge in suspects if (score := judge.score(part)) >= judge.threshold]
            if scores:
                found.append(Finding(start, end, _TYPE, max(scores)))
        left = replace(text, found, lambda one, part: self.options.replacement)
        parts = self._parts(self.allowed.unread(left)) if self.options.match_type == "full" else ()
        if any(judge.score(part) >= judge.threshold for part in parts for judge in suspects):
            return self._whole(text)
        return tuple(found), left

    def _whole(self, text: str) -> tuple[tuple[Finding, ...], str]:
        return (Finding(0, len(text), _TYPE),), self.options.replacement


def _part(read: str) -> Part:
    return Part(words_of(read), read)


def _joined(parts: Iterable[Part]) -> Part:
    ours = tuple(parts)
    return Part(list(chain.from_iterable(part.words for part in ours)), " ".join(part.text for part in ours))


class _Judge:
    """One topic, ready to be asked."""

    def __init__(
        self, topic: Topic, topics: tuple[Topic, ...], threshold: float, embedder: Embedder | None = None
    ) -> None:
        self.name = topic.name
        self.threshold = threshold if topic.threshold is None else topic.threshold
        terms = terms_of(topic.name, topic.description, topic.words)
        self._vocabulary = Vocabulary(terms)
        alone = _ALIKE_AGAINST if topic.counter_examples else _ALIKE_ALONE
        self._alone = alone if len(terms) < _FEW else 0.0
        self._likeness: Likeness | None = None
        self._nearness: Nearness | None = None
        others = [text for other in topics if other is not topic for text in other.examples]
        others += topic.counter_examples
        if embedder is not None:
            names = [topic.name, *filter(None, [topic.description]), *named(topic.name)]
            self._nearness = lazily.module(_VECTORS).Nearness(
                embedder.vector, names, topic.examples, others, set(terms)
            )
        elif topic.examples:
            self._likeness = Likeness(topic.examples, others + elsewhere(terms))

    def score(self, part: Part) -> float:
        """0 to 1."""
        told = self._vocabulary.score(part.words)
        if self._nearness is not None:
            return max(told, self._nearness.score(part.text))
        if self._likeness is None:
            return told
        alike = self._likeness.score(part)
        return min(1.0, max(told + _ALIKE * alike, self._alone * alike))


def build(config: Mapping[str, Any]) -> Scanner:
    """A scanner with these options; fits the models of topics with examples, which takes milliseconds.

    Raises:
        ConfigurationError: an option is unknown or cannot be used; the message names it.
    """
    return BanTopics(read_options(Options, META.type, config))
