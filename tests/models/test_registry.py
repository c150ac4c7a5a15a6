"""The registry: look-ups, limits and prices."""

import subprocess
import sys

import pytest

from promptrails_engine.events import TokenUsage
from promptrails_engine.models.registry import LLMModel, ModelRegistry, Price
from promptrails_engine.models.table import TABLE_FLAGS, parse_table

OWN = LLMModel("m_1", "acme", "rocket-1", input_price=2.0, output_price=10.0, cached_input_price=0.5, max_tokens=4096)


def test_a_table_model_is_found_by_its_exact_name_only() -> None:
    registry = ModelRegistry()
    found = registry.get("openai/gpt-4o")
    assert found is not None
    assert (found.id, found.provider, found.model_id, found.name) == ("openai/gpt-4o", "openai", "gpt-4o", found.id)
    assert found.supports_tools
    assert found.supports_json
    assert found.supports_temperature
    assert found.is_active
    assert registry.get("openai/gpt-4o-2024-08-06") is not None
    for guess in ("gpt-4o", "openai/gpt-4o-2099-01-01", "openai/GPT-4o", "azure/openai/gpt-4o", ""):
        assert registry.get(guess) is None, guess


def test_the_litellm_prefix_is_an_alias() -> None:
    registry = ModelRegistry([OWN])
    assert registry.get("litellm/openai/gpt-4o") == registry.get("openai/gpt-4o")
    assert registry.price("litellm/openai/gpt-4o") == registry.price("openai/gpt-4o")
    assert registry.get("litellm/acme/rocket-1") is OWN


def test_a_registered_model_is_found_by_id_and_by_name() -> None:
    registry = ModelRegistry([OWN])
    assert registry.get("m_1") is OWN
    assert registry.get("acme/rocket-1") is OWN
    assert registry.cost(TokenUsage(1_000_000, 100_000), "m_1") == pytest.approx(3.0)
    assert registry.cost(TokenUsage(1_000_000, 100_000), "acme/rocket-1") == pytest.approx(3.0)
    assert ModelRegistry().get("acme/rocket-1") is None


def test_registering_hides_the_table_and_replaces_what_has_the_same_id_or_name() -> None:
    registry = ModelRegistry()
    before = registry.cost(TokenUsage(1_000_000, 0), "openai/gpt-4o")
    registry.register(LLMModel("mine", "openai", "gpt-4o", input_price=7.0, output_price=1.0))
    assert registry.cost(TokenUsage(1_000_000, 0), "openai/gpt-4o") == pytest.approx(7.0) != before
    registry.register(LLMModel("mine", "openai", "other", input_price=1.0, output_price=1.0))
    assert registry.cost(TokenUsage(1_000_000, 0), "openai/gpt-4o") == before
    registry.register(LLMModel("second", "openai", "other", input_price=4.0, output_price=1.0))
    assert registry.get("mine") is None
    assert registry.cost(TokenUsage(1_000_000, 0), "openai/other") == pytest.approx(4.0)


def test_list_is_sorted_and_filtered() -> None:
    registry = ModelRegistry([OWN])
    names = [model.name for model in registry.list()]
    assert names == sorted(names)
    assert len(set(names)) == len(names)
    assert "acme/rocket-1" in names
    assert "anthropic/claude-sonnet-4-5" in names
    assert registry.list("acme") == [OWN]
    assert {model.provider for model in registry.list("groq")} == {"groq"}
    assert registry.list("nobody") == []


def test_limits() -> None:
    registry = ModelRegistry([OWN])
    known = registry.limits("openai/gpt-4o")
    assert (known.context_window, known.max_output_tokens) == (128_000, 16_384)
    assert registry.limits("acme/rocket-1").max_output_tokens == 4096
    assert registry.limits("acme/rocket-1").context_window is None
    assert registry.limits("nobody/nothing").max_output_tokens is None


def test_an_unknown_price_is_none_and_never_zero() -> None:
    registry = ModelRegistry([LLMModel("half", "acme", "half", input_price=1.0)])
    usage = TokenUsage(10, 10)
    for model in ("nobody/nothing", "half", "acme/half", LLMModel("x", "acme", "x")):
        assert registry.cost(usage, model) is None
        assert registry.price(model) is None


def test_a_model_with_fees_per_request_has_no_token_price() -> None:
    registry = ModelRegistry()
    sonar = registry.get("perplexity/sonar")
    assert sonar is not None
    assert sonar.input_price is not None
    assert registry.price("perplexity/sonar") is None
    assert registry.cost(TokenUsage(10, 10), "perplexity/sonar") is None


@pytest.mark.parametrize("usage", [TokenUsage(), TokenUsage(prompt_tokens=5), TokenUsage(completion_tokens=5)])
def test_unknown_counts_give_no_cost(usage: TokenUsage) -> None:
    assert ModelRegistry().cost(usage, "openai/gpt-4o") is None


def test_local_models_cost_nothing_for_certain() -> None:
    registry = ModelRegistry()
    assert registry.cost(TokenUsage(10, 10), "local/whatever") == 0.0
    assert registry.cost(TokenUsage(), "local/whatever") == 0.0
    assert registry.price("local/whatever") == Price(0.0, 0.0)
    assert registry.cost(TokenUsage(10, 10), "locality/whatever") is None
    assert ModelRegistry(free_providers=("mine",)).cost(TokenUsage(1, 1), "mine/a") == 0.0
    priced = ModelRegistry([LLMModel("p", "local", "rented", input_price=1.0, output_price=1.0)])
    assert priced.cost(TokenUsage(1_000_000, 0), "local/rented") == pytest.approx(1.0)


def test_cached_tokens_have_their_own_price_where_it_is_known() -> None:
    registry = ModelRegistry([OWN, LLMModel("plain", "acme", "plain", input_price=2.0, output_price=10.0)])
    usage = TokenUsage(prompt_tokens=1_000_000, completion_tokens=0, cached_tokens=400_000)
    assert registry.cost(usage, OWN) == pytest.approx(0.6 * 2.0 + 0.4 * 0.5)
    assert registry.cost(usage, "plain") == pytest.approx(2.0)


def test_newly_cached_tokens_have_their_own_price_where_it_is_known() -> None:
    registry = ModelRegistry()
    price = registry.price("anthropic/claude-sonnet-4-5")
    assert price is not None
    assert price.cache_write is not None
    assert price.cached_input is not None
    usage = TokenUsage(prompt_tokens=10_000, completion_tokens=100, cached_tokens=2_000, cache_creation_tokens=3_000)
    expected = 5_000 * price.input + 2_000 * price.cached_input + 3_000 * price.cache_write + 100 * price.output
    assert registry.cost(usage, "anthropic/claude-sonnet-4-5") == pytest.approx(expected / 1e6)


def test_counts_that_do_not_add_up_never_lower_the_cost_below_zero() -> None:
    cost = ModelRegistry().cost(TokenUsage(10, 0, cached_tokens=50), "openai/gpt-4o")
    assert cost is not None
    assert cost > 0


def test_a_long_prompt_is_priced_at_its_tier() -> None:
    registry = ModelRegistry()
    short = registry.cost(TokenUsage(200_000, 0), "gemini/gemini-2.5-pro")
    long = registry.cost(TokenUsage(200_001, 0), "gemini/gemini-2.5-pro")
    assert short == pytest.approx(200_000 * 1.25e-6)
    assert long == pytest.approx(200_001 * 2.5e-6)


def test_the_highest_tier_that_is_passed_counts() -> None:
    row = ["m", 1, 1, None, None, None, None, 0, None, [[100, 2, 2], [1000, 3, 3]]]
    table = parse_table({"date": "2026-01-01", "source": "s", "models": {"p": [row]}})
    tiers = table.rows["p/m"].tiers
    assert [(tier.above, tier.price.input) for tier in tiers] == [(100, 2), (1000, 3)]


def test_flags_are_read_by_position() -> None:
    for index, flag in enumerate(TABLE_FLAGS):
        row = ["m", 1, 1, None, None, None, None, 1 << index]
        parsed = parse_table({"date": "d", "source": "s", "models": {"p": [row]}}).rows["p/m"]
        assert [name for name in TABLE_FLAGS if parsed.supports(name)] == [flag]


def test_the_table_is_not_read_at_import() -> None:
    script = (
        "import sys\n"
        "opened = []\n"
        "sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == 'open' else None)\n"
        "from promptrails_engine.models.registry import ModelRegistry\n"
        "registry = ModelRegistry()\n"
        "assert not any('table.json' in path for path in opened)\n"
        "registry.get('openai/gpt-4o'); registry.get('openai/gpt-4o-mini'); registry.list()\n"
        "assert sum('table.json' in path for path in opened) == 1\n"
        "assert 'litellm' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
