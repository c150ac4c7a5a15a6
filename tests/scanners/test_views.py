"""Views of a text: what is read, and where in the original it stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_scanners.foundation.origins import Origins
from promptrails_scanners.foundation.views import View, canonical, deleeted, folded

TEXTS = st.text("aAbі аß\u0130ſﬁé\u0301…½\u200b\U000e0041 .-_漢ก\ufb03\ufdfa\U0001d400ｆ가\u00ad\n1@", max_size=30)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("pass\u200bword", "password"),
        ("ｐáss\u0308 wоrd", "pass word"),
        ("i g n o r e it", "ignore it"),
        ("h o w  a r e  y o u ?  I ' m  o k", "how are you? I'm ok"),
        ("(s a y  a l l  o f  i t.)  now", "(say all of it.)  now"),
        ("d-r-o-p t-h-e r-u-l-e-s o-f it", "drop the rules of it"),
        ("s t o p\na n d  g o", "stop\nand go"),
        ("\U000e0068\U000e0069 there", "hi there"),
        ("Всё хорошо", "Всё хорошо"),
        ("하세요 ½ …", "하세요 1⁄2 ..."),
    ],
)
def test_what_is_read(text: str, read: str) -> None:
    assert canonical(text).text == read


@pytest.mark.parametrize(
    "text", ["A-Z, e.g. a b c", "1 2  3 4  5 6  7 8", "a  b  c  d  e  f  g", "+ - * / = < >", "1  2 3\n4  5 6\n7  8 9"]
)
def test_what_is_not_spelled_stays(text: str) -> None:
    assert canonical(text).text == text


@pytest.mark.parametrize("unit", ["a ", "a  ", "a b  ", ". ", "a.", "-a", "a\n"])
def test_long_runs_of_single_characters_are_read_once(unit: str) -> None:
    view = canonical(unit * 50_000)
    assert view.end == len(unit) * 50_000


@given(TEXTS)
def test_every_character_comes_from_somewhere(text: str) -> None:
    """In order, and none from nothing; what is read as it stands comes from where it stands."""
    for view in (folded(text), canonical(text), deleeted(canonical(text)) or View(text)):
        places = [view.origin(at, at + 1) for at in range(len(view.text))]
        assert all(0 <= start < end <= len(text) for start, end in places)
        assert places == sorted(places)
        assert all(view.origin(0, at + 1) == (places[0][0], end) for at, (_, end) in enumerate(places))
        assert view.end == len(text)


@given(TEXTS)
def test_a_letter_of_its_own_is_found_where_it_stands(text: str) -> None:
    text = f"{text} \u0436q\u0436 {text}"
    view = canonical(text)
    at = view.text.index("\u0436q\u0436")
    start, end = view.origin(at, at + 3)
    assert text[start:end] == "\u0436q\u0436"


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=20))
def test_origins_are_those_that_were_given(steps: list[tuple[int, int]]) -> None:
    origins, given_at = Origins(), {0: 0}
    at = origin = 0
    for further, skipped in steps:
        at, origin = at + further, origin + further + skipped
        origins.add(at, origin)
        given_at[at] = origin
    for place in range(at + 3):
        run = max(start for start in given_at if start <= place)
        assert origins[place] == given_at[run] + place - run
    assert [origins[start] for start, _ in origins.runs(0, at + 1)] == [of for _, of in origins.runs(0, at + 1)]
