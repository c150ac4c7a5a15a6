"""The filters of templates: Jinja's own where they cannot grow, wrapped or replaced where they can.

They follow Jinja's documentation, with these differences.  Filters that Jinja makes lazy give lists.  `tojson` writes
for a model, not for a web page: no `\\u003c`, characters as they are, keys in their own order, null for what is
undefined.  `e`, `escape` and `safe` give plain text.  `random` (a rendering must be repeatable), `attr`, `pprint`,
`urlize` and `xmlattr` do not exist.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from textwrap import wrap
from typing import Any

from jinja2 import filters as stock
from jinja2.runtime import Undefined
from jinja2.utils import pass_context
from markupsafe import escape

from promptrails_engine.run import sandbox_lists as lists
from promptrails_engine.run import sandbox_methods as methods
from promptrails_engine.run.sandbox_meter import (
    LimitReachedError,
    Meter,
    RefusedError,
    class_of,
)
from promptrails_engine.run.sandbox_operators import formatted

Filter = Callable[..., Any]


# ------------------------------------------------------------------ of texts


def _text(function: Filter, growth: int = 1, cost: int = 64, longest: int | None = None) -> Filter:
    """A filter of one text.  growth: how many times longer it can get; cost: characters that count as an operation."""

    @pass_context
    def apply(context: Any, value: Any, /, *args: Any, **kwargs: Any) -> Any:
        meter: Meter = context.meter
        text = meter.text(value)
        if longest is not None and len(text) > longest:
            raise LimitReachedError(f"a filter in it takes texts of {longest} characters at most")
        if len(text) > cost:
            meter.tick(len(text) // cost)
        meter.charge(len(text) * growth)
        return function(text, *args, **kwargs)

    return apply


def _of_methods(function: Callable[..., Any]) -> Filter:
    """A filter that is a method of str as well."""

    @pass_context
    def apply(context: Any, value: Any, /, *args: Any, **kwargs: Any) -> Any:
        return function(context.meter, context.meter.text(value), *args, **kwargs)

    return apply


@pass_context
def _center(context: Any, value: Any, width: Any = 80) -> Any:
    meter: Meter = context.meter
    return methods.METHODS[str]["center"](meter, meter.text(value), width)


@pass_context
def _string(context: Any, value: Any, /) -> str:
    meter: Meter = context.meter
    return meter.text(value)


@pass_context
def _format(context: Any, value: Any, /, *args: Any, **kwargs: Any) -> str:
    if args and kwargs:
        raise RefusedError("'format' takes values by position or by name, not both")
    meter: Meter = context.meter
    return formatted(meter, meter.text(value), kwargs or args)


@pass_context
def _indent(context: Any, value: Any, width: Any = 4, first: bool = False, blank: bool = False) -> str:
    meter: Meter = context.meter
    text = meter.text(value)
    step = width if class_of(width) is str else lists.count_of(width, "the width of 'indent'")
    lines = sum(text.count(end) for end in "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029") + 2
    meter.charge(len(text) + lines * (len(step) if isinstance(step, str) else step))
    return stock.do_indent(text, step, first, blank)


@pass_context
def _truncate(
    context: Any, value: Any, length: Any = 255, killwords: bool = False, end: Any = "...", leeway: Any = 5
) -> str:
    text, tail = context.meter.text(value), context.meter.text(end)
    size = lists.count_of(length, "the length of 'truncate'", len(tail), 10**9)
    return stock.do_truncate(
        context.environment, text, size, killwords, tail, lists.count_of(leeway, "the leeway", 0, 10**9)
    )


@pass_context
def _urlencode(context: Any, value: Any, /) -> str:
    meter: Meter = context.meter
    subject = value if class_of(value) is dict else meter.text(value)
    # A character can take four bytes of UTF-8, and each byte three characters.
    meter.charge(12 * (len(subject) if class_of(subject) is str else meter.measure(subject)))
    return stock.do_urlencode(subject)


@pass_context
def _join(context: Any, value: Any, d: Any = "", attribute: Any = None) -> str:
    meter: Meter = context.meter
    return methods.join(meter, meter.text(d), lists.attributes_of(context, value, attribute))


@pass_context
def _tojson(context: Any, value: Any, indent: Any = None) -> str:
    meter: Meter = context.meter
    step = None if indent is None else lists.count_of(indent, "the indent of 'tojson'", 0, 16)
    # Each value can stand on a line of its own, as deep inside as it is; characters can be escaped.
    meter.reserve(meter.measure(value) * (2 if step is None else 2 + step))
    text = json.dumps(value, ensure_ascii=False, indent=step, default=_jsonable)
    meter.charge(len(text))
    return text


def _jsonable(value: Any) -> Any:
    """What is written for a value that JSON has no form of; what is no plain data has been refused before."""
    if isinstance(value, Undefined):
        str(value)  # the error of a strict template
        return None
    return list(value)


def _escape(text: str) -> str:
    return str(escape(text))


def _wordwrap(
    text: str, width: Any = 79, break_long_words: bool = True, wrapstring: Any = "\n", break_on_hyphens: bool = True
) -> str:
    size = lists.count_of(width, "the width of 'wordwrap'", 1)
    separator = "\n" if wrapstring is None else wrapstring
    if class_of(separator) is not str or len(separator) > 100:
        raise RefusedError("the 'wrapstring' of 'wordwrap' must be a text of at most 100 characters")
    lines = (
        separator.join(
            wrap(
                line,
                width=size,
                expand_tabs=False,
                replace_whitespace=False,
                break_long_words=bool(break_long_words),
                break_on_hyphens=bool(break_on_hyphens),
            )
        )
        for line in text.splitlines()
    )
    return separator.join(lines)


# ------------------------------------------------------------------ of numbers


@pass_context
def _int(context: Any, value: Any, default: Any = 0, base: Any = 10) -> Any:
    if class_of(value) is str and len(value) > 1_000:
        return default
    return stock.do_int(value, default, lists.count_of(base, "the base of 'int'", 0, 36))


@pass_context
def _float(context: Any, value: Any, default: Any = 0.0) -> Any:
    if class_of(value) is str and len(value) > 1_000:
        return default
    return stock.do_float(value, default)


@pass_context
def _round(context: Any, value: Any, precision: Any = 0, method: Any = "common") -> Any:
    return stock.do_round(
        lists.number(value, "round"), lists.count_of(precision, "the precision of 'round'", -300, 300), method
    )


@pass_context
def _abs(context: Any, value: Any, /) -> Any:
    return abs(lists.number(value, "abs"))


@pass_context
def _filesizeformat(context: Any, value: Any, binary: bool = False) -> str:
    return stock.do_filesizeformat(lists.number(value, "filesizeformat"), binary)


FILTERS: dict[str, Filter] = {
    "abs": _abs,
    "batch": lists.batch_filter,
    "capitalize": _text(stock.do_capitalize, growth=3),
    "center": _center,
    "count": lists.length_filter,
    "d": stock.do_default,
    "default": stock.do_default,
    "dictsort": lists.dictsort_filter,
    "e": _text(_escape, growth=6),
    "escape": _text(_escape, growth=6),
    "filesizeformat": _filesizeformat,
    "first": lists.first_filter,
    "float": _float,
    "forceescape": _text(_escape, growth=6),
    "format": _format,
    "groupby": lists.groupby_filter,
    "indent": _indent,
    "int": _int,
    "items": lists.items_filter,
    "join": _join,
    "last": lists.last_filter,
    "length": lists.length_filter,
    "list": lists.list_filter,
    "lower": _text(stock.do_lower, growth=3),
    "map": lists.map_filter,
    "max": lists.extreme(max),
    "min": lists.extreme(min),
    "reject": lists.chosen(False, False, "reject"),
    "rejectattr": lists.chosen(False, True, "rejectattr"),
    "replace": _of_methods(methods.replace),
    "reverse": lists.reverse_filter,
    "round": _round,
    "safe": _string,
    "select": lists.chosen(True, False, "select"),
    "selectattr": lists.chosen(True, True, "selectattr"),
    "slice": lists.slice_filter,
    "sort": lists.sort_filter,
    "string": _string,
    "striptags": _text(stock.do_striptags, longest=65_536),
    "sum": lists.sum_filter,
    "title": _text(stock.do_title, growth=3, cost=8, longest=200_000),
    "tojson": _tojson,
    "trim": _text(stock.do_trim),
    "truncate": _truncate,
    "unique": lists.unique_filter,
    "upper": _text(stock.do_upper, growth=3),
    "urlencode": _urlencode,
    "wordcount": _text(stock.do_wordcount, cost=8, longest=500_000),
    "wordwrap": _text(_wordwrap, growth=4, cost=4, longest=20_000),
}
