"""The most that a call may cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptrails_engine.events import TokenUsage
from promptrails_engine.models.registry import LLMModel, ModelRegistry

REGISTRY = ModelRegistry()
NAMES = [model.name for model in REGISTRY.list() if REGISTRY.price(model.name) is not None]


@given(st.sampled_from(NAMES), st.integers(0, 2_000_000), st.integers(0, 100_000), st.floats(0, 1), st.floats(0, 1))
def test_no_call_costs_more_than_the_ceiling(name: str, prompt: int, answer: int, cached: float, written: float):
    ceiling = REGISTRY.ceiling(name)
    assert ceiling is not None
    hit = int(prompt * cached)
    usage = TokenUsage(prompt, answer, prompt + answer, hit, int((prompt - hit) * written))
    cost = REGISTRY.cost(usage, name)
    assert cost is not None
    assert cost <= (prompt * ceiling.input + answer * ceiling.output) / 1e6 + 1e-9


def test_an_unknown_price_has_no_ceiling():
    assert REGISTRY.ceiling("nobody/nothing") is None
    mine = ModelRegistry([LLMModel(id="m", provider="p", model_id="m", input_price=2.0, output_price=3.0)])
    ceiling = mine.ceiling("m")
    assert ceiling is not None
    assert (ceiling.input, ceiling.output) == pytest.approx((2.0, 3.0))
