"""Templates of prompts: compiled once, rendered in a sandbox, with limits on what a rendering may use up.

Plain Jinja2 (no autoescape, the last newline dropped) with the filters and methods that `sandbox_filters` and
`sandbox_methods` list.  Values are data and never templates.  One rule differs from Jinja: `order.items` is the member
`items` of the object if it has one, and `order.items()` always the method.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from promptrails_engine.errors import PromptRailsError, TemplateLimitError
from promptrails_engine.run.compiled import DEFAULT_LIMITS, Compiled, compile_with, inline_limits
from promptrails_engine.run.sandbox import SandboxContext
from promptrails_engine.run.sandbox_meter import LimitReachedError, RenderLimits
from promptrails_engine.schema.cache import BoundedCache

__all__ = ["DEFAULT_LIMITS", "CompiledTemplate", "RenderLimits", "compile_template", "render_all"]


class CompiledTemplate(Compiled):
    """A template that can be rendered, from any thread; immutable."""

    def render(self, values: Mapping[str, Any], limits: RenderLimits = DEFAULT_LIMITS) -> str:
        """The text of the template with these values: plain data (text, numbers, booleans, None, lists, objects).

        Raises:
            TemplateError: a value is no plain data, a name is undefined in a strict template, or the template asks
                for what cannot be done.
            TemplateLimitError: it would use up more than the limits.
        """
        context = self._context(values, limits)
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
    made = compile_with(
        partial(CompiledTemplate, source, name, strict), source, strict=strict, noun=CompiledTemplate.noun, name=name
    )
    return _CACHE.put(key, made, 2 * len(source) + _WEIGHT)


async def render_all(
    templates: Sequence[CompiledTemplate], values: Mapping[str, Any], limits: RenderLimits = DEFAULT_LIMITS
) -> list[str]:
    """The text of each template with these values; the event loop is not held up for more than some milliseconds.

    They are rendered on the loop under small limits; only if those do not suffice, once more in a thread.

    Raises:
        TemplateError, TemplateLimitError: as `CompiledTemplate.render`.
    """
    try:
        inline = inline_limits(limits)
        return [template.render(values, inline) for template in templates]
    except TemplateLimitError:
        return await asyncio.to_thread(_render_each, templates, values, limits)


def _render_each(templates: Sequence[CompiledTemplate], values: Mapping[str, Any], limits: RenderLimits) -> list[str]:
    return [template.render(values, limits) for template in templates]
