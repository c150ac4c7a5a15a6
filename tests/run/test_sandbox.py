"""Known escapes from Jinja's sandbox, and templates made to use up a machine: none gets through, none takes long.

The worst run in an interpreter of their own, with a limit on its memory.
"""

# ruff: noqa: E501 (templates read best on one line)

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine.errors import TemplateError, TemplateLimitError
from promptrails_engine.run.render import compile_template

ROOT = Path(__file__).resolve().parents[2]
VALUES: dict[str, Any] = {"x": "text", "d": {"a": 1}, "l": [1, 2], "n": 3}

# What must not show up in any text: a trace of Python behind the template.
TRACES = (
    "<class",
    "<function",
    "<module",
    "<built-in",
    "<method",
    "object at 0x",
    "globals",
    "builtins",
    "root:",
    "uid=",
)

ESCAPES = [
    # CVE-2016-10745 and CVE-2019-10906: str.format and str.format_map
    "{{ '{0.__class__.__init__.__globals__}'.format(x) }}",
    "{{ '{0.__class__.__mro__}'.format_map({'0': x}) }}",
    "{{ '{a.__class__}'.format_map({'a': 42}) }}",
    "{{ '{0[__class__]}'.format(d) }}",
    "{{ '{0!r}'.format(range) }}",
    "{{ '{:{0.__class__}}'.format(n, x) }}",
    # CVE-2024-56326: a reference to format that is not called at once
    "{% set f = '{0.__class__.__mro__}'.format %}{{ f(42) }}",
    "{{ ['{0.__class__}']|map('format', 42)|list }}",
    "{{ '{0.__class__}'|attr('format')(42) }}",
    "{% set ns = namespace(f='{0.__class__}'.format) %}{{ ns.f(42) }}",
    "{% macro m(f) %}{{ f(42) }}{% endmacro %}{{ m('{0.__class__}'.format) }}",
    # CVE-2025-27516: |attr
    "{{ x|attr('__class__')|attr('__mro__') }}",
    "{{ ''|attr('for'~'mat') }}",
    "{{ ['x']|map('attr', '__class__')|list }}",
    "{{ [x]|map(attribute='__class__.__mro__')|list }}",
    "{{ [x]|selectattr('__class__')|list|length }}",
    "{{ [x]|groupby('__class__')|list }}",
    "{{ [x]|sort(attribute='__class__') }}",
    "{{ [x]|sum(attribute='__class__') }}",
    "{{ [x]|join(attribute='__class__') }}",
    "{{ [x]|unique(attribute='__class__')|list }}",
    "{{ [x]|min(attribute='__class__') }}",
    # CVE-2024-56201: a name of a file or template that ends up in the compiled code
    "{% from '{}' import a %}",
    "{{ x if false }}",
    # the usual ways to object
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ x['__class__'] }}",
    "{{ x['__cla' ~ 'ss__'] }}",
    "{{ d['__class__'] }}{{ d.get('__class__') }}",
    "{{ l.__class__ }}",
    "{{ (1).__class__ }}",
    "{{ none.__class__ }}",
    "{{ missing.__class__.__init__.__globals__ }}",
    "{{ missing['__class__'] }}{{ missing._undefined_exception }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ lipsum.__globals__['os'] }}",
    "{{ range.__self__ }}{{ dict.__base__ }}{{ dict.fromkeys }}{{ dict.mro() }}",
    "{{ self.__init__ }}",
    "{{ self._TemplateReference__context.cycler.__init__ }}",
    "{{ context }}{{ environment }}{{ get_flashed_messages }}{{ config }}{{ request }}",
    "{{ cycler('a')._Cycler__x }}{{ cycler('a').items }}{{ cycler('a').__dict__ }}",
    "{{ joiner('a').sep }}{{ joiner().used }}",
    "{{ namespace(a=1)._Namespace__attrs }}{{ namespace(a=1)['_Namespace__attrs'] }}",
    "{% set ns = namespace() %}{% set ns.__class__ = 1 %}{{ ns.a }}",
    "{% macro m() %}{% endmacro %}{{ m._func }}{{ m._environment }}{{ m._invoke }}{{ m.name }}{{ m.arguments }}",
    "{% macro m() %}{% endmacro %}{{ m.__call__.__globals__ }}",
    "{% macro m() %}{{ caller._func }}{% endmacro %}{% call m() %}{% endcall %}",
    "{% for a in l %}{{ loop._iterable }}{{ loop._iterator }}{{ loop._undefined }}{{ loop._recurse }}{% endfor %}",
    "{% for a in l %}{{ loop.__init__.__globals__ }}{% endfor %}",
    "{% for g in [d]|groupby('a') %}{{ g._fields }}{{ g.index }}{{ g.count }}{{ g.__class__ }}{% endfor %}",
    "{{ x.upper.__self__ }}{{ x.join.__call__ }}{{ d.items.__self__ }}",
    "{{ x.encode() }}",
    "{{ x.translate({120: 'y'}) }}",
    "{{ x.format.__globals__ }}{{ x.__format__('') }}",
    "{{ (x for x in l) }}",
    "{{ l|map('lower')|attr('gi_frame') }}",
    "{{ d.keys().__iter__() }}{{ d.keys().mapping }}",
    "{{ x|xmlattr }}{{ x|pprint }}{{ x|urlize }}",
    "{{ x is callable }}",
    "{{ x is filter }}{{ 'upper' is filter }}",
    "{{ l|map(' method', 'upper')|list }}{{ l|map(' tick', -1000)|list }}",
    "{{ x|map('__class__')|list }}{{ l|select('__class__')|list }}",
    "{{ {}.__class__.__bases__[0] }}{{ ().__class__ }}{{ []['__class__'] }}",
    "{{ x[range(1)] }}{{ x[none] }}{{ l['append'] }}{{ l['__len__'] }}",
    # changing what was given
    "{{ l.append(3) }}", "{{ l.clear() }}", "{{ l.extend(l) }}", "{{ l.sort() }}", "{{ l.pop() }}", "{{ l.reverse() }}",
    "{{ d.update(b=2) }}", "{{ d.pop('a') }}", "{{ d.clear() }}", "{{ d.setdefault('b', 2) }}", "{{ d.__setitem__('a', 2) }}",
    "{% set d.a = 2 %}", "{% set l[0] = 2 %}", "{% set d['a'] = 2 %}",
    # loading
    "{% include '/etc/passwd' %}", "{% import 'os' as os %}", "{% extends '/etc/passwd' %}", "{{ super() }}",
    "{% include ['a', 'b'] ignore missing %}", "{% from 'x' import y with context %}",
]  # fmt: skip


@pytest.mark.parametrize("source", ESCAPES)
@pytest.mark.parametrize("strict", [False, True])
def test_no_way_out(source: str, strict: bool) -> None:
    values = json.loads(json.dumps(VALUES))
    try:
        text = compile_template(source, strict=strict).render(values)
    except TemplateError:
        text = ""
    assert not any(trace in text for trace in TRACES), text
    assert values == VALUES


@pytest.mark.parametrize("name", ['"+__import__("os").system("id")+"', "'", "{0}", "a\nb", '")\nraise SystemExit("'])
def test_names_of_templates_are_no_code(name: str) -> None:
    assert compile_template("{{ x if false }}{{ x }}", name=name).render({"x": 1}) == "1"
    with pytest.raises(TemplateError):
        compile_template("{% from 'a' import b %}", name=name)


@pytest.mark.parametrize("text", ["{{ 7*7 }}", "{% for x in y %}", "{# #}", "{{ ''.__class__ }}", "%}", "${7*7}"])
def test_values_are_no_templates(text: str) -> None:
    source = "{{ a }}|{{ [a]|join }}|{{ '%s' % a }}|{{ '{}'.format(a) }}|{% set b = a %}{{ b ~ '' }}|{{ a|e|safe }}"
    out = compile_template(source).render({"a": text}).split("|")
    assert out[:5] == [text] * 5


DOUBLE = "{{% set ns = namespace(x={0}, y={0}) %}}{{% for i in range(60) %}}{{% set ns.x = {1} %}}{{% set ns.y = {2} %}}{{% endfor %}}"
NESTED = DOUBLE.format("[1]", "[ns.x, ns.x]", "[ns.y, ns.y]")
OBJECTS = DOUBLE.format("{'a': 1}", "{'a': ns.x, 'b': ns.x}", "{'a': ns.y, 'b': ns.y}")
TUPLES = DOUBLE.format("(1,)", "(ns.x, ns.x)", "(ns.y, ns.y)")

BOMBS = [
    "{{ 'a' * 10**9 }}", "{{ 10**9 * 'a' }}", "{{ [0] * 10**9 }}", "{{ (0,) * 10**9 }}", "{{ 'ab' * 2**40 }}",
    "{{ 10**10**2**20 }}", "{{ 2**4000 * 2**4000 }}", "{{ (10**1000)**1000 }}", "{{ 9**9**9**9 }}",
    "{% set ns = namespace(n=9) %}{% for i in range(99) %}{% set ns.n = ns.n * ns.n %}{% endfor %}{{ ns.n }}",
    "{% set ns = namespace(n=9) %}{% for i in range(9999) %}{% set ns.n = ns.n + ns.n %}{% endfor %}{{ ns.n }}",
    "{{ ('1' * 900000)|int(base=2) * 3 }}",
    DOUBLE.format("'aa'", "ns.x ~ ns.x", "ns.y") + "{{ ns.x|length }}",
    DOUBLE.format("'aa'", "ns.x + ns.x", "ns.y") + "{{ ns.x|length }}",
    DOUBLE.format("'aa'", "[ns.x, ns.x]|join", "ns.y") + "{{ ns.x|length }}",
    DOUBLE.format("'aa'", "'%s%s' % (ns.x, ns.x)", "ns.y") + "{{ ns.x|length }}",
    DOUBLE.format("'aa'", "'{0}{0}'.format(ns.x)", "ns.y") + "{{ ns.x|length }}",
    DOUBLE.format("'aa'", "ns.x|replace('a', 'aa')", "ns.y") + "{{ ns.x|length }}",
    DOUBLE.format("'aa'", "ns.x.replace('a', 'aa')", "ns.y") + "{{ ns.x|length }}",
    DOUBLE.format("'&'", "ns.x|e", "ns.y|tojson") + "{{ ns.y|length }}",
    DOUBLE.format("'é'", "ns.x|urlencode", "ns.y|tojson|tojson") + "{{ ns.y|length }}",
    DOUBLE.format("[1]", "ns.x + ns.x", "ns.y") + "{{ ns.x|length }}",
    DOUBLE.format("[1]", "ns.x * 2", "ns.y") + "{{ ns.x|length }}",
    NESTED + "{{ ns.x }}", NESTED + "{{ ns.x|string }}", NESTED + "{{ ns.x|tojson }}", NESTED + "{{ ns.x ~ '' }}",
    NESTED + "{{ ns.x == ns.y }}", NESTED + "{{ ns.x != ns.y }}", NESTED + "{{ ns.x < ns.y }}", NESTED + "{{ ns.x in [ns.y] }}",
    NESTED + "{{ [ns.y].index(ns.x) }}", NESTED + "{{ [ns.y].count(ns.x) }}", NESTED + "{{ [ns.x, ns.y]|sort }}",
    NESTED + "{{ [ns.x, ns.y]|max }}", NESTED + "{{ [ns.x, ns.y]|unique }}", NESTED + "{{ '%s' % (ns.x,) }}",
    NESTED + "{{ '{}'.format(ns.x) }}", NESTED + "{{ [ns.x]|join }}", NESTED + "{{ ns.x|upper }}", NESTED + "{{ ns.x|urlencode }}",
    NESTED + "{{ ns.x is eq ns.y }}", NESTED + "{{ [ns.x]|select('eq', ns.y)|list }}", NESTED + "{{ [{'k': ns.x}, {'k': ns.y}]|groupby('k') }}",
    NESTED + "{% for i in [1, 2] %}{{ loop.changed(ns.x) }}{{ loop.changed(ns.y) }}{% endfor %}",
    NESTED + "{{ ns.x|wordcount }}", NESTED + "{{ ns.x|e }}", NESTED + "{{ {'a': ns.x}|dictsort(by='value') }}{{ {'a': ns.x, 'b': ns.y}|dictsort(by='value') }}",
    OBJECTS + "{{ ns.x }}", OBJECTS + "{{ ns.x == ns.y }}", OBJECTS + "{{ ns.x|tojson(indent=2) }}",
    TUPLES + "{{ {ns.x: 1} }}", TUPLES + "{{ dict([(ns.x, 1)]) }}", TUPLES + "{{ {}.get(ns.x) }}", TUPLES + "{{ [ns.x]|unique }}",
    TUPLES + "{{ ns.x in {} }}", TUPLES + "{{ {}|length }}{{ ns.x == ns.y }}",
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% for a in range(999) %}{% for b in range(999) %}{% for c in range(999) %}{% endfor %}{% endfor %}{% endfor %}",
    "{% for a in range(99999) if false %}{% endfor %}" * 9,
    "{% for a in range(99999) if range(99999)|select('odd')|list %}{% endfor %}",
    "{% set ns = namespace(x='a' * 900000) %}{% for i in range(99999) %}{% if ns.x ~ i == ns.x %}{% endif %}{% endfor %}",
    "{% for i in range(99999) %}{% set y = ('a' * 1000)|upper|lower|title %}{% endfor %}",
    "{% for i in range(99999) %}{% if ('a' * 1000000) in ('a' * 999999) %}{% endif %}{% endfor %}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(30) }}",
    "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
    "{% macro m() %}{% call m() %}{% endcall %}{% endmacro %}{{ m() }}",
    "{% macro m(f) %}{{ f(f) }}{% endmacro %}{{ m(m) }}",
    "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "{% for x in [1, 2] recursive %}{{ loop([1, 2]) }}{% endfor %}",
    "{% macro m() %}{% for i in range(999) %}{{ 'x' * 999 }}{% endfor %}{% endmacro %}{% for i in range(999) %}{{ m() }}{% endfor %}",
    "{% filter upper %}{% for i in range(99999) %}{{ 'x' * 1000 }}{% endfor %}{% endfilter %}",
    "{% set b %}{% for i in range(99999) %}{{ 'x' * 1000 }}{% endfor %}{% endset %}{{ b|length }}",
    "{% set a = 'xx' %}" + "{% set a %}{{ a }}{{ a }}{% endset %}" * 50 + "{{ a|length }}",
    "{% set a = 'aa' %}" + "{% set a = a ~ a %}" * 50 + "{{ a|length }}",
    "{% set a = [1] %}" + "{% set a = [a, a] %}" * 50 + "{{ a }}",
    "{{ '%999999999d' % 1 }}", "{{ '%.999999999f' % 1 }}", "{{ '%*d' % (999999999, 1) }}", "{{ '%0*d' % (999999999, 1) }}",
    "{{ '%(a)999999999d' % {'a': 1} }}", "{{ '%999999999s'|format('x') }}", "{{ ('%9999d' * 9999) % (1,) }}",
    "{{ '{:>999999999}'.format('x') }}", "{{ '{:{w}}'.format(1, w=999999999) }}", "{{ '{:.999999999f}'.format(1.5) }}",
    "{{ '{0:999999999,d}'.format(5) }}", "{{ '%999999999d' is odd }}", "{{ '%999999999d' is divisibleby 3 }}", "{{ '%999999999d' is even }}",
    "{{ ('{0:9999}' * 999).format(1) }}",
    "{{ 'x'|center(10**9) }}", "{{ 'x'.center(10**9) }}", "{{ 'x'.ljust(10**9) }}", "{{ 'x'.rjust(10**9) }}", "{{ 'x'.zfill(10**9) }}",
    "{{ ('\t' * 99).expandtabs(10**9) }}", "{{ 'x'|indent(10**9, true) }}", "{{ ('\n' * 99999)|indent(9999, blank=true) }}",
    "{{ 'x'|indent('y' * 99999, true)|indent('z' * 99999) }}", "{{ 'x'|replace('', 'y' * 99999)|replace('', 'z' * 99999) }}",
    "{{ ('a' * 99999)|replace('a', 'b' * 99999) }}", "{{ ('a' * 99999).replace('a', 'b' * 99999) }}", "{{ ('a' * 99999)|join('b' * 99999) }}",
    "{{ ('b' * 99999).join('a' * 99999) }}", "{{ [1]|batch(10**9, 0) }}", "{{ [1]|batch(99999, 0) }}" * 99, "{{ [1]|slice(10**9)|list }}",
    "{{ [1]|tojson(indent=10**9) }}", "{{ range(10**9)|list }}", "{{ range(10**9) }}", "{{ range(99999)|list|map('string')|list|join(',' * 999) }}",
    "{{ range(99999)|batch(2)|list|batch(2)|list }}" * 9, "{{ lipsum(n=10**6) }}", "{{ dict(a='x' * 999999)|tojson(indent=16) }}" * 9,
    "{{ ('a ' * 400000)|wordwrap(1) }}", "{{ ('a' * 900000)|wordwrap(1) }}", "{{ ('-' * 19999)|wordwrap(1) }}", "{{ ('a-' * 9999)|wordwrap(2, wrapstring='x' * 99) }}",
    "{{ ('a ' * 400000)|title }}", "{{ ('a ' * 400000)|wordcount }}", "{{ ('ab ' * 300000).split() }}", "{{ ('<!--' * 200000)|striptags }}",
    "{{ ('<' * 65000)|striptags|length }}", "{{ ('<!-- -->' * 8000)|striptags|length }}",
    "{{ ('a' * 900000).strip('b' * 999) }}", "{{ (('a' * 999) ~ 'b' ~ ('a' * 900000)).rsplit('b' ~ 'a' * 999)|length }}", "{{ ('a' * 900000).count('a' * 999 ~ 'b') }}",
    "{{ 5|round(-10**9) }}", "{{ 5|round(10**9, 'ceil') }}", "{{ ('9' * 900000)|int }}", "{{ ('9' * 900000)|float }}", "{{ ('f' * 900000)|int(base=16) }}",
    "{{ range(99999)|sum(start=[]) }}", "{{ [[1] * 9999] * 99 }}" * 9, "{{ range(99999)|sort|reverse|unique|map('string')|join }}" * 9,
    "{{ range(9999)|map(attribute='" + "a." * 90 + "a')|list|length }}", "{{ l|map(attribute='" + "a." * 9999 + "a')|list }}",
    "{{ [l]|sum(start=l) }}", "{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns.x }}{{ ns.x == ns.x }}{{ ns.x|tojson }}",
    "{{ " + "(" * 9000 + "1" + ")" * 9000 + " }}", "{{ " + "[" * 900 + "]" * 900 + " }}", "{{ " + "-" * 9000 + "1 }}", "{{ " + "not " * 9000 + "1 }}",
    "{% if 1 %}" * 900 + "{% endif %}" * 900, "{% for i in l %}" * 40 + "{% endfor %}" * 40, "{{ x" + "|upper" * 9000 + " }}",
    "{{ 1" + "+1" * 30000 + " }}", "{{ 1 }}" * 30000, "{{ " + "9" * 9000 + " }}", "{{ x" + ".a" * 9000 + " }}", "{{ x" + "[0]" * 9000 + " }}",
    "{{ 'x' " + "~ 'y'" * 9000 + " }}", "{{ [" + "1," * 30000 + "] }}", "{% macro m(" + ",".join(f"a{i}" for i in range(300)) + ") %}{% endmacro %}{{ m() }}",
    "{{ l" + "|list" * 3000 + " }}", "{{ x" + "|e" * 3000 + " }}", "{{ '<'" + "|e" * 900 + " }}",
]  # fmt: skip

RUN = """
import json, resource, sys

resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
resource.setrlimit(resource.RLIMIT_CPU, (90, 90))

from promptrails_engine.errors import TemplateError
from promptrails_engine.run.render import compile_template

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

compile_template("{% for a in b %}{{ a }}{% endfor %}").render({})
bombs, values = json.load(sys.stdin)
start, report = peak(), []
for source in bombs:
    before = peak()
    try:
        size = len(compile_template(source).render(values))
    except TemplateError:
        size = 0
    report.append([source[:100], size, peak() - before])
print(json.dumps([peak() - start, report]))
"""


def test_bombs_end_early_and_small() -> None:
    """All in one interpreter that is killed after 90 s of processor time (they take about 9) or beyond 2 GiB."""
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps([BOMBS, VALUES]),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    growth, report = json.loads(done.stdout)
    assert len(report) == len(BOMBS)
    assert [line for line in report if line[1] > 1_048_576 or line[2] > 50] == []
    assert growth < 100, report


@pytest.mark.parametrize(
    "source", ["{{ 'a' * 10**9 }}", NESTED + "{{ ns.x }}", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"]
)
def test_bombs_are_named_as_what_they_are(source: str) -> None:
    with pytest.raises(TemplateLimitError, match="was stopped"):
        compile_template(source).render(VALUES)


NEIGHBOURS = [
    ("{{ '-' * 80 }}", "-" * 80),
    ("{{ '%-10s|' % x }}", "text      |"),
    ("{{ '{:>10}'.format(x) }}", "      text"),
    ("{{ x|center(10) }}", "   text   "),
    ("{{ 2 ** 10 }}", "1024"),
    ("{{ 10 ** 20 }}", "100000000000000000000"),
    ("{% for i in range(1000) %}.{% endfor %}", "." * 1000),
    ("{{ range(10000)|list|length }}", "10000"),
    ("{% macro m(n) %}{{ n }}{% if n %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(9) }}", "9876543210"),
    ("{{ [1, [2, [3, {'a': [4]}]]] }}", "[1, [2, [3, {'a': [4]}]]]"),
    ("{{ [[1, 2], [3]] == [[1, 2], [3]] }}", "True"),
    ("{{ x._id }}{{ doc._id }}{{ doc.__typename }}", "7User"),
    ("{{ 'class'|upper }}{{ doc.class }}", "CLASSc"),
    ("{{ '{{' }} {{ '}}' }}", "{{ }}"),
    ("{{ 'a b c'.split()|join('-') }}", "a-b-c"),
    ("{{ ('word ' * 500)|wordwrap(60)|length }}", "2499"),
]


@pytest.mark.parametrize(("source", "text"), NEIGHBOURS)
def test_their_honest_neighbours_pass(source: str, text: str) -> None:
    values = {**VALUES, "doc": {"_id": 7, "__typename": "User", "class": "c"}}
    assert compile_template(source).render(values) == text
