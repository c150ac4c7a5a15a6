"""Sentences that are passed over without being judged: the verdict is the one that judging them gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from promptrails_engine.ports.scanner import Scanner, Verdict
from promptrails_scanners import bias, toxicity
from promptrails_scanners.foundation.classifier import Classifier
from promptrails_scanners.foundation.sentences import sentences, stands_apart

_LISTED = """
you idiot idiots women are all lazy kill hate them the sex threat i'll i\u2019ll hurt shut up just scum trash
[TOXIC] [REDACTED] f*** f*ck sh!t $$$$ stra\u00dfe \u0130diot \u03a3 \u039f\u03a3 IDIOT go home Mr. No. worse biden
liar typical men nice weather today . ! ? \u3002 \uff01 .) ?" ... - ' , **
"""
_PARTS = _LISTED.split()
TEXTS = st.lists(
    st.tuples(st.sampled_from([*_PARTS, "x" * 310, "\n"]), st.sampled_from([" ", " ", " ", " ", "", ". ", "\n"])),
    max_size=60,
).map(lambda drawn: "".join(part + between for part, between in drawn))
OPTIONS: list[Mapping[str, Any]] = [
    {},
    {"redact_unit": "sentence"},
    {"threshold": 0.0},
    {"threshold": 0.3, "replacement": "[a. b]"},
    {"replacement": "up"},
]


class _Judging:
    """A scanner that judges every sentence."""

    def __init__(self, scanner: Scanner) -> None:
        assert isinstance(scanner, Classifier)
        scanner.quiet = _none  # type: ignore[method-assign]
        self.scan: Callable[[str], Verdict] = scanner.scan


def _none(text: str) -> None:
    return None


@pytest.mark.parametrize("given_options", OPTIONS, ids=str)
@pytest.mark.parametrize("module", [toxicity, bias], ids=lambda module: module.__name__)
def test_the_verdict_is_that_of_judging_every_sentence(module: Any, given_options: Mapping[str, Any]) -> None:
    scanner, judging = module.build(given_options), _Judging(module.build(given_options))

    @settings(max_examples=60)
    @example("Women are nice. " * 200 + "You idiot! " + "A day. " * 400)
    @example("x" * 599 + "idiot you are one. Go home, women are all lazy and I'll kill them. " * 30)
    @given(TEXTS)
    def agrees(text: str) -> None:
        assert scanner.scan(text) == judging.scan(text)

    agrees()


def test_most_sentences_are_passed_over() -> None:
    scanner = toxicity.build({})
    assert isinstance(scanner, Classifier)
    quiet = scanner.quiet("You idiot, this is nothing. The sun is out today. We went to the park.")
    assert quiet is not None
    assert [quiet(one) for one in ("You idiot, this is nothing.", "The sun is out today.")] == [False, True]


@pytest.mark.parametrize(
    ("text", "apart"),
    [
        ("One day. Two days.", [True, True]),
        ("\u4e00\u3002\u4e8c\u3002x", [True, True, True]),
        ("a" * 700, [False, False]),
        ("a" * 400 + " " + "b" * 300, [True, True]),
    ],
)
def test_pieces_of_long_words_do_not_stand_apart(text: str, apart: list[bool]) -> None:
    assert [stands_apart(text, start, end) for start, end in sentences(text)] == apart
