"""Rendering on the event loop, and off it where it takes longer."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from promptrails_engine.errors import TemplateError, TemplateLimitError
from promptrails_engine.run import compiled, render
from promptrails_engine.run.render import CompiledTemplate, RenderLimits, compile_template, render_all


class Threads:
    """Which threads a template was rendered in."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.used: list[bool] = []
        original = CompiledTemplate.render

        def noted(template: CompiledTemplate, values: Any, limits: Any = render.DEFAULT_LIMITS) -> str:
            self.used.append(threading.current_thread() is threading.main_thread())
            return original(template, values, limits)

        monkeypatch.setattr(CompiledTemplate, "render", noted)


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> Threads:
    # No matter how slow the machine is: only operations decide.
    limits = RenderLimits(compiled.INLINE_LIMITS.operations, compiled.INLINE_LIMITS.output_chars, 1_000.0)
    monkeypatch.setattr(compiled, "INLINE_LIMITS", limits)
    return Threads(monkeypatch)


LOOP = compile_template("{% for x in xs %}{{ x }}{% endfor %}")
PATIENT = RenderLimits(seconds=1_000.0)


async def test_small_renderings_stay_on_the_loop(threads: Threads) -> None:
    assert await render_all([compile_template("Hello {{ a }}")], {"a": "Ann"}) == ["Hello Ann"]
    assert await render_all([LOOP], {"xs": [1, 2, 3]}) == ["123"]
    assert threads.used == [True, True]


async def test_larger_ones_leave_it(threads: Threads) -> None:
    assert await render_all([LOOP], {"xs": [1] * 20_000}, PATIENT) == ["1" * 20_000]
    assert threads.used == [True, False]


async def test_what_takes_long_leaves_it_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "INLINE_LIMITS", RenderLimits(seconds=0.0))
    threads = Threads(monkeypatch)
    assert await render_all([LOOP], {"xs": [1, 2]}, PATIENT) == ["12"]
    assert threads.used == [True, False]


async def test_limits_hold_in_the_thread() -> None:
    with pytest.raises(TemplateLimitError, match="too many operations"):
        await render_all([LOOP], {"xs": [1] * 150_000}, PATIENT)
    with pytest.raises(TemplateLimitError, match="too many operations"):
        await render_all([LOOP], {"xs": [1] * 5_000}, RenderLimits(operations=4_000, seconds=1_000.0))


async def test_other_errors_are_raised_at_once(threads: Threads) -> None:
    with pytest.raises(TemplateError, match="ZeroDivisionError"):
        await render_all([compile_template("{{ 1 // 0 }}")], {})
    assert threads.used == [True]


async def test_one_template_in_many_threads() -> None:
    source = "{% set ns = namespace(t=0) %}{% for x in xs %}{% set ns.t = ns.t + x %}{% endfor %}{{ ns.t }}"
    template = compile_template(source)
    results = await asyncio.gather(*(render_all([template], {"xs": [n] * 3_000}, PATIENT) for n in range(12)))
    assert results == [[str(n * 3_000)] for n in range(12)]
