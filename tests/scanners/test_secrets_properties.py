"""Secrets: what holds of any text, cut in any way, and of any length."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrails_scanners import secrets
from promptrails_scanners.credentials import structures
from tests.scanners.drawn import HEX, LETTERS, drawn, github, jwt, pem
from tests.scanners.streams import released, whole

_PIECES = [
    "the answer is ",
    "no. ",
    "\r\n",
    "\n",
    " ",
    "API_KEY=",
    "password: ",
    "'",
    '"',
    "datadog key ",
    "Authorization: ",
    "Bearer ",
    "user = 'karlotta'\n",
    "tr0ub4dor&3",
    "https://",
    "deploy:" + drawn(14),
    "@host.internal/x ",
    github(),
    github()[:20],
    drawn(32, HEX),
    drawn(24),
    drawn(44, LETTERS + "+/"),
    jwt(),
    pem(3),
    pem(3)[:90],
    "-----END RSA PRIVATE KEY-----",
    "AKIA",
    drawn(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
    "\U0001f468\u200d\U0001f469",
    "\u0130\u00df",
    "machine h login karlotta password ",
    "2026-11-23 ",
    "wqzklvbt\n",
]
texts = st.lists(st.sampled_from(_PIECES) | st.text(max_size=12), max_size=14).map("".join)
scanner = secrets.build({})
after = secrets.build({"repeats": "after"})


@given(texts)
def test_outside_the_places_the_text_stays(text: str) -> None:
    verdict = scanner.scan(text)
    assert verdict.redacted is not None
    rest, at, out = verdict.redacted, 0, []
    for one in verdict.findings:
        assert at <= one.start < one.end <= len(text)
        out += text[at : one.start], f"[{one.type}]"
        at = one.end
    assert rest == "".join([*out, text[at:]])


@given(texts)
def test_no_value_that_was_taken_out_remains(text: str) -> None:
    verdict = scanner.scan(text)
    assert verdict.redacted is not None
    for one in verdict.findings:
        value = text[one.start : one.end]
        if len(value) >= 8 and any(map(str.isdigit, value)) and not any(map(str.isspace, value)):
            assert value not in verdict.redacted


@settings(max_examples=300)
@given(texts, st.lists(st.integers(0, 400), max_size=12), st.booleans())
def test_a_text_let_out_piece_by_piece_is_the_same(text: str, cuts: list[int], forward: bool) -> None:
    one = after if forward else scanner
    assert released(one, text, cuts) == whole(one, text)


def test_prose_is_let_go_up_to_its_last_words() -> None:
    text = "A quiet sentence without anything odd in it. " * 40
    settled = scanner.settled(text)
    assert settled is not None
    assert settled >= len(text) - 10


def test_an_open_private_key_is_held() -> None:
    text = "so here it comes\n" + pem(40)
    for cut in (60, 500, len(text) - 3):
        assert scanner.settled(text[:cut]) == text.index("-----BEGIN")


def test_with_own_patterns_the_whole_text_is_needed() -> None:
    assert secrets.build({"patterns": [{"name": "x", "pattern": "abc"}]}).settled("some text") is None


@pytest.mark.parametrize(
    "unit",
    ["a", "A1", "-", "=", "://", "eyJ", "pass", "password=", "key ", "'", '"', "$1$", "ghp_", "0", "/a", "user=x;",
     "-----BEGIN PRIVATE KEY-----", "\u00e9", ".", "@", "token: a1", "M.", "curl -u "],
)  # fmt: skip
def test_work_grows_with_the_text_alone(unit: str) -> None:
    """Counts steps, not seconds: patterns are tried at most so often per character, each within bounded reach."""
    for pattern in _all_patterns():
        assert not re.search(r"(?<!\\)[*+](?!\?)", _without_classes(pattern.pattern)), pattern.pattern
    text = unit * (20_000 // len(unit))
    assert secrets.scan(text).redacted is not None


def _all_patterns() -> list[re.Pattern[str]]:
    return [form.pattern for form in structures._FORMS]


def _without_classes(pattern: str) -> str:
    return re.sub(r"\[(?:\\.|[^\]\\])*\]|\\.", "", pattern)
