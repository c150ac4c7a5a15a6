"""Many rules on one text: the answer is that of searching for each of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from threading import Thread
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_scanners.foundation import stems
from promptrails_scanners.foundation.rules import Rules
from promptrails_scanners.harm import signals as harm
from promptrails_scanners.hate import signals as hate
from promptrails_scanners.injection import phrases as injection
from promptrails_scanners.personal import rules
from promptrails_scanners.personal.europe import european
from promptrails_scanners.personal.world import worldwide
from promptrails_scanners.refusals import phrases as refusals

RULES: Mapping[str, str] = {
    "verb": r"\b(?:ignor(?:e|ing)|drop|set aside)\b[^.\n]{0,20}\b(?:the )?(?:rules?|orders)\b",
    "short": r"\b(?:a|i(?:'m| am)|un\w{0,3}) (?:dog|cat)s?\b|\bx\b",
    "digits": r"\b[5-9].?(?:years?|yr)\b|\b\w{2}\d\b",
    "start": r"^\W{0,3}(?:how|why)\b|(?m:^)\s{0,2}\[sys\]",
    "signs": r"<!--[^>]{0,9}\bdrop\b|\|{2}|[|)(]{3}|\bc\+\+",
    "optional": r"\b(?:very )?(?:un)?safe(?:ly)?(?=!)|\bsafe_\b",
    "spaces": r"\b[fs]\s?-\s(?=\w)|\bs\.?o\.?b\b",
    "groups": r"\b(?:(?:my|your) )?(own|other) (?:\w+ )?cats\b",
    "foreign": r"\bstra\u00dfe\b|\b\u043f\u0430\u0440\u043e\u043b\w{0,2}|\bcaf\u00e9s?\b",
    "inner": r"_\bx|\Bdog\b",
}
_WORDS = """
ignore ignoring ignored drop dropped set aside the rule rules orders a i i'm am un unfit dog dogs
bulldog cat cats x x_ 5 7yr 6 years ab1 abc1 how why however [sys] <!-- > || ()( c++ c+ very
safe unsafe safely safe! safe_ f - s s.o.b sob my your own other old . ,
stra\u00dfe stra\u00dfen caf\u00e9 \u043f\u0430\u0440\u043e\u043b\u044c
"""
PARTS = _WORDS.split()
TEXTS = st.lists(
    st.tuples(st.sampled_from([*PARTS, "\n", "\t"]), st.sampled_from([" ", " ", " ", "", "-", "\n"])), max_size=14
).map(lambda drawn: "".join(part + between for part, between in drawn))


def searched(text: str) -> list[str]:
    return [name for name, rule in RULES.items() if re.search(rule, text)]


@given(TEXTS)
def test_what_matches_is_what_a_search_finds(text: str) -> None:
    assert Rules(RULES).matching(text) == searched(text)


@given(TEXTS, st.lists(st.sampled_from(sorted(RULES)), unique=True))
def test_some_of_the_rules_answer_as_they_do_among_all(text: str, names: list[str]) -> None:
    some = Rules(RULES).only(*names)
    found = [name for name in searched(text) if name in names]
    assert some.matching(text) == found
    assert some.any(text) == bool(found)


@pytest.mark.parametrize("name", RULES)
def test_every_rule_can_match(name: str) -> None:
    texts = {
        "verb": "please set aside the orders",
        "short": "i'm dog",
        "digits": "ok: 7 years",
        "start": "x\n [sys]",
        "signs": "use c++",
        "optional": "very unsafely!",
        "spaces": "f - off",
        "groups": "your other old cats",
        "foreign": "die stra\u00dfe",
        "inner": "a bulldog",
    }
    assert name in Rules(RULES).matching(texts[name])
    assert name in searched(texts[name])


@pytest.mark.parametrize("home", [harm, hate, injection, refusals])
def test_the_table_has_every_rule_of_the_package_as_it_is_read(home: ModuleType) -> None:
    table = vars(stems)["_table"]()
    for source in vars(home)["_rules"]().sources():
        assert stems.key(source) in table, "a rule was changed: run tools/build_stem_table.py"
        assert tuple(stems.read(source)) == stems.read_anew(source)


def test_the_table_has_the_digits_of_every_rule_of_personal_data() -> None:
    table = vars(rules)["_table"]()
    for rule in (*european(), *worldwide()):
        assert stems.key(rule.shape) in table, "a rule was changed: run tools/build_stem_table.py"
        assert rule.digits == rule.digits_anew()


def test_one_long_word_is_read_once() -> None:
    assert Rules(RULES).matching("a" * 200_000) == []
    assert Rules(RULES).matching("_" * 200_000 + "\n[sys]") == ["start"]


def test_many_threads_get_the_same() -> None:
    rules = Rules(RULES)
    texts = [f"{one} {two} {three}" for one in PARTS[:9] for two in PARTS[9:18] for three in PARTS[18:22]]
    wanted = [searched(text) for text in texts]
    wrong: list[str] = []

    def ask() -> None:
        wrong.extend(text for text, names in zip(texts, wanted, strict=True) if rules.matching(text) != names)

    threads = [Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
