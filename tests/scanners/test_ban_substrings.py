"""Banned terms: every place, exact offsets, whole words, disguises, and what a list may not be."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine.errors import ConfigurationError
from promptrails_engine.ports.scanner import Scanner
from promptrails_scanners.ban_substrings import META, build, scan
from promptrails_scanners.foundation.views import View
from promptrails_scanners.substrings.finder import Finder, folded
from promptrails_scanners.substrings.matchers import Alternation, Automaton
from tests.scanners.data import shared_rows
from tests.scanners.streams import released, whole

LETTERS = st.text(alphabet="abAB ßİſﬁé\u0301-_😀ก猫\n", max_size=40)
TERMS = st.lists(st.text(alphabet="abßiés -猫", min_size=1, max_size=4), min_size=1, max_size=6)


def found(text: str, **options: Any) -> list[str]:
    return [text[one.start : one.end] for one in scan(text, **options).findings]


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("Acme and ACME and pacmen", {}, ["Acme", "ACME", "acme"]),
        ("Acme and ACME and pacmen", {"case_sensitive": True, "substrings": ["Acme"]}, ["Acme"]),
        ("Acme and ACME and pacmen", {"match_type": "word"}, ["Acme", "ACME"]),
        ("acme_corp, acme2, 'acme'", {"match_type": "word"}, ["acme"]),
        ("acme\u0301 is another word", {"match_type": "word"}, []),
        ("C++, not C", {"substrings": ["c++"], "match_type": "word"}, ["C++"]),
        ("我喜歡猫咪", {"substrings": ["猫"], "match_type": "word"}, ["猫"]),
        ("ฉันรักแมวมาก", {"substrings": ["แมว"], "match_type": "word"}, ["แมว"]),
        ("😀 Straße 😀 STRASSE", {"substrings": ["strasse"]}, ["Straße", "STRASSE"]),
        ("in İSTANBUL", {"substrings": ["istanbul"]}, ["İSTANBUL"]),
        ("İİİ acme", {}, ["acme"]),
        ("aß", {"substrings": ["as"]}, []),
        ("abcd", {"substrings": ["abc", "bcd"]}, ["abcd"]),
        ("ababa", {"substrings": ["aba"]}, ["ababa"]),
        ("abab", {"substrings": ["ab"]}, ["ab", "ab"]),
        ("a.c abc", {"substrings": ["a.c"]}, ["a.c"]),
        ("the cats", {"substrings": ["cat", "the cat"], "match_type": "word"}, []),
        ("new york city", {"substrings": ["new york", "new york citys"], "match_type": "word"}, ["new york"]),
        ("Scunthorpe is a cunning town", {"substrings": ["cun"], "allow": ["scunthorpe"]}, ["cun"]),
        ("we classify", {"substrings": ["ass"], "allow": ["class"]}, []),
    ],
)
def test_every_place_is_found(text: str, options: dict[str, Any], expected: list[str]) -> None:
    assert found(text, **({"substrings": ["acme"]} | options)) == expected


@pytest.mark.parametrize(
    ("text", "normalise", "expected"),
    [
        ("the pаssword", "none", []),
        ("the pаssword", "unicode", ["pаssword"]),
        ("the p\u200bass\u00adword!", "unicode", ["p\u200bass\u00adword"]),
        ("the ｐａｓｓｗｏｒｄ", "unicode", ["ｐａｓｓｗｏｒｄ"]),
        ("the pássw\u0308ord", "unicode", ["pássw\u0308ord"]),
        ("a p a s s w o r d here", "unicode", ["p a s s w o r d"]),
        ("the p4ssw0rd", "unicode", []),
        ("the p4ssw0rd", "aggressive", ["p4ssw0rd"]),
        ("the P.4.S.S.W.0.R.D", "aggressive", ["P.4.S.S.W.0.R.D"]),
        ("пароль", "unicode", []),
    ],
)
def test_disguises(text: str, normalise: str, expected: list[str]) -> None:
    assert found(text, substrings=["password"], normalise=normalise) == expected


def test_what_is_written_in_disguise_itself_is_found_as_it_stands() -> None:
    assert found("a b c d and x y", substrings=["b c", "x y"], normalise="unicode") == ["b c", "x y"]
    assert found("by h4x0r", substrings=["h4x0r"], normalise="aggressive") == ["h4x0r"]


def test_all_of_them() -> None:
    options = {"substrings": ["red", "blue"], "contains_all": True}
    assert not scan("red, red", **options).triggered
    assert found("red and Blue", **options) == ["red", "Blue"]
    assert not scan("reddish blue", match_type="word", **options).triggered
    assert not scan("infrared blue", allow=["infrared"], **options).triggered
    assert build(options).settled("red and ") is None


def test_redaction_replaces_every_place() -> None:
    assert scan("Ab ab xAB", substrings=["ab"]).redacted == "[REDACTED] [REDACTED] x[REDACTED]"
    assert scan("Ab", substrings=["ab"], replacement="…").redacted == "…"
    assert scan("Ab", substrings=["ab"], redact=False).redacted is None
    assert scan("nothing", substrings=["ab"]).redacted == "nothing"
    assert scan("a red thing", substrings=["red", "["]).redacted == "a (removed) thing"
    assert scan("hellclass", substrings=["hellc", "ass"], allow=["class"]).redacted == "[REDACTED]l[REDACTED]"


def test_the_verdict_says_nothing_of_the_text() -> None:
    verdict = scan("my hidden word", substrings=["hidden"])
    assert (verdict.triggered, verdict.score) == (True, 1.0)
    assert "hidden" not in verdict.reason
    assert {one.type for one in verdict.findings} == {"BANNED_SUBSTRING"}
    assert not scan("my word", substrings=["hidden"]).triggered


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "substrings"),
        ({"substrings": []}, "substrings"),
        ({"substrings": [""]}, "substrings"),
        ({"substrings": "abc"}, "substrings"),
        ({"substrings": ["a"], "match_typ": "str"}, "did you mean 'match_type'"),
        ({"substrings": ["a"], "match_type": "regex"}, "match_type"),
        ({"substrings": ["a", "b"], "max_terms": 1}, "max_terms"),
        ({"substrings": ["x"], "replacement": ""}, "replacement"),
        ({"substrings": ["red"], "replacement": "(REDUCED)"}, "replacement"),
        ({"substrings": ["a["], "replacement": "[cut]"}, "replacement"),
        ({"substrings": ["x"], "replacement": "><"}, None),
    ],
)
def test_what_a_list_may_not_be(options: dict[str, Any], said: str | None) -> None:
    if said is None:
        build(options)
        return
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        build(options)


def test_other_names_of_options() -> None:
    assert scan("x", banned_words=["x"], normalize="unicode").triggered
    assert {"substrings", "match_type", "max_chars"} <= set(META.config_fields)


# ------------------------------------------------------------------ laws


def occurrences(text: str, term: str, *, words: bool) -> list[tuple[int, int]]:
    """What the definition says, character by character, for terms and texts whose case folds one to one."""
    places = [(at, at + len(term)) for at in range(len(text)) if text.lower().startswith(term.lower(), at)]
    return [place for place in places if not words or all(apart(text, at) for at in place)]


def apart(text: str, at: int) -> bool:
    return at in (0, len(text)) or not re.fullmatch(r"\w\w", text[at - 1 : at + 1])


@given(st.text("abAB _-.", max_size=30), st.lists(st.text("ab_-", min_size=1, max_size=4), min_size=1), st.booleans())
def test_it_is_the_definition(text: str, terms: list[str], words: bool) -> None:
    inside = {at for term in terms for start, end in occurrences(text, term, words=words) for at in range(start, end)}
    verdict = scan(text, substrings=terms, match_type="word" if words else "str", redact=False)
    assert {at for one in verdict.findings for at in range(one.start, one.end)} == inside
    assert all(one.end <= other.start for one, other in pairwise(verdict.findings))


@given(LETTERS, TERMS)
def test_both_matchers_agree(text: str, terms: list[str]) -> None:
    view = folded(View(text))
    written = sorted({folded(View(term)).text for term in terms})
    both = [
        {at for start, end in kind(written).places(view.text, None) for at in range(start, end)}
        for kind in (Alternation, Automaton)
    ]
    assert both[0] == both[1]


@given(LETTERS, TERMS, st.booleans(), st.sampled_from(["none", "unicode", "aggressive"]))
def test_redaction_leaves_nothing(text: str, terms: list[str], words: bool, normalise: str) -> None:
    options = {"substrings": terms, "match_type": "word" if words else "str", "normalise": normalise}
    scanner = build(options | {"replacement": "§"})
    verdict = scanner.scan(text)
    if verdict.redacted is None:
        assert normalise != "none"
        return
    assert not scanner.scan(verdict.redacted).triggered
    inside = {at for one in verdict.findings for at in range(one.start, one.end)}
    if normalise == "none":
        assert verdict.redacted.replace("§", "") == "".join(char for at, char in enumerate(text) if at not in inside)


@given(
    LETTERS,
    TERMS,
    st.lists(st.integers(0, 40), max_size=8),
    st.sampled_from(["str", "word"]),
    st.sampled_from(["none", "unicode", "aggressive"]),
    st.lists(st.text("ab\n ", min_size=1, max_size=5), max_size=2),
)
def test_a_stream_is_the_whole(
    text: str, terms: list[str], cuts: list[int], match_type: str, normalise: str, allow: list[str]
) -> None:
    options = {"substrings": terms, "match_type": match_type, "normalise": normalise, "allow": allow, "redact": False}
    scanner = build(options)
    assert released(scanner, text, cuts) == whole(scanner, text)


def test_a_stream_holds_back_no_more_than_may_become_a_term() -> None:
    scanner = build({"substrings": ["secret plan"]})
    assert scanner.settled("this is the se") == len("this is the ")
    assert scanner.settled("this is the set") == len("this is the set")
    lines = build({"substrings": ["secret plan"], "normalise": "unicode"})
    assert lines.settled("one line\nand a half") == len("one line\n")


# ------------------------------------------------------------------ cost


def many(count: int) -> list[str]:
    return [f"term{number:x}q" for number in range(count)]


@pytest.mark.parametrize("count", [2000, 5000])
def test_long_lists(count: int) -> None:
    scanner = build({"substrings": many(count), "match_type": "word"})
    text = f"a term{count - 1:x}q and term{count:x}q"
    assert [(one.start, one.end) for one in scanner.scan(text).findings] == [(2, 2 + len(f"term{count - 1:x}q"))]


@pytest.mark.parametrize("kind", [Alternation, Automaton])
def test_the_work_grows_with_the_text_alone(kind: type[Alternation] | type[Automaton]) -> None:
    terms = sorted("a" * length + "b" for length in range(1, 40))

    def looked(text: str) -> int:
        calls = 0

        def fits(start: int, end: int) -> bool:
            nonlocal calls
            calls += 1
            return False

        assert not list(kind(terms).places(text, fits))
        return calls

    once = looked(("a" * 50 + "b ") * 50)
    assert looked(("a" * 50 + "b ") * 100) == 2 * once


def test_threads_share_a_scanner() -> None:
    scanner: Scanner = build({"substrings": ["ab", "cd"], "normalise": "aggressive"})
    texts = [f"{'x' * (n % 7)} a{n} ab cd {n}" for n in range(300)]
    alone = [scanner.scan(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        for verdicts in pool.map(lambda _: [scanner.scan(text) for text in texts], range(8)):
            assert verdicts == alone


def test_finders_of_words_of_several_scripts() -> None:
    finder = Finder(["cat"], words=True)
    assert [place for place in finder.places(View("猫cat猫 cats"))] == [(1, 4)]


def test_labelled_texts() -> None:
    rows = shared_rows("ban_substrings")
    wrong = [row for row in rows if scan(row["text"], **row["options"]).triggered != bool(row["label"])]
    assert not wrong
