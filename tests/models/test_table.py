"""The shipped table: whole, small, and equal in price to its source."""

import importlib.util
import json
import os
import re
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine.events import TokenUsage
from promptrails_engine.models import table as table_module
from promptrails_engine.models.registry import ModelRegistry
from promptrails_engine.models.table import model_table

TABLE = Path(table_module.__file__).with_name("table.json")
BUILDER = Path(__file__).resolve().parents[2] / "tools" / "build_model_table.py"


def test_the_file_is_small_dated_and_names_its_source() -> None:
    assert TABLE.stat().st_size < 150_000
    shipped = model_table()
    assert date.fromisoformat(shipped.date)
    assert "litellm" in shipped.source
    assert len(shipped.rows) > 300


def test_every_row_is_sound() -> None:
    for name, row in model_table().rows.items():
        assert name == f"{row.provider}/{row.model_id}"
        assert row.price.input > 0, name
        assert row.price.output >= 0, name
        assert all(price is None or price >= 0 for price in (row.price.cached_input, row.price.cache_write)), name
        assert all(size is None or size > 0 for size in (row.context_window, row.max_output_tokens)), name
        assert row.deprecated_at is None or re.fullmatch(r"\d{4}-\d\d-\d\d", row.deprecated_at), name
        assert row.tiers == tuple(sorted(row.tiers, key=lambda tier: tier.above)), name


def test_the_great_providers_are_there() -> None:
    providers = {row.provider for row in model_table().rows.values()}
    assert providers >= {
        "openai", "anthropic", "gemini", "mistral", "deepseek", "xai", "groq", "together_ai", "fireworks_ai",
        "perplexity", "cohere", "azure", "bedrock",
    }  # fmt: skip


@pytest.fixture(scope="module")
def litellm() -> Any:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    return pytest.importorskip("litellm")


@pytest.fixture(scope="module")
def builder(litellm: Any) -> Any:
    spec = importlib.util.spec_from_file_location("build_model_table", BUILDER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.once
def test_the_builder_reproduces_the_shipped_table_from_its_source(builder: Any) -> None:
    shipped = json.loads(TABLE.read_text())
    built = builder.build(date.fromisoformat(shipped["date"]))
    if built["source"] != shipped["source"]:
        pytest.skip(f"the table is from {shipped['source']}, installed is {built['source']}")
    assert builder.render(built) == TABLE.read_text()


SAMPLE = (
    "openai/gpt-4o",
    "openai/gpt-4o-mini",
    "openai/gpt-5",
    "anthropic/claude-sonnet-4-5",
    "anthropic/claude-haiku-5-5",
    "gemini/gemini-2.5-pro",
    "gemini/gemini-2.5-flash",
    "mistral/codestral-2508",
    "xai/grok-4.20",
    "groq/openai/gpt-oss-120b",
    "cerebras/gpt-oss-120b",
    "moonshot/kimi-k2.5",
)
USAGES = (
    TokenUsage(prompt_tokens=1234, completion_tokens=567),
    TokenUsage(prompt_tokens=1234, completion_tokens=0, cached_tokens=1000),
    TokenUsage(prompt_tokens=300_001, completion_tokens=99),
    TokenUsage(prompt_tokens=300_001, completion_tokens=99, cached_tokens=250_000),
)


@pytest.mark.parametrize("name", SAMPLE)
@pytest.mark.parametrize("usage", USAGES, ids=["plain", "cached", "long", "long and cached"])
def test_costs_equal_those_of_the_source(litellm: Any, name: str, usage: TokenUsage) -> None:
    provider, model = name.split("/", 1)
    price = ModelRegistry().price(name)
    assert price is not None
    if usage.cached_tokens and price.cached_input is None:
        pytest.skip("the source prices cached tokens of this model at nothing")
    full = litellm.Usage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        prompt_tokens_details={"cached_tokens": usage.cached_tokens or 0},
    )
    expected = sum(litellm.cost_per_token(model=model, custom_llm_provider=provider, usage_object=full))
    assert ModelRegistry().cost(usage, name) == pytest.approx(expected, rel=1e-9)
