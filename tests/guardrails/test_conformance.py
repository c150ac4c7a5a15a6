"""The scanner of these tests keeps what the port promises, and the suite finds what does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from promptrails_engine import Finding, Verdict
from promptrails_engine.testing import ScannerConformance
from tests.guardrails.kit import Judge, Labels, Numbers, NumbersScanner


class TestNumbers(ScannerConformance):
    module = Numbers()
    config: ClassVar[dict[str, Any]] = {"replacement": "[N]"}
    found = ("call 5", "12 34", "5")
    clean = ("call me", "N")


class TestJudge(ScannerConformance):
    module = Judge()
    found = ("call 5",)
    clean = ("call me",)


class TestLabels(ScannerConformance):
    module = Labels()
    found = ("call 5",)
    clean = ("call me",)


class Faulty(Numbers):
    """A scanner with one fault."""

    def __init__(self, fault: Any) -> None:
        super().__init__()
        self.fault = fault

    def build(self, config: Mapping[str, Any]) -> NumbersScanner:
        fault, made = self.fault, super().build(config)

        class Changed(type(made)):  # type: ignore[misc]
            def scan(self, text: str) -> Verdict:
                verdict: Verdict = fault(text, super().scan(text))
                return verdict

        made.__class__ = Changed
        return made


FAULTS: dict[str, Any] = {
    "offsets beyond the text": lambda text, one: replace(one, findings=(Finding(0, len(text) + 1, "X"),)),
    "a score of two": lambda text, one: replace(one, score=2.0),
    "text in the reason": lambda text, one: replace(one, reason=text),
    "more is taken out": lambda text, one: replace(one, redacted=one.redacted[1:] if one.redacted else ""),
    "it stays": lambda text, one: replace(one, redacted=text),
    "it never triggers": lambda text, one: replace(one, triggered=False),
    "whole texts only": lambda text, one: one if len(text) > 5 else Verdict(False, 0.0, redacted=text),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(fault: str) -> None:
    class Suite(ScannerConformance):
        module = Faulty(FAULTS[fault])
        found = ("call 4711 now",)
        clean = ("call me",)

    suite = Suite()
    failed = []
    for name in dir(suite):
        if name.startswith("test_"):
            try:
                getattr(suite, name)()
            except AssertionError:
                failed.append(name)
    assert failed
