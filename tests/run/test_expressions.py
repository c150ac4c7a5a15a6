"""Expressions: native values out of the sandbox, under the limits of templates."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine.errors import TemplateError, TemplateLimitError
from promptrails_engine.run.expressions import (
    CompiledMapping,
    Expression,
    compile_expression,
    compile_value,
    evaluate_async,
    holds_async,
)
from promptrails_engine.run.render import CompiledTemplate, RenderLimits

VALUES: dict[str, Any] = {
    "input": {"text": "hi", "n": 3},
    "steps": {"a": {"output": {"rows": [{"x": 1}, {"x": 2}], "ok": True}, "text": "A"}, "b-c": {"text": "B"}},
    "nothing": None,
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("steps.a.output.rows", [{"x": 1}, {"x": 2}]),
        ("{{ steps.a.output.rows }}", [{"x": 1}, {"x": 2}]),
        ("  {{- steps.a.output.rows | map(attribute='x') | list -}}\n", [1, 2]),
        ("steps['b-c'].text", "B"),
        ("input.n + 1", 4),
        ("input.n > 2 and steps.a.output.ok", True),
        ("'yes' if input.n > 5 else 'no'", "no"),
        ("{'a': [1, input.n], 'b': {'c': none}}", {"a": [1, 3], "b": {"c": None}}),
        ("{1: 2}", {"1": 2}),
        ("(1, 2)", [1, 2]),
        ("range(3)", [0, 1, 2]),
        ("input.items()", [["text", "hi"], ["n", 3]]),
        ("input.keys()", ["text", "n"]),
        ("steps.a.output.rows | groupby('x')", [[1, [{"x": 1}]], [2, [{"x": 2}]]]),
        ("missing", None),
        ("missing.deeper['still']", None),
        ("[missing]", [None]),
        ("nothing", None),
        ("'{{ a }}'", "{{ a }}"),
        ("input.text ~ '!'", "hi!"),
    ],
)
def test_the_value_is_native(source: str, value: Any) -> None:
    assert compile_expression(source).evaluate(VALUES) == value


@given(JSON)
def test_any_data_comes_through_as_it_is_and_is_not_shared(data: Any) -> None:
    found = compile_expression("data").evaluate({"data": data})
    assert found == data
    assert type(found) is type(data)
    if isinstance(data, list | dict):
        assert found is not data


def test_what_comes_out_can_be_changed_without_harm() -> None:
    values = {"data": {"rows": [[1]]}}
    found = compile_expression("data").evaluate(values)
    found["rows"][0].append(2)
    assert values == {"data": {"rows": [[1]]}}


@pytest.mark.parametrize(
    ("source", "holds"),
    [("input.n", True), ("missing", False), ("missing.x > 3 if missing else false", False), ("[]", False), ("1", True)],
)
async def test_conditions_hold_as_if_of_a_template_does(source: str, holds: bool) -> None:
    expression = compile_expression(source)
    assert expression.holds(VALUES) is holds
    assert await holds_async(expression, VALUES) is holds


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "Expected an expression"),
        ("a b", "end of print statement"),
        ("a }} {{ b", "no single expression"),
        ("{{ a }}{{ b }}", "no single expression"),
        ("{{ a }} and more", "no single expression"),
        ("a | unheard_of", "no filter 'unheard_of'"),
        ("a.__class__", "'__class__' cannot be read"),
        ("%}{% for x in a %}", "unexpected"),
    ],
)
def test_what_is_no_expression_is_refused(source: str, said: str) -> None:
    with pytest.raises(TemplateError, match=said):
        compile_expression(source, name="condition")


@pytest.mark.parametrize(
    ("source", "values", "error", "said"),
    [
        ("range", {}, TemplateError, "expression 'c': its value is of type 'Builtin'"),
        ("namespace()", {}, TemplateError, "type 'Namespace'"),
        ("a + 1", {"a": "x"}, TemplateError, "expression 'c', line 1"),
        ("a", {"a": object()}, TemplateError, "expressions take plain data"),
        ("'a' * 10**9", {}, TemplateLimitError, "was stopped"),
        ("[a, a, a]", {"a": "x" * 500_000}, TemplateLimitError, "text in its value would be too long"),
    ],
)
def test_what_cannot_be_evaluated_says_so(source: str, values: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        compile_expression(source, name="c").evaluate(values)


def test_a_value_that_holds_itself_many_times_is_stopped() -> None:
    data: list[Any] = ["x"]
    for _ in range(40):
        data = [data, data]
    with pytest.raises(TemplateLimitError, match="too big"):
        compile_expression("data").evaluate({"data": data}, RenderLimits(seconds=60))


def test_strict_ones_want_every_name() -> None:
    with pytest.raises(TemplateError, match="'missing' is undefined"):
        compile_expression("missing", strict=True).evaluate({})
    with pytest.raises(TemplateError, match="'missing' is undefined"):
        compile_expression("missing", strict=True).holds({})


def test_the_names_that_are_read_are_known() -> None:
    expression = compile_expression("steps.a.text ~ steps['b-c'].text ~ steps[other].text ~ range(2)|length")
    assert expression.variables == {"steps", "other"}
    assert expression.members("steps") == {"a", "b-c"}
    assert not expression.constant
    assert compile_expression("1 > 2").constant
    assert expression.reads_whole("steps")
    for source in ("steps | length", "{% set s = steps %}{{ s.a }}", "{{ steps.a }}{{ steps }}"):
        assert compile_value("{{ " + source + " }}" if "{" not in source else source).reads_whole("steps")
    assert not compile_expression("steps.a ~ steps['b'] ~ other").reads_whole("steps")
    template = compile_value("{% for step in all %}{{ steps.x }}{{ step }}{% endfor %}")
    assert template.variables == {"all", "steps"}
    assert template.members("steps") == {"x"}


def test_a_text_is_an_expression_only_if_it_is_nothing_else() -> None:
    assert isinstance(compile_value("{{ a }}\n"), Expression)
    for text in ("{{ a }}{{ b }}", "a", "", "{{ a }}.", "{{ a }} and {{ b }}", "{% if a %}{{ a }}{% endif %}"):
        assert isinstance(compile_value(text), CompiledTemplate)


def test_one_text_is_compiled_once() -> None:
    assert compile_expression("once + 1") is compile_expression("once + 1")
    assert compile_value("{{ once }}") is compile_value("{{ once }}")
    assert compile_value("{{ once }}") is not compile_value("{{ once }}", name="other")


async def test_mappings_give_values_texts_and_what_is_no_text() -> None:
    fixed = [1, {"deep": "{{ not.touched }}"}]
    mapping = CompiledMapping(
        {
            "rows": "{{ steps.a.output.rows }}",
            "line": "{{ input.text }}, {{ input.n }}",
            "plain": "text",
            "fixed": fixed,
        },
        "input_mapping",
    )
    found = await mapping.evaluate(VALUES)
    assert found == {"rows": [{"x": 1}, {"x": 2}], "line": "hi, 3", "plain": "text", "fixed": fixed}
    found["fixed"][1]["deep"] = "changed"
    found["rows"].clear()
    assert await mapping.evaluate(VALUES) == {**found, "rows": [{"x": 1}, {"x": 2}], "fixed": fixed}
    assert fixed == [1, {"deep": "{{ not.touched }}"}]
    assert set(mapping.compiled) == {"rows", "line", "plain"}
    with pytest.raises(TemplateError, match=r"input_mapping\.bad"):
        CompiledMapping({"bad": "{{ a + }}"}, "input_mapping")


async def test_what_is_too_much_for_the_loop_goes_to_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    evaluate = Expression.evaluate

    def noted(self: Expression, values: Any, limits: Any) -> Any:
        seen.append(threading.current_thread() is threading.main_thread())
        return evaluate(self, values, limits)

    monkeypatch.setattr(Expression, "evaluate", noted)
    limits = RenderLimits(seconds=60)
    assert await evaluate_async(compile_expression("data"), {"data": list(range(10))}, limits) == list(range(10))
    assert seen == [True]
    many = [[number] for number in range(20_000)]
    assert await evaluate_async(compile_expression("data"), {"data": many}, limits) == many
    assert seen == [True, True, False]
