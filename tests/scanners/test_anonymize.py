from __future__ import annotations

import itertools
import pickle
import random
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptrails_engine.errors import ConfigurationError
from promptrails_scanners import anonymize
from promptrails_scanners.anonymize import Anonymize, Restorer, Vault
from promptrails_scanners.personal.restore import restored
from tests.scanners.data import shared_rows

TEXT = "Margaret Whitfield (mara@corp.example) asked Margaret Whitfield about 203.0.113.77."


def bound(**options: object) -> tuple[Anonymize, Vault]:
    """A scanner of the built-in engine, which answers alike wherever these tests run."""
    scanner, vault = anonymize.build({"engine": "builtin", **options}), Vault()
    assert isinstance(scanner, Anonymize)
    return scanner.bound(vault), vault


def test_values_become_numbered_labels_and_come_back() -> None:
    scanner, vault = bound()
    verdict = scanner.scan(TEXT)
    assert verdict.redacted == "[PERSON_1] ([EMAIL_1]) asked [PERSON_1] about [IP_1]."
    assert scanner.restore(str(verdict.redacted)) == TEXT
    assert len(vault) == 3


def test_a_value_keeps_its_label_from_text_to_text() -> None:
    scanner, _ = bound(entities=["email"])
    assert scanner.scan("a@corp.example b@corp.example").redacted == "[EMAIL_1] [EMAIL_2]"
    assert scanner.scan("b@corp.example c@corp.example").redacted == "[EMAIL_2] [EMAIL_3]"
    assert scanner.scan("B@Corp.example").redacted == "[EMAIL_2b]"
    assert scanner.restore("[EMAIL_2] [EMAIL_2b]") == "b@corp.example B@Corp.example"


@pytest.mark.parametrize(
    "written",
    [
        "[PERSON_1]",
        "[Person 1]",
        "[person_1]",
        "PERSON_1",
        "[ PERSON-1 ]",
        "[PERSON 1]",
        r"\[PERSON\_1\]",
        r"[PERSON\_1]",
    ],
)
def test_labels_that_a_model_changed_come_back(written: str) -> None:
    vault = Vault()
    vault.label("PERSON", "Ada")
    assert restored(f"{written}'s cat", vault) == "Ada's cat"
    assert restored(f"{written}'s cat", vault, "exact") == (
        "Ada's cat" if written == "[PERSON_1]" else f"{written}'s cat"
    )


def test_labels_that_the_vault_does_not_know_stay() -> None:
    vault = Vault()
    vault.label("PERSON", "Ada")
    assert restored("[PERSON_2] [FIGURE 1] XPERSON_1 PERSON_12", vault) == "[PERSON_2] [FIGURE 1] XPERSON_1 PERSON_12"


@pytest.mark.parametrize("written", ["[PERSON_1]", "[Person 1]", "PERSON_1"])
def test_nobody_gets_at_a_value_by_writing_its_label(written: str) -> None:
    scanner, _ = bound()
    scanner.scan("My name is Margaret Whitfield.")
    verdict = scanner.scan(f"print {written} for me")
    assert verdict.redacted == "print [LITERAL_1] for me"
    assert verdict.triggered
    assert scanner.restore(str(verdict.redacted)) == f"print {written} for me"


def test_a_label_of_a_kind_that_is_not_looked_for_gives_no_value_away() -> None:
    vault = Vault()
    vault.label("PERSON", "Margaret Whitfield")
    built = anonymize.build({"entities": ["email"], "vault": vault})
    assert isinstance(built, Anonymize)
    redacted = str(built.scan("tell me [PERSON_1] and C:\\[x]").redacted)
    assert redacted == "tell me [LITERAL_1] and C:\\[x]"
    assert built.restore(redacted) == "tell me [PERSON_1] and C:\\[x]"


@pytest.mark.parametrize(
    "text",
    [
        r"deny (a+)+$ and \d[x]^|.* here",
        "ann.berg@example.org, ann.berg and berg@example.org, ann.berg@example.org.uk",
        "+44 20 7946 0958, 20 7946 0958, +44 20 7946 0958 x12",
        "Margaret Whitfield, Margaret, Whitfield and Margaret Whitfield-Jones",
    ],
)
def test_values_in_values_and_values_like_patterns_come_back(text: str) -> None:
    deny = [r"(a+)+$", r"\d[x]^|.*", "ann.berg", "Margaret", "Whitfield"]
    scanner, _ = bound(deny=deny)
    redacted = str(scanner.scan(text).redacted)
    assert redacted != text
    assert not [one for one in deny if one in redacted]
    assert scanner.restore(redacted) == text


def test_values_are_forgotten_in_the_time_of_the_option() -> None:
    scanner = anonymize.build({"ttl": 3600, "engine": "builtin"})
    assert isinstance(scanner, Anonymize)
    assert scanner.options.ttl_s == 3600
    opened = scanner.opened()
    assert opened.restore(str(opened.scan(TEXT).redacted)) == TEXT
    with pytest.raises(ConfigurationError, match="ttl"):
        anonymize.build({"ttl": 0})


def test_threads_that_share_a_vault_give_a_value_one_label() -> None:
    scanner, vault = bound(entities=["email"])
    texts = [f"from user{at % 40}@corp.example to USER{at % 40}@corp.example" for at in range(300)]
    wrong: list[str] = []
    start = threading.Barrier(8)

    def work(turn: int) -> None:
        start.wait()
        for text in random.Random(turn).sample(texts, len(texts)):
            redacted = str(scanner.scan(text).redacted)
            if "@" in redacted or scanner.restore(redacted) != text:
                wrong.append(text)

    threads = [threading.Thread(target=work, args=(turn,)) for turn in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(vault) == 80
    labels = [vault.label("EMAIL", f"user{at}@corp.example") for at in range(40)]
    assert len(set(labels)) == 40
    assert {int(one.strip("[]EMAIL_b")) for one in labels} == set(range(1, 41))


def test_the_vault_tells_no_value_by_accident() -> None:
    scanner, vault = bound()
    scanner.scan(TEXT)
    assert "Margaret" not in repr(vault) + repr(scanner.options) + str(scanner.options)
    with pytest.raises(TypeError):
        pickle.dumps(vault)
    with pytest.raises(TypeError):
        scanner.options.model_copy(deep=True)


def test_a_vault_is_kept_and_loaded_by_who_asks_for_it() -> None:
    scanner, vault = bound(entities=["email"])
    redacted = str(scanner.scan("a@corp.example A@corp.example b@corp.example").redacted)
    again = Vault.load(vault.dump())
    assert restored(redacted, again) == "a@corp.example A@corp.example b@corp.example"
    assert again.label("EMAIL", "b@corp.example") == "[EMAIL_2]"
    assert again.label("EMAIL", "c@corp.example") == "[EMAIL_3]"


def test_values_are_forgotten_in_time_and_labels_never_mean_another() -> None:
    now = [0.0]
    vault = Vault(ttl_s=10, clock=lambda: now[0])
    first = vault.label("PERSON", "Ada")
    now[0] = 6
    second = vault.label("PERSON", "Bob")
    now[0] = 12
    assert (vault.value(first), vault.value(second)) == (None, "Bob")
    assert vault.label("PERSON", "Cid") == "[PERSON_3]"
    vault.clear()
    assert len(vault) == 0
    assert vault.label("PERSON", "Ada") == "[PERSON_4]"


def test_without_a_vault_texts_share_nothing() -> None:
    assert anonymize.scan("a@corp.example", entities=["email"]).redacted == "[EMAIL_1]"
    assert anonymize.scan("b@corp.example", entities=["email"]).redacted == "[EMAIL_1]"


def test_a_preamble_stands_before_texts_with_labels_only() -> None:
    scanner, _ = bound(entities=["email"], preamble="Keep labels. ")
    assert scanner.scan("a@corp.example").redacted == "Keep labels. [EMAIL_1]"
    assert scanner.scan("nothing").redacted == "nothing"
    with pytest.raises(ConfigurationError):
        anonymize.build({"restore": "maybe"})


PARTS = st.sampled_from(
    [
        "[PERSON_1]",
        "[Person 1]",
        "PERSON_1",
        "[EMAIL_1]",
        "[",
        "]",
        "_",
        " ",
        "x",
        "[PERSON_",
        "1",
        "é",
        "🙂",
        "\n",
        "[PERSON_9]",
        r"\[PERSON\_1\]",
        "\\",
        "\r\n",
        "\ud83d",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(PARTS, max_size=20).map("".join),
    st.lists(st.integers(0, 120), max_size=12),
    st.sampled_from(["exact", "fuzzy"]),
)
def test_restoring_piece_by_piece_is_restoring_the_whole(text: str, cuts: list[int], mode: str) -> None:
    vault = Vault()
    vault.label("PERSON", "Ada [x]")
    vault.label("EMAIL", "a@b.example")
    restorer = Restorer(vault, "exact" if mode == "exact" else "fuzzy")
    places = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    out = "".join(restorer.feed(text[a:b]) for a, b in itertools.pairwise(places)) + restorer.end()
    assert out == restored(text, vault, "exact" if mode == "exact" else "fuzzy")


def test_a_label_cut_anywhere_comes_back_and_a_bracket_alone_is_let_go() -> None:
    vault = Vault()
    vault.label("PERSON", "Ada")
    text = r"Dear [PERSON_1], [ Person 1 ] \[PERSON\_1\] PERSON_1's [PERSON_1"
    expected = "Dear Ada, Ada Ada Ada's [PERSON_1".replace("[PERSON_1", "[Ada")
    for first, second in itertools.combinations(range(len(text) + 1), 2):
        restorer = Restorer(vault)
        out = (
            restorer.feed(text[:first])
            + restorer.feed(text[first:second])
            + restorer.feed(text[second:])
            + restorer.end()
        )
        assert out == expected
    restorer = Restorer(vault)
    assert restorer.feed("a [") == "a "
    assert "[" in "".join(restorer.feed("x" * 20) for _ in range(4))


@pytest.mark.parametrize("unit", ["[PERSON_1] and so on ", "[", "x", "[a ", "\\", "word "])
def test_pieces_cost_what_they_are_long(unit: str) -> None:
    vault = Vault()
    vault.label("PERSON", "Ada")
    restorer = Restorer(vault)
    text = unit * (40_000 // len(unit))
    fed = let_go = 0
    for at in range(0, len(text), 20):
        let_go += len(restorer.feed(text[at : at + 20]).replace("Ada", "[PERSON_1]"))
        fed = min(at + 20, len(text))
        assert fed - let_go <= 80  # what is held is what is looked through again
    assert let_go + len(restorer.end().replace("Ada", "[PERSON_1]")) == fed == len(text)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "Margaret Whitfield",
                "mara@corp.example",
                "MARA@corp.example",
                "[PERSON_1]",
                "[Email 1]",
                "word",
                "\n",
                "🙂",
            ]
        ),
        max_size=12,
    ).map(" ".join)
)
def test_what_goes_in_comes_back(text: str) -> None:
    scanner, _ = bound()
    assert scanner.restore(str(scanner.scan(text).redacted)) == text


def test_labelled_texts_come_back_and_hardly_a_value_is_left() -> None:
    left = total = 0
    for row in shared_rows("anonymize"):
        scanner, _ = bound()
        redacted = str(scanner.scan(row["text"]).redacted)
        assert scanner.restore(redacted) == row["text"]
        for start, end, kind in row["spans"]:
            if kind in ("PERSON", "ADDRESS", "PHONE_NUMBER", "CREDIT_CARD", "EMAIL_ADDRESS", "IBAN_CODE", "IP_ADDRESS"):
                total += 1
                left += row["text"][start:end] in redacted
    assert left <= 0.08 * total
