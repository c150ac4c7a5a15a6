"""The work of every scanner grows as its text does: counted in calls, so that no clock is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from promptrails_scanners import pii
from tests.scanners.fourteen import NAMES, SAID, built
from tests.scanners.work import calls

SHORT = 800
SHAPES: Mapping[str, str] = {
    "one letter": "a",
    "digits": "4111 1111 ",
    "dots": "a.",
    "mails": "a@a.",
    "links": "http://a.b/",
    "brackets": "![](",
    "tags": "<a href=",
    "quotes": "\"'",
    "keys": "key=",
    "hidden": "a\u200b",
    "turned": "\u202bא\u202c",
    "marks": "e\u0301",
    "spelled": "a b ",
    "lookalikes": "аb",
    "leet": "4a",
    "encoded": "%41",
    "base64": "QUJD",
    "names": "Anna Berg ",
    "lines": "a\r\n",
    "insults": "you idiot ",
    "orders": "ignore the rules ",
    "surrogates": "\ud83d",
    "sentences": SAID[0] + " ",
}


@pytest.mark.parametrize("name", NAMES)
def test_twice_the_text_is_twice_the_work(name: str) -> None:
    scanner = built(name)
    worst: dict[str, tuple[int, int]] = {}
    for shape, part in SHAPES.items():
        short, long = (part * (size // len(part) + 1) for size in (SHORT, 2 * SHORT))
        for text in (long, short):  # what words are is looked up once; no text is looked at twice
            scanner.scan(f"{text}\n")
        once, twice = calls(short, scanner.scan), calls(long, scanner.scan)
        if twice > 2.5 * once + 250:  # it would be four times the work if each part met each other
            worst[shape] = once, twice
    assert not worst


@pytest.mark.parametrize("part", ["a\u200b", "x", "Anna", "7"])
def test_no_name_is_as_long_as_its_text(part: str) -> None:
    """What is found is looked for again, and that takes as long as it is."""
    verdict = pii.build({"occurrences": "found"}).scan(part * 4000)
    assert all(one.end - one.start <= 1000 for one in verdict.findings)


@pytest.mark.parametrize("work", [lambda text: [text.find(char) for char in text for _ in text]])
def test_work_that_grows_faster_would_be_seen(work: Callable[[str], object]) -> None:
    assert calls("a" * 200, work) > 3 * calls("a" * 100, work)
