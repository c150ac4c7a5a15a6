"""JSON that a model wrote, and input."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from promptrails_engine.errors import InputInvalidError, OutputInvalidError, ToolArgsInvalidError, ValidationError
from promptrails_engine.schema import answers, check_input, compile_schema, extract_json, parse_arguments

DEEP = "[" * 65 + "]" * 65


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ("  [1, 2.5, null, true]\n", [1, 2.5, None, True]),
        ('"text"', "text"),
        ("3", 3),
        ('\ufeff{"a": 1}', {"a": 1}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ("```\n[1]\n```", [1]),
        ("~~~JSON\n[1]\n~~~", [1]),
        ('Here it is:\n\n```json\n{"a": "```x"}\n```\nAnything else? [1]', {"a": "```x"}),
        ('{"code": "```json\\n{}\\n```"}', {"code": "```json\n{}\n```"}),
        ('{"a": "' + "1" * 5000 + '"}', {"a": "1" * 5000}),
        ("[" * 64 + "]" * 64, json.loads("[" * 64 + "]" * 64)),
        ('{"a": "' + "[{" * 100 + '"}', {"a": "[{" * 100}),
        ("9" * 1000, int("9" * 1000)),
    ],
)
def test_the_value_of_an_answer(text: str, value: Any) -> None:
    assert extract_json(text) == value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("Sorry, I cannot.", "not valid JSON"),
        ('{"a": 1', "not valid JSON"),
        ('{"a": 1} {"b": 2}', "something after the value"),
        ('{"a": 1}\n{"b": 2}', "something after the value"),
        ("```json\n{}\n```\n```json\n{}\n```", "more than one fenced block"),
        ("```json\n{} {}\n```", "something after the value"),
        ('{"a": 1}\n```json\n{}\n```', "something after the value"),
        ('Or {"a": 1}:\n```json\n{}\n```', "not valid JSON"),
        ("```json\n{}", "not valid JSON"),
        ("```python\n{}\n```", "not valid JSON"),
        ('{"a": NaN}', "NaN is no JSON"),
        ("-Infinity", "-Infinity is no JSON"),
        ("1e999", "too big"),
        ('{"a": 1, "a": 2}', "same key twice"),
        ('{"x": {"a": 1, "a": 1}}', "same key twice"),
        (DEEP, "deeper than 64"),
        ("[" * 100_000, "deeper than 64"),
        ("9" * 1001, "1000 digits"),
        ('["' + "1" * 2000 + '", 0.' + "1" * 1001 + "]", "1000 digits"),
        ("[" + " " * 4 * 1024 * 1024 + "]", "is longer than"),
    ],
)
def test_an_answer_that_is_refused(text: str, says: str) -> None:
    with pytest.raises(OutputInvalidError) as caught:
        extract_json(text)
    (only,) = caught.value.violations
    assert only.pointer == ""
    assert says in only.message
    assert isinstance(caught.value, ValidationError)


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('{"city": "Berlin", "days": 3}', {"city": "Berlin", "days": 3}),
        ("{}", {}),
        ("", {}),
        (" \n", {}),
        ('{"a": "' + "x" * (1024 * 1024 - 9) + '"}', {"a": "x" * (1024 * 1024 - 9)}),
        ('{"a": "\\ud800"}', {"a": "\ud800"}),
    ],
)
def test_arguments(text: str, arguments: dict[str, Any]) -> None:
    assert parse_arguments(text) == arguments


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1]", "not a list"),
        ("null", "not null"),
        ('"x"', "not a string"),
        ("3", "not a number"),
        ("true", "not a boolean"),
        ('{"a": 1', "not valid JSON"),
        ('{"a": 1}{"a": 2}', "something after"),
        ('```json\n{"a": 1}\n```', "not valid JSON"),
        ('{"a": 1, "a": 2}', "same key twice"),
        ('{"a": Infinity}', "Infinity is no JSON"),
        ('{"a": -1e400}', "too big"),
        ('{"a": ' + "1" * 1001 + "}", "1000 digits"),
        ('{"a": ' + DEEP + "}", "deeper than 64"),
        ('{"a":' * 100_000, "deeper than 64"),
        ('{"a": "' + "x" * (1024 * 1024) + '"}', "longer than"),
        ('{"a": "' + "é" * (512 * 1024) + '"}', "longer than"),
    ],
)
def test_arguments_that_are_refused(text: str, says: str) -> None:
    with pytest.raises(ToolArgsInvalidError) as caught:
        parse_arguments(text)
    assert says in caught.value.message
    assert len(caught.value.message) < 200


def test_refusals_do_not_repeat_the_text() -> None:
    for read in (extract_json, parse_arguments):
        with pytest.raises((OutputInvalidError, ToolArgsInvalidError)) as caught:
            read('{"key": sk-secret}')
        assert "secret" not in str(caught.value)


SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string"}, "count": {"type": "integer", "default": 3}},
    "required": ["text"],
}


def test_input_is_checked_with_its_defaults() -> None:
    validator = compile_schema(SCHEMA)
    given = {"text": "x"}
    assert check_input(validator, given) == {"text": "x", "count": 3}
    assert given == {"text": "x"}
    whole = {"text": "x", "count": 4}
    assert check_input(validator, whole) is whole
    assert check_input(validator, MappingProxyType(whole)) == whole


def test_a_required_member_may_come_from_its_default() -> None:
    validator = compile_schema({**SCHEMA, "required": ["text", "count"]})
    assert check_input(validator, {"text": "x"}) == {"text": "x", "count": 3}


@pytest.mark.parametrize(
    ("data", "kind"), [(None, "null"), ("x", "a string"), ([1], "a list"), (3, "a number"), (True, "a boolean")]
)
def test_input_that_is_no_object(data: Any, kind: str) -> None:
    for schema in (SCHEMA, {}):
        with pytest.raises(InputInvalidError, match=f"named values, not {kind}"):
            check_input(compile_schema(schema), data)


def test_input_that_breaks_the_schema() -> None:
    with pytest.raises(InputInvalidError) as caught:
        check_input(compile_schema(SCHEMA), {"count": "many"}, what="input of prompt 'p'")
    assert [one.pointer for one in caught.value.violations] == ["", "/count"]
    assert caught.value.message.startswith("input of prompt 'p': ")
    assert caught.value.code == "input_invalid"


_ODD = st.text(st.sampled_from('{}":, ab\\u00d81n-.e\t'), max_size=24)
_MEMBERS = st.dictionaries(
    st.text(max_size=4),
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=6), st.floats(allow_nan=False), st.just([1])),
    max_size=3,
)


@given(st.one_of(_ODD, st.builds("{{{}}}".format, _ODD), _MEMBERS.map(json.dumps)))
@example('{"a": 1, "a": 2}')
@example('{"a:a": 1}')
@example('{"a": "\\ud800"}')
@example('{"a": 1e400}')
@example('{"a": NaN}')
@example('{"a": -0}')
def test_short_arguments_are_read_like_all_others(text: str) -> None:
    def read(text: str) -> object:
        try:
            return parse_arguments(text)
        except ToolArgsInvalidError as error:
            return error.message

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers, "_flat", lambda text: None)
        expected = read(text)
    assert read(text) == expected
    assert repr(read(text)) == repr(expected)
