"""What is asked of a text for less comes to what all of its signals say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_scanners import bias, toxicity
from promptrails_scanners.hate.signals import ruled, said, signals
from promptrails_scanners.hate.words import KINDS

RULED = ("you", "them", "counter", "denied", "aimed", "threat", "order", "general", "masked", "typical")
_WORDS = """
You you're y\u2019all they women all are typical you should be killed hang him get lost shut up f*** $#@! don\u2019t
don't idiot Idiots whore hate trash libtards Trumptards muslim jews kettle the of never hurt myth proud sexy corrupt
"""
WORDS = [*_WORDS.split(), *(listed.split()[0].rstrip("*") for listed in KINDS.values())]
AFTER = st.sampled_from([" ", " ", ". ", "\n", ", ", "!"])
TEXTS = st.lists(st.tuples(st.sampled_from(WORDS), AFTER), max_size=12).map(
    lambda drawn: "".join(word + after for word, after in drawn)
)


@given(TEXTS)
def test_each_rule_alone_says_what_it_says_among_all(text: str) -> None:
    found = signals(text)
    assert [name for name in RULED if ruled(text, name)] == [name for name in RULED if name in found]
    assert ruled(text, *RULED) == any(name in found for name in RULED)
    assert set(said(text)) == {kind for kind in (*KINDS, "fused") if kind in found}


TELLING = {
    *("slur", "insult", "obscene", "threat", "order", "masked", "fused"),
    *("hate and group", "worse and group", "scorn and you"),
}
SAYING = {"slur", "insult", "hate", "worse", "trait", "scorn", "violent", "threat", "general", "typical"}


@given(TEXTS)
def test_a_sentence_that_says_nothing_counts_as_nothing(text: str) -> None:
    found = set(signals(text))
    toxic = toxicity.Toxicity(toxicity.Options()).scores(text, 0.7)
    assert bool(max(toxic.values())) == bool(TELLING & found)
    biased = bias.Bias(bias.Options()).scores(text, 0.7)
    assert bool(max(biased.values())) == bool({"group", "slur"} & found and SAYING & found)


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_are_told_whatever_apostrophe_there_is(kind: str) -> None:
    word = KINDS[kind].split()[0].rstrip("*")
    assert kind in said(f"don\u2019t {word} don't")
