"""Topics by name, description, words and examples; what is allowed only; sentences taken out."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine.errors import ConfigurationError
from promptrails_scanners.ban_topics import META, build, scan
from promptrails_scanners.topics.words import Vocabulary, fields, stem, words_of
from tests.scanners.data import shared_rows

ORCHIDS = (
    "How often should I water a phalaenopsis in winter?",
    "The leaves of my cattleya turned yellow after repotting.",
    "Which bark mix is best for repotting a dendrobium?",
    "My moth orchid lost all its blooms, when will the spike grow back?",
    "Aerial roots of the vanda are shrivelled, should I soak them?",
    "Does an oncidium need a dry rest before it blooms?",
)


@pytest.mark.parametrize(
    ("topics", "text", "expected"),
    [
        (["politics"], "Who do you think will win the senate election?", True),
        (["politics"], "How long do I boil an egg?", False),
        (["weapons and explosives"], "Which rifle has the longest range?", True),
        (["religion"], "Read me a verse of the Quran.", True),
        (["cooking"], "Is there a recipe with leftover rice?", True),
        (["cooking"], "Compile the module again.", False),
        (["beekeeping"], "Is beekeeping hard?", True),
        (["politics", "cooking"], "Is there a recipe with leftover rice?", True),
        ([{"name": "our plans", "words": ["Project Falcon"]}], "Tell me about project falcon.", True),
        ([{"name": "our plans", "words": ["Project Falcon"]}], "A falcon is a bird.", False),
        ([{"name": "x", "description": "anything about sailing boats"}], "We bought sailing boats.", True),
        (["politics"], "Who will win the e\u0301lection for s\u0435nate?", True),
    ],
)
def test_topics_by_words(topics: list[Any], text: str, expected: bool) -> None:
    assert scan(text, topics=topics).triggered is expected


def test_examples_teach_a_topic_that_no_word_list_knows() -> None:
    plain = build({"topics": ["orchid care"]})
    taught = build({"topics": [{"name": "orchid care", "examples": ORCHIDS}]})
    asked = "When should I repot my phalaenopsis, and with which bark?"
    assert not plain.scan(asked).triggered
    assert taught.scan(asked).triggered
    for other in ("When will my parcel arrive?", "Who won the football match?", "Write a function that sorts a list."):
        assert not taught.scan(other).triggered


def test_counter_examples_narrow_it() -> None:
    near = ("How often should I water a cactus?", "How often should I water my tomatoes in winter?")
    options = {"name": "orchid care", "examples": ORCHIDS}
    before = scan("How often should I water tomatoes?", topics=[options]).score
    after = scan("How often should I water tomatoes?", topics=[{**options, "counter_examples": near}]).score
    assert after < before


def test_one_sentence_in_a_long_text_counts() -> None:
    text = " ".join(["The meadow was green and the air was still."] * 60)
    topics = ["gambling"]
    assert not scan(text, topics=topics).triggered
    assert scan(f"{text} Which casino has the best roulette odds? {text}", topics=topics).triggered


def test_only_some_topics_are_allowed() -> None:
    scanner = build({"topics": ["cooking", "travel"], "mode": "allow_only"})
    assert not scanner.scan("Is there a recipe with leftover rice?").triggered
    assert not scanner.scan("Which airline flies there?").triggered
    assert scanner.scan("Who do you think will win the senate election?").triggered
    assert not scanner.scan("Thank you").triggered


def test_sentences_are_taken_out() -> None:
    text = "Good morning 😀. Which casino has the best roulette odds? Thank you."
    verdict = scan(text, topics=["gambling"], match_type="sentence")
    assert [text[one.start : one.end] for one in verdict.findings] == ["Which casino has the best roulette odds?"]
    assert verdict.redacted == "Good morning 😀. [TOPIC_REDACTED] Thank you."
    assert not scan(verdict.redacted, topics=["gambling"], match_type="sentence").triggered
    assert scan("Good morning.", topics=["gambling"], match_type="sentence").redacted == "Good morning."
    full = scan(text, topics=["gambling"])
    assert (full.findings, full.redacted) == ((), None)


def test_a_text_that_triggers_as_a_whole_is_cut_by_sentence() -> None:
    text = "Good morning 😀. Which casino has the best roulette odds? Thank you."
    options: dict[str, Any] = {"topics": ["gambling"], "redact_unit": "sentence"}
    verdict = scan(text, **options)
    assert [text[one.start : one.end] for one in verdict.findings] == ["Which casino has the best roulette odds?"]
    assert verdict.redacted == "Good morning 😀. [TOPIC_REDACTED] Thank you."
    assert scan("Good morning.", **options).redacted == "Good morning."
    together = "The odds were long. The dealer smiled. He put all his chips on red."
    assert scan(together, **options).triggered
    assert scan(together, **options).redacted == "[TOPIC_REDACTED]"  # no sentence alone tells it
    allowed = scan(text, topics=["cooking"], mode="allow_only", redact_unit="sentence")
    assert (allowed.triggered, allowed.redacted) == (True, "[TOPIC_REDACTED]")


def test_thresholds_and_labels() -> None:
    topics = [{"name": "cooking", "threshold": 1.0}, "travel"]
    verdict = scan("A recipe for the flight", topics=topics)
    assert set(verdict.labels) == {"cooking", "travel"}
    assert verdict.reason == "the text is about a banned topic: travel"
    assert not scan("A recipe", topics=["cooking"], threshold=0.99).triggered


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "topics"),
        ({"topics": []}, "topics"),
        ({"topics": [""]}, "topics"),
        ({"topics": [{"title": "x"}]}, "topics"),
        ({"topics": ["x"], "mod": "ban"}, "did you mean 'mode'"),
        ({"topics": ["x"], "threshold": 2}, "threshold"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        build(options)
    assert "topics" in META.config_fields


@given(st.text(max_size=200), st.sampled_from(["full", "sentence"]))
def test_any_text_has_a_verdict(text: str, match_type: str) -> None:
    verdict = scan(text, topics=["politics"], match_type=match_type)
    assert 0 <= verdict.score <= 1
    if match_type == "sentence" and verdict.redacted is not None:
        kept = "".join(text[at] for at in outside(verdict.findings, len(text)))
        assert verdict.redacted.replace("[TOPIC_REDACTED]", "") == kept.replace("[TOPIC_REDACTED]", "")


def outside(findings: Any, length: int) -> list[int]:
    inside = {at for one in findings for at in range(one.start, one.end)}
    return [at for at in range(length) if at not in inside]


def test_forms_of_a_word_are_one() -> None:
    for forms in ("bet bets betting", "recipe recipes", "party parties", "invest invests investing invested"):
        assert len({stem(form) for form in forms.split()}) == 1, forms


def test_every_field_has_names_and_terms() -> None:
    assert len(fields()) > 30
    for field in fields():
        assert field.names
        assert field.terms


def test_the_same_word_again_tells_no_more() -> None:
    vocabulary = Vocabulary({("casino",): 0.5, ("slot", "machin"): 0.5})
    assert vocabulary.score(words_of("casino " * 5)) == 0.5
    assert vocabulary.score(words_of("casino slot machines")) == 0.75
    assert vocabulary.score(words_of("a slot in a machine")) == 0


def test_threads_share_a_scanner() -> None:
    scanner = build({"topics": [{"name": "orchid care", "examples": ORCHIDS}, "politics"]})
    texts = [f"{n} {ORCHIDS[n % 6]} the election" for n in range(60)]
    alone = [scanner.scan(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        for verdicts in pool.map(lambda _: [scanner.scan(text) for text in texts], range(8)):
            assert verdicts == alone


def test_labelled_texts() -> None:
    found = Counter(
        (scan(row["text"], **row["options"]).triggered, bool(row["label"])) for row in shared_rows("ban_topics")
    )
    hits, misses, false, right = found[True, True], found[False, True], found[True, False], found[False, False]
    assert 2 * hits / (2 * hits + misses + false) >= 0.75
    assert false / (false + right) <= 0.05
