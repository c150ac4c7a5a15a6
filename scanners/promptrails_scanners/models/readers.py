"""What reads a text in place of the small model of a scanner, or beside it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from promptrails_engine.errors import ConfigurationError
from promptrails_scanners.models.classifier import OnnxClassifier
from promptrails_scanners.models.embedder import Embedder
from promptrails_scanners.models.heads import EmbeddingHead, head
from promptrails_scanners.models.options import EmbedModel, ModelOption

_KEPT = 64


class Reader(ABC):
    """A larger model."""

    beside: bool
    """Whether the small model has a say, too."""
    engine: str

    @abstractmethod
    def whole(self, text: str, small: float) -> float:
        """The score of any kind, for a text of which the small model says this."""

    def kinds(self, text: str) -> Mapping[str, float]:
        """The scores of the kinds that it tells apart."""
        return {}


class OnnxReader(Reader):
    """A classifier of the user's own, which takes the place of the small model."""

    beside = False

    def __init__(self, classifier: OnnxClassifier, label: str) -> None:
        self.engine = classifier.engine
        self._any = label
        self._scores: Callable[[str], Mapping[str, float]] = lru_cache(maxsize=_KEPT)(classifier.scores)

    def whole(self, text: str, small: float) -> float:
        return self._scores(text).get(self._any, 0.0)

    def kinds(self, text: str) -> Mapping[str, float]:
        return {label: score for label, score in self._scores(text).items() if label != self._any}


class EmbedReader(Reader):
    """A head over sentence vectors; it and the small model decide together."""

    beside = True

    def __init__(self, embedder: Embedder, ours: EmbeddingHead) -> None:
        self.engine = embedder.engine
        self._vector = embedder.vector
        self._head = ours

    def whole(self, text: str, small: float) -> float:
        return self._head.score(self._vector(text), small)


def reader(option: ModelOption, scanner: str, labels: Sequence[str]) -> Reader:
    """The model that the option names, loaded.  The first of the scanner's labels is that of any kind.

    Raises:
        MissingExtraError: the packages that run it are not installed.
        ConfigurationError: its files cannot be used.
    """
    if option.onnx is not None:
        return OnnxReader(OnnxClassifier(option.onnx, scanner, labels), labels[0])
    return _embedded(option.embed, scanner)


def _embedded(option: EmbedModel | None, scanner: str) -> Reader:
    ours = head(scanner)
    if option is None or ours is None:
        raise ConfigurationError(
            f"scanner '{scanner}': 'model': there are no weights for 'embed' here; use 'onnx', or leave it out"
        )
    embedder = Embedder(option, scanner)
    ours.check(embedder, scanner)
    return EmbedReader(embedder, ours)
