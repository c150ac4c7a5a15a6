"""Languages by script and by letters; what is no prose is left out; close relatives go together."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine import GuardrailSpec
from promptrails_engine.definitions.guards import checked_guards
from promptrails_engine.errors import ConfigurationError, DefinitionError
from promptrails_scanners.language import META, build, detect, scan
from promptrails_scanners.languages.grams import grams_of, parts_of, words_of
from promptrails_scanners.languages.model import heard, tables
from promptrails_scanners.languages.prose import prose
from promptrails_scanners.languages.scripts import LANGUAGES, MODELLED
from tests.scanners.data import shared_rows

SAID = {
    "af": "Ons gaan môre saam na die winkel toe om brood te koop.",
    "ar": "سنذهب غدا إلى السوق لشراء الخبز والحليب",
    "be": "Мы заўтра пойдзем у краму па хлеб і малако",
    "bg": "Утре ще отидем до магазина, за да купим хляб",
    "ca": "Demà anirem a la botiga per comprar pa i llet",
    "cs": "Zítra půjdeme do obchodu koupit chléb a mléko",
    "cy": "Byddwn ni'n mynd i'r siop yfory i brynu bara",
    "de": "Morgen gehen wir in den Laden und kaufen Brot",
    "el": "Αύριο θα πάμε στο μαγαζί για να αγοράσουμε ψωμί",
    "en": "Tomorrow we will go to the shop to buy some bread",
    "es": "Mañana vamos a la tienda para comprar pan y leche",
    "et": "Homme läheme poodi leiba ja piima ostma",
    "fa": "فردا برای خرید نان به فروشگاه می‌رویم",
    "fi": "Huomenna menemme kauppaan ostamaan leipää",
    "fr": "Demain nous irons au magasin pour acheter du pain",
    "he": "מחר נלך לחנות כדי לקנות לחם וחלב",
    "hi": "हम कल रोटी खरीदने के लिए दुकान पर जाएंगे",
    "hu": "Holnap elmegyünk a boltba kenyeret venni",
    "it": "Domani andremo al negozio per comprare il pane",
    "ja": "明日はパンを買いにお店へ行きます",
    "ka": "ხვალ მაღაზიაში წავალთ პურის საყიდლად",
    "ko": "내일 우리는 빵을 사러 가게에 갈 것입니다",
    "lt": "Rytoj eisime į parduotuvę nusipirkti duonos",
    "lv": "Rīt mēs iesim uz veikalu pirkt maizi",
    "nl": "Morgen gaan we naar de winkel om brood te kopen",
    "pl": "Jutro pójdziemy do sklepu kupić chleb i mleko",
    "pt": "Amanhã vamos à loja para comprar pão e leite",
    "ro": "Mâine mergem la magazin să cumpărăm pâine",
    "ru": "Завтра мы пойдём в магазин, чтобы купить хлеб",
    "sv": "I morgon går vi till affären för att köpa bröd",
    "sw": "Kesho tutakwenda dukani kununua mkate na maziwa",
    "th": "พรุ่งนี้เราจะไปร้านเพื่อซื้อขนมปัง",
    "tr": "Yarın ekmek almak için dükkâna gideceğiz",
    "uk": "Завтра ми підемо до крамниці, щоб купити хліб",
    "ur": "ہم کل روٹی خریدنے کے لیے دکان پر جائیں گے",
    "vi": "Ngày mai chúng tôi sẽ đến cửa hàng để mua bánh mì",
    "zh": "明天我们要去商店买面包和牛奶",
}
OTHERS = sorted(set(SAID) - {"en"})


@pytest.mark.parametrize("language", sorted(SAID))
def test_languages_are_told(language: str) -> None:
    assert detect(SAID[language]) == language
    assert not scan(SAID[language], languages=[language]).triggered


@pytest.mark.parametrize("language", OTHERS)
def test_other_languages_trigger(language: str) -> None:
    verdict = scan(SAID[language], valid_languages=["en", "eo"])
    assert verdict.triggered
    assert verdict.score >= 0.7
    assert max(verdict.labels, key=lambda name: verdict.labels[name]) == language
    assert SAID[language] not in verdict.reason


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("Guten Morgen!", {}, False),
        ("Guten Morgen!", {"min_chars": 5}, True),
        ("你好，今天天气怎么样？", {}, True),
        ("123 456 789 --- 42 42 42 42 42", {}, False),
        ("", {}, False),
        ("https://www.beispiel.example/eine/lange/adresse/mit/vielen/woertern", {}, False),
        ("What does `für jede Zeile in der Liste` mean in this comment?", {}, False),
        ("Explain this:\n```\nfür jede_zeile in der_liste:\n  drucke(zeile)\n```\nplease, step by step", {}, False),
        ("ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ ᎠᎴ ᎠᏰᎵ ᎤᏙᏢᏒ", {}, False),
        ("ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ ᎠᎴ ᎠᏰᎵ ᎤᏙᏢᏒ", {"unknown": "flag"}, True),
        (SAID["de"], {"languages": ["EN-us", "de-AT"]}, False),
        (SAID["de"], {"threshold": 1.0, "languages": ["en"]}, False),
        ("Jutro ćemo otići u prodavnicu da kupimo hleb i mleko", {"languages": ["sr"]}, False),
        ("I morgen skal vi gå i butikken for å kjøpe brød", {"languages": ["da"]}, False),
        ("I morgen skal vi gå i butikken for å kjøpe brød", {"languages": ["sv"]}, True),
    ],
)
def test_options(text: str, options: dict[str, Any], expected: bool) -> None:
    assert scan(text, **({"languages": ["en"]} | options)).triggered is expected


def test_relatives_can_be_kept_apart() -> None:
    text = "Besok kami akan pergi ke toko untuk membeli roti dan susu"
    assert not scan(text, languages=["ms"]).triggered
    strict = scan(text, languages=["ms"], relatives=False)
    assert strict.score > scan(text, languages=["ms"]).score


def test_sentences() -> None:
    text = f"{SAID['en']}. 😀 {SAID['de']}. {SAID['en']}."
    assert not scan(text, languages=["en"]).triggered
    verdict = scan(text, languages=["en"], match_type="sentence")
    assert [text[one.start : one.end] for one in verdict.findings] == [f"😀 {SAID['de']}."]
    assert verdict.redacted == f"{SAID['en']}. [LANGUAGE_REDACTED] {SAID['en']}."
    assert scan(SAID["de"], languages=["en"]).redacted is None


@pytest.mark.parametrize("options", [{"redact_unit": "sentence"}, {"action_on_mismatch": "redact"}])
def test_a_text_that_triggers_as_a_whole_is_cut_by_sentence(options: dict[str, Any]) -> None:
    text = f"{SAID['ru']}. {SAID['en']}. {SAID['el']}. {SAID['he']}."
    verdict = scan(text, languages=["en"], **options)
    assert [text[one.start : one.end] for one in verdict.findings] == [f"{SAID[of]}." for of in ("ru", "el", "he")]
    assert verdict.redacted == f"[LANGUAGE_REDACTED] {SAID['en']}. [LANGUAGE_REDACTED] [LANGUAGE_REDACTED]"
    assert scan(SAID["en"], languages=["en"], **options).redacted == SAID["en"]
    short = "Guten Tag. Wie geht's? Sehr gut. Bis morgen. Gute Nacht!"  # no sentence is long enough to be told alone
    assert scan(short, languages=["en"], **options).redacted == "[LANGUAGE_REDACTED]"


def test_the_action_is_said_by_the_guard_and_may_be_said_again() -> None:
    for action in ("block", "log"):
        verdict = scan(SAID["de"], languages=["en"], action_on_mismatch=action)
        assert (verdict.triggered, verdict.findings, verdict.redacted) == (True, (), None)
    spec = GuardrailSpec("input", "language", "log", {"languages": ["en"], "action_on_mismatch": "log"})
    assert checked_guards([spec])[0]["config"] == spec.config
    for action in ("block", "redact"):
        with pytest.raises(DefinitionError, match="the guard's action is 'log'"):
            checked_guards([replace(spec, config={"languages": ["en"], "action_on_mismatch": action})])


def test_a_text_of_many_parts_is_told_as_one() -> None:
    text = f"{SAID['sv']}. " * 4000
    once, whole = heard(SAID["sv"]), heard(text)
    assert whole.best == "sv"
    assert whole.languages["sv"] >= once.languages["sv"]
    assert list(parts_of(text)) != [text]
    assert "".join(parts_of(text)) == text
    assert "".join(parts_of("x" * 200_000)) == "x" * 200_000


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"languages": ["en"], "action_on_mismatch": "warn"}, "action_on_mismatch"),
        ({}, "valid_languages"),
        ({"languages": []}, "'languages'"),
        ({"languages": ["klingon"]}, "klingon"),
        ({"languages": ["en"], "match": "full"}, "there is no option 'match'"),
        ({"languages": ["en"], "ignore": ["names"]}, "ignore"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        build(options)
    assert "valid_languages" in META.config_fields


def test_what_is_no_prose() -> None:
    everything = frozenset({"code", "urls", "markup"})
    text = "See <b>this</b> at https://a.example/x and me@b.example:\n~~~\ncode\n~~~\nfoo(bar[0]) = {x};\ndone &amp; ok"
    assert prose(text, everything).split() == ["See", "this", "at", "and", ":", "done", "ok"]
    assert prose(text, frozenset()) == text


def test_identifiers_and_paths_are_no_prose() -> None:
    everything = frozenset({"code", "urls", "markup"})
    assert not prose("https://a.example/x1-eine-lange-adresse/2y?ein=wort", everything).strip()
    text = "IBAN GB85QZXO2074 in my_own_file at /usr/local/etc or and/or 2nd 10年代"
    assert prose(text, everything).split() == ["IBAN", "in", "at", "or", "and/or", "10年代"]
    for line in ('"Komm her!" rief er. "Sofort!"', "**Hinweis:** bitte lesen"):
        assert prose(line, everything) == line
    assert not prose('  "name": "value",', everything).strip()


@pytest.mark.parametrize(
    "text",
    ["My IBAN is GB85QZXO20740530696990", "My zip code is 86786", "my disney card is stolen"],
)
def test_names_and_numbers_are_not_foreign(text: str) -> None:
    assert not scan(text, languages=["en"]).triggered


def test_what_is_expected_is_likelier() -> None:
    for language, near in (("nl", "af"), ("cs", "sk"), ("es", "pt")):
        odds = {one: heard(SAID[language][:12], expected=(one,)).languages[language] for one in (language, near)}
        assert odds[language] > odds[near]


def test_the_replacement_is_not_read() -> None:
    text = f"{SAID['de']}. " + f"{SAID['en']}. " * 6
    verdict = scan(text, languages=["de"], redact_unit="sentence", replacement="[this was not written in German]")
    assert verdict.redacted is not None
    assert verdict.redacted.startswith(SAID["de"])
    assert not scan(verdict.redacted, languages=["de"], replacement="[this was not written in German]").triggered


def test_the_tables_are_whole() -> None:
    assert tables().keys() == MODELLED.keys()
    for script, table in tables().items():
        assert table.languages == MODELLED[script]
        for at in (1, len(table.runs)):
            row = table.rows[at].to_bytes(4 * len(table.languages), "little")
            assert any(row)
            assert max(row) <= 2 * table.steps
        assert not any(table.rows[len(table.runs) + 1].to_bytes(4))
        for word in SAID[max(SAID.keys() & set(table.languages))].split():
            assert all(1 <= at <= len(table.runs) for at in table.runs.of(word.lower()))
    assert len(LANGUAGES) >= 75


@given(st.text(max_size=200))
def test_shares_add_up(text: str) -> None:
    found = heard(text)
    assert not found.languages or abs(sum(found.languages.values()) - 1) < 1e-6
    assert 0 <= scan(text, languages=["en"]).score <= 1


@given(st.sampled_from(sorted(SAID)), st.integers(1, 40))
def test_saying_it_again_changes_nothing(language: str, times: int) -> None:
    assert heard(" ".join([SAID[language]] * times)).best == language


def test_the_work_of_a_word_is_bounded() -> None:
    assert len(list(grams_of("a" * 1000))) == len(list(grams_of("a" * 24)))
    assert words_of("Ab1c d_e") == ["ab", "c", "d", "e"]


def test_threads_share_a_scanner() -> None:
    scanner = build({"languages": ["en"]})
    texts = list(SAID.values()) * 8
    alone = [scanner.scan(text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        for verdicts in pool.map(lambda _: [scanner.scan(text) for text in texts], range(8)):
            assert verdicts == alone


def test_labelled_texts() -> None:
    rows = shared_rows("language")
    found = Counter((scan(row["text"], **row["options"]).triggered, bool(row["label"])) for row in rows)
    hits, misses, false = found[True, True], found[False, True], found[True, False]
    assert 2 * hits / (2 * hits + misses + false) >= 0.993
    tweets = [row for row in rows if "tweets" in row["source"]]
    assert sum(detect(row["text"]) == row["lang"] for row in tweets) >= 0.97 * len(tweets)
