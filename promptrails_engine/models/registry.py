"""The registry of models: which are known, what they can do, and what a call of one costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from promptrails_engine.events import TokenUsage
from promptrails_engine.models.table import Price, TableRow, Tier, model_table

_PER_TOKEN = 1e-6
_ALIASES = (("litellm/", ""), ("together/", "together_ai/"), ("fireworks/", "fireworks_ai/"))
"""Prefixes of model names, and those under which the table has the same models."""


@dataclass(frozen=True, slots=True)
class LLMModel:
    """A model, with the fields of the hosted API.  Prices are USD per million tokens, None where unknown."""

    id: str
    provider: str
    model_id: str
    """The model's name at the provider: `provider/model_id` is the name that a prompt gives."""
    display_name: str = ""
    input_price: float | None = None
    output_price: float | None = None
    cached_input_price: float | None = None
    max_tokens: int | None = None
    """Most tokens of one answer."""
    supports_vision: bool = False
    supports_tools: bool = False
    supports_json: bool = False
    supports_streaming: bool = False
    supports_temperature: bool = False
    supports_top_p: bool = False
    supports_top_k: bool = False
    supports_reasoning: bool = False
    supports_web_search: bool = False
    supports_prompt_caching: bool = False
    is_active: bool = True
    is_deprecated: bool = False
    deprecated_at: str | None = None
    created_at: str = ""
    updated_at: str = ""

    @property
    def name(self) -> str:
        """`provider/model_id`."""
        return f"{self.provider}/{self.model_id}"


class ModelLimits(NamedTuple):
    """Sizes in tokens, None where unknown."""

    context_window: int | None = None
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class _TokenRate:
    """USD per single token, ready for the hot path, and the price that they come from."""

    price: Price
    input: float
    output: float
    cached_input: float
    cache_write: float
    tiers: tuple[tuple[int, _TokenRate], ...] = ()
    """Highest threshold first."""


_FREE = _TokenRate(Price(0.0, 0.0), 0.0, 0.0, 0.0, 0.0)


class ModelRegistry:
    """Models of the shipped table and those registered here; a registered one hides the table's of the same name.

    Nothing is guessed: a name that is not listed exactly is unknown, and so is its price.  Models of a provider in
    `free_providers` run on the user's own machine and cost 0.
    """

    def __init__(self, extra: Iterable[LLMModel] = (), *, free_providers: Iterable[str] = ("local",)) -> None:
        self._free = tuple(f"{name}/" for name in free_providers)
        self._by_id: dict[str, LLMModel] = {}
        self._by_name: dict[str, LLMModel] = {}
        self._rates: dict[str, _TokenRate] = {}
        for model in extra:
            self.register(model)

    def register(self, model: LLMModel) -> None:
        """Add a model, or replace the one that has its id or its name."""
        for other in (self._by_id.get(model.id), self._by_name.get(model.name)):
            if other is not None:
                self._by_id.pop(other.id, None)
                self._by_name.pop(other.name, None)
        self._by_id[model.id] = model
        self._by_name[model.name] = model
        self._rates.clear()

    def get(self, ref: str) -> LLMModel | None:
        """The model with this id or this `provider/model` name, or None.  A leading `litellm/` is an alias."""
        model = self._registered(ref)
        if model is not None:
            return model
        row = model_table().rows.get(_plain(ref))
        return None if row is None else _from_row(row)

    def name_of(self, ref: str) -> str:
        """`provider/model` of a model that was registered under this id; else the reference itself."""
        model = self._by_id.get(ref)
        return ref if model is None else model.name

    def list(self, provider: str | None = None) -> list[LLMModel]:
        """All models, or those of one provider, by name."""
        named = {name: _from_row(row) for name, row in model_table().rows.items() if provider in (None, row.provider)}
        named.update({name: model for name, model in self._by_name.items() if provider in (None, model.provider)})
        return [named[name] for name in sorted(named)]

    def limits(self, ref: str) -> ModelLimits:
        """The sizes known of a model; those of a registered one come from its `max_tokens` and the table's row."""
        model = self._registered(ref)
        row = model_table().rows.get(model.name if model else _plain(ref))
        window = row.context_window if row else None
        answer = model.max_tokens if model and model.max_tokens is not None else row.max_output_tokens if row else None
        return ModelLimits(context_window=window, max_output_tokens=answer)

    def price(self, model: str | LLMModel) -> Price | None:
        """What the model costs, or None where it is not known; long prompts may cost more."""
        rate = self._rate(model)
        return None if rate is None else rate.price

    def ceiling(self, model: str | LLMModel) -> Price | None:
        """The most that a call may cost per token, whatever its size and its use of caches; None where unknown."""
        rate = self._rate(model)
        if rate is None:
            return None
        prices = [rate.price, *(tier.price for _, tier in rate.tiers)]
        dearest = max(max(price.input, price.cache_write or 0.0, price.cached_input or 0.0) for price in prices)
        return Price(dearest, max(price.output for price in prices))

    def cost(self, usage: TokenUsage, model: str | LLMModel) -> float | None:
        """USD for one call, or None where a price or a count is not known.

        `prompt_tokens` includes the cached and the newly cached ones, `completion_tokens` those of the reasoning.
        """
        rate = self._rates.get(model) if isinstance(model, str) else None
        if rate is None:
            rate = self._rate(model)
            if rate is None:
                return None
        prompt, completion = usage.prompt_tokens, usage.completion_tokens
        if prompt is None or completion is None:
            return 0.0 if rate is _FREE else None
        for above, tier in rate.tiers:
            if prompt > above:
                rate = tier
                break
        cached = usage.cached_tokens or 0
        written = usage.cache_creation_tokens or 0
        if not cached and not written:
            return prompt * rate.input + completion * rate.output
        fresh = max(prompt - cached - written, 0)
        return fresh * rate.input + cached * rate.cached_input + written * rate.cache_write + completion * rate.output

    # -------------------------------------------------------------- inside

    def _registered(self, ref: str) -> LLMModel | None:
        return self._by_id.get(ref) or self._by_name.get(ref) or self._by_name.get(_plain(ref))

    def _rate(self, model: str | LLMModel) -> _TokenRate | None:
        if not isinstance(model, str):
            return self._own_rate(model)
        known = self._registered(model)
        if known is not None:
            rate = self._own_rate(known)
        elif model.startswith(self._free):
            return _FREE
        else:
            row = model_table().rows.get(_plain(model))
            rate = None if row is None or row.fees else _token_rate(row.price, row.tiers)
        if rate is not None:
            self._rates[model] = rate
        return rate

    def _own_rate(self, model: LLMModel) -> _TokenRate | None:
        if model.input_price is not None and model.output_price is not None:
            return _token_rate(Price(model.input_price, model.output_price, model.cached_input_price))
        return _FREE if model.name.startswith(self._free) else None


def _plain(ref: str) -> str:
    for prefix, name in _ALIASES:
        if ref.startswith(prefix):
            ref = name + ref[len(prefix) :]
    return ref


def _token_rate(price: Price, tiers: tuple[Tier, ...] = ()) -> _TokenRate:
    return _TokenRate(
        price=price,
        input=price.input * _PER_TOKEN,
        output=price.output * _PER_TOKEN,
        cached_input=(price.input if price.cached_input is None else price.cached_input) * _PER_TOKEN,
        cache_write=(price.input if price.cache_write is None else price.cache_write) * _PER_TOKEN,
        tiers=tuple(
            (tier.above, _token_rate(tier.price)) for tier in sorted(tiers, key=lambda t: t.above, reverse=True)
        ),
    )


def _from_row(row: TableRow) -> LLMModel:
    date = model_table().date
    return LLMModel(
        id=row.name,
        provider=row.provider,
        model_id=row.model_id,
        display_name=row.model_id,
        input_price=row.price.input,
        output_price=row.price.output,
        cached_input_price=row.price.cached_input,
        max_tokens=row.max_output_tokens,
        supports_vision=row.supports("vision"),
        supports_tools=row.supports("tools"),
        supports_json=row.supports("json"),
        supports_streaming=row.supports("streaming"),
        supports_temperature=row.supports("temperature"),
        supports_top_p=row.supports("top_p"),
        supports_top_k=row.supports("top_k"),
        supports_reasoning=row.supports("reasoning"),
        supports_web_search=row.supports("web_search"),
        supports_prompt_caching=row.supports("prompt_caching"),
        is_active=True,
        is_deprecated=row.deprecated_at is not None and row.deprecated_at <= date,
        deprecated_at=row.deprecated_at,
        created_at=date,
        updated_at=date,
    )
