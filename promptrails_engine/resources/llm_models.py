"""`engine.llm_models`: the models that are known, with their prices and abilities."""

from __future__ import annotations

from dataclasses import dataclass

from promptrails_engine.errors import NotFoundError
from promptrails_engine.faces import M_co, method
from promptrails_engine.models.registry import LLMModel
from promptrails_engine.resources.base import EngineResource, page_slice
from promptrails_engine.results import Page, page_of

_list = list  # the classes below have a method of that name


@dataclass(frozen=True, slots=True)
class AvailableModelGroup:
    """The active models of one provider."""

    provider: str
    models: list[LLMModel]


class LLMModels(EngineResource[M_co]):
    """Models: those of the shipped table and those registered with the engine."""

    @method
    async def list(self, *, page: int = 1, limit: int = 20, provider: str | None = None) -> Page[LLMModel]:
        """One page of models, by name.  Prices are USD per 1M tokens."""
        offset, limit = page_slice(page, limit)
        models = self._parts.services.models.list(provider)
        return page_of(models[offset : offset + limit], len(models), page, limit)

    @method
    async def list_available(self) -> _list[AvailableModelGroup]:
        """The active models that are not deprecated, by provider."""
        groups: dict[str, _list[LLMModel]] = {}
        for model in self._parts.services.models.list():
            if model.is_active and not model.is_deprecated:
                groups.setdefault(model.provider, []).append(model)
        return [AvailableModelGroup(provider, models) for provider, models in sorted(groups.items())]

    @method
    async def get(self, model_id: str) -> LLMModel:
        """The model with this registered id or `provider/model` name.

        Raises:
            NotFoundError: it is not known, which does not keep it from being used.
        """
        model = self._parts.services.models.get(model_id)
        if model is None:
            raise NotFoundError(f"model '{model_id}' is not in the registry; add it with llm_models.register(...)")
        return model

    @method
    async def register(self, model: LLMModel) -> LLMModel:
        """The model, now known to this engine under its id and name; replaces one of the same name."""
        self._parts.services.models.register(model)
        self._parts.planner.forget()
        return model
