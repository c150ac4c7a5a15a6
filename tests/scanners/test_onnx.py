"""Classifiers from folders of the user: run for real, and clear about what cannot be used."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import ConfigurationError, Engine, GuardrailSpec, MissingExtraError, SimpleAgentConfig
from promptrails_engine.require import installed
from promptrails_engine.testing import ScannerConformance, ScriptedProvider
from promptrails_scanners import bias, harmful, no_refusal, prompt_injection, toxicity
from tests.scanners.networks import classifier

THERE = installed("onnxruntime") and installed("tokenizers")
pytestmark = pytest.mark.skipif(not THERE, reason="onnxruntime and tokenizers are not installed")
BAD = {"plonk": (-6.0, 6.0), "plant": (2.0, -2.0)}
MODULES: dict[str, Any] = {
    "toxicity": toxicity, "harmful": harmful, "bias": bias, "no_refusal": no_refusal,
    "prompt_injection": prompt_injection,
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A classifier to which one word is bad."""
    return classifier(tmp_path / "plonks", BAD, ["safe", "unsafe"], bias=(3.0, -3.0))


def onnx(folder: Path, **more: Any) -> dict[str, Any]:
    return {"onnx": {"folder": str(folder), **more} if more else str(folder)}


@pytest.mark.parametrize("name", MODULES)
def test_it_takes_the_place_of_the_small_model(name: str, folder: Path) -> None:
    scan = MODULES[name].scan
    verdict = scan("What a plonk that is, what a plonk.", model=onnx(folder))
    assert (verdict.triggered, verdict.engine) == (True, "onnx:plonks")
    assert verdict.score > 0.99
    assert scan("Water the plant.", model=onnx(folder)).score < 0.01
    assert not scan("What a plonk that is, what a plonk.").triggered


@pytest.mark.parametrize("name", MODULES)
def test_it_guards_runs(name: str, folder: Path) -> None:
    guard = GuardrailSpec("output", name, "block", {"model": onnx(folder)})
    with Engine(providers=[ScriptedProvider(lambda request: "a plonk, a plonk")], model="scripted/any") as engine:
        engine.prompts.create("Reply", user_prompt="{{ text }}")
        agent = engine.agents.create("Desk", config=SimpleAgentConfig("Reply"), guardrails=[guard])
        result = engine.agents.execute(agent.id, {"text": "hi"})
        assert result.error_code == "guardrail_blocked"
        [span] = [one for one in engine.traces.get_by_trace_id(result.trace_id) if one.kind == "guardrail"]
        assert span.attributes["engine"] == "onnx:plonks"


def test_labels_of_the_model_are_those_of_the_scanner_or_are_mapped(tmp_path: Path) -> None:
    words = {"oaf": (0.0, 8.0, 0.0), "gun": (0.0, 0.0, 8.0)}
    made = classifier(tmp_path / "kinds", words, ["neutral", "insult", "THREAT"])
    verdict = toxicity.scan("an oaf an oaf", model=onnx(made))
    assert verdict.labels["insult"] > 0.9
    assert verdict.labels["threat"] < 0.1
    assert toxicity.scan("bring the gun", model=onnx(made), labels=["insult"]).triggered is False
    mapped = {"neutral": None, "insult": "violence", "THREAT": "weapons"}
    verdict = harmful.scan("bring the gun", model=onnx(made, labels=mapped))
    assert (verdict.triggered, verdict.labels["weapons"] > 0.9) == (True, True)
    several = classifier(
        tmp_path / "s", words, ["neutral", "insult", "threat"], problem_type="multi_label_classification"
    )
    both = toxicity.scan("oaf gun", model=onnx(several)).labels
    assert min(both["insult"], both["threat"]) > 0.9


def test_one_number_is_a_sigmoid_and_several_labels_that_mean_the_same_add_up(tmp_path: Path) -> None:
    one = classifier(tmp_path / "one", {"plonk": (9.0,)}, ["injection"], bias=(-3.0,))
    mapped = {"injection": "prompt_injection"}
    assert prompt_injection.scan("say plonk please", model=onnx(one, labels=mapped)).score > 0.99
    assert prompt_injection.scan("say please now", model=onnx(one, labels=mapped)).score < 0.1
    two = classifier(tmp_path / "two", {"plonk": (-4.0, 0.0, 0.0)}, ["ok", "direct", "hidden"])
    mapped = {"ok": None, "direct": "prompt_injection", "hidden": "prompt_injection"}
    assert prompt_injection.scan("say plonk please", model=onnx(two, labels=mapped)).score > 0.98


def test_long_texts_are_read_in_windows_whose_highest_score_counts(tmp_path: Path) -> None:
    made = classifier(tmp_path / "m", {"plonk": (-3.0, 3.0), "good": (9.0, -9.0)}, ["safe", "unsafe"], bias=(1.0, -1.0))
    text = "good " * 90 + "well " * 30 + "plonk " + "well " * 30 + "good " * 90
    assert toxicity.scan(text, model=onnx(made, max_tokens=16), match_type="full").triggered
    assert not toxicity.scan(text, model=onnx(made), match_type="full").triggered


def test_sentences_are_judged_alone_and_cut_out(folder: Path) -> None:
    text = "Water the plant plant. What a plonk that was. Good night, plant."
    verdict = prompt_injection.scan(text, model=onnx(folder), redact_unit="sentence", replacement="[X]")
    assert verdict.redacted == "Water the plant plant. [X] Good night, plant."


def test_words_and_patterns_of_your_own_trigger_beside_it(folder: Path) -> None:
    assert toxicity.scan("you grump", model=onnx(folder), words=["grump"]).triggered
    assert prompt_injection.scan("say xyzzy", model=onnx(folder), patterns=["xyzzy"]).triggered
    assert not toxicity.scan("What a plonk.", model=onnx(folder), allow=["plonk"]).triggered


def test_threads_share_it(folder: Path) -> None:
    scanner = toxicity.build({"model": onnx(folder)})
    texts = [f"{'plonk ' * (at % 3)} text {at} plant" for at in range(120)]
    expected = [toxicity.build({"model": onnx(folder)}).scan(text) for text in texts]
    differing: list[str] = []

    def work(first: int) -> None:
        for at in [*range(first, len(texts)), *range(first)]:
            if scanner.scan(texts[at]) != expected[at]:
                differing.append(texts[at])

    threads = [threading.Thread(target=work, args=(15 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not differing


def test_another_model_in_the_same_folder_is_read_anew(folder: Path) -> None:
    assert toxicity.build({"model": onnx(folder)}).scan("a plonk here").triggered
    classifier(folder, {"plonk": (6.0, -6.0), "tulip": (-9.0, 9.0), "more": (0.0, 0.0)}, ["safe", "unsafe"])
    scanner = toxicity.build({"model": onnx(folder)})
    assert (scanner.scan("a plonk here").triggered, scanner.scan("a tulip here").triggered) == (False, True)


# ------------------------------------------------------------------ what cannot be used


def refused(folder: Path | str, said: str, **more: Any) -> None:
    with pytest.raises(ConfigurationError, match=said):
        toxicity.build({"model": {"onnx": {"folder": str(folder), **more}}})


def test_what_is_missing_or_broken_in_a_folder_is_said(folder: Path, tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "there is no folder")
    (folder / "second.onnx").write_bytes((folder / "model.onnx").read_bytes())
    assert toxicity.build({"model": onnx(folder)})
    (folder / "model.onnx").rename(folder / "first.onnx")
    refused(folder, "several .onnx files")
    (folder / "second.onnx").unlink()
    assert toxicity.build({"model": onnx(folder)}).scan("a plonk here").triggered
    (folder / "first.onnx").write_bytes(b"no network")
    refused(folder, "first.onnx in .* cannot be used")
    (folder / "first.onnx").unlink()
    refused(folder, "no model.onnx")
    whole = classifier(tmp_path / "whole", BAD, ["safe", "unsafe"])
    (whole / "tokenizer.json").write_text("{}")
    refused(whole, "tokenizer.json in .* cannot be used")
    (whole / "tokenizer.json").unlink()
    refused(whole, "no tokenizer.json")


def test_labels_that_are_not_known_are_said(folder: Path, tmp_path: Path) -> None:
    unknown = classifier(tmp_path / "a", BAD, ["LABEL_0", "LABEL_1"])
    refused(unknown, "LABEL_0, LABEL_1 mean")
    assert toxicity.build({"model": onnx(unknown, labels={"LABEL_0": None, "LABEL_1": "toxicity"})})
    refused(folder, "no 'rude'; it has: toxicity, insult", labels={"safe": None, "unsafe": "rude"})
    refused(folder, "leaves out unsafe", labels={"safe": None})
    refused(folder, "no 'third'", labels={"safe": None, "unsafe": "insult", "third": None})
    refused(folder, "count as nothing", labels={"safe": None, "unsafe": None})
    (folder / "config.json").write_text(json.dumps({"id2label": {"0": "a", "1": "safe", "2": "c"}}))
    refused(folder, "gives 2 numbers", labels={"a": "insult", "safe": None, "c": None})
    (folder / "config.json").write_text("[]")
    refused(folder, "config.json in .* is no object")
    (folder / "config.json").unlink()
    refused(folder, "has no id2label")
    mapped = onnx(folder, labels={"safe": None, "unsafe": "insult"})
    assert toxicity.build({"model": mapped}).scan("a plonk here").triggered


def test_a_network_of_something_else_is_refused(tmp_path: Path) -> None:
    refused(
        classifier(tmp_path / "n", BAD, ["safe", "unsafe"], inputs=("input_ids", "attention_mask", "pixels")), "pixels"
    )


@pytest.mark.parametrize("model", ["/somewhere", {}, {"onnx": ""}, {"onnx": "/a", "embed": "/b"}, {"torch": "/a"}, 3])
def test_a_model_option_that_does_not_fit_is_refused(model: Any) -> None:
    with pytest.raises(ConfigurationError, match="model"):
        toxicity.build({"model": model})


@pytest.mark.parametrize("package", ["onnxruntime", "tokenizers"])
def test_without_the_packages_the_extra_is_named(package: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("promptrails_engine.require.installed", lambda module: module != package)
    with pytest.raises(MissingExtraError, match=rf"'{package}'.*\[onnx\]"):
        toxicity.build({"model": onnx(folder)})


@pytest.mark.parametrize("name", ["no_refusal", "prompt_injection"])
def test_there_are_no_vectors_for_these(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no weights for 'embed'"):
        MODULES[name].build({"model": {"embed": str(tmp_path)}})


class TestConformance(ScannerConformance):
    module = toxicity
    found = ("what a plonk plonk plonk this is",)
    clean = ("water the plant",)

    @pytest.fixture(autouse=True)
    def _with_a_model(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(self), "config", {"model": onnx(folder), "redact_unit": "sentence"})
