"""The hashed linear models: features, files of weights, scores."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import replace
from importlib.resources import files
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_scanners.foundation.linear import (
    MAGIC,
    ZERO,
    Head,
    Together,
    buckets,
    features,
    load,
    logistic,
    read,
    word_buckets,
    words,
    written,
)

MODELS = ("bias", "harmful", "no_refusal", "prompt_injection", "toxicity")


def head(name: str = "one", at: int = 0, weight: int = 50, bits: int = 16) -> Head:
    raw = bytearray([ZERO]) * (1 << bits)
    raw[at % (1 << bits)] = ZERO + weight
    return Head(name, 0.1, -0.5, 2.0, {"rule": 1.5}, bytes(raw) * (1 << (16 - bits)))


def test_words_are_in_lower_case_and_marks_count() -> None:
    assert words("Don\u2019t STOP, caf\u00e9 r2d2?!") == ("don\u2019t", "stop", "caf\u00e9", "r2d2", "?", "!")


def test_digits_are_alike_and_so_are_apostrophes() -> None:
    assert word_buckets("room7") == word_buckets("room3")
    assert word_buckets("don\u2019t") == word_buckets("don't")


def test_words_that_come_twice_count_once() -> None:
    once, twice = buckets("ignore rules"), buckets("ignore rules ignore rules")
    assert len(twice) == len(once) + 1  # "rules ignore"
    assert set(once) < set(twice)


def test_a_longer_text_has_as_many_more_features() -> None:
    texts = [
        " ".join(f"word{chr(97 + at % 26)}{chr(97 + at // 26 % 26)}{chr(97 + at // 676)}" for at in range(n))
        for n in (500, 1000, 2000)
    ]
    sizes = [len(buckets(text)) for text in texts]
    assert sizes[1] < 2.1 * sizes[0]
    assert sizes[2] < 2.1 * sizes[1]


def test_one_long_word_is_cut() -> None:
    assert max(map(len, words("a" * 10_000))) == 40


@pytest.mark.parametrize("bits", [10, 14, 16])
def test_weights_read_are_those_written(bits: int) -> None:
    heads = [head("one", 7, 50, bits), head("two", 900, -120, bits)]
    assert read(written(bits, heads)) == heads


def test_a_bucket_moves_the_score_by_its_weight() -> None:
    text = "hello"
    features = buckets(text)
    plain = Head("none", 0.1, -0.5, 2.0, {}, bytes([ZERO]) * (1 << 16))
    moved = head(at=features[0], weight=50)
    assert plain.total(features, {}) == -0.5
    assert moved.total(features, {}) == pytest.approx(-0.5 + 0.1 * 50 / len(features) ** 0.5)
    assert moved.total(features, {"rule": 1.0, "unknown": 1.0}) == pytest.approx(moved.total(features, {}) + 1.5)


def test_what_has_no_words_scores_the_bias() -> None:
    assert head().score(buckets(""), {}) == pytest.approx(logistic(-1.0))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "PRLM1"),
        (b"PRLM2\nxx", "PRLM1"),
        (MAGIC + zlib.compress(b'{"bits": 16, "heads": [{}]}\nshort'), "5 weights"),
    ],
)
def test_what_is_no_file_of_weights_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read(data)


@given(st.floats(allow_nan=False))
def test_scores_are_between_0_and_1(value: float) -> None:
    assert 0.0 <= logistic(value) <= 1.0


@pytest.mark.parametrize("name", MODELS)
def test_shipped_models_load_once(name: str) -> None:
    found: list[object] = []
    threads = [Thread(target=lambda: found.append(load(name))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert name in load(name)
    assert all(one == found[0] for one in found)


@given(st.text(max_size=200))
def test_features_add_up_to_what_their_buckets_do(text: str) -> None:
    for name in MODELS:
        for shipped in load(name).values():
            one = replace(shipped, meanings=None)  # buckets do not tell which words they are from
            assert one.total(features(text), {"length": 0.5}) == one.total(buckets(text), {"length": 0.5})


@pytest.mark.parametrize("bits", [8, 12, 16])
def test_heads_that_are_asked_together_say_what_each_says_alone(bits: int) -> None:
    text = "one two three, and a longer word beside them"
    ours = {str(at): head(str(at), int(found), 30 * at - 90, bits) for at, found in enumerate(buckets(text)[:7])}
    said, signals = features(text), {"rule": 1.0}
    assert Together(ours).scores(said, signals) == {name: one.score(said, signals) for name, one in ours.items()}


def test_no_heads_say_nothing() -> None:
    assert Together({}).scores(features("a text"), {}) == {}


def test_the_manifest_tells_what_ships() -> None:
    folder = files("promptrails_scanners") / "weights"
    told = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    listed = {name: about for model in told.values() for name, about in model["files"].items()}
    for name, about in listed.items():
        data = (folder / name).read_bytes()
        assert (name, len(data), hashlib.sha256(data).hexdigest()) == (name, about["bytes"], about["sha256"])
    shipped = {one.name for one in folder.iterdir() if one.name.endswith(".bin")}
    assert shipped - listed.keys() <= {"malicious_urls.bin"}  # which has a manifest of its own


def test_vectors_that_weights_were_made_with_may_ship() -> None:
    told = json.loads((files("promptrails_scanners") / "weights" / "manifest.json").read_text(encoding="utf-8"))
    meant = {name for name in MODELS if load(name)[name].meanings is not None}
    assert {name for name in told if "vectors" in told[name]} == meant
    assert {told[name]["vectors"]["licence"] for name in meant} == {"CC0-1.0"}


def test_sources_that_may_not_ship_are_in_no_model() -> None:
    told = json.loads((files("promptrails_scanners") / "weights" / "manifest.json").read_text(encoding="utf-8"))
    sources = [source for model in told.values() for source in model["sources"]]
    assert sources
    assert not [one for one in sources if "-SA" in one["licence"] or "-NC" in one["licence"] or not one["licence"]]
