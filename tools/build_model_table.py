"""Write `promptrails_engine/models/table.json` from the price map that ships inside the installed litellm package.

    python tools/build_model_table.py [--output PATH] [--date YYYY-MM-DD]

Only facts are taken (names, prices, sizes, flags), no network is used.  `--date` is the day printed in the table, today
by default.  Models that were retired more than `KEEP_RETIRED_DAYS` before it are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from promptrails_engine.models.table import TABLE_FLAGS

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm  # the environment above must be set first

litellm.suppress_debug_info = True

OUTPUT = Path(__file__).resolve().parent.parent / "promptrails_engine" / "models" / "table.json"
KEEP_RETIRED_DAYS = 180
CHAT_MODES = frozenset({"chat", "responses"})

PROVIDERS: dict[str, str] = {
    "openai": "openai",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "mistral": "mistral",
    "deepseek": "deepseek",
    "xai": "xai",
    "groq": "groq",
    "cerebras": "cerebras",
    "together_ai": "together_ai",
    "fireworks_ai": "fireworks_ai",
    "perplexity": "perplexity",
    "cohere_chat": "cohere",
    "moonshot": "moonshot",
    "zai": "zai",
    "minimax": "minimax",
    "azure": "azure",
    "bedrock_converse": "bedrock",
    "vertex_ai-language-models": "vertex_ai",
    "vertex_ai-anthropic_models": "vertex_ai",
}
"""The map's provider -> the prefix of the model names."""

TOP_K = frozenset({"anthropic", "gemini", "vertex_ai", "cohere", "together_ai", "fireworks_ai"})
"""Providers whose chat API has a parameter `top_k`."""

FLAG_KEYS = {
    "vision": "supports_vision",
    "tools": "supports_function_calling",
    "json": "supports_response_schema",
    "reasoning": "supports_reasoning",
    "web_search": "supports_web_search",
    "prompt_caching": "supports_prompt_caching",
}
NOT_A_MODEL = re.compile(
    r"^ft:|^together-ai-|^azure/(?:eu|us|us-gov|apac|global|global-standard)/|^(?:us-gov|apac|jp|au|global|ca|sa|me|af)\."
    r"|/accounts/|-\d+b-\d+b$|prompt-guard"
)
"""Price classes, regional twins and classifiers."""

PER_REQUEST_FEES = re.compile(r"^perplexity/(?:sonar|.*online)")
"""Models that search the web in every request, and charge for that beside the tokens."""

TIER = re.compile(r"^input_cost_per_token_above_(\d+)k_tokens$")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--date", type=date.fromisoformat, default=datetime.now(UTC).date())
    args = parser.parse_args()
    table = build(args.date)
    text = render(table)
    args.output.write_text(text, encoding="utf-8")
    print(f"{sum(map(len, table['models'].values()))} models, {len(text)} bytes -> {args.output}")


def build(day: date) -> dict[str, Any]:
    """The table as JSON data."""
    oldest = (day - timedelta(days=KEEP_RETIRED_DAYS)).isoformat()
    models: dict[str, dict[str, list[Any]]] = {}
    for key, facts in litellm.model_cost.items():
        prefix = PROVIDERS.get(facts.get("litellm_provider", ""))
        if prefix is None or not wanted(key, facts, oldest):
            continue
        model_id = key.removeprefix(f"{prefix}/")
        models.setdefault(prefix, {})[model_id] = row(prefix, model_id, facts)
    return {
        "date": day.isoformat(),
        "source": f"price map of litellm {version('litellm')} (MIT); facts only",
        "models": {prefix: [rows[name] for name in sorted(rows)] for prefix, rows in sorted(models.items())},
    }


def wanted(key: str, facts: dict[str, Any], oldest: str) -> bool:
    priced = facts.get("input_cost_per_token") and facts.get("output_cost_per_token") is not None
    current = facts.get("deprecation_date", "9999") >= oldest
    return bool(priced and current and facts.get("mode") in CHAT_MODES and not NOT_A_MODEL.search(key))


def row(prefix: str, model_id: str, facts: dict[str, Any]) -> list[Any]:
    """One row of the table: see `promptrails_engine.models.table`."""
    own_reasoning_price = facts.get("output_cost_per_reasoning_token", facts["output_cost_per_token"])
    fees = (
        bool(PER_REQUEST_FEES.search(f"{prefix}/{model_id}")) or own_reasoning_price != facts["output_cost_per_token"]
    )
    cells = [
        model_id,
        *prices(facts, ""),
        facts.get("max_input_tokens"),
        facts.get("max_output_tokens"),
        flags(prefix, model_id, facts),
        facts.get("deprecation_date"),
        tiers(facts),
        fees or None,
    ]
    while cells[-1] is None:
        cells.pop()
    return cells


def prices(facts: dict[str, Any], suffix: str) -> list[float | None]:
    """Input, output, cached input and cache writing, USD per million tokens."""
    return [
        million(facts.get(f"input_cost_per_token{suffix}")),
        million(facts.get(f"output_cost_per_token{suffix}", facts["output_cost_per_token"])),
        million(facts.get(f"cache_read_input_token_cost{suffix}", facts.get("cache_read_input_token_cost"))),
        million(facts.get(f"cache_creation_input_token_cost{suffix}", facts.get("cache_creation_input_token_cost"))),
    ]


def million(per_token: float | None) -> float | None:
    if per_token is None:
        return None
    price = round(per_token * 1e6, 9)
    return int(price) if price == int(price) else price


def tiers(facts: dict[str, Any]) -> list[list[Any]] | None:
    found = [(int(match[1]) * 1000, match[0]) for key in facts if (match := TIER.match(key)) and facts[key]]
    return [[above, *prices(facts, key.removeprefix("input_cost_per_token"))] for above, key in sorted(found)] or None


def flags(prefix: str, model_id: str, facts: dict[str, Any]) -> int:
    supported = {name for name, key in FLAG_KEYS.items() if facts.get(key)}
    if facts.get("supports_native_streaming", True):
        supported.add("streaming")
    if prefix in TOP_K:
        supported.add("top_k")
    params = litellm.get_supported_openai_params(model=model_id, custom_llm_provider=prefix) or []
    supported.update({"temperature", "top_p"} & set(params))
    return sum(1 << index for index, name in enumerate(TABLE_FLAGS) if name in supported)


def render(table: dict[str, Any]) -> str:
    """JSON with one model a line, so that a new table is a readable change."""
    dump = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
    lines = [f'{{"date":{dump(table["date"])},', f'"source":{dump(table["source"])},', '"models":{']
    groups = []
    for prefix, rows in table["models"].items():
        groups.append(f"{dump(prefix)}:[\n" + ",\n".join(dump(cells) for cells in rows) + "]")
    return "\n".join(lines) + "\n" + ",\n".join(groups) + "}}\n"


if __name__ == "__main__":
    main()
