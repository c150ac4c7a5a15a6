"""Templates of prompts: compiled once, rendered in a sandbox, with limits on what a rendering may use up.

Plain Jinja2 (no autoescape, the last newline dropped) with the filters and methods that `sandbox_filters` and
`sandbox_methods` list.  Values are data and never templates.  One rule differs from Jinja: `order.items` is the member
`items` of the object if it has one, and `order.items()` always the method.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import Any

from jinja2 import TemplateSyntaxError, UndefinedError, nodes
from jinja2.environment import Template
from jinja2.meta import find_undeclared_variables
from jinja2.nodes import EvalContext

from promptrails_engine.errors import PromptRailsError, TemplateError, TemplateLimitError
from promptrails_engine.run.sandbox import GLOBALS, SandboxContext, sandbox
from promptrails_engine.run.sandbox_filters import FILTERS
from promptrails_engine.run.sandbox_meter import PLAIN, LimitReachedError, Meter, RefusedError, RenderLimits, class_of
from promptrails_engine.run.sandbox_rewrite import RefusedNodeError, can_repeat, refuse_forbidden, rewrite
from promptrails_engine.run.sandbox_tests import TESTS
from promptrails_engine.schema.cache import BoundedCache

__all__ = ["DEFAULT_LIMITS", "CompiledTemplate", "RenderLimits", "compile_template", "render_all"]

DEFAULT_LIMITS = RenderLimits()
INLINE_LIMITS = RenderLimits(operations=3_000, output_chars=DEFAULT_LIMITS.output_chars, seconds=0.004)
"""What a rendering may use up on the event loop before it is moved to a thread."""
MAX_SOURCE = 1_048_576
"""Characters of a template."""
_SHOWN = 200


class CompiledTemplate:
    """A template that can be rendered, from any thread; immutable."""

    def __init__(self, source: str, name: str, strict: bool, tree: nodes.Template) -> None:
        self._source = source
        self._name = name
        self._repeats = can_repeat(tree)
        environment = sandbox(strict=strict, counting=self._repeats)
        # No name goes in: Jinja writes it into the code that it makes.
        code = environment.compile(rewrite(tree))
        self._template = Template.from_code(environment, code, {})
        self._filename = code.co_filename
        self._environment = environment
        self._evaluation = EvalContext(environment)

    @property
    def source(self) -> str:
        """The text of the template."""
        return self._source

    @property
    def name(self) -> str:
        """What error messages call it, or ""."""
        return self._name

    @property
    def variables(self) -> frozenset[str]:
        """The names that it reads and does not set itself."""
        return self._found_variables

    @cached_property
    def _found_variables(self) -> frozenset[str]:
        # Looking for them changes a tree, so they have one of their own.
        return frozenset(find_undeclared_variables(self._environment.parse(self._source)))

    def __repr__(self) -> str:
        return f"CompiledTemplate(name={self._name!r}, variables={sorted(self.variables)})"

    def render(self, values: Mapping[str, Any], limits: RenderLimits = DEFAULT_LIMITS) -> str:
        """The text of the template with these values: plain data (text, numbers, booleans, None, lists, objects).

        Raises:
            TemplateError: a value is no plain data, a name is undefined in a strict template, or the template asks
                for what cannot be done.
            TemplateLimitError: it would use up more than the limits.
        """
        for name, value in values.items():
            if class_of(value) not in PLAIN:
                raise self._not_plain(name, value)
        names: dict[str, Any] = {**GLOBALS, **values}
        context = SandboxContext(self._environment, self._evaluation, names, Meter(limits))
        try:
            return self._run(context, limits.output_chars)
        except PromptRailsError:
            raise
        except Exception as exc:
            raise self._error(exc) from exc

    def _run(self, context: SandboxContext, output_chars: int) -> str:
        pieces: list[str] = []
        if self._repeats:
            size = 0
            for piece in self._template.root_render_func(context):
                size += len(piece)
                if size > output_chars:
                    break
                pieces.append(piece)
        else:
            pieces.extend(self._template.root_render_func(context))
            size = sum(map(len, pieces))
        if size > output_chars:
            raise LimitReachedError(f"its text would be longer than {output_chars} characters: shorten its values")
        return "".join(pieces)

    # -------------------------------------------------------------- errors

    def _not_plain(self, name: str, value: Any) -> TemplateError:
        kind = class_of(value)
        return TemplateError(
            f"the value of '{name}' for {self._called()} is of type '{kind.__name__}'; templates take plain data only "
            f"(text, numbers, true and false, None, lists, objects): convert it first"
        )

    def _called(self, line: int = 0) -> str:
        named = f"the template '{self._name}'" if self._name else "the template"
        return f"{named}, line {line}" if line else named

    def _error(self, exc: Exception) -> TemplateError:
        where = self._called(self._line(exc.__traceback__))
        if isinstance(exc, (LimitReachedError, RecursionError, MemoryError)):
            reason = str(exc) if isinstance(exc, LimitReachedError) else "its values or macros are nested too deep"
            return TemplateLimitError(f"{where}, was stopped: {reason}")
        if isinstance(exc, UndefinedError):
            return TemplateError(
                f"{where}: {exc.message}; pass it with the input, or write {{{{ name | default('') }}}}",
            )
        if isinstance(exc, RefusedError):
            return TemplateError(f"{where}: {exc}")
        return TemplateError(f"{where}: {type(exc).__name__}: {str(exc)[:_SHOWN]}")

    def _line(self, traceback: TracebackType | None) -> int:
        """The line of the template where the innermost of its own frames stood."""
        line = 0
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == self._filename:
                line = self._template.get_corresponding_lineno(traceback.tb_lineno)
            traceback = traceback.tb_next
        return line


_Key = tuple[str, bool, str]
_CACHE: BoundedCache[_Key, CompiledTemplate] = BoundedCache(max_entries=512, max_size=16 * 1024 * 1024)
_WEIGHT = 4_000
"""About what a compiled template weighs beside its text, in bytes."""


def compile_template(source: str, *, strict: bool = False, name: str = "") -> CompiledTemplate:
    """The template, ready to render; the same one for the same text.

    strict: undefined names are errors; they are empty otherwise.  name: what error messages call it.

    Raises:
        TemplateError: it does not parse, is too long, or uses what is not available.
    """
    key = (source, strict, name)
    known = _CACHE.get(key)
    if known is not None:
        return known
    return _CACHE.put(key, _compile(source, strict, name), 2 * len(source) + _WEIGHT)


def _compile(source: str, strict: bool, name: str) -> CompiledTemplate:
    called = f"the template '{name}'" if name else "the template"
    if len(source) > MAX_SOURCE:
        raise TemplateError(f"{called} has {len(source)} characters; at most {MAX_SOURCE} are read")
    environment = sandbox(strict=strict, counting=False)
    try:
        tree = environment.parse(source)
        refuse_forbidden(tree, FILTERS, TESTS)
        return CompiledTemplate(source, name, strict, tree)
    except TemplateSyntaxError as exc:
        raise TemplateError(f"{called}, line {exc.lineno}: {exc.message}") from exc
    except RefusedNodeError as exc:
        where = f"{called}, line {exc.line}" if exc.line else called
        raise TemplateError(f"{where}: {exc}") from exc
    except LimitReachedError as exc:
        raise TemplateLimitError(f"{called} is too big: {exc}") from exc
    except (RecursionError, MemoryError) as exc:
        raise TemplateLimitError(f"{called} is nested too deep; take it apart with 'set'") from exc
    except (SyntaxError, ValueError, OverflowError) as exc:
        # From Python's own compiler: twenty loops inside each other, a number with ten thousand digits.
        raise TemplateError(f"{called} cannot be compiled: {str(exc)[:_SHOWN]}") from exc


async def render_all(
    templates: Sequence[CompiledTemplate], values: Mapping[str, Any], limits: RenderLimits = DEFAULT_LIMITS
) -> list[str]:
    """The text of each template with these values; the event loop is not held up for more than some milliseconds.

    They are rendered on the loop under small limits; only if those do not suffice, once more in a thread.

    Raises:
        TemplateError, TemplateLimitError: as `CompiledTemplate.render`.
    """
    inline = INLINE_LIMITS
    if limits is not DEFAULT_LIMITS:
        inline = RenderLimits(
            min(limits.operations, INLINE_LIMITS.operations),
            limits.output_chars,
            min(limits.seconds, INLINE_LIMITS.seconds),
        )
    try:
        return [template.render(values, inline) for template in templates]
    except TemplateLimitError:
        return await asyncio.to_thread(_render_each, templates, values, limits)


def _render_each(templates: Sequence[CompiledTemplate], values: Mapping[str, Any], limits: RenderLimits) -> list[str]:
    return [template.render(values, limits) for template in templates]
