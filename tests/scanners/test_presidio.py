"""Presidio beside the rules of this package: told from what is installed, loaded once, asking no network."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine.errors import ConfigurationError, MissingExtraError
from promptrails_engine.require import installed, require
from promptrails_scanners import anonymize, pii, sensitive
from promptrails_scanners.anonymize import Anonymize
from promptrails_scanners.personal.presidio import MODELS
from tests.scanners.streams import released, whole

PACKAGES = installed("presidio_analyzer") and installed("spacy")
MODEL = next((one for one in MODELS if installed(one)), None)
with_packages = pytest.mark.skipif(not PACKAGES, reason="Presidio is not installed")
with_model = pytest.mark.skipif(
    not (PACKAGES and MODEL), reason="Presidio and its small English model are not installed"
)
# spaCy and its tools warn of themselves.
pytestmark = pytest.mark.filterwarnings("ignore")

TEXT = "Barack Obama met Angela Merkel in Berlin; his id is 131052-308T, mail mara@corp.example."


@pytest.mark.skipif(PACKAGES, reason="Presidio is installed")
def test_without_presidio_asking_for_it_is_an_error_and_auto_does_without() -> None:
    with pytest.raises(MissingExtraError, match="presidio"):
        pii.build({"engine": "presidio"})
    assert pii.scan("mara@corp.example").engine == "builtin"


@pytest.mark.skipif(MODEL is not None, reason="a model is installed")
def test_without_a_model_auto_does_without_and_says_so() -> None:
    assert pii.scan("mara@corp.example").engine == "builtin"
    with pytest.raises(ConfigurationError, match="scanner 'pii': 'entities' names kinds that only Presidio finds"):
        pii.build({"entities": ["LOCATION"]})


@with_packages
@pytest.mark.parametrize("name", ["xx_no_such_model", "json", "__main__", "./no/such/folder", "no such model"])
def test_a_model_that_is_not_there_is_an_error_and_nothing_is_fetched(name: str) -> None:
    with pytest.raises(ConfigurationError, match="nothing is downloaded") as told:
        pii.build({"engine": "presidio", "model": name})
    assert name in str(told.value)
    assert "scanner 'pii'" in str(told.value)
    assert pii.scan("hello", engine="auto", model=name).engine == "builtin"


@with_packages
def test_a_model_of_another_language_has_to_be_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="a spaCy model of 'de'"):
        pii.build({"engine": "presidio", "language": "de"})
    options = {"engine": "presidio", "language": "de", "model": str(drawn(tmp_path, "de")), "names": "strict"}
    verdict = pii.build(options).scan("gestern kam die Xqwv vorbei")
    assert [(one.start, one.end, one.type) for one in verdict.findings] == [(16, 20, "PERSON")]


@with_packages
def test_a_model_that_cannot_be_loaded_is_an_error_each_time(tmp_path: Path) -> None:
    folder = drawn(tmp_path, "en")
    (folder / "config.cfg").write_text("nothing", encoding="utf-8")
    scanner = pii.build({"engine": "auto", "model": str(folder)})
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="cannot be loaded"):
            scanner.scan("hello")


@with_packages
@pytest.mark.once
def test_nothing_is_loaded_before_the_first_text() -> None:
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys\nfrom promptrails_scanners import pii\npii.build({})\n"
            "print([one for one in ('spacy', 'presidio_analyzer') if one in sys.modules])",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.strip() == "[]"


@with_packages
def test_what_another_model_sees_makes_a_name_likelier_and_is_no_certainty(tmp_path: Path) -> None:
    model = str(drawn(tmp_path, "en"))
    text = "We asked Xqwv about it, and 4711 as well."
    verdict = pii.scan(text, engine="presidio", model=model, entities=["person"], names="strict")
    assert all(text[one.start : one.end] == "Xqwv" for one in verdict.findings)
    alone = pii.scan(text, engine="builtin", entities=["person"], thresholds={"person": 0.01}).findings
    both = pii.scan(text, engine="presidio", model=model, entities=["person"], thresholds={"person": 0.01}).findings
    score = {text[one.start : one.end]: one.score for one in alone}.get("Xqwv", 0.0)
    assert score < {text[one.start : one.end]: one.score for one in both}["Xqwv"] < 1


@with_model
def test_presidio_answers_together_with_the_builtin_rules() -> None:
    for scanner in (pii, sensitive, anonymize):
        verdict = scanner.scan(TEXT)
        assert verdict.engine == "presidio"
        assert {"PERSON", "FI_PERSONAL_IDENTITY_CODE", "EMAIL_ADDRESS"} <= {one.type for one in verdict.findings}
        assert scanner.scan(TEXT, engine="presidio") == verdict
        assert scanner.scan(TEXT, engine="builtin").engine == "builtin"
        assert scanner.scan(TEXT, model=MODEL) == verdict


@with_model
def test_it_is_not_asked_for_kinds_of_which_it_says_nothing() -> None:
    assert pii.scan("mara@corp.example", entities=["email", "street_address"]).engine == "builtin"
    verdict = pii.scan("my card is 4111 1111 1111 1111", entities=["card"])
    assert (verdict.engine, verdict.redacted) == ("presidio", "my card is [CARD_REDACTED]")


@with_model
def test_kinds_that_only_presidio_finds_are_there_when_named() -> None:
    text = "We flew from Berlin to Paris."
    assert {one.type for one in pii.scan(text, entities=["LOCATION"]).findings} == {"LOCATION"}
    assert "LOCATION" not in {one.type for one in pii.scan(text).findings}
    assert pii.scan(text, entities=["LOCATION"], thresholds={"LOCATION": 0.9}).findings == ()


@with_model
def test_numbers_and_letters_are_neither_persons_nor_licences() -> None:
    text = "2024-05-01 10:00 public key A1234567 worker-7 took 4711 ms, 98231, 77120"
    assert pii.scan(text).findings == ()
    named = pii.scan("the public key is H12345678, isn't it", entities=["driver_license"])
    assert named.findings == ()


@with_model
def test_values_are_cut_out_once_and_come_back() -> None:
    text = "Margaret Whitfield (mara@corp.example) asked Margaret Whitfield about 4111 1111 1111 1111 and 203.0.113.77."
    scanner = anonymize.build({})
    assert isinstance(scanner, Anonymize)
    opened = scanner.opened()
    redacted = str(opened.scan(text).redacted)
    assert redacted == "[PERSON_1] ([EMAIL_1]) asked [PERSON_1] about [CARD_1] and [IP_1]."
    assert opened.restore(redacted) == text


@with_model
def test_threads_that_come_first_together_get_one_answer() -> None:
    require("promptrails_scanners.personal.presidio", extra="presidio", feature="this test")._loaded.cache_clear()
    names = ("Ada Lovelace", "Barack Obama", "Angela Merkel", "Tomomi Sato", "Edith Graham")
    texts = [f"{name} met {other} in Berlin on day {at}." for at, name in enumerate(names) for other in names[:3]]
    scanner = pii.build({})
    answers: list[list[Any]] = [[] for _ in range(8)]
    start = threading.Barrier(8)

    def work(turn: int) -> None:
        start.wait()
        order = random.Random(turn).sample(range(len(texts)), len(texts))
        found = {at: scanner.scan(texts[at]) for at in order}
        answers[turn] += [found[at] for at in range(len(texts))]

    threads = [threading.Thread(target=work, args=(turn,)) for turn in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(one == answers[0] for one in answers)
    assert len(answers[0]) == len(texts)
    assert all(one.triggered for one in answers[0])


@with_model
def test_a_text_that_comes_in_pieces_is_the_whole_text() -> None:
    scanner = pii.build({"occurrences": "found"})
    text = "\n".join(f"{at}: {TEXT} And then Ada Lovelace went home to think about numbers." for at in range(8))
    dice = random.Random(3)
    for _ in range(3):
        cuts = [dice.randrange(len(text)) for _ in range(3)]
        assert released(scanner, text, cuts) == whole(scanner, text)


def drawn(folder: Path, language: str) -> Path:
    """A model that knows one name, and takes a number for one, too."""
    made = require("spacy", extra="presidio", feature="this test").blank(language)
    ruler = made.add_pipe("entity_ruler")
    ruler.add_patterns([{"label": "PERSON", "pattern": "Xqwv"}, {"label": "PERSON", "pattern": "4711"}])
    made.to_disk(folder / "model")
    assert json.loads((folder / "model" / "meta.json").read_text(encoding="utf-8"))["lang"] == language
    return folder / "model"
