from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrails_engine.errors import ConfigurationError
from promptrails_engine.ports.scanner import Scanner, Verdict
from promptrails_scanners import pii, sensitive
from promptrails_scanners.personal.recogniser import pieces
from tests.scanners.data import shared_rows

VALUES = {
    "EMAIL_ADDRESS": "mara.olin@example.org",
    "CREDIT_CARD": "4111 1111 1111 1111",
    "IBAN_CODE": "DE89 3704 0044 0532 0130 00",
    "US_SSN": "536-22-8173",
    "IP_ADDRESS": "203.0.113.77",
    "MAC_ADDRESS": "00:1b:44:11:3a:b7",
    "CRYPTO": "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
    "PHONE_NUMBER": "+44 20 7946 0958",
    "ES_NIF": "12345678Z",
    "FI_PERSONAL_IDENTITY_CODE": "131052-308T",
    "BR_CPF": "111.444.777-35",
    "CN_RESIDENT_ID": "11010519491231002X",
    "TR_NATIONAL_ID": "10000000146",
    "NO_FODSELSNUMMER": "01010012356",
    "SG_NRIC_FIN": "S1234567D",
    "CL_RUT": "12.345.678-5",
    "CH_AHV": "756.9217.0769.85",
    "FR_NIR": "1 84 12 76 451 089 46",
    "BE_NATIONAL_NUMBER": "85.07.30-033.28",
}


def scan(text: str, **options: Any) -> Verdict:
    """What the built-in engine says, which is the same wherever these tests run."""
    return pii.scan(text, **{"engine": "builtin", **options})


def build(**options: Any) -> Scanner:
    return pii.build({"engine": "builtin", **options})


def types(text: str, **options: Any) -> list[str]:
    return [one.type for one in scan(text, **options).findings]


@pytest.mark.parametrize(("kind", "value"), VALUES.items())
def test_a_valid_value_is_found_where_it_stands(kind: str, value: str) -> None:
    text = f"🙂 e\u0301 — see {value}, then go on"
    found = [one for one in scan(text, exclude=["person", "address"]).findings if one.type == kind]
    assert [text[one.start : one.end] for one in found] == [value]


@pytest.mark.parametrize(
    ("kind", "value"), [(k, v) for k, v in VALUES.items() if k not in ("EMAIL_ADDRESS", "MAC_ADDRESS")]
)
def test_a_value_with_another_check_digit_is_not_that_kind(kind: str, value: str) -> None:
    if kind in ("PHONE_NUMBER", "US_SSN", "IP_ADDRESS"):
        value = {"PHONE_NUMBER": "+44 20", "US_SSN": "666-22-8173", "IP_ADDRESS": "203.0.113.777"}[kind]
    elif value[-1].isdigit():
        value = value[:-1] + str((int(value[-1]) + 1) % 10)
    else:
        value = value[:-1] + ("A" if value[-1] != "A" else "B")
    assert kind not in types(f"see {value}, then", exclude=["person", "address"])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("my passport number is 912803456", "US_PASSPORT"),
        ("Driver's license: F1628-2354", None),
        ("my driver's license number is F16282354", "US_DRIVER_LICENSE"),
        ("born on 4 May 1971 in a small town", "DATE_OF_BIRTH"),
        ("the fair opens on 4 May 2031", None),
        ("call me on 555 0143", "PHONE_NUMBER"),
        ("it took 555 0143 steps", None),
        ("medicare number 2123 45670 1", "AU_MEDICARE"),
        ("the zip code is 90210", "ADDRESS"),
        ("send it to P.O. Box 771, please", "ADDRESS"),
        ("version 10.2.3.4 is out", None),
        ("use std::vector and a::b", None),
        ("at 12:34:56 we left", None),
        ("from 2019-2024 and 1990 2001", None),
        ("a card 4111 1111 1111 1112", None),
    ],
)
def test_words_beside_a_number_decide(text: str, kind: str | None) -> None:
    apart = ["person"] if kind == "ADDRESS" else ["person", "address"]
    assert types(text, exclude=apart) == ([kind] if kind else [])


def test_the_contracts_short_names_give_its_labels() -> None:
    text = "a@b.example.com, 415-555-2671, 536-22-8173, 4111111111111111, 203.0.113.9"
    verdict = scan(text, pii_types=["email", "phone", "ssn", "credit_card", "ip_address"])
    assert verdict.redacted == "[EMAIL_REDACTED], [PHONE_REDACTED], [SSN_REDACTED], [CARD_REDACTED], [IP_REDACTED]"
    assert verdict.triggered
    assert verdict.engine == "builtin"


def test_only_the_named_kinds_are_looked_for() -> None:
    text = "a@b.example.com and 203.0.113.9"
    assert types(text, entities=["EMAIL_ADDRESS"]) == ["EMAIL_ADDRESS"]
    assert types(text, exclude=["email"]) == ["IP_ADDRESS"]


def test_names_and_addresses_are_told_and_their_setting_matters() -> None:
    text = "Please send the contract to Margaret Whitfield, 42 Orchard Lane, Springfield."
    assert {"PERSON", "ADDRESS"} <= set(types(text))
    some = " ".join(f"We saw {name} there." for name in ("Ilvar", "Osmer Tand", "Quell", "Brandt", "Summer", "Vexo"))
    counts = [types(some, names=name).count("PERSON") for name in ("strict", "middle", "thorough")]
    assert counts == sorted(counts)
    assert counts[-1] > 0


def test_a_value_that_is_found_once_goes_wherever_it_stands() -> None:
    text = "My name is Rosalind Achterberg.\nticket: Rosalind Achterberg/7"
    assert "Achterberg" not in str(scan(text).redacted)


def test_allow_deny_thresholds_and_patterns() -> None:
    text = "mail me@corp.example or you@corp.example about project Falcon, badge QX-1234"
    assert types(text, allow=["ME@corp.example"], entities=["email"]) == ["EMAIL_ADDRESS"]
    assert types(text, allow_patterns=[r"[a-z]+@corp\.example"], entities=["email"]) == []
    assert types(text, deny=["falcon"], entities=["ssn"]) == ["CUSTOM"]
    badge = {"name": "badge", "regex": r"QX-\d{4}", "context": ["badge"]}
    assert types(text, patterns=[badge], entities=["ssn"]) == ["BADGE"]
    assert types("QX-1234 alone", patterns=[badge], entities=["ssn"]) == []
    checked = {"name": "member", "regex": r"\d{6}", "validator": "luhn"}
    assert types("123455 123456", patterns=[checked], entities=["ssn"]) == ["MEMBER"]
    assert types("call 555 0143", entities=["phone"], thresholds={"phone": 0.95}) == []


def test_regions_choose_the_rules_and_make_them_readier() -> None:
    assert types("number 876543210", entities=["national_id"], regions=["AU"], thresholds={"AU_TFN": 0.4}) == ["AU_TFN"]
    assert "AU_TFN" not in types("number 876543210", entities=["national_id"], regions=["DE"])


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        ({"mask": "label"}, "[EMAIL_REDACTED] [EMAIL_REDACTED] [IP_REDACTED]"),
        ({"mask": "numbered"}, "[EMAIL_1] [EMAIL_1] [IP_1]"),
        ({"mask": "constant", "mask_with": "#"}, "# # #"),
        ({"mask": "partial"}, "****@corp.example ****@corp.example ***.*.**3.77"),
    ],
)
def test_masks(mask: dict[str, str], expected: str) -> None:
    assert (
        scan("mara@corp.example mara@corp.example 203.0.113.77", entities=["email", "ip"], **mask).redacted == expected
    )


def test_hashes_need_a_key_and_hang_on_it() -> None:
    one, other, again = (
        scan("mara@corp.example", mask="hash", mask_key=key).redacted for key in ("one", "other", "one")
    )
    assert one == again != other
    with pytest.raises(ConfigurationError, match="mask_key"):
        pii.build({"mask": "hash"})


def test_made_up_values_are_the_same_for_the_same_value() -> None:
    text = "mara@corp.example, mara@corp.example, 203.0.113.77"
    redacted = str(scan(text, mask="faker", exclude=["person", "address"]).redacted)
    first, second, third = redacted.split(", ")
    assert first == second != "mara@corp.example"
    assert first.endswith("@example.com")
    assert third.startswith("192.0.2.")


@pytest.mark.parametrize(
    "options",
    [
        {"entities": []},
        {"entities": ["emial"]},
        {"entities": ["LOCATION"], "engine": "builtin"},
        {"entities": ["email"], "exclude": ["email"]},
        {"entitys": ["email"]},
        {"regions": ["XX"]},
        {"threshold": 2},
        {"patterns": [{"name": "x", "regex": "a*"}]},
        {"patterns": [{"name": "x", "regex": "(a+)+b"}]},
        {"patterns": [{"name": "x y", "regex": "a"}]},
        {"thresholds": {"nothing": 0.5}},
        {"engine": "nltk"},
        {"mask": "blur"},
    ],
)
def test_options_that_cannot_be_used_are_errors(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="scanner 'pii'"):
        pii.build(options)


def test_a_function_of_ones_own_is_an_engine() -> None:
    scanner = pii.build({"entities": ["person"], "engine": lambda text: [(0, 4, "PERSON", 0.99)], "names": "strict"})
    verdict = scanner.scan("Xyzw went")
    assert verdict.redacted == "[PERSON_REDACTED] went"
    assert verdict.engine == "callable"


def test_disguised_values_are_cut_out_of_the_original() -> None:
    text = "mail ma\u200bra@corp.exam\u200bple or ４１１１ 1111 1111 1111 now"
    verdict = scan(text, entities=["email", "card"])
    assert verdict.redacted == "mail [EMAIL_REDACTED] or [CARD_REDACTED] now"


def test_neither_reason_nor_labels_hold_what_was_found() -> None:
    verdict = sensitive.scan("card 4111 1111 1111 1111 of Margaret Whitfield")
    assert verdict.labels
    assert "4111" not in verdict.reason + str(dict(verdict.labels))
    assert "Margaret" not in verdict.reason


PARTS = st.sampled_from(
    [*VALUES.values(), "Margaret Whitfield", "hello", "🙂", "e\u0301", "\n", ". ", "İ", "12", "the fox"]
)
TEXTS = st.lists(PARTS, max_size=14).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_outside_the_findings_nothing_changes_and_no_value_is_left(text: str) -> None:
    verdict = scan(text, mask="constant", mask_with="\x00")
    kept = [
        text[a:b]
        for a, b in itertools.pairwise([0, *(x for f in verdict.findings for x in (f.start, f.end)), len(text)])
    ]
    assert verdict.redacted == "\x00".join(kept[::2])
    assert not any(text[one.start : one.end] in str(verdict.redacted) for one in verdict.findings if one.type in VALUES)


ODD = st.text("0123456789" * 4 + "ABDEKPSTUXYZ -./:()+@_ſıKé٣\u200b\n", max_size=120)


@settings(max_examples=400, deadline=None)
@given(ODD)
def test_no_text_makes_it_fail(text: str) -> None:
    verdict = scan(text, exclude=["person", "address"], thresholds={"national_id": 0})
    assert all(0 <= one.start < one.end <= len(text) for one in verdict.findings)


@settings(max_examples=40, deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=400).map(" ".join), st.data())
def test_what_is_settled_can_be_judged_apart(text: str, data: st.DataObject) -> None:
    scanner = build(occurrences="found")
    cut = data.draw(st.integers(0, len(text)))
    settled = scanner.settled(text[:cut])
    assert settled is not None
    first, rest = scanner.scan(text[:settled]), scanner.scan(text[settled:])
    assert f"{first.redacted}{rest.redacted}" == scanner.scan(text).redacted


RUNS = st.sampled_from(
    [
        *VALUES.values(),
        "don't",
        "Anna's",
        "12abc",
        "\r\n",
        "\n",
        "🙂",
        "\ud83d",
        "\ude42",
        "e\u0301",
        "=",
        "a" * 70,
        "x-y'",
        "word ",
        " " * 99,
        "\n" * 300,
    ]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(RUNS, min_size=1, max_size=700).map("".join), st.lists(st.integers(0, 9000), min_size=10, max_size=10))
def test_pieces_are_the_same_however_a_text_comes(text: str, cuts: list[int]) -> None:
    whole = [start for start, _ in pieces(text)]
    scanner = build(occurrences="found", entities=["email"])
    for cut in cuts:  # a thousand in all
        assert (scanner.settled(text[:cut]) or 0) in whole


@pytest.mark.parametrize("unit", ["a", "word ", "1", "a@b.example ", "\n", "don't", "=", " "])
def test_a_stream_holds_little_of_any_text(unit: str) -> None:
    scanner = build(occurrences="found")
    text, held, most = unit * (100_000 // len(unit)), "", 0
    for at in range(0, len(text), 1000):
        held += text[at : at + 1000]
        held = held[scanner.settled(held) or 0 :]
        most = max(most, len(held))
    assert most <= 40_000  # so pieces cost what they are long, however long the text is


def test_only_what_is_found_place_by_place_can_be_let_go_early() -> None:
    assert build().settled("a text") is None
    assert build(occurrences="found").settled("") == 0
    long = "A line of quite ordinary words.\n" * 60
    assert [end for _, end in pieces(long)][-1] == len(long)
    assert (build(occurrences="found").settled(long) or 0) > len(long) // 2


@pytest.mark.parametrize(
    "text",
    [
        "She has 12 + 7 = 19 eggs, so 19 * 2 = 38 eggs in all.\nHe needs 240 - 38 = 202 more.\nAnswer: 202",
        "for (int i = 0; i < 20; i++) { counter2.add(i); }",
        "Area\tProduction\nDenver\t600\nAtlanta\t400\nHouston\t500",
        "The angles of a triangle add up to 180 degrees. The car costs $1,200.",
    ],
)
def test_numbers_in_sums_tables_and_code_are_no_addresses(text: str) -> None:
    assert types(text) == []
    assert types(text, names="thorough", exclude=["person"]) == []


def test_a_short_number_goes_only_where_it_is_found() -> None:
    redacted = str(
        scan("Her PLZ is 8001, and from there to the other end it took her 8001 steps.", entities=["address"]).redacted
    )
    assert redacted == "Her PLZ is [ADDRESS_REDACTED], and from there to the other end it took her 8001 steps."


def test_threads_share_a_scanner() -> None:
    scanner = build()
    texts = [f"row {at}: Margaret Whitfield, {value}" for at, value in enumerate([*VALUES.values()] * 5)]
    expected = [scanner.scan(text) for text in texts]
    wrong: list[str] = []

    def work() -> None:
        wrong.extend(text for text, same in zip(texts, expected, strict=True) if scanner.scan(text) != same)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    "unit", ["1", "1 ", "a@", "a.", "::", "A1", "(1", "+1", "1-", "A ", "@", "x=", "Box 1 ", "1 a b c "]
)
def test_no_text_of_one_kind_holds_it_up(unit: str) -> None:
    assert isinstance(scan(unit * (8_000 // len(unit))).triggered, bool)


@pytest.mark.parametrize(("name", "module", "recall"), [("pii", pii, 0.95), ("sensitive", sensitive, 0.95)])
def test_floors_on_labelled_texts(name: str, module: Any, recall: float) -> None:
    kinds = {"PHONE_NUMBER", "CREDIT_CARD", "EMAIL_ADDRESS", "US_SSN", "IBAN_CODE", "IP_ADDRESS"}
    found = total = 0
    for row in shared_rows(name):
        places = [(s, e) for s, e, kind in row.get("spans") or [] if kind in kinds]
        if places:
            cover = {
                at for one in module.scan(row["text"], engine="builtin").findings for at in range(one.start, one.end)
            }
            total += len(places)
            found += sum(sum(at in cover for at in range(s, e)) >= 0.8 * (e - s) for s, e in places)
    assert found >= recall * total
