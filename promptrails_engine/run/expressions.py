"""Expressions over the data of a run: conditions, and values of mappings; in the sandbox and limits of templates.

A text is one expression where it is `{{ ... }}` and nothing beside it: then its value is taken as it is, a list as a
list.  Any other text is a template, whose value is its text.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, TypeGuard, cast

from jinja2 import Environment, nodes
from jinja2.runtime import Undefined

from promptrails_engine.errors import PromptRailsError, TemplateError, TemplateLimitError
from promptrails_engine.run.compiled import DEFAULT_LIMITS, Compiled, called, compile_with, inline_limits
from promptrails_engine.run.render import CompiledTemplate, compile_template, render_all
from promptrails_engine.run.sandbox_meter import (
    LOOPED,
    SCALARS,
    LimitReachedError,
    Meter,
    RefusedError,
    RenderLimits,
    class_of,
    name_of,
    small_int,
)
from promptrails_engine.schema.cache import BoundedCache

_RESULT = "_the_value_of_the_expression"


class Expression(Compiled):
    """An expression that can be evaluated, from any thread; immutable."""

    noun = "expression"

    def evaluate(self, values: Mapping[str, Any], limits: RenderLimits = DEFAULT_LIMITS) -> Any:
        """Its value as JSON data, which shares no list or object with `values`; None for what is undefined.

        Raises:
            TemplateError: a value is no plain data, or the expression asks for what cannot be done.
            TemplateLimitError: it would use up more than the limits.
        """
        context = self._context(values, limits)
        try:
            return _Copier(context.meter, limits.output_chars).copy(self._value(context))
        except PromptRailsError:
            raise
        except Exception as exc:
            raise self._error(exc) from exc

    def holds(self, values: Mapping[str, Any], limits: RenderLimits = DEFAULT_LIMITS) -> bool:
        """Whether its value is true, as `if` of a template sees it: empty and undefined ones are not.

        Raises:
            as `evaluate`.
        """
        context = self._context(values, limits)
        try:
            return bool(self._value(context))
        except PromptRailsError:
            raise
        except Exception as exc:
            raise self._error(exc) from exc

    def _value(self, context: Any) -> Any:
        for _ in self._template.root_render_func(context):
            pass
        return context.vars[_RESULT]

    @property
    def constant(self) -> bool:
        """Whether it reads no variable, and so has the same value in every run."""
        return not self.variables


class _Copier:
    """Copies a value out of the sandbox, within what the meter has left."""

    __slots__ = ("_chars", "_meter", "_nodes")

    def __init__(self, meter: Meter, chars: int) -> None:
        self._meter = meter
        self._chars = chars
        self._nodes = meter.operations * 4

    def copy(self, value: Any) -> Any:
        kind = class_of(value)
        if kind is str:
            return self._text(value)
        if kind in SCALARS:
            return small_int(value) if kind is int else value
        if isinstance(value, Undefined):
            return str(value) or None  # a strict one raises here
        self._nodes -= len(value) if kind in LOOPED else 1
        if self._nodes < 0:
            raise LimitReachedError("its value is too big: take less of it")
        self._meter.tick(0)
        if kind is dict:
            return {self._key(key): self.copy(item) for key, item in cast("dict[Any, Any]", value).items()}
        if kind in LOOPED:
            return [self.copy(item) for item in value]
        raise RefusedError(f"its value is of type '{name_of(value)}', which is no data; call it, or take a part of it")

    def _text(self, text: str) -> str:
        self._chars -= len(text)
        if self._chars < 0:
            raise LimitReachedError("the text in its value would be too long: take less of it")
        return text

    def _key(self, key: Any) -> str:
        return self._text(key if class_of(key) is str else self._meter.text(key))


Value = Expression | CompiledTemplate
"""What a text in a mapping was compiled to."""

_CACHE: BoundedCache[tuple[str, bool, str, bool], Value] = BoundedCache(max_entries=512, max_size=16 * 1024 * 1024)
_WEIGHT = 4_000


def compile_expression(source: str, *, strict: bool = False, name: str = "") -> Expression:
    """The expression, written bare (`steps.a.output.n > 3`) or in braces (`{{ ... }}`); the same one for the same text.

    strict: undefined names are errors; they are None otherwise.  name: what error messages call it.

    Raises:
        TemplateError: it does not parse, is no single expression, is too long, or uses what is not available.
    """
    known = _CACHE.get((source, strict, name, True))
    if known is not None:
        return cast("Expression", known)
    text = source.strip()
    braced = text if text.startswith("{{") else "{{ " + text + " }}"
    made = _compiled(braced, strict, name)
    if made is None:
        raise TemplateError(
            f"{called(Expression.noun, name)} is no single expression: {source[:200]!r}; write for example "
            '"steps.check.output.score > 3"'
        )
    return cast("Expression", _CACHE.put((source, strict, name, True), made, 2 * len(source) + _WEIGHT))


def compile_value(source: str, *, strict: bool = False, name: str = "") -> Value:
    """A text of a mapping: an Expression if it is one in braces, else a template.

    Raises:
        TemplateError: as `compile_expression`.
    """
    known = _CACHE.get((source, strict, name, False))
    if known is not None:
        return known
    text = source.strip()
    made = _compiled(text, strict, name) if text.startswith("{{") and text.endswith("}}") else None
    value: Value = compile_template(source, strict=strict, name=name) if made is None else made
    return _CACHE.put((source, strict, name, False), value, 2 * len(source) + _WEIGHT)


def _compiled(braced: str, strict: bool, name: str) -> Expression | None:
    """The expression of a template that is nothing but one; None for another template."""
    return compile_with(
        partial(_expression, braced, name, strict), braced, strict=strict, noun=Expression.noun, name=name
    )


def _expression(braced: str, name: str, strict: bool, tree: nodes.Template) -> Expression | None:
    written = [node for output in tree.find_all(nodes.Output) for node in output.nodes]
    if len(tree.body) != 1 or len(written) != 1 or isinstance(written[0], nodes.TemplateData):
        return None
    target = nodes.Name(_RESULT, "store", lineno=1)
    body = nodes.Assign(target, written[0], lineno=1)
    made = nodes.Template([body], lineno=1)
    made.set_environment(cast("Environment", tree.environment))
    return Expression(braced, name, strict, made)


async def evaluate_async(value: Value, values: Mapping[str, Any], limits: RenderLimits = DEFAULT_LIMITS) -> Any:
    """The value of an expression, or the text of a template; the event loop is held up for milliseconds at most.

    Raises:
        TemplateError, TemplateLimitError: as `Expression.evaluate` and `CompiledTemplate.render`.
    """
    if isinstance(value, CompiledTemplate):
        return (await render_all((value,), values, limits))[0]
    try:
        return value.evaluate(values, inline_limits(limits))
    except TemplateLimitError:
        return await asyncio.to_thread(value.evaluate, values, limits)


async def holds_async(expression: Expression, values: Mapping[str, Any], limits: RenderLimits = DEFAULT_LIMITS) -> bool:
    """As `expression.holds`, and the event loop is held up for milliseconds at most.

    Raises:
        TemplateError, TemplateLimitError: as `Expression.evaluate`.
    """
    try:
        return expression.holds(values, inline_limits(limits))
    except TemplateLimitError:
        return await asyncio.to_thread(expression.holds, values, limits)


# ------------------------------------------------------------------ mappings


def is_compiled(value: Any) -> TypeGuard[Value]:
    """Whether an entry of a mapping is an expression or a template."""
    return isinstance(value, (Expression, CompiledTemplate))


class CompiledMapping:
    """An object whose texts are expressions or templates; what is no text stands for itself.  Immutable."""

    __slots__ = ("_entries",)

    def __init__(self, mapping: Mapping[str, Any], what: str, *, strict: bool = False) -> None:
        """`what` is what error messages call it.

        Raises:
            TemplateError: a text cannot be compiled.
        """
        self._entries: dict[str, Any] = {
            key: compile_value(value, strict=strict, name=f"{what}.{key}") if isinstance(value, str) else value
            for key, value in mapping.items()
        }

    @property
    def entries(self) -> Mapping[str, Any]:
        """What each key stands for: an expression, a template, or data."""
        return self._entries

    @property
    def compiled(self) -> Mapping[str, Value]:
        """The expressions and templates in it, by key."""
        return {key: value for key, value in self._entries.items() if is_compiled(value)}

    async def evaluate(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The object with these values, sharing no list or object with them or with the mapping.

        Raises:
            TemplateError, TemplateLimitError: as `evaluate_async`.
        """
        result: dict[str, Any] = {}
        for key, value in self._entries.items():
            result[key] = await evaluate_async(value, values) if is_compiled(value) else _copied(value)
        return result


def _copied(value: Any) -> Any:
    if class_of(value) is dict:
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if class_of(value) is list else value
