"""Scanners of personal data that are asked of the same text share what they found in it, and nothing else."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrails_scanners import anonymize, pii, sensitive
from promptrails_scanners.personal.europe import european
from promptrails_scanners.personal.rules import Rule
from promptrails_scanners.personal.world import worldwide

TEXT = (
    "Dear Ms. Petra Vandermeer, call 030 1234567 or (212) 555-0187. My SSN is 219-09-9998, the card is "
    "4111 1111 1111 1111; I live at 12 Baker Street, London. Joy went by Summer Lake. We owe Harper a lot."
)
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"names": "strict"},
    {"names": "thorough"},
    {"regions": ["DE"]},
    {"regions": ["US"]},
    {"entities": ["phone"]},
    {"exclude": ["person"]},
    {"threshold": 0.05},
    {"thresholds": {"PERSON": 0.01, "ADDRESS": 0.01}},
)


@pytest.mark.parametrize("module", [pii, sensitive, anonymize])
def test_what_others_asked_of_a_text_changes_nothing(module: ModuleType) -> None:
    build = module.build
    scanners = [build({"engine": "builtin", **options}) for options in OPTIONS]
    alone: list[Any] = []
    for at, scanner in enumerate(scanners):  # a text of its own for each, with nothing to find in what makes it so
        text = TEXT + " " * (at + 1)
        alone.append(scanner.scan(text).findings)
    for order in (range(len(scanners)), reversed(range(len(scanners)))):
        for at in order:
            assert scanners[at].scan(TEXT).findings == alone[at], OPTIONS[at]
    assert len(set(alone)) > 5


def test_threads_that_ask_at_once_are_told_the_same() -> None:
    texts = [f"{TEXT} Yours, number {at}" for at in range(24)]
    scanners = [one.build({"engine": "builtin"}) for one in (pii, sensitive, anonymize)]
    expected = [[one.scan(text + " ").findings for one in scanners] for text in texts]

    def read(text: str) -> list[Any]:
        return [one.scan(text).findings for one in scanners]

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(read, texts * 4))
    assert told == expected * 4


@settings(max_examples=8, deadline=None)
@given(st.data())
@pytest.mark.parametrize("rule", [*european(), *worldwide()], ids=lambda rule: rule.type)
def test_a_rule_is_left_out_only_where_it_cannot_match(rule: Rule, data: st.DataObject) -> None:
    inner = re.fullmatch(r"\(\?<!\\w\)(\(\?:.*\))\(\?!\\w\)", rule.shape, re.DOTALL)
    assert inner is not None
    shape = re.sub(r"\(\?<=[^)]*\)", "", inner[1])  # looking back only makes it match less
    value = data.draw(st.from_regex(re.compile(shape, re.IGNORECASE), fullmatch=True))
    digits, row = rule.digits
    rows = [len(one) for one in re.findall(r"\d+", value)]
    assert sum(rows) >= digits
    assert max(rows, default=0) >= row
