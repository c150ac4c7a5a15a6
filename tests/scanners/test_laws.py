"""What holds of all fourteen scanners, whatever they look for."""

from __future__ import annotations

import copy
import os
import pickle
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine.errors import ConfigurationError
from promptrails_engine.ports.scanner import Verdict
from promptrails_scanners import ban_topics, no_refusal, toxicity
from promptrails_scanners.foundation import classifier
from promptrails_scanners.foundation.sentences import sentences
from promptrails_scanners.foundation.views import View
from tests.scanners.data import rows_if_here
from tests.scanners.fourteen import NAMES, ODD, SAID, built, drawn
from tests.scanners.streams import released, whole

ROOT = Path(__file__).resolve().parents[2]
THREADS, TEXTS = 8, 300
CUTS = 1000
EACH = 4
"""So many texts of a language."""
SENTENCES: Mapping[str, Any] = {"redact_unit": "sentence"}
REDACTING: Mapping[str, Mapping[str, Any]] = {
    "bias": SENTENCES,
    "harmful": SENTENCES,
    "language": SENTENCES,
    "no_refusal": SENTENCES,
    "prompt_injection": SENTENCES,
    "ban_topics": SENTENCES,
}
"""What those need to take something out that judge whole texts."""
STREAMED: Mapping[str, Mapping[str, Any]] = {
    "ban_substrings": {},
    "invisible_text": {},
    "malicious_urls": {},
    "pii": {"occurrences": "found"},
    "secrets": {"occurrences": "after"},
    "sensitive": {"occurrences": "found"},
}
EMPTY = {
    "anonymize": "entities",
    "ban_substrings": "substrings",
    "ban_topics": "topics",
    "harmful": "categories",
    "language": "valid_languages",
    "pii": "entities",
    "secrets": "providers",
    "sensitive": "entities",
    "toxicity": "labels",
}
"""Options that say what to look for, and cannot be empty."""

KEPT = {"invisible_text"}
"""What it takes out may stand elsewhere, where it is of use."""

every_scanner = pytest.mark.parametrize("name", NAMES)


def gaps(text: str, verdict: Verdict) -> list[str]:
    """What stands before, between and after the findings."""
    ends = [0, *(one.end for one in verdict.findings)]
    return [
        text[start:end] for start, end in zip(ends, [*(one.start for one in verdict.findings), len(text)], strict=True)
    ]


@every_scanner
def test_a_verdict_fits_its_text_and_says_nothing_of_it(name: str) -> None:
    scanner = built(name, **REDACTING.get(name, {}))
    for text in [*ODD, *drawn(name, 60, 3)]:
        verdict = scanner.scan(text)
        assert 0.0 <= verdict.score <= 1.0
        places = [(one.start, one.end) for one in verdict.findings]
        assert all(0 <= start < end <= len(text) for start, end in places), ascii(text)
        assert all(before[1] <= after[0] for before, after in pairwise(places)), ascii(text)
        said = [verdict.reason, verdict.engine, *verdict.labels, *(one.type for one in verdict.findings)]
        values = [text[start:end] for start, end in places if end - start > 3]
        assert not [value for value in values if any(value.lower() in words.lower() for words in said)], said


@every_scanner
def test_what_is_not_found_stays_as_it_is(name: str) -> None:
    scanner = built(name, **REDACTING.get(name, {}))
    cut = 0
    for text in [*ODD, *drawn(name, 60, 3, seed=4)]:
        verdict = scanner.scan(text)
        if verdict.redacted is None:  # of insults that are told by no word
            assert name == "toxicity"
            continue
        kept = "(.*?)".join(map(re.escape, gaps(text, verdict)))
        assert re.fullmatch(kept, verdict.redacted, re.DOTALL), ascii(text)
        assert verdict.findings or verdict.redacted == text
        cut += len(verdict.findings)
    assert cut > 3


@every_scanner
def test_what_is_taken_out_is_gone(name: str) -> None:
    """No value stands anywhere in the rest as words of its own, no sentence as a sentence."""
    scanner = built(name, **REDACTING.get(name, {}))
    gone = 0
    for text in (f"{one} {one}" for one in drawn(name, 30, 3, seed=5)):
        verdict = scanner.scan(text)
        rest = verdict.redacted or ""
        values = {text[one.start : one.end] for one in verdict.findings if one.type != "LITERAL"}
        if name in KEPT:
            assert not scanner.scan(rest).triggered
        elif name in REDACTING:
            assert not values & {rest[start:end] for start, end in sentences(rest)}
        else:
            assert not [one for one in values if re.search(rf"(?<!\w){re.escape(one)}(?!\w)", rest)]
        gone += len(values)
    assert gone > 3


@pytest.mark.parametrize("name", STREAMED)
def test_any_cut_comes_to_the_whole(name: str) -> None:
    """A thousand cuts, between the halves of a surrogate pair, of a line's end and of a label, too."""
    scanner = built(name, **STREAMED[name])
    dice, cuts, found = random.Random(6), 0, 0
    for text in drawn(name, CUTS, 2, seed=7):
        at = sorted(dice.randrange(len(text) + 1) for _ in range(8))
        assert released(scanner, text, at) == whole(scanner, text), (at, ascii(text))
        assert in_parts(scanner.settled, scanner.scan, text, at) == scanner.scan(text).redacted, (at, ascii(text))
        found += len(scanner.scan(text).findings)
        cuts += len(at)
        if cuts >= CUTS:
            break
    assert found > 10


def in_parts(settled: Callable[[str], int | None], scan: Callable[[str], Verdict], text: str, cuts: list[int]) -> str:
    """The redacted parts that a stream lets go, each judged by itself."""
    out, held, after = "", "", 0
    for cut in cuts:
        held += text[after:cut]
        after = cut
        done = settled(held) or 0
        out += scan(held[:done]).redacted or ""
        held = held[done:]
    return out + (scan(held + text[after:]).redacted or "")


def test_the_rest_needs_the_whole_text() -> None:
    assert [name for name in NAMES if built(name, **STREAMED.get(name, {})).settled("") is not None] == sorted(STREAMED)


@every_scanner
def test_threads_get_what_one_gets(name: str) -> None:
    scanner, texts = built(name), [text[:40] for text in drawn(name, TEXTS, 1, seed=8)]
    alone = [scanner.scan(text) for text in texts]

    def turned(turn: int) -> list[Verdict]:
        return [scanner.scan(text) for text in texts[turn:] + texts[:turn]]

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-4)
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            turns = pool.map(turned, range(THREADS))
            for turn, verdicts in enumerate(turns):
                assert verdicts == alone[turn:] + alone[:turn]
    finally:
        sys.setswitchinterval(before)


# ------------------------------------------------------------------ options


@every_scanner
def test_a_misspelt_option_names_the_one_that_was_meant(name: str) -> None:
    for option in built(name).meta.config_fields:
        wrong = option[0] + option
        with pytest.raises(ConfigurationError, match=f"did you mean '{option}'"):
            built(name, **{wrong: 1})


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_to_look_for_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=EMPTY[name]):
        built(name, **{EMPTY[name]: []})


@every_scanner
def test_a_scanner_is_neither_pickled_nor_copied(name: str) -> None:
    """A vault would be lost, and what was built once would be built again without anybody knowing."""
    scanner = built(name)
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="build one from the same options"):
            way(scanner)


# ------------------------------------------------------------------ languages


def foreign() -> list[str]:
    """Texts in 75 languages where the labelled ones are here, else in a dozen scripts."""
    seen = Counter[str]()
    texts = [*SAID]
    for row in rows_if_here("language"):
        seen[row["lang"]] += 1
        if seen[row["lang"]] <= EACH:
            texts.append(row["text"])
    return texts


def no_view(view: View) -> None:
    """Nothing else to be read in it."""


def test_reading_through_disguises_flags_no_language_more(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = foreign()
    terms: Mapping[str, Any] = {"substrings": ["password", "damn", "hell", "arse"], "match_type": "word"}
    names = ("bias", "harmful", "toxicity", "no_refusal", "prompt_injection", "ban_topics")
    scanners = {name: built(name) for name in names} | {
        "ban_substrings": built("ban_substrings", **terms, normalise="aggressive")
    }
    after = {name: {text for text in texts if scanner.scan(text).triggered} for name, scanner in scanners.items()}
    for module in (classifier, toxicity, no_refusal, ban_topics):
        monkeypatch.setattr(module, "canonical", View)
    for module in (classifier, toxicity):
        monkeypatch.setattr(module, "deleeted", no_view)
    scanners["ban_substrings"] = built("ban_substrings", **terms)
    for name, scanner in scanners.items():
        new = [text for text in after[name] if not scanner.scan(text).triggered]
        assert len(new) <= len(texts) // 200, name


def test_a_dozen_scripts_are_harmless() -> None:
    for name in set(NAMES) - {"language", "pii", "sensitive", "anonymize"}:  # where names are looked for, and languages
        scanner = built(name)
        assert not [text for text in SAID if scanner.scan(text).triggered], name


# ------------------------------------------------------------------ processes

_DIGEST = """
import hashlib
from tests.scanners.fourteen import NAMES, built, drawn
for name in NAMES:
    scanner = built(name)
    said = "".join(ascii(scanner.scan(text)) for text in drawn(name, 8, 2))
    print(name, hashlib.sha256(said.encode()).hexdigest())
"""


def test_another_process_says_the_same() -> None:
    """Whatever order its sets have."""
    said = set[str]()
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", _DIGEST], capture_output=True, text=True, check=False, env=env, cwd=ROOT
        )
        assert done.returncode == 0, done.stderr
        said.add(done.stdout)
    assert len(said) == 1
    assert len(said.pop().splitlines()) == len(NAMES)
