"""The environment that templates run in: no loader, no reach into Python, everything counted.

Three layers, each enough for most of the known escapes by itself.  At compile time the parsed template is held against
a list of allowed statements and rewritten, so that every loop, comparison, method call, slice and concatenation goes
through a function of ours.  At run time attributes exist by an allow-list of classes and names, not by a block-list of
underscores.  And a meter counts what is used up.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, cast

from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.nodes import EvalContext
from jinja2.runtime import ChainableUndefined, Context, LoopContext, Macro, StrictUndefined, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Cycler, Joiner, Namespace, pass_context

from promptrails_engine.run.sandbox_filters import FILTERS
from promptrails_engine.run.sandbox_meter import (
    MAX_CALLS_DEEP,
    SCALARS,
    Group,
    LimitReachedError,
    Meter,
    RefusedError,
    class_of,
    name_of,
)
from promptrails_engine.run.sandbox_methods import METHODS, format_text
from promptrails_engine.run.sandbox_operators import calculate, compare
from promptrails_engine.run.sandbox_rewrite import (
    COMPARE,
    CONCAT,
    EACH,
    KEY,
    METHOD,
    SLICE,
    TICK,
    CountingGenerator,
)
from promptrails_engine.run.sandbox_tests import TESTS

MAX_TOKENS = 20_000
"""Tokens of a template: names, operators, pieces of text."""
_MAX_RANGE = 100_000
_NO_NAMES: set[str] = set()


class SandboxContext(Context):
    """The names of one rendering, and its meter."""

    def __init__(self, environment: SandboxEnvironment, evaluation: EvalContext, names: dict[str, Any], meter: Meter):
        # Not the base's, which makes anew for each rendering what without blocks and autoescape never changes.
        self.parent = names
        self.vars = {}
        self.environment = environment
        self.eval_ctx = evaluation
        self.exported_vars = set()
        self.name = None
        self.globals_keys = _NO_NAMES
        self.blocks = {}
        self.meter = meter


# ------------------------------------------------------------------ what can be called


class Builtin:
    """A function that every template has."""

    __slots__ = ("function", "name")

    def __init__(self, name: str, function: Any) -> None:
        self.name = name
        self.function = function


def _range(meter: Meter, *bounds: Any) -> range:
    numbers = range(*bounds)
    if len(numbers) > _MAX_RANGE:
        raise LimitReachedError(f"'range' gives at most {_MAX_RANGE} numbers")
    return numbers


def _dict(meter: Meter, pairs: Any = (), /, **members: Any) -> dict[Any, Any]:
    source = pairs if class_of(pairs) is dict else {meter.key(key): value for key, value in meter.listing(pairs)}
    meter.charge((len(source) + len(members)) * 8)
    return {**source, **members}


def _namespace(meter: Meter, pairs: Any = (), /, **members: Any) -> Namespace:
    return Namespace(_dict(meter, pairs, **members))


def _cycler(meter: Meter, *items: Any) -> Cycler:
    return Cycler(*items)


def _joiner(meter: Meter, separator: Any = ", ") -> Any:
    return Joiner(meter.text(separator))


GLOBALS: dict[str, Builtin] = {
    "range": Builtin("range", _range),
    "dict": Builtin("dict", _dict),
    "namespace": Builtin("namespace", _namespace),
    "cycler": Builtin("cycler", _cycler),
    "joiner": Builtin("joiner", _joiner),
}

_ATTRIBUTES: dict[Any, frozenset[str]] = {
    LoopContext: frozenset(
        {
            "index", "index0", "revindex", "revindex0", "first", "last", "length", "depth", "depth0", "previtem",
            "nextitem",
        }
    ),
    Group: frozenset({"grouper", "list"}),
    Cycler: frozenset({"current"}),
}  # fmt: skip


# ------------------------------------------------------------------ the environment


class SandboxEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's immutable sandbox, closed further."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})
    context_class = SandboxContext

    def getattr(self, obj: Any, attribute: str) -> Any:
        """`obj.attribute`: the member of an object; of anything else only what is listed."""
        if class_of(obj) is dict:
            if attribute in obj:
                return obj[attribute]
            return self.undefined(obj=obj, name=attribute)
        return self._attribute(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """`obj[argument]`."""
        kind = class_of(obj)
        if kind is dict:
            if class_of(argument) in SCALARS and argument in obj:
                return obj[argument]
        elif class_of(argument) is str:
            return self._attribute(obj, argument)
        elif kind in (list, tuple, str, range, Group) and class_of(argument) is int:
            if -len(obj) <= argument < len(obj):
                return obj[argument]
        elif isinstance(obj, Undefined):
            return self._attribute(obj, "item")
        return self.undefined(obj=obj, name=argument)

    def _attribute(self, obj: Any, name: str) -> Any:
        if isinstance(obj, Undefined):
            # Going on from nothing gives nothing, or the error of a strict template.
            return obj if isinstance(obj, ChainableUndefined) else obj.item
        kind = class_of(obj)
        if kind is Namespace and not name.startswith("_"):
            return getattr(obj, name, self.undefined(obj=obj, name=name))
        if name in _ATTRIBUTES.get(kind, ()):
            return getattr(obj, name)
        return self.undefined(obj=obj, name=name)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Never asked by this class; answered for whatever else of Jinja may ask."""
        return False

    def is_safe_callable(self, obj: Any) -> bool:
        return class_of(obj) in (Macro, LoopContext, Joiner, Builtin)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """`obj(...)` for macros, loops and the functions of templates."""
        meter = cast("SandboxContext", __context).meter
        meter.tick()
        kind = class_of(__obj)
        kwargs.pop("_loop_vars", None)
        kwargs.pop("_block_vars", None)
        if kind is Builtin:
            return __obj.function(meter, *args, **kwargs)
        if kind is LoopContext:
            args = tuple(meter.each(value) for value in args)
        elif isinstance(__obj, Undefined):
            return __obj()  # the error that names the variable
        elif not __self.is_safe_callable(__obj):
            raise RefusedError(f"a value of type '{name_of(__obj)}' cannot be called")
        meter.depth += 1
        if meter.depth > MAX_CALLS_DEEP:
            raise LimitReachedError(f"macros or loops in it call each other more than {MAX_CALLS_DEEP} deep")
        try:
            return __context.call(__obj, *args, **kwargs)
        finally:
            meter.depth -= 1

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        return calculate(cast("SandboxContext", context).meter, operator, left, right)


# ------------------------------------------------------------------ what rewritten templates call


@pass_context
def _each(context: Any, value: Any) -> Any:
    return context.meter.each(value)


@pass_context
def _tick(context: Any, value: Any, count: int) -> Any:
    context.meter.tick(count)
    return value


@pass_context
def _compare(context: Any, left: Any, *rest: Any) -> Any:
    return compare(context.meter, left, *rest)


@pass_context
def _concat(context: Any, *values: Any) -> str:
    meter: Meter = context.meter
    return meter.concat([meter.text(value) for value in values])


@pass_context
def _slice(context: Any, value: Any, *bounds: Any) -> Any:
    if isinstance(value, Undefined):
        return context.environment.getitem(value, 0)
    if class_of(value) not in (str, list, tuple, range):
        raise RefusedError(f"a value of type '{name_of(value)}' has no parts to take")
    taken = value[slice(*bounds)]
    context.meter.charge(len(taken) * (1 if class_of(value) is str else 8))
    return taken


@pass_context
def _method(context: Any, value: Any, name: str, /, *args: Any, **kwargs: Any) -> Any:
    environment: SandboxEnvironment = context.environment
    meter: Meter = context.meter
    kwargs.pop("_loop_vars", None)
    kind = class_of(value)
    if kind is str and name == "format":
        return format_text(meter, environment.getitem, value, args, kwargs)
    method = METHODS.get(kind, {}).get(name)
    if method is not None:
        return method(meter, value, *args, **kwargs)
    if isinstance(value, Undefined) or kind in (dict, Namespace):
        return environment.call(context, environment.getattr(value, name), *args, **kwargs)
    raise RefusedError(f"a value of type '{name_of(value)}' has no method '{name}' in a template")


@pass_context
def _key(context: Any, value: Any) -> Any:
    return context.meter.key(value)


@pass_context
def _finalize(context: Any, value: Any) -> str:
    """What `{{ value }}` writes."""
    if class_of(value) is str:
        return cast("str", value)
    meter: Meter = context.meter
    return meter.text(value)


_INTERNAL = {
    EACH: _each, TICK: _tick, COMPARE: _compare, CONCAT: _concat, SLICE: _slice, METHOD: _method, KEY: _key,
}  # fmt: skip


class _TokenLimit(Extension):
    """Stops a template that would take too long to parse."""

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        for count, token in enumerate(stream):
            if count > MAX_TOKENS:
                raise LimitReachedError(f"it has more than {MAX_TOKENS} tokens: shorten it")
            yield token


@lru_cache(maxsize=4)
def sandbox(*, strict: bool, counting: bool) -> SandboxEnvironment:
    """The environment for templates; never changed after it is made.

    strict: undefined names are errors.  counting: for templates that can repeat themselves.
    """
    environment = SandboxEnvironment(
        undefined=StrictUndefined if strict else ChainableUndefined,
        finalize=_finalize,
        extensions=[_TokenLimit],
        loader=None,
        autoescape=False,
        cache_size=0,
        optimized=False,  # nothing of a template runs before it is counted
        auto_reload=False,
    )
    for table, ours in (
        (environment.filters, {**FILTERS, **_INTERNAL}), (environment.tests, TESTS), (environment.globals, GLOBALS)
    ):  # fmt: skip
        theirs = cast("dict[str, Any]", table)
        theirs.clear()
        theirs.update(ours)
    if counting:
        environment.code_generator_class = CountingGenerator
    return environment
