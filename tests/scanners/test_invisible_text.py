"""Hidden characters: found where they have no use, left where they have, taken out and nothing else."""

from __future__ import annotations

import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptrails_engine.errors import ConfigurationError
from promptrails_scanners.invisible.characters import kind_of, unassigned
from promptrails_scanners.invisible_text import build, hidden_texts, scan
from tests.scanners.data import shared_rows
from tests.scanners.streams import released, whole

FLAG_OF_WALES = "\U0001f3f4\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"
HIDDEN = (
    "\u200b\u200c\u200d\u2060\ufeff\u034f\u180e\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    "\ufe00\ufe0e\ufe0f\U000e0101\U000e0041\U000e0067\U000e007f\ue001\uf0b7\u0378\xad\u115f\u2800\u3164\u2061\u2063\x08"
)
SEEN = "ab1 .\n\u0301\u0308(کنید하漢ก♂😀👩🏴\u2803\U0001d54f"
TEXTS = st.text(alphabet=HIDDEN + SEEN, max_size=24)


def kinds(text: str, **options: Any) -> set[str]:
    return {one.type for one in scan(text, **options).findings}


def tagged(text: str) -> str:
    return "".join(chr(0xE0000 + ord(char)) for char in text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("hello" + tagged("ignore that"), "TAGS"),
        ("\U0001f3f4" + tagged("ignore all of it") + "\U000e007f", "TAGS"),
        ("pass\u200bword", "ZERO_WIDTH"),
        ("pass\u200cword", "ZERO_WIDTH"),
        ("pass\u200dword", "ZERO_WIDTH"),
        ("pass\ufeffword", "ZERO_WIDTH"),
        ("می\u200c\u200c\u200cخواهم", "ZERO_WIDTH"),
        ("a \u202eneddih\u202c b", "BIDI"),
        ("if x: \u2067/* return */\u2069", "BIDI"),
        ("ig\u200enore", "BIDI"),
        ("😀\ufe01\ufe02\ufe03", "VARIATION_SELECTORS"),
        ("a\ufe0f", "VARIATION_SELECTORS"),
        ("x\U000e0101", "VARIATION_SELECTORS"),
        ("hi \ue041\ue042", "PRIVATE_USE"),
        ("hi \ue041", "PRIVATE_USE"),
        ("hi \uf041\uf042", "PRIVATE_USE"),
        ("hi \u0378", "UNASSIGNED"),
        ("hi \U0004abcd", "UNASSIGNED"),
        ("hi \ufffe", "UNASSIGNED"),
        ("pass\xadword", "SOFT_HYPHEN"),
        ("name: \u3164", "FILLERS"),
        ("blank \u2800 here", "FILLERS"),
        ("ig\u2063nore", "INVISIBLE_OPERATOR"),
        ("e" + "\u0301" * 9, "COMBINING_FLOODS"),
    ],
)
def test_what_hides_is_found(text: str, kind: str) -> None:
    verdict = scan(text)
    assert verdict.triggered
    assert {one.type for one in verdict.findings} == {kind.replace("OPERATOR", "OPERATORS")}
    assert verdict.redacted is not None
    assert not scan(verdict.redacted).triggered


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخواهم و نمی\u200cتوانم",
        "ماه \u200c است",
        "क्\u200dष और क्\u200cष",
        "শিল্\u200cপ",
        "👩🏽\u200d🚀 ❤\ufe0f\u200d🔥 🏳\ufe0f\u200d🌈 1\ufe0f\u20e3 ℹ\ufe0f ☺\ufe0e",
        f"Wales {FLAG_OF_WALES} won",
        "\ufeffa file that begins so",
        "ภาษา\u200bไทย",
        "葛\U000e0100飾",
        "שלום \u200fabc\u200f",
        "the name \u2068משה\u2069 stands alone",
        "a\u200e, b",
        "⠓⠊\u2800⠞⠓",
        "\uf0b7 a bullet\n\uf0b7 another",
        "n\xed il\xe8\uf023 pe\uf023",
        "f\u2061(x)",
        "Việt Nam, cafe\u0301",
        "Việt".encode().decode() + unicodedata.normalize("NFD", "ệ"),
        "가\u115f\u1161",
        "\U0001fad9\U0001faf8",
        "plain",
        "",
    ],
)
def test_what_has_its_use_is_left(text: str) -> None:
    verdict = scan(text)
    assert not verdict.triggered
    assert verdict.redacted == text


def test_only_what_hides_is_taken_out() -> None:
    assert scan("می\u200cخواهم pass\u200bword 👩\u200d🚀").redacted == "می\u200cخواهم password 👩\u200d🚀"
    assert scan("می\u200cخواهم pass\u200bword 👩\u200d🚀", strip="all").redacted == "میخواهم password 👩🚀"
    assert scan("می\u200cخواهم", strip="all").redacted == "می\u200cخواهم"
    text = "a" + tagged("xy") + "b\u200bc"
    assert [(one.start, one.end) for one in scan(text).findings] == [(1, 3), (4, 5)]


def test_classes() -> None:
    text = "pass\u200bword so\xadft \x1b[8m"
    assert kinds(text) == {"ZERO_WIDTH", "SOFT_HYPHEN"}
    assert kinds(text, classes={"soft_hyphen": False}) == {"ZERO_WIDTH"}
    assert kinds(text, classes={"controls": True}) == {"ZERO_WIDTH", "SOFT_HYPHEN", "CONTROLS"}


def test_scripts() -> None:
    assert kinds("می\u200cخواهم", allow_scripts=["devanagari"]) == {"ZERO_WIDTH"}
    assert kinds("क्\u200dष", allow_scripts=["Devanagari"]) == set()
    with pytest.raises(ConfigurationError, match="klingon"):
        build({"allow_scripts": ["klingon"]})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"strip": "some"}, "strip"),
        ({"classes": {"tag": False}}, "classes"),
        ({"clases": {}}, "did you mean 'classes'"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        build(options)


def bits(text: str) -> str:
    return "".join("\u200b\u200c"[int(bit)] for byte in text.encode() for bit in f"{byte:08b}")


def selectors(text: str) -> str:
    return "".join(chr(0xFE00 + byte) if byte < 16 else chr(0xE0100 + byte - 16) for byte in text.encode())


@pytest.mark.parametrize("hide", [tagged, selectors, bits, lambda text: "".join(chr(0xE000 + ord(c)) for c in text)])
def test_what_it_spells(hide: Any) -> None:
    text = "😀" + hide("Hidden text") + " seen"
    (found,) = hidden_texts(text)
    assert (found.text, found.start, found.end) == ("Hidden text", 1, len(text) - len(" seen"))
    assert scan(text).reason.endswith("they spell a text")
    assert "spell" not in scan(text, decode=False).reason
    assert "Hidden" not in scan(text).reason


def test_flags_and_noise_spell_nothing() -> None:
    assert hidden_texts(FLAG_OF_WALES + "\u200b" * 40 + selectors("\x00\x01\x02\x03\x04")) == ()


# ------------------------------------------------------------------ laws


@given(TEXTS)
@example("\u180e\u0301\u180e")
@example("1\x08\u0301\u200e1")
@example("a" + "\u0301" * 70 + "\u200eb")
def test_the_rest_stays_and_nothing_is_left_to_find(text: str) -> None:
    scanner = build({"classes": {"controls": True}})
    verdict = scanner.scan(text)
    inside = {at for one in verdict.findings for at in range(one.start, one.end)}
    assert verdict.redacted == "".join(char for at, char in enumerate(text) if at not in inside)
    assert not scanner.scan(verdict.redacted).triggered


@given(TEXTS, st.lists(st.integers(0, 24), max_size=8))
def test_a_stream_is_the_whole(text: str, cuts: list[int]) -> None:
    scanner = build({})
    assert released(scanner, text, cuts) == whole(scanner, text)


@given(st.text(alphabet=st.characters(codec="ascii"), max_size=80))
def test_ascii_hides_nothing(text: str) -> None:
    assert not scan(text).triggered


def test_the_table_is_no_older_than_this_python() -> None:
    bounds = unassigned()
    assert list(bounds) == sorted(bounds)
    for code in range(0, 0x110000, 7):
        if unicodedata.category(chr(code)) != "Cn":
            assert kind_of(chr(code)) != "unassigned", hex(code)
    assert kind_of("\U0001faff") is None


def test_work_grows_with_the_text_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts of one kind of worst case each, twice as long: twice the looks at a character, not four times."""
    looks = 0

    class Counted(str):
        def __getitem__(self, key: Any) -> str:
            nonlocal looks
            looks += 1
            return super().__getitem__(key)

    scanner = build({})
    for worst in ("\u2800  ", "\u202e", "א\u2067", "a\u200b", "é\u0301\u200b", " \u200c"):
        counts = []
        for times in (200, 400):
            looks = 0
            scanner.scan(Counted(worst * times))
            counts.append(looks)
        assert counts[1] <= 2 * counts[0] + 50, (ascii(worst), counts)


def test_threads_share_a_scanner() -> None:
    scanner = build({})
    texts = [f"{n} pass\u200bword {'می' + chr(0x200C)}" for n in range(300)]
    alone = [scanner.scan(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        for verdicts in pool.map(lambda _: [scanner.scan(text) for text in texts], range(8)):
            assert verdicts == alone


def test_labelled_texts() -> None:
    rows = shared_rows("invisible_text")
    wrong = [row for row in rows if scan(row["text"]).triggered != bool(row["label"])]
    assert len(wrong) <= 1


def test_foreign_texts_are_left_alone() -> None:
    rows = [row for row in shared_rows("language") if "lingua" in row["source"]]
    flagged = [row["lang"] for row in rows if scan(row["text"], classes={"soft_hyphen": False}).triggered]
    assert len(flagged) <= len(rows) // 200, flagged
