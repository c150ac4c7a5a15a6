"""What recognisers of personal data owe on texts that are easily misread."""

from __future__ import annotations

import math
import random
from base64 import b64encode
from typing import Any

import pytest

from promptrails_engine.errors import ConfigurationError
from promptrails_scanners import pii
from promptrails_scanners.anonymize import Vault
from promptrails_scanners.personal import shared, weights
from promptrails_scanners.personal.features import BUCKETS


def redacted(text: str, **options: Any) -> str:
    return pii.scan(text, **{"engine": "builtin", **options}).redacted or ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The salary cap 5000 was too low.", "The salary cap 5000 was too low."),
        ("I unpacked the zip in 2021 and left.", "I unpacked the zip in 2021 and left."),
        ("zip 10115 it is", "zip [ADDRESS_REDACTED] it is"),
        ("zip code 1234 it is", "zip code [ADDRESS_REDACTED] it is"),
        ("CAP 00184 it is", "CAP [ADDRESS_REDACTED] it is"),
    ],
)
def test_codes_of_places_are_not_years_and_sums(text: str, expected: str) -> None:
    assert redacted(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("phone (020 7946 0958) please", "phone ([PHONE_REDACTED]) please"),
        ("phone (020 7946 0958) x12 please", "phone [PHONE_REDACTED] please"),
        ("phone (020) 7946 0958 please", "phone [PHONE_REDACTED] please"),
        ("phone (020) 7946 (0958) please", "phone [PHONE_REDACTED] please"),
    ],
)
def test_a_telephone_number_is_taken_out_to_its_last_digit(text: str, expected: str) -> None:
    assert redacted(text, entities=["phone"]) == expected


def test_a_part_of_a_name_goes_where_the_name_went() -> None:
    def engine(text: str) -> list[tuple[int, int, str, float]]:
        return [(0, text.index(","), "PERSON", 1.0)]

    def left(text: str, **options: Any) -> str:
        found = redacted(text, engine=engine, entities=["person"], thresholds={"person": 1.0}, **options)
        return found.replace("[PERSON_REDACTED]", "_")

    assert left("Adaeze Okonkwo, ADAEZE, Adaeze's, okonkwo, Okonkwoville, O.-Okonkwo.") == (
        "_, ADAEZE, _'s, okonkwo, Okonkwoville, O.-_."
    )
    assert left("adaeze okonkwo, Adaeze, adaeze.") == "_, Adaeze, _."
    assert left("Dr. Will van London Street, Dr., Will it rain in London, van, Street?") == (
        "_, Dr., Will it rain in London, van, Street?"
    )
    assert left("Adaeze Okonkwo, Adaeze, Okonkwo.", allow=["adaeze"]) == "_, Adaeze, _."
    assert left("Adaeze Okonkwo, Adaeze, Okonkwo.", occurrences="found") == "_, Adaeze, Okonkwo."


def test_the_name_of_an_account_is_no_name_of_a_person() -> None:
    assert redacted("RT @susan_miller: thanks @thomas, see you") == "RT @susan_miller: thanks @thomas, see you"


def test_encoded_text_holds_no_address() -> None:
    for said in ("Ava and Emma want to know who is better at the game. They got 3 more berries.", "A 20-year annuity."):
        text = b64encode(said.encode()).decode()
        assert redacted(text, names="thorough", exclude=["person"]) == text


def test_no_part_of_words_is_left_by_a_partial_mask() -> None:
    def engine(text: str) -> list[tuple[int, int, str, float]]:
        return [(0, 11, "EMAIL_ADDRESS", 1.0), (13, len(text), "ORGANIZATION", 1.0)]

    options = {"entities": ["email"], "patterns": [{"name": "ORGANIZATION", "regex": "Bergs? & Sons, Utrecht"}]}
    assert redacted("ann at berg, Berg & Sons, Utrecht", engine=engine, mask="partial", **options) == (
        "***********, ********************"
    )


@pytest.mark.parametrize("times", [50, 500])
def test_a_long_text_is_read_as_a_short_one_is(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Also the second time, whether or not what was found in it is kept."""
    monkeypatch.setattr(shared, "MOST", 300)
    part = "Dear Mr. Okonkwo, your card 4111 1111 1111 1111 is blocked; write to ann.berg@example.org.\n"
    scanner = pii.build({"engine": "builtin"})
    one = scanner.scan(part).findings
    assert len(one) == 3
    for _ in range(2):
        many = scanner.scan(part * times).findings
        assert [(f.start % len(part), f.end % len(part), f.type) for f in many] == [
            (f.start, f.end, f.type) for f in one
        ] * times


def test_weights_are_read_as_they_were_written() -> None:
    lists: list[list[int]] = [[3, 260, 65_000], [], [0]]
    size = len(weights.LABELS)
    moves, starts = [[0.0] * size] * size, [0.0] * size
    written = weights.pack(lists, bytes(BUCKETS * size), 0.5, moves, starts)
    assert [list(some) for some in weights.unpack(written).lists] == lists
    dice = random.Random(7)
    signed = [dice.randint(-128, 127) for _ in range(BUCKETS * size)]
    drawn = weights.unpack(weights.pack(lists, bytes(one % 256 for one in signed), 0.5, moves, starts))
    for bucket in (0, 1, BUCKETS - 1):
        first, *others = signed[bucket * size : (bucket + 1) * size]
        lanes = [drawn.table[bucket] >> weights.LANE * at & weights.LANES for at in range(size - 1)]
        assert lanes == [weights.BIAS + other - first for other in others]
    for under in (0, 1, 2 * weights.EVEN):
        assert drawn.fall[under] == math.exp(-0.5 * under)
    with pytest.raises(ValueError, match="bytes must be in range"):  # two bytes hold no such gap
        weights.pack([[70_000], [], []], b"", 0.5, moves, starts)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"counts": {"PERSON": "many"}, "values": {}},
        {"counts": {"PERSON": 1}, "values": {"[PERSON_x]": ["PERSON", "Ann Berg"]}},
        {"counts": {"PERSON": 1}, "values": {"": ["PERSON", "Ann Berg"]}},
        {"counts": {"PERSON": 1}, "values": {"[PERSON_1]": "Ann Berg"}},
    ],
)
def test_what_is_no_dump_is_refused_without_a_word_of_it(data: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="no dump of a vault") as told:
        Vault.load(data)
    assert told.value.__context__ is None
    assert "Ann" not in str(told.value)


def test_names_in_a_row_are_taken_out_however_many_they_are() -> None:
    for name in ("Anna Berg", "Ann Berg John Smith Priya Sharma"):
        for many in (10, 60, 200):
            verdict = pii.scan(" ".join([name] * many), engine="builtin", entities=["person"])
            assert not set(name.split()) & set((verdict.redacted or "").split())
    assert not pii.scan("e\u0301" * 801, engine="builtin").triggered


@pytest.mark.parametrize("name", ["Carlos Garcia", "jürgen müller"])
def test_no_half_of_a_name_stays(name: str) -> None:
    assert redacted(f"Tell {name} that we agreed; contact: {name}", engine="builtin").count("[PERSON_REDACTED]") == 2
