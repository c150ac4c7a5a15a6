"""The filters of templates that work on lists and objects, and those that apply other filters and tests.

All give lists where Jinja's give generators: nothing is left to run when it is no longer counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

from jinja2 import filters as stock
from jinja2.runtime import Undefined
from jinja2.utils import pass_context

from promptrails_engine.run.sandbox_meter import Group, Meter, RefusedError, class_of, name_of

Filter = Callable[..., Any]

_NUMBERS = frozenset({int, float, bool})
_MAX_COUNT = 100_000
_MAX_PATH = 200


def _itself(item: Any) -> Any:
    return item


def count_of(value: Any, what: str, least: int = 0, most: int = _MAX_COUNT) -> int:
    if class_of(value) not in _NUMBERS or not least <= value <= most:
        raise RefusedError(f"{what} must be a number from {least} to {most}")
    return int(value)


def number(value: Any, what: str) -> Any:
    if isinstance(value, Undefined):
        return value + 0  # the error that names the variable
    if class_of(value) not in _NUMBERS:
        raise RefusedError(f"'{what}' works on numbers, not on '{name_of(value)}'")
    return value


def _getter(context: Any, attribute: Any, **options: Any) -> Callable[[Any], Any]:
    if class_of(attribute) not in (str, int) or (class_of(attribute) is str and len(attribute) > _MAX_PATH):
        raise RefusedError("an attribute must be a name, a path such as 'a.b', or an index")
    return stock.make_attrgetter(context.environment, attribute, **options)


def attributes_of(context: Any, value: Any, attribute: Any) -> Any:
    if attribute is None:
        return value
    getter = _getter(context, attribute)
    return [getter(item) for item in context.meter.listing(value)]


def _keys(context: Any, attribute: Any, case_sensitive: bool, default: Any = None) -> Callable[[Any], Any]:
    """What items are compared by."""
    meter: Meter = context.meter
    getter = _itself if attribute is None else _getter(context, attribute, default=default)

    def key(item: Any) -> Any:
        found = meter.comparable(getter(item))
        return found if case_sensitive else stock.ignore_case(found)

    return key


@pass_context
def length_filter(context: Any, value: Any, /) -> int:
    return len(context.meter.each(value))


@pass_context
def first_filter(context: Any, value: Any, /) -> Any:
    return next(
        iter(context.meter.each(value)), context.environment.undefined("the list is empty: it has no first item")
    )


@pass_context
def last_filter(context: Any, value: Any, /) -> Any:
    nothing = context.environment.undefined("the list is empty: it has no last item")
    return next(reversed(context.meter.each(value)), nothing)


@pass_context
def list_filter(context: Any, value: Any, /) -> list[Any]:
    meter: Meter = context.meter
    return meter.listing(value)


@pass_context
def items_filter(context: Any, value: Any, /) -> Any:
    if isinstance(value, Undefined):
        return context.meter.each(value)
    if class_of(value) is not dict:
        raise RefusedError(f"'items' works on objects, not on '{name_of(value)}'")
    return value.items()


@pass_context
def reverse_filter(context: Any, value: Any, /) -> Any:
    meter: Meter = context.meter
    if class_of(value) is str:
        meter.charge(len(value))
        return value[::-1]
    return meter.listing(value)[::-1]


@pass_context
def sort_filter(
    context: Any, value: Any, reverse: bool = False, case_sensitive: bool = False, attribute: Any = None
) -> Any:
    names = attribute.split(",") if class_of(attribute) is str else [attribute]
    keys = [_keys(context, name, case_sensitive) for name in names[:8]]
    return sorted(context.meter.listing(value), key=lambda item: [key(item) for key in keys], reverse=bool(reverse))


@pass_context
def dictsort_filter(
    context: Any, value: Any, case_sensitive: bool = False, by: Any = "key", reverse: bool = False
) -> Any:
    if by not in ("key", "value"):
        raise RefusedError("'dictsort' sorts by 'key' or by 'value'")
    position = 0 if by == "key" else 1
    key = _keys(context, None, case_sensitive)
    pairs = context.meter.listing(items_filter(context, value))
    return sorted(pairs, key=lambda pair: key(pair[position]), reverse=bool(reverse))


@pass_context
def unique_filter(context: Any, value: Any, case_sensitive: bool = False, attribute: Any = None) -> list[Any]:
    key = _keys(context, attribute, case_sensitive)
    seen: dict[Any, Any] = {}
    for item in context.meter.listing(value):
        seen.setdefault(context.meter.key(key(item)), item)
    return list(seen.values())


def extreme(choose: Callable[..., Any]) -> Filter:
    @pass_context
    def apply(context: Any, value: Any, case_sensitive: bool = False, attribute: Any = None) -> Any:
        items = context.meter.listing(value)
        if not items:
            return context.environment.undefined("the list is empty: it has no least or greatest item")
        return choose(items, key=_keys(context, attribute, case_sensitive))

    return apply


@pass_context
def sum_filter(context: Any, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    numbers = [number(item, "sum") for item in context.meter.listing(attributes_of(context, value, attribute))]
    return sum(numbers, number(start, "sum"))


@pass_context
def groupby_filter(
    context: Any, value: Any, attribute: Any, default: Any = None, case_sensitive: bool = False
) -> list[Group]:
    key = _keys(context, attribute, case_sensitive, default)
    real = _keys(context, attribute, True, default)
    ordered = sorted(context.meter.listing(value), key=key)
    groups = [list(items) for _, items in groupby(ordered, key)]
    return [Group((real(items[0]), items)) for items in groups]


@pass_context
def batch_filter(context: Any, value: Any, linecount: Any, fill_with: Any = None) -> list[list[Any]]:
    size = count_of(linecount, "the size of 'batch'", 1)
    items = context.meter.listing(value)
    rows = [items[start : start + size] for start in range(0, len(items), size)]
    if rows and fill_with is not None:
        missing = size - len(rows[-1])
        context.meter.charge(missing * 8)
        rows[-1] += [fill_with] * missing
    return rows


@pass_context
def slice_filter(context: Any, value: Any, slices: Any, fill_with: Any = None) -> list[list[Any]]:
    count = count_of(slices, "the number of 'slice'", 1)
    context.meter.tick(count)
    context.meter.charge(count * 64)
    return list(stock.sync_do_slice(context.meter.listing(value), count, fill_with))


# ------------------------------------------------------------------ with other filters and tests


@pass_context
def map_filter(context: Any, value: Any, /, *args: Any, **kwargs: Any) -> list[Any]:
    meter: Meter = context.meter
    items = meter.listing(value)
    if not args and "attribute" in kwargs:
        getter = _getter(context, kwargs.pop("attribute"), default=kwargs.pop("default", None))
        if kwargs:
            raise RefusedError(f"'map' has no option '{next(iter(kwargs))}'")
        return [getter(item) for item in items]
    name, rest = _named(args, "map", "filter", context.environment.filters)
    return [_ticked(meter, context.environment.call_filter, name, item, rest, kwargs, context) for item in items]


def _ticked(meter: Meter, call: Callable[..., Any], /, *args: Any) -> Any:
    meter.tick()
    return call(*args)


def _named(args: tuple[Any, ...], what: str, kind: str, known: Any) -> tuple[str, tuple[Any, ...]]:
    name: Any = args[0] if args else None
    if not isinstance(name, str) or name.startswith(" ") or name not in known:
        raise RefusedError(f"'{what}' needs the name of a {kind} that exists")
    return name, args[1:]


def chosen(keep: bool, by_attribute: bool, what: str) -> Filter:
    @pass_context
    def apply(context: Any, value: Any, /, *args: Any, **kwargs: Any) -> list[Any]:
        return list(_choose(context, value, args, kwargs))

    def _choose(context: Any, value: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[Any]:
        meter: Meter = context.meter
        getter: Callable[[Any], Any] = _itself
        if by_attribute:
            if not args:
                raise RefusedError(f"'{what}' needs the name of an attribute")
            getter, args = _getter(context, args[0]), args[1:]
        name, rest = _named(args, what, "test", context.environment.tests) if args else ("", ())
        for item in meter.listing(value):
            subject = getter(item)
            meter.tick()
            holds = context.environment.call_test(name, subject, rest, kwargs, context) if name else subject
            if bool(holds) is keep:
                yield item

    return apply
