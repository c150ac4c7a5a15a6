"""How well a scanner tells texts apart, measured on labelled ones."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from promptrails_engine.errors import DefinitionError, ValidationError
from promptrails_engine.guardrails.scanners import Scanners
from promptrails_engine.ports.scanner import Scanner, Verdict
from promptrails_engine.require import require

_STEPS = 20
"""The curve has a point at every twentieth of the scores' range."""
_KEPT = 64
"""So many scanners, built for rows with options of their own, are kept at a time."""
Look = Callable[[Scanner, str], Verdict]


@dataclass(frozen=True, slots=True)
class Point:
    """What the scanner would come to if it triggered from this score on."""

    threshold: float
    precision: float
    recall: float
    false_positive_rate: float


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A row on which the scanner and the label differ."""

    row: int
    """Counted from 1."""
    text: str
    label: bool
    score: float
    types: tuple[str, ...]
    """Of what was found."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a scanner came to on a dataset.  Rates are 0 to 1; one of nothing, as recall without positives, is 0.

    Attributes:
        rows, positives: how many there are, and how many should be found.
        precision: of what it found, the part that should be.
        recall: of what should be found, the part that it did.
        f1: their harmonic mean.
        false_positive_rate: of what should not be found, the part that it did.
        curve: the same for other thresholds, by threshold; flat for scanners that are sure of what they find.
        disagreements: the rows on which it and the labels differ.
    """

    scanner_type: str
    rows: int
    positives: int
    precision: float
    recall: float
    f1: float
    false_positive_rate: float
    curve: tuple[Point, ...]
    disagreements: tuple[Disagreement, ...]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def plot(self, path: str | os.PathLike[str]) -> Path:
        """The path of a picture of the threshold curve; its name says the format, such as `.png` or `.svg`.

        Raises:
            MissingExtraError: matplotlib is not installed.
            ValidationError: no picture can be written there, or none of that format.
        """
        figures: Any = require("matplotlib.figure", extra="plots", feature="Evaluation.plot")
        figure = figures.Figure(figsize=(7, 4.5), layout="constrained")
        axes = figure.add_subplot()
        thresholds = [point.threshold for point in self.curve]
        axes.plot(thresholds, [point.precision for point in self.curve], label="precision")
        axes.plot(thresholds, [point.recall for point in self.curve], label="recall")
        axes.plot(thresholds, [point.false_positive_rate for point in self.curve], label="false positive rate")
        axes.set(xlabel="threshold", ylim=(-0.02, 1.02), title=f"{self.scanner_type}: {self.rows} rows")
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
        try:
            figure.savefig(path)
        except OSError as error:
            raise ValidationError(f"the picture {path} cannot be written: {error.strerror}") from None
        except ValueError as error:  # it names the formats that there are
            raise ValidationError(f"the picture {path} cannot be drawn: {error}") from None
        return Path(path)


@dataclass(frozen=True, slots=True)
class _Scored:
    row: int
    text: str
    label: bool
    triggered: bool
    score: float
    types: tuple[str, ...]


def evaluate(
    scanners: Scanners,
    scanner_type: str,
    dataset: str | os.PathLike[str] | Iterable[Mapping[str, Any]],
    options: Mapping[str, Any],
    look: Look,
) -> Evaluation:
    """What the scanner with these options comes to; see `Guardrails.evaluate`.  `look` gives the verdict on a text.

    Raises:
        DefinitionError, ValidationError: scanner, options or dataset cannot be used.
    """
    rows = _read(Path(dataset)) if isinstance(dataset, str | os.PathLike) else dataset
    scored = list(_scored(scanners, scanner_type, rows, options, look))
    if not scored:
        raise ValidationError("the dataset has no rows")
    precision, recall, rate = _rates([(row.triggered, row.label) for row in scored])
    return Evaluation(
        scanner_type,
        len(scored),
        sum(row.label for row in scored),
        precision,
        recall,
        2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        rate,
        tuple(_curve(scored)),
        tuple(
            Disagreement(row.row, row.text, row.label, row.score, row.types)
            for row in scored
            if row.triggered != row.label
        ),
    )


def _read(path: Path) -> Iterator[Any]:
    opener: Any = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield _parsed(line, f"{path.name}, line {number}")
    except UnicodeDecodeError:
        raise ValidationError(f"the dataset {path} is not UTF-8") from None
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or "it is broken"
        raise ValidationError(f"the dataset {path} cannot be read: {why}") from None


def _parsed(line: str, where: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        raise ValidationError(f"{where}: not JSON") from None


def _scored(
    scanners: Scanners, scanner_type: str, rows: Iterable[Any], options: Mapping[str, Any], look: Look
) -> Iterator[_Scored]:
    built: dict[str, Scanner] = {}
    for number, row in enumerate(rows, start=1):
        text, label, own = _checked(row, number)
        key = json.dumps(own, sort_keys=True, default=repr)
        scanner = built.get(key)
        if scanner is None:
            if len(built) >= _KEPT:
                built.clear()
            try:
                scanner = built[key] = scanners.build(scanner_type, {**options, **own})
            except DefinitionError as error:
                raise DefinitionError(f"row {number}: {error.message}" if own else error.message) from None
        verdict = look(scanner, text)
        types = tuple(sorted({one.type for one in verdict.findings}))
        yield _Scored(number, text, label, verdict.triggered, verdict.score, types)


def _checked(row: Any, number: int) -> tuple[str, bool, Mapping[str, Any]]:
    """Text, label and options of a row.

    Raises:
        ValidationError: one of them is not there, or not what it should be.
    """
    if not isinstance(row, Mapping):
        raise ValidationError(f'row {number} of the dataset is no object with a "text" and a "label"')
    fields = cast("Mapping[str, Any]", row)
    text, label = fields.get("text"), fields.get("label")
    own: Any = fields.get("options") or {}
    if not isinstance(text, str):
        raise ValidationError(f'row {number} of the dataset has no "text"')
    if label not in (0, 1):  # a string such as "0" would be true
        raise ValidationError(f'row {number} of the dataset: "label" has to be true or false, or 1 or 0')
    if not isinstance(own, Mapping):
        raise ValidationError(f'row {number} of the dataset: "options" has to be an object')
    return text, bool(label), cast("Mapping[str, Any]", own)


def _curve(scored: Sequence[_Scored]) -> Iterator[Point]:
    low, high = min(row.score for row in scored), max(row.score for row in scored)
    steps = {low + (high - low) * step / _STEPS for step in range(_STEPS)} | {high}
    for threshold in sorted(steps):
        yield Point(threshold, *_rates([(row.score >= threshold, row.label) for row in scored]))


def _rates(pairs: Sequence[tuple[bool, bool]]) -> tuple[float, float, float]:
    """Precision, recall and false positive rate of pairs (found, should be found)."""
    right = sum(found and label for found, label in pairs)
    found = sum(found for found, _ in pairs)
    positives = sum(label for _, label in pairs)
    return _part(right, found), _part(right, positives), _part(found - right, len(pairs) - positives)


def _part(some: int, of_all: int) -> float:
    return some / of_all if of_all else 0.0
