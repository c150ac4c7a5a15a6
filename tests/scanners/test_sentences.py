"""Sentences and windows with their places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_scanners.foundation.sentences import LONGEST, sentences, windows

TEXTS = st.text(alphabet=st.sampled_from("ab .!?\n\"'\u3002\u0964\t\u00e9\U0001f600"), max_size=400)


def said(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("One. Two! Three? Four", ["One.", "Two!", "Three?", "Four"]),
        ('He said "no." Then he left.', ['He said "no."', "Then he left."]),
        ("Dr. Lee met J. Smith. Fine.", ["Dr. Lee met J. Smith.", "Fine."]),
        ("It costs 3.50 at example.com today. Yes.", ["It costs 3.50 at example.com today.", "Yes."]),
        ("a line\nanother line\n\n  third", ["a line", "another line", "third"]),
        ("\u4f60\u597d\u3002\u518d\u89c1\u3002", ["\u4f60\u597d\u3002", "\u518d\u89c1\u3002"]),
        ("  \n ", []),
    ],
)
def test_sentences_end_where_a_reader_ends_them(text: str, parts: list[str]) -> None:
    assert said(text) == parts


@given(TEXTS)
def test_between_sentences_is_only_white_space(text: str) -> None:
    after = 0
    for start, end in sentences(text):
        assert after <= start < end
        assert not text[after:start].strip()
        assert text[start:end] == text[start:end].strip()
        after = end
    assert not text[after:].strip()


@pytest.mark.parametrize("text", ["x" * 5000, "word " * 1000, "." * 5000, "a\n" * 3000])
def test_no_sentence_is_too_long(text: str) -> None:
    parts = said(text)
    assert max(map(len, parts)) <= LONGEST
    assert "".join("".join(parts).split()) == "".join(text.split())


@given(st.integers(0, 300), st.integers(1, 50), st.integers(1, 50))
def test_windows_leave_nothing_out(length: int, size: int, step: int) -> None:
    text = "x" * length
    step = min(step, size)
    seen = set[int]()
    for start, end in windows(text, size, step):
        assert end - start <= size
        seen.update(range(start, end))
    assert seen == set(range(length))
