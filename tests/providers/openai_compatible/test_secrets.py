from __future__ import annotations

import copy
import pickle
from dataclasses import asdict, dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine.secrets import MASK, Secret, mask

VALUE = "canary-0123456789"


def test_a_secret_shows_only_when_asked() -> None:
    secret = Secret(VALUE)
    assert secret.reveal() == VALUE
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>30}", f"{[secret]}", "%s" % secret]  # noqa: UP031 - the old form counts too
    assert not any(VALUE in text for text in shown)
    assert repr(secret) == str(secret) == f"{secret}" == "Secret(***)"


def test_a_secret_is_not_pickled_and_copies_to_itself() -> None:
    @dataclass
    class Holder:
        key: Secret

    secret = Secret(VALUE)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(secret, protocol)
    assert copy.copy(secret) is copy.deepcopy(secret) is secret
    assert asdict(Holder(secret))["key"] is secret


def test_secrets_compare_by_value() -> None:
    assert Secret(VALUE) == Secret(VALUE)
    assert Secret("é\ud800") == Secret("é\ud800")
    assert Secret(VALUE) != Secret("other")
    assert Secret(VALUE) != VALUE
    assert len({Secret(VALUE), Secret(VALUE)}) == 1


@pytest.mark.parametrize("held", [VALUE, Secret(VALUE)])
def test_known_values_are_masked(held: str | Secret) -> None:
    assert mask(f"a {VALUE} b{VALUE}", [held]) == f"a {MASK} b{MASK}"


def test_a_value_inside_another_and_its_url_form_are_masked() -> None:
    text = mask("long-secret-tail long-secret p%40ss%2Fword", ["long-secret", "long-secret-tail", "p@ss/word"])
    assert text == f"{MASK} {MASK} {MASK}"


def test_values_too_short_to_be_credentials_are_left_alone() -> None:
    assert mask("none of the x", ["none", "x", ""]) == "none of the x"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("key sk-proj-abcdefgh12345678 end", "abcdefgh12345678"),
        ("Incorrect API key provided: sk-abc12***********wxyz.", "wxyz"),
        ("Authorization: Bearer abc.def-123_456", "abc.def-123_456"),
        ("authorization: Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("x-api-key: abcd1234efgh", "abcd1234efgh"),
        ('{"api_key": "abcd1234efgh"}', "abcd1234efgh"),
        ("https://h/v1?key=abcd1234&x=1", "abcd1234"),
        ("https://user:hunter2@h/v1", "hunter2"),
        ("gsk_abcdefghijklmnop1234", "abcdefghijklmnop1234"),
        ("AIzaSyA-1234567890abcdefghijklmnopqrstu", "1234567890"),
        ("AKIAABCDEFGHIJKLMNOP", "ABCDEFGHIJKLMNOP"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "eyJzdWIiOiIxIn0"),
    ],
)
def test_shapes_of_credentials_are_masked(text: str, hidden: str) -> None:
    masked = mask(text)
    assert hidden not in masked
    assert MASK in masked


@pytest.mark.parametrize(
    "text",
    [
        "the basic understanding of a bearer of news",
        "ask-me-anything and task-oriented-dialogue",
        "maximum context length is 8192 tokens",
        "https://api.example.com/v1/chat/completions?page=2",
        "time 10:20:30 and a:b@c.example",
        "the key is missing: set OPENAI_API_KEY",
    ],
)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert mask(text) == text


@given(st.text(min_size=6, max_size=40), st.text(max_size=60), st.text(max_size=60))
def test_a_known_value_never_remains(value: str, before: str, after: str) -> None:
    assert value in MASK or value not in mask(before + value + after, [value]).replace(MASK, "\n\x00\n")
