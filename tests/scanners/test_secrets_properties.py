"""Secrets: what holds of any text, cut in any way, and of any length."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrails_engine.ports.scanner import Finding, Scanner
from promptrails_scanners import secrets
from promptrails_scanners.credentials import (
    finder,
    keys,
    nearby,
    passwords,
    pieces,
    repeats,
    structures,
    tokens,
    values,
)
from promptrails_scanners.credentials.repeats import is_distinct
from tests.scanners.drawn import HEX, LETTERS, drawn, github, jwt, pem
from tests.scanners.streams import apart, released, whole
from tests.scanners.work import calls

_PIECES = [
    "the answer is ",
    "no. ",
    "\r\n",
    "\n",
    " ",
    "API_KEY=",
    "password: ",
    "'",
    '"',
    "datadog key ",
    "Authorization: ",
    "Bearer ",
    "user = 'karlotta'\n",
    "tr0ub4dor&3",
    "https://",
    "deploy:" + drawn(14),
    "@host.internal/x ",
    github(),
    github()[:20],
    drawn(32, HEX),
    drawn(24),
    drawn(44, LETTERS + "+/"),
    jwt(),
    pem(3),
    pem(3)[:90],
    "-----END RSA PRIVATE KEY-----",
    "AKIA",
    drawn(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
    "\U0001f468\u200d\U0001f469",
    "\u0130\u00df",
    "machine h login karlotta password ",
    "2026-11-23 ",
    "A quiet sentence, with nothing odd in it, and another one that follows it here. ",
    "Datadog:\n",
    "jira\n",
    "[PASSWORD]",
    "\ud83d",
    'password: "two words"',
    "-----BEGIN PRIVATE KEY-----\n",
    "wqzklvbt\n",
]
texts = st.lists(st.sampled_from(_PIECES) | st.text(max_size=12), max_size=14).map("".join)
scanner = secrets.build({})
after = secrets.build({"occurrences": "after"})
found_only = secrets.build({"occurrences": "found"})
QUIET = "A quiet sentence without anything odd in it, and no more than that stands here. "


@given(texts)
def test_outside_the_places_the_text_stays(text: str) -> None:
    verdict = scanner.scan(text)
    assert verdict.redacted is not None
    rest, at, out = verdict.redacted, 0, []
    for one in verdict.findings:
        assert at <= one.start < one.end <= len(text)
        out += text[at : one.start], f"[{one.type}]"
        at = one.end
    assert rest == "".join([*out, text[at:]])


@given(texts)
def test_no_value_that_was_taken_out_remains(text: str) -> None:
    check_that_nothing_remains(text)


def check_that_nothing_remains(text: str) -> None:
    verdict = scanner.scan(text)
    assert verdict.redacted is not None
    for one in verdict.findings:
        value = text[one.start : one.end]
        if is_distinct(value):
            assert value not in verdict.redacted
        elif len(value) >= 8:
            assert value not in cut_after(text, verdict.findings, one.end)


def cut_after(text: str, found: Sequence[Finding], start: int) -> str:
    """What is left of the text from there on."""
    parts: list[str] = []
    for one in found:
        if one.end > start:
            parts += text[start : max(start, one.start)], "[]"
            start = one.end
    return "".join([*parts, text[start:]])


@pytest.mark.parametrize(
    "text",
    [
        "password: ::????@\u00b2\r::????@\u00b2",
        "Zk3!pQ9v.LL\npassword: 'Zk3!pQ9v.LL'\nxZk3!pQ9v.LLx",
        "it is wqzklvbt!\nDB_PASSWORD=wqzklvbt\nand wqzklvbts",
        'password: "two words", and two words, two wordsmiths',
        "postgres://u:\u0669\u0661\u0664\u0662wkqzvj@host/x and \u0669\u0661\u0664\u0662wkqzvj",
    ],
)
def test_values_of_every_kind_are_taken_out_wherever_they_stand(text: str) -> None:
    assert scanner.scan(text).triggered
    check_that_nothing_remains(text)


def test_short_values_and_words_are_taken_out_from_where_they_are_found_on() -> None:
    text = "tr0ub4d and wqzklvbt; password: 'tr0ub4d', DB_PASSWORD=wqzklvbt\n: tr0ub4d, tr0ub4ds, (wqzklvbt)"
    assert secrets.scan(text).redacted == (
        "tr0ub4d and wqzklvbt; password: '[PASSWORD]', DB_PASSWORD=[PASSWORD]\n: [PASSWORD], tr0ub4ds, ([PASSWORD])"
    )
    found = "tr0ub4d and wqzklvbt; password: '[PASSWORD]', DB_PASSWORD=[PASSWORD]\n: tr0ub4d, tr0ub4ds, (wqzklvbt)"
    assert secrets.scan(text, occurrences="found").redacted == found


# ------------------------------------------------------------------ texts that grow


def cut_up(text: str, dice: random.Random) -> list[str]:
    cuts = sorted(dice.randrange(len(text) + 1) for _ in range(dice.choice((1, 2, 5, 20, 60))))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@pytest.mark.once
@pytest.mark.parametrize("one", [scanner, after, found_only], ids=["everywhere", "after", "found"])
def test_a_thousand_cuts_come_to_the_same(one: Scanner) -> None:
    dice = random.Random(11)
    for _ in range(100):
        text = "".join(dice.choice(_PIECES) for _ in range(dice.randrange(2, 40)))
        expected = one.scan(text).redacted
        for _ in range(10):
            parts = cut_up(text, dice)
            assert apart(one, parts) == expected, parts


@settings(max_examples=200)
@given(texts, st.integers(0, 1 << 30), st.sampled_from([scanner, after, found_only]))
def test_any_text_cut_anywhere_comes_to_the_same(text: str, seed: int, one: Scanner) -> None:
    assert apart(one, cut_up(text, random.Random(seed))) == one.scan(text).redacted


@settings(max_examples=200)
@given(texts, st.lists(st.integers(0, 400), max_size=12), st.sampled_from([scanner, after, found_only]))
def test_what_is_settled_stays_so(text: str, cuts: list[int], one: Scanner) -> None:
    assert released(one, text, cuts) == whole(one, text)


def test_prose_is_let_go_up_to_its_last_words() -> None:
    text = "A quiet sentence without anything odd in it. " * 40
    settled = scanner.settled(text)
    assert settled is not None
    assert settled >= len(text) - 10


def test_after_a_secret_a_stream_is_held_unless_it_is_only_taken_out_where_it_is_found() -> None:
    text = QUIET * 3 + f"\nclient_secret = '{drawn(40)}'\n" + QUIET * 9
    for one in (scanner, after):
        assert 0 < (one.settled(text) or 0) <= text.index("client_secret")
    assert (found_only.settled(text) or 0) > len(text) - len(QUIET) * 2


def test_what_may_turn_out_to_be_a_secret_is_held_where_values_count_everywhere() -> None:
    text = QUIET * 3 + f"\nit reads {drawn(40)} there.\n" + QUIET * 9
    assert 0 < (scanner.settled(text) or 0) <= text.index("it reads")
    assert (after.settled(text) or 0) > len(text) - len(QUIET) * 2


def test_names_before_a_value_are_held_with_it() -> None:
    value = drawn(32, HEX)
    for name in ("Datadog: ", "Datadog:\n\n", "jira\n", "the api key is:\n", "curl -u karlotta:"):
        text = QUIET + "\n" + name + value
        expected = scanner.scan(text).redacted
        assert expected is not None
        assert value not in expected
        assert apart(scanner, list(text)) == expected


def test_an_open_private_key_is_held() -> None:
    text = QUIET * 3 + "\n" + pem(40)
    for cut in (300, 600, len(text) - 3):
        assert scanner.settled(text[:cut]) == len(QUIET) * 3
        assert found_only.settled(text[:cut]) == len(QUIET) * 3
    assert found_only.settled(text + "\n" + QUIET * 9) > text.index("-----END")  # type: ignore[operator]


def test_a_private_key_without_an_end_is_held_to_a_cap_and_then_not_given_back() -> None:
    body = "\n".join(drawn(64, LETTERS + "+/", seed) for seed in range(keys.LONGEST // 64))
    text = QUIET + "\n-----BEGIN PRIVATE KEY-----\n" + body
    begin = text.index("-----BEGIN")
    assert (scanner.settled(text[: begin + keys.LONGEST - 1]) or 0) <= begin
    settled = scanner.settled(text)
    assert settled == begin + keys.LONGEST
    for verdict in (scanner.scan(text), scanner.scan(text[:settled])):
        assert verdict.triggered
        assert verdict.redacted is None  # which blocks
        assert "too long" in verdict.reason


def test_a_private_key_that_was_cut_short_ends_where_its_body_does() -> None:
    key = pem(4).partition("\n-----END")[0]
    text = f"{key}\n\nThat is the whole of it: /usr/share/documentation is not a part of the key.\n"
    assert secrets.scan(text).redacted == "[PRIVATE_KEY]" + text[len(key) :]
    assert secrets.scan(key[:-40] + "\nand so on").redacted == "[PRIVATE_KEY]\nand so on"


@pytest.mark.parametrize("between", ["\n", "\r\n", "\\n", "<br>", "&#10;", '",\n  "', "\n> ", "\n\n", "   \n\t"])
def test_private_keys_are_found_however_their_lines_are_parted(between: str) -> None:
    key = pem(6).replace("\n", between)
    assert secrets.scan(f"so: {key}.").redacted == "so: [PRIVATE_KEY]."


@pytest.mark.parametrize(
    "head",
    [
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A1B2C3D4E5F6071\n\n",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\nVersion: GnuPG v2 (GNU/Linux)\nComment: of the tests\n\n",
        "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: aes256-cbc\nComment: of the tests\nPublic-Lines: 2\n",
    ],
)
def test_private_keys_with_headers_of_their_own(head: str) -> None:
    key = head + "\n".join(drawn(64, LETTERS + "+/", seed) for seed in range(5))
    assert secrets.scan(f"{key}\nend of it").redacted == "[PRIVATE_KEY]\nend of it"


def test_with_own_patterns_the_whole_text_is_needed() -> None:
    assert secrets.build({"patterns": [{"name": "x", "pattern": "abc"}]}).settled("some text") is None


# ------------------------------------------------------------------ long texts

_ON_SHORT_TEXTS = {"_SEGMENT", "_BLANK", "_PART", "_ASSIGNED", "_SPAN_OF_WORDS", "_LINE", "_DOTTED", "_WORD", "_NAME"}
"""Patterns that are matched on what stands shortly before a value, or on a value, which is of bounded length."""
_OF_ONE_SET = {"_RUN", "_LETTERS", "_HEX"}
"""Patterns that are one repeated set of characters: each character is read once."""


def test_patterns_that_go_through_a_text_have_no_repeat_without_an_end() -> None:
    modules = (finder, keys, nearby, passwords, pieces, repeats, structures, tokens, values)
    named = {
        f"{module.__name__}.{name}": value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, re.Pattern) and name not in _ON_SHORT_TEXTS | _OF_ONE_SET
    }
    table = tokens._table()
    rules = [rule for theirs in table.rules.values() for rule in theirs] + list(table.inner.values())
    patterns = [*named.values(), *(rule.pattern for rule in rules), *(form.pattern for form in structures._FORMS)]
    assert len(patterns) > 300
    for pattern in patterns:
        assert not re.search(r"(?<!\\)(?:[*+]|\{\d*,\})", _without_classes(pattern.pattern)), pattern.pattern


def _without_classes(pattern: str) -> str:
    return re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "", pattern)


@pytest.mark.parametrize(
    "unit",
    ["a", "A1", "-", "=", "://", "eyJ", "pass", "password=", "key ", "'", '"', "$1$", "ghp_", "0", "/a", "user=x;",
     "-----BEGIN PRIVATE KEY-----", "PuTTY-User-Key-File-1:" + "A" * 16, "\u00e9", ".", "@", "token: a1", "M.",
     "curl -u ", "password=abcd1 #", "api\n", "datadog\n", "sk_live_", "://u:p1@h ", "password: x1y2z3w4\n"],
)  # fmt: skip
def test_work_grows_with_the_text_alone(unit: str) -> None:
    """Counts the calls that are made, not seconds."""
    short, long = unit * (6000 // len(unit)), unit * (6000 // len(unit)) * 2
    assert seen(long) <= 2.3 * seen(short) + 200


def seen(text: str) -> int:
    """The calls for a text that has been seen before."""
    looks = (scanner.scan, scanner.settled)
    for look in looks:
        look(text)
    return calls(text, *looks)
