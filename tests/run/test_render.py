"""Templates: what they render, what they accept, and what errors say."""

# ruff: noqa: E501 (templates read best on one line)

from __future__ import annotations

from typing import Any

import pytest
from jinja2 import ChainableUndefined, Environment

from promptrails_engine.errors import TemplateError, TemplateLimitError
from promptrails_engine.run.render import RenderLimits, compile_template

STOCK = Environment(undefined=ChainableUndefined)

VALUES: dict[str, Any] = {
    "name": "Ann",
    "n": 7,
    "price": 3.14159,
    "yes": True,
    "nothing": None,
    "text": "The quick brown fox\njumps over the lazy dog. " * 3,
    "tags": ["b", "A", "c", "a"],
    "nums": [3, 1, 2, 2],
    "docs": [
        {"title": "One", "size": 3, "kind": "x", "tags": ["p", "q"], "author": {"name": "Zoe"}},
        {"title": "Two", "size": 1, "kind": "y", "tags": [], "author": {"name": "Yan"}},
        {"title": "three", "size": 2, "kind": "X", "tags": ["q"]},
    ],
    "tree": [{"v": 1, "c": [{"v": 2, "c": []}, {"v": 3, "c": [{"v": 4, "c": []}]}]}],
    "html": '<b>bold & "quoted"</b>',
}

SAME_AS_JINJA = [
    "Hello {{ name }}!\n",
    "two lines\n\n",
    "{{ missing }}{{ missing.deeper.still }}{{ missing['x'][0] }}|{{ docs[9].title }}|{{ name.nope }}",
    "{% if missing %}a{% elif n > 5 and n < 9 %}b{% else %}c{% endif %}",
    "{{ 'x' if yes else 'y' }}{{ 'x' if nothing }}",
    "{% for d in docs %}{{ loop.index }}/{{ loop.length }} {{ d.title }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for d in docs if d.size > 1 %}{{ loop.index0 }}{{ d.title }}{{ loop.first }}{% else %}none{% endfor %}",
    "{% for d in missing %}x{% else %}none{% endfor %}",
    "{% for k, v in docs[0].items() %}{{ k }}={{ v }};{% endfor %}",
    "{% for k in docs[0] %}{{ k }}{% endfor %}{% for c in name %}{{ c }}-{% endfor %}",
    "{% for i in range(3) %}{% for j in range(i) %}{{ i }}{{ j }} {% endfor %}{% endfor %}",
    "{% for n in tree recursive %}{{ n.v }}({{ loop(n.c) }}){{ loop.depth }}{% endfor %}",
    "{% for x in nums %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x) }}{{ loop.previtem }}{{ loop.nextitem }}{% endfor %}",
    "{% for x in nums %}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.index0 }}{% endfor %}",
    "{% set total = namespace(v=0) %}{% for d in docs %}{% set total.v = total.v + d.size %}{% endfor %}{{ total.v }}",
    "{% set a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}",
    "{% set block %}<{{ name }}>{% endset %}{{ block|upper }}{{ block|length }}",
    "{% filter upper %}a {{ name }}{% endfilter %}",
    "{% macro greet(who, mark='!') %}Hi {{ who }}{{ mark }}{% endmacro %}{{ greet('Bo') }}{{ greet(name, mark='?') }}",
    "{% macro box() %}[{{ caller() }}]{% endmacro %}{% call box() %}{{ name }}{% endcall %}",
    "{% macro row() %}{% call(x) each() %}{{ x }};{% endcall %}{% endmacro %}"
    "{% macro each() %}{% for i in nums %}{{ caller(i) }}{% endfor %}{% endmacro %}{{ row() }}",
    "{% macro va() %}{{ varargs|join(',') }}{{ kwargs.a }}{% endmacro %}{{ va(1, 2, a=3) }}",
    "{% raw %}{{ not rendered }}{% endraw %}{# comment #}{{- ' trimmed ' -}}   x",
    "{{ n + 1 }} {{ n - 1 }} {{ n * 2 }} {{ n / 2 }} {{ n // 2 }} {{ n % 4 }} {{ n ** 2 }} {{ -n }} {{ +n }} {{ 2 ** 0.5 }}",
    "{{ 'a' * 3 }}{{ 3 * 'b' }}{{ 'a' + 'b' }}{{ [1] + [2] }}{{ [0] * 2 }}{{ (1,) + (2,) }}{{ 'n=' ~ n ~ '/' ~ nothing }}",
    "{{ '%s has %d of %.2f%%' % (name, n, price) }}{{ '%(a)s' % {'a': 1} }}{{ '%05d' % n }}{{ '%s' % 'x' }}{{ '%r' % name }}",
    "{{ 1 < 2 < 3 }}{{ 3 > 2 > 2 }}{{ n == 7 }}{{ n != 7 }}{{ name == 'Ann' }}{{ nums == [3, 1, 2, 2] }}{{ docs[0] == docs[1] }}",
    "{{ 'A' in tags }}{{ 'z' not in tags }}{{ 'nn' in name }}{{ 'title' in docs[0] }}{{ [1] in [[1]] }}{{ 1 in missing }}",
    "{{ text[:9] }}|{{ text[4:9] }}|{{ nums[::-1] }}|{{ nums[1:] }}|{{ name[-1] }}|{{ nums[-1] }}|{{ missing[1:] }}",
    "{{ docs[0]['title'] }}{{ docs.0.title }}{{ docs[0].author['name'] }}{{ docs[2].author.name }}",
    "{{ name.upper() }}{{ name.lower() }}{{ ' x '.strip() }}{{ 'a,b'.split(',') }}{{ name.replace('n', 'm') }}{{ name.startswith('A') }}",
    "{{ ', '.join(tags) }}{{ 'a-b'.split('-')[1] }}{{ 'ab'.center(6) }}{{ '7'.zfill(3) }}{{ name.find('n') }}{{ 'x'.ljust(3) }}|",
    "{{ '{} {x:.2f}'.format(n, x=price) }}{{ '{:>5}'.format('a') }}",
    "{{ '{0[size]}{0[author][name]}'.format(docs[0]) }}{{ '{1}{0}{{}}'.format(1, 2) }}{{ '{!s:>4}'.format(n) }}",
    "{{ docs[0].get('title') }}{{ docs[0].get('no', 'd') }}{{ docs[0].keys()|list }}{{ docs[0].values()|list|length }}",
    "{{ nums.index(2) }}{{ nums.count(2) }}{{ {'a': 1, 2: n}.items()|list }}{{ dict(a=1, b=n) }}",
    "{{ name|upper }}{{ name|lower }}{{ 'hello world'|title }}{{ 'hELLO'|capitalize }}{{ ' x '|trim }}{{ 'xxax'|trim('x') }}",
    "{{ missing|default('d') }}{{ ''|default('e', true) }}{{ missing|d }}{{ nothing|default('n') }}{{ missing.x.y|default('z') }}",
    "{{ text|truncate(20) }}|{{ text|truncate(20, true) }}|{{ text|truncate(20, true, '~', 0) }}|{{ 'short'|truncate(10) }}",
    "{{ tags|join(', ') }}{{ docs|join(',', attribute='title') }}{{ nums|join }}{{ 'abc'|join('-') }}",
    "{{ text|wordwrap(12) }}{{ text|wordcount }}{{ text|indent }}{{ text|indent(2, first=true) }}{{ 'a\n\nb'|indent('>', blank=true) }}",
    "{{ tags|length }}{{ tags|count }}{{ name|length }}{{ docs[0]|length }}{{ tags|first }}{{ tags|last }}{{ ''|first }}{{ []|last }}",
    "{{ tags|sort }}{{ tags|sort(case_sensitive=true) }}{{ nums|sort(reverse=true) }}{{ docs|sort(attribute='size')|map(attribute='title')|list }}",
    "{{ docs|sort(attribute='kind,size')|map(attribute='title')|join(',') }}{{ {'b': 1, 'A': 2}|dictsort }}{{ {'b': 1, 'A': 2}|dictsort(by='value') }}",
    "{{ nums|unique|list }}{{ tags|unique|list }}{{ nums|sum }}{{ docs|sum(attribute='size') }}{{ nums|sum(start=10) }}",
    "{{ nums|min }}{{ nums|max }}{{ tags|min }}{{ (docs|max(attribute='size')).title }}{{ []|max }}{{ nums|reverse|list }}{{ name|reverse }}",
    "{{ tags|map('upper')|list }}{{ docs|map(attribute='author.name')|list|length }}{{ docs|map(attribute='author.name', default='-')|join(',') }}",
    "{{ nums|select('odd')|list }}{{ nums|reject('odd')|list }}{{ nums|select('divisibleby', 3)|list }}{{ [0, 1, '']|select|list }}",
    "{{ docs|selectattr('size', 'gt', 1)|map(attribute='title')|list }}{{ docs|rejectattr('tags')|map(attribute='title')|list }}",
    "{{ docs|selectattr('kind', 'in', ['x', 'y'])|map(attribute='title')|list }}{{ docs|selectattr('author')|list|length }}",
    "{% for g in docs|groupby('kind') %}{{ g.grouper }}:{{ g.list|length }} {% endfor %}{% for k, ds in docs|groupby('kind') %}{{ k }}{{ ds|length }}{% endfor %}",
    "{{ docs|groupby('kind')|length }}{% for k, ds in docs|groupby('author.name', default='-') %}{{ k }}{% endfor %}",
    "{{ nums|batch(3)|list }}{{ nums|batch(3, 'x')|list }}{{ nums|slice(3)|list }}{{ nums|slice(3, 'x')|list }}",
    "{{ price|round }}{{ price|round(2) }}{{ price|round(1, 'ceil') }}{{ price|round(1, 'floor') }}{{ -3|abs }}{{ '12'|int }}{{ 'x'|int(5) }}{{ 'ff'|int(base=16) }}",
    "{{ '3.5'|float }}{{ 'x'|float(1.0) }}{{ 3|string ~ 'a' }}{{ 'abc'|list }}{{ 123456|filesizeformat }}{{ 42.7|int }}",
    "{{ '%s is %d'|format(name, n) }}{{ '%(a)s'|format(a=1) }}{{ 'a b&c'|urlencode }}{{ {'a': 1, 'b': 'x y'}|urlencode }}",
    "{{ html|e }}{{ html|escape }}{{ html|striptags }}{{ html|safe }}{{ html }}{{ html|forceescape }}",
    "{{ name is defined }}{{ missing is defined }}{{ missing is undefined }}{{ nothing is none }}{{ n is number }}{{ name is string }}{{ docs[0] is mapping }}",
    "{{ tags is sequence }}{{ tags is iterable }}{{ n is odd }}{{ n is even }}{{ 9 is divisibleby 3 }}{{ yes is true }}{{ yes is boolean }}{{ n is integer }}{{ price is float }}",
    "{{ 'a' is lower }}{{ 'A' is upper }}{{ n is eq 7 }}{{ n is gt 3 }}{{ n is in [7] }}{{ n is sameas n }}{{ yes is false }}{{ n is ne 7 }}{{ n is le 7 }}",
    "{% set c = cycler('odd', 'even') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{% set j = joiner('; ') %}{% for x in nums %}{{ j() }}{{ x }}{% endfor %}",
    "{{ tags }}{{ docs[0] }}{{ (1, 2) }}{{ {'a': [none, true]} }}{{ range(3) }}{{ docs[0].items()|list }}",
    "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}{% set x, y = 1, 2 %}{{ x }}{{ y }}",
    "{% if name and not missing or false %}{{ (n > 3) and 'big' or 'small' }}{% endif %}{% if tags %}t{% endif %}{% if [] %}e{% endif %}",
    "{%- for d in docs -%} {{ d.title }} {%- endfor -%}",
    "{{ 'é' * 2 }}{{ '😀'|length }}{{ 'ß'|upper }}",
    "{{ [[1, 2], [3]]|map('first')|list }}{{ [[3], [1]]|map('sum')|list }}{{ ['a b', 'c']|map('replace', ' ', '_')|list }}",
    "{% for x in nums|sort|unique %}{{ x }}{% endfor %}{{ (nums|map('string')|join('+')) ~ '=' ~ (nums|sum) }}",
    "{{ nums|replace(', ', ';') }}{{ 'aaa'|replace('a', 'b', 2) }}{{ 'abc'|replace('', '-') }}",
]


@pytest.mark.parametrize("source", SAME_AS_JINJA)
def test_the_same_as_jinja(source: str) -> None:
    assert compile_template(source).render(VALUES) == STOCK.from_string(source).render(VALUES)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        # A member wins over a method that is not called; a called one is the method.
        ("{{ o.items }}{{ o.items()|list }}{{ o.keys }}{{ o.count }}", "[1][('items', [1]), ('count', 2)]2"),
        ("{{ tags.sort }}{{ name.upper }}", ""),
        # For a model, not for a web page.
        ("{{ j|tojson }}", '{"b": "<é\'>", "a": [1, null, true]}'),
        ("{{ j|tojson(indent=2) }}", '{\n  "b": "<é\'>",\n  "a": [\n    1,\n    null,\n    true\n  ]\n}'),
        ("{{ j.a|tojson }}{{ 'x\"'|tojson }}{{ j.items()|tojson }}", '[1, null, true]"x\\""[["b", "<é\'>"], ["a", [1, null, true]]]'),
        # Lists instead of generators.
        ("{{ tags|map('upper') }}{{ tags|select('eq', 'q') }}{{ tags|unique|length }}", "['B', 'A'][]2"),
        ("{% if tags|select('eq', 'q') %}some{% else %}none{% endif %}", "none"),
        ("{{ missing|tojson }}{{ [o.nope]|tojson }}{{ range(2)|tojson }}", "null[null][0, 1]"),
        ("{{ ('<b>'|e) + '<i>' }}", "&lt;b&gt;<i>"),
        # Values are never templates.
        ("{{ evil }}{% for x in [evil] %}{{ x }}{% endfor %}", "{{ 7*7 }}{% raw %}{{ 7*7 }}{% raw %}"),
        ("{{ context }}{{ environment }}{{ loop }}{{ caller }}{{ super }}{{ meter }}", "given"),
        ("{% for k, v in o|items %}{{ k }}{% endfor %}", "itemscount"),
    ],
)  # fmt: skip
def test_where_it_differs_from_jinja(source: str, text: str) -> None:
    values = {
        "o": {"items": [1], "count": 2}, "tags": ["b", "A"], "name": "Ann", "evil": "{{ 7*7 }}{% raw %}",
        "j": {"b": "<é'>", "a": [1, None, True]}, "context": "given",
    }  # fmt: skip
    assert compile_template(source).render(values) == text


def test_values_win_over_built_in_names() -> None:
    assert compile_template("{{ range }}{{ dict.a }}").render({"range": "r", "dict": {"a": 1}}) == "r1"


def test_values_stay_as_they_are() -> None:
    values = {"a": [2, 1], "o": {"k": [1]}}
    compile_template("{{ a|sort }}{{ a|reverse }}{% set a = 3 %}{% set x = namespace(o) %}{% set x.k = 4 %}").render(
        values
    )
    assert values == {"a": [2, 1], "o": {"k": [1]}}


def test_one_rendering_knows_nothing_of_another() -> None:
    template = compile_template(
        "{% set ns = namespace(v=a) %}{% for i in range(2) %}{% set ns.v = ns.v + 1 %}{% endfor %}{{ ns.v }}"
    )
    assert [template.render({"a": a}) for a in (1, 10, 1)] == ["3", "12", "3"]


def test_variables() -> None:
    source = "{{ a.b }}{% set c = 1 %}{{ c }}{% for d in e %}{{ d }}{{ loop.index }}{% endfor %}{{ range(f) }}{% if g is defined %}{% endif %}"
    template = compile_template(source)
    assert template.variables == {"a", "e", "f", "g"}
    assert template.source == source


def test_compiled_once() -> None:
    assert compile_template("once {{ a }}") is compile_template("once {{ a }}")
    assert compile_template("once {{ a }}") is not compile_template("once {{ a }}", strict=True)
    assert compile_template("once {{ a }}", name="n").name == "n"


# ------------------------------------------------------------------ strict


@pytest.mark.parametrize(
    ("source", "named", "line"),
    [
        ("{{ a }}\n{{ missing }}", "'missing' is undefined", 2),
        ("\n\n{{ o.missing }}", "'missing'", 3),
        ("{{ missing.x }}", "'missing' is undefined", 1),
        ("{{ missing['x'] }}", "'missing' is undefined", 1),
        ("{{ missing|upper }}", "'missing' is undefined", 1),
        ("{{ missing|length }}", "'missing' is undefined", 1),
        ("{% if missing %}{% endif %}", "'missing' is undefined", 1),
        ("{% for x in missing %}{% endfor %}", "'missing' is undefined", 1),
        ("{{ missing ~ 'x' }}", "'missing' is undefined", 1),
        ("{{ missing == 1 }}", "'missing' is undefined", 1),
        ("{{ missing + 1 }}", "'missing' is undefined", 1),
        ("{{ missing[1:] }}", "'missing' is undefined", 1),
        ("{{ missing.upper() }}", "'missing' is undefined", 1),
        ("{{ missing() }}", "'missing' is undefined", 1),
        ("{{ [o.missing]|join }}", "'missing'", 1),
        ("{{ [o.missing]|tojson }}", "'missing'", 1),
    ],
)
def test_strict_templates_name_what_is_undefined(source: str, named: str, line: int) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_template(source, strict=True, name="user_prompt").render({"a": 1, "o": {}})
    assert not isinstance(caught.value, TemplateLimitError)
    assert named in caught.value.message
    assert f"'user_prompt', line {line}" in caught.value.message


def test_strict_templates_may_ask_and_give_defaults() -> None:
    source = "{{ missing|default('d') }}{% if missing is defined %}x{% endif %}{{ a }}{{ o.x|default('e') }}"
    assert compile_template(source, strict=True).render({"a": 1, "o": {}}) == "d1e"


# ------------------------------------------------------------------ errors


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("a\n{{ b", "line 2"),
        ("{% if a %}", "line 1"),
        ("\n{% nonsense %}", "line 2: Encountered unknown tag 'nonsense'"),
        ("\n\n{{ a|uper }}", "line 3: there is no filter 'uper'; did you mean 'upper'?"),
        ("{% if false %}{{ a|nofilter }}{% endif %}", "there is no filter 'nofilter'"),
        ("{{ a is nonsense }}", "there is no test 'nonsense'"),
        ("{% include 'x' %}", "'include' is not available"),
        ("{% import 'x' as y %}", "'import' is not available"),
        ("{% from 'x' import y %}", "'from ... import' is not available"),
        ("{% extends 'x' %}", "'extends' is not available"),
        ("{% block x %}{% endblock %}", "'block' is not available"),
        ("{% autoescape true %}{% endautoescape %}", "'autoescape' is not available"),
        ("{{ self }}", "'self' is not available"),
        ("{{ ''.__class__ }}", "'__class__' cannot be read"),
        ("{% for loop in [] %}{% endfor %}", "loop"),
    ],
)
def test_templates_that_do_not_compile(source: str, says: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_template(source, name="system_prompt")
    assert says in caught.value.message
    assert "system_prompt" in caught.value.message
    assert caught.value.code == "template_error"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("\n{{ 1 // 0 }}", "line 2: ZeroDivisionError"),
        ("{{ 'a' + 1 }}", "'+' does not work on 'str' and 'int'"),
        ("{{ a.nope() }}", "no method 'nope'"),
        ("{{ 3() }}", "a value of type 'int' cannot be called"),
        ("{% for x in 3 %}{% endfor %}", "cannot be looped over"),
        ("{{ 3|length }}", "cannot be looped over"),
        ("{{ 'x'|round }}", "'round' works on numbers"),
        ("{{ [1, 'a']|sort }}", "TypeError"),
        ("{% macro m() %}{% endmacro %}{{ m }}", "is no plain data"),
        ("{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "not more than 1 argument"),
        ("{% set ns = namespace() %}{{ ns }}", "a namespace cannot be written"),
        ("{{ range }}", "is no plain data"),
    ],
)
def test_templates_that_do_not_render(source: str, says: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_template(source, name="p").render({"a": "x"})
    assert says in caught.value.message
    assert "'p', line " in caught.value.message


class Foreign:
    secret = "s3cret"

    def __str__(self) -> str:
        return self.secret

    def leak(self) -> str:
        return self.secret


@pytest.mark.parametrize("value", [Foreign(), Foreign, Foreign().leak, {1}, b"x", object(), iter([]), (i for i in [1])])
def test_values_that_are_no_plain_data(value: Any) -> None:
    with pytest.raises(TemplateError, match=r"value of 'thing' for the template 'p' is of type .* convert it first"):
        compile_template("{{ a }}", name="p").render({"a": 1, "thing": value})
    for source in ("{{ a.x }}", "{{ a.x.secret }}", "{{ a['x'] ~ '' }}", "{{ a|string }}", "{{ a.x.leak() }}",
                   "{{ a.x() }}", "{% for y in a.x %}{{ y }}{% endfor %}", "{{ a.x|list }}", "{{ a.x|tojson }}",
                   "{{ '{0}'.format(a.x) }}", "{{ '%s' % (a.x,) }}", "{{ a.x == a.x }}", "{{ a.x|upper }}"):  # fmt: skip
        try:
            text = compile_template(source).render({"a": {"x": value}})
        except TemplateError:
            continue
        assert text == ""


# ------------------------------------------------------------------ limits


def test_the_length_of_the_text_is_limited() -> None:
    limits = RenderLimits(output_chars=10)
    for source in ("{{ a }}", "{% for x in [a] %}{{ x }}{% endfor %}", "{{ a[:5] }}{{ a[5:] }}"):
        template = compile_template(source)
        assert template.render({"a": "x" * 10}, limits) == "x" * 10
        with pytest.raises(TemplateLimitError, match="longer than 10 characters"):
            template.render({"a": "x" * 11}, limits)


def test_operations_are_limited() -> None:
    template = compile_template("{% for x in a %}{{ x }}{% endfor %}", name="p")
    assert template.render({"a": [1] * 90}, RenderLimits(operations=200)) == "1" * 90
    with pytest.raises(TemplateLimitError, match="'p', line 1, was stopped: too many operations") as caught:
        template.render({"a": [1] * 300}, RenderLimits(operations=200))
    assert caught.value.code == "template_limit"


def test_a_large_but_honest_template_renders() -> None:
    docs = [{"title": f"Document {number}", "body": "word " * 60, "score": number / 7} for number in range(2_000)]
    source = (
        "{% for d in docs|sort(attribute='score', reverse=true) %}## {{ loop.index }}. {{ d.title|upper }}"
        " ({{ d.score|round(2) }})\n{{ d.body|trim|truncate(200) }}\n{% endfor %}"
    )
    text = compile_template(source).render({"docs": docs}, RenderLimits(seconds=60))
    assert text.startswith("## 1. DOCUMENT 1999 (285.57)\nword word")
    assert text.count("##") == 2_000
