"""Weights of single words beside the hashed ones."""

from __future__ import annotations

from dataclasses import replace
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_scanners.foundation.linear import BITS, ZERO, Head, features, load, read, written
from promptrails_scanners.foundation.meanings import Meanings, meanings, print_of, unpacked

WORDS = {"kettle": 127, "crow": -127, "don't": 5, "tea": 0}


def head(meant: Meanings | None = None) -> Head:
    return Head("one", 0.1, -0.5, 2.0, {}, bytes([ZERO]) * (1 << BITS), meant)


@given(st.dictionaries(st.text(min_size=1), st.integers(-127, 127)))
def test_weights_read_are_those_written(weights: dict[str, int]) -> None:
    ours = meanings(weights, 0.25)
    assert unpacked(ours.packed(), 0.25) == ours


def test_a_word_has_its_weight_and_others_none() -> None:
    ours = meanings(WORDS, 0.5)
    assert {word: ours.weight(word) for word in WORDS} == WORDS
    assert ours.weight("don\u2019t") == 5
    assert ours.weight("teapot") == ours.weight("") == 0
    assert meanings({}, 1.0).weight("kettle") == 0


def test_of_two_words_with_one_print_the_first_counts() -> None:
    one, other = "besara", "bobekan"
    assert print_of(one) == print_of(other)
    assert meanings({one: 3, other: 9}, 1.0).weight(other) == 3


@pytest.mark.parametrize(
    "text", ["kettle", "Kettle kettle!", "a crow, a crow and a kettle", "tea?", "nothing of these"]
)
def test_distinct_words_move_the_sum_by_what_they_mean(text: str) -> None:
    words = features(text).words
    added = 0.5 * sum(WORDS.get(word, 0) for word in words) / sqrt(len(words))
    found = head(meanings(WORDS, 0.5)).total(features(text), {})
    assert found == pytest.approx(head().total(features(text), {}) + added)


def test_what_has_no_words_scores_the_bias() -> None:
    assert head(meanings(WORDS, 0.5)).total(features(" ... "), {}) == -0.5


def test_a_file_has_the_words_of_each_head_that_has_any() -> None:
    heads = [head(meanings(WORDS, 0.5)), head(), head(meanings({"owl": 1}, 2.0))]
    heads = [replace(one, name=str(at)) for at, one in enumerate(heads)]
    assert read(written(BITS, heads)) == heads


@pytest.mark.parametrize("name", ["toxicity", "harmful", "bias"])
def test_shipped_words_are_many_and_alike_where_they_mean_alike(name: str) -> None:
    meant = load(name)[name].meanings
    assert meant is not None
    assert len(meant.prints) > 20_000
    assert list(meant.prints) == sorted(set(meant.prints))
