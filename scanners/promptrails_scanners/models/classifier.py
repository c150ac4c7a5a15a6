"""Sequence classifiers in the ONNX format: their labels read as the labels of a scanner."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import exp
from typing import Any, cast

from promptrails_scanners.models.files import Folder
from promptrails_scanners.models.network import Network, network
from promptrails_scanners.models.options import OnnxModel

_EXTRA = "onnx"
_NOTHING = frozenset(
    {
        *("safe", "benign", "neutral", "normal", "none", "negative", "no", "ok", "clean", "legit", "legitimate"),
        *("harmless", "answer", "compliance", "other"),
    }
)
"""What models call texts in which they find nothing; and `not` or `non` with what they find."""


class OnnxClassifier:
    """Scores texts by a classifier of the user's own."""

    def __init__(self, option: OnnxModel, scanner: str, labels: Sequence[str]) -> None:
        """Loads it; `labels` are those of the scanner, of which the first is meant where a model has but yes and no.

        Raises:
            MissingExtraError: the packages that run it are not installed.
            ConfigurationError: files are missing or cannot be used, or it is not known what a label means.
        """
        folder = Folder(option.folder, scanner)
        self.engine = f"onnx:{folder.name}"
        model = folder.model() or folder.needed("model.onnx")
        vocabulary = folder.needed("tokenizer.json")
        self._labels = _meant(folder, option.labels, labels)
        self._network: Network = network(
            model, vocabulary, option.max_tokens or folder.max_tokens(), option.threads, folder, _EXTRA
        )
        if self._network.width not in (None, len(self._labels)):
            raise folder.error(
                f"{model.name} gives {self._network.width} numbers, and config.json has {len(self._labels)} labels; "
                "it has to be a classifier of whole texts, with its own config.json"
            )
        told = folder.json("config.json").get("problem_type") == "multi_label_classification"
        several = told or len(self._labels) == 1
        self._softmax = option.activation == "softmax" or (option.activation is None and not several)

    def scores(self, text: str) -> Mapping[str, float]:
        """The score of each label of the scanner, 0 to 1; of a long text the highest over its windows."""
        highest = {label: 0.0 for label in self._labels if label}
        for _, row in self._network.rows(text):
            numbers = [float(one) for one in row.tolist()]
            window: dict[str, float] = {}
            for label, score in zip(self._labels, self._odds(numbers), strict=True):
                if label:
                    before = window.get(label, 0.0)
                    window[label] = min(1.0, before + score) if self._softmax else max(before, score)
            for label, score in window.items():
                highest[label] = max(highest[label], score)
        return highest

    def _odds(self, numbers: Sequence[float]) -> list[float]:
        if not self._softmax:
            return [1 / (1 + exp(-max(-30.0, min(30.0, one)))) for one in numbers]
        most = max(numbers)
        shares = [exp(one - most) for one in numbers]
        return [one / sum(shares) for one in shares]


def _meant(folder: Folder, given: Mapping[str, str | None] | None, labels: Sequence[str]) -> tuple[str | None, ...]:
    """For each label of the model that of the scanner; None for what counts as nothing."""
    theirs = _theirs(folder, given)
    if given is not None:
        strange = sorted({ours for ours in given.values() if ours is not None and ours not in labels})
        if strange:
            raise folder.error(f"'labels': the scanner has no '{strange[0]}'; it has: {', '.join(labels)}")
        missing = [one for one in theirs if one not in given]
        if missing:
            raise folder.error(f"'labels' leaves out {', '.join(missing)}; map each to a label, or to null for nothing")
        unknown = sorted(set(given) - set(theirs))
        if unknown:
            raise folder.error(f"'labels': the model has no '{unknown[0]}'; it has: {', '.join(theirs)}")
        found = [given[one] for one in theirs]
    else:
        found = _guessed(folder, theirs, labels)
    if not any(found):
        raise folder.error("'labels': all of the model's labels count as nothing, so it would find nothing")
    return tuple(found)


def _theirs(folder: Folder, given: Mapping[str, str | None] | None) -> list[str]:
    """The labels of the model in their order."""
    named: Any = folder.json("config.json").get("id2label")
    if isinstance(named, dict) and named:
        try:
            by_number = {int(number): str(label) for number, label in cast("dict[str, Any]", named).items()}
        except ValueError:
            by_number = {}
        if by_number and sorted(by_number) == list(range(len(by_number))):
            return [by_number[number] for number in range(len(by_number))]
        raise folder.error("id2label in config.json does not count from 0")
    if given:
        return list(given)
    raise folder.error("config.json has no id2label; name the labels, in their order, in the option 'labels'")


def _guessed(folder: Folder, theirs: Sequence[str], labels: Sequence[str]) -> list[str | None]:
    ours = {_plain(label): label for label in labels}
    found: list[str | None] = []
    unknown: list[str] = []
    for label in theirs:
        plain = _plain(label)
        if plain in ours:
            found.append(ours[plain])
        elif plain in _NOTHING or re.match(r"(?:not|non|no)_", plain):
            found.append(None)
        else:
            unknown.append(label)
            found.append(labels[0])
    if unknown and (len(unknown) > 1 or None not in found or len(theirs) > 2):
        raise folder.error(
            f"it is not known what the labels {', '.join(unknown)} mean here; say so with 'labels', "
            f"as {{'{unknown[0]}': '{labels[0]}'}}, with null for what counts as nothing"
        )
    return found


def _plain(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")
