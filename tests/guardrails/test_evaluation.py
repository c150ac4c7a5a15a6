"""`engine.guardrails.evaluate`: its figures against counting by hand, what it refuses, and the picture it draws."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine import ConfigurationError, Engine, MissingExtraError, ScannerMeta, ValidationError
from promptrails_engine import Verdict as ScannerVerdict
from promptrails_engine.guardrails.evaluation import Evaluation
from promptrails_engine.require import installed


class Counted:
    """A scanner whose score is the number that the text is, held against its threshold."""

    META = meta = ScannerMeta("counted", "Counted", "Scores numbers.", "never", config_fields=("threshold",))
    threshold = 0.5
    built = 0

    def build(self, config: dict[str, Any]) -> Counted:
        if set(config) - {"threshold"}:
            raise ConfigurationError("scanner 'counted' has only the option 'threshold'")
        made = Counted()
        made.threshold = config.get("threshold", 0.5)
        Counted.built += 1
        return made

    def scan(self, text: str) -> ScannerVerdict:
        return ScannerVerdict(float(text) >= self.threshold, float(text))

    def settled(self, text: str) -> None:
        return None


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(scanners=[Counted()]) as made:
        yield made


SCORES = st.floats(0, 1).map(lambda score: round(score, 9))


@given(pairs=st.lists(st.tuples(SCORES, st.booleans()), min_size=1, max_size=40))
def test_every_point_of_the_curve_is_what_counting_gives(engine: Engine, pairs: list[tuple[float, bool]]) -> None:
    found = engine.guardrails.evaluate("counted", [{"text": str(score), "label": label} for score, label in pairs])
    thresholds = [point.threshold for point in found.curve]
    assert thresholds == sorted(set(thresholds))
    assert (thresholds[0], thresholds[-1]) == (min(pairs)[0], max(pairs)[0])
    for point in found.curve:
        hits = [label for score, label in pairs if score >= point.threshold]
        positives = sum(label for _, label in pairs)
        assert hits, "at the highest score there is still a row"
        assert point.precision == pytest.approx(sum(hits) / len(hits))
        assert point.recall == pytest.approx(sum(hits) / positives if positives else 0.0)
        negatives = len(pairs) - positives
        assert point.false_positive_rate == pytest.approx((len(hits) - sum(hits)) / negatives if negatives else 0.0)
    wrong = [(place, label) for place, (score, label) in enumerate(pairs, start=1) if (score >= 0.5) != label]
    assert [(row.row, row.label) for row in found.disagreements] == wrong
    assert json.loads(json.dumps(found.to_dict()))["rows"] == len(pairs)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"text": "0.1", "label": "0"}, 'row 2 .* "label"'),
        ({"text": "0.1", "label": 2}, 'row 2 .* "label"'),
        ({"text": "0.1"}, 'row 2 .* "label"'),
        ({"label": 1}, 'row 2 .* "text"'),
        ({"text": "0.1", "label": 1, "options": ["threshold"]}, 'row 2 .* "options"'),
        (["0.1", 1], "row 2 .* no object"),
    ],
)
def test_a_row_that_would_be_counted_wrong_is_refused(engine: Engine, row: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        engine.guardrails.evaluate("counted", [{"text": "0.9", "label": True}, row])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("rows.jsonl", b'{"text": "0.\xff", "label": 1}', "not UTF-8"),
        ("rows.jsonl.gz", b"no gzip", "cannot be read"),
        ("rows.jsonl.gz", gzip.compress(b'{"text": "0.1", "label": 1}\n' * 999)[:-30], "cannot be read"),
    ],
)
def test_a_broken_file_is_refused(engine: Engine, tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValidationError, match=said):
        engine.guardrails.evaluate("counted", path)


def test_options_of_rows_are_those_of_their_scanner_alone(engine: Engine) -> None:
    rows: list[dict[str, Any]] = [
        {"text": "0.4", "label": 1, "options": {"threshold": 0.31}},
        {"text": "0.4", "label": 0},
        {"text": "0.4", "label": 0, "options": {"threshold": 0.451}},
    ]
    before = Counted.built
    assert engine.guardrails.evaluate("counted", rows * 5, {"threshold": 0.49}).f1 == 1.0
    assert Counted.built - before == 3, "built once for the same options"
    many = [{"text": "0.4", "label": 1, "options": {"threshold": step / 500}} for step in range(200)]
    assert engine.guardrails.evaluate("counted", many).recall == 1.0


def evaluated(engine: Engine) -> Evaluation:
    return engine.guardrails.evaluate("counted", [{"text": f"0.{k}", "label": k > 4} for k in range(1, 10)])


@pytest.mark.skipif(installed("matplotlib"), reason="matplotlib is installed")
def test_without_matplotlib_the_error_says_what_to_install(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(MissingExtraError, match=r"promptrails-engine\[plots\]"):
        evaluated(engine).plot(tmp_path / "curve.png")


@pytest.mark.skipif(not installed("matplotlib"), reason="matplotlib is not installed")
@pytest.mark.filterwarnings("ignore")  # of matplotlib's own
def test_the_curve_is_drawn(engine: Engine, tmp_path: Path) -> None:
    found = evaluated(engine)
    picture = found.plot(tmp_path / "curve.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    drawn = found.plot(tmp_path / "curve.svg").read_text(encoding="utf-8")
    assert "<svg" in drawn
    for path, said in ((tmp_path / "no" / "curve.png", "cannot be written"), (tmp_path / "curve.odd", "odd")):
        with pytest.raises(ValidationError, match=said):
            found.plot(path)
