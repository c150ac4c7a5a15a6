"""`engine.prompts`: prompts, their versions, and what they would send."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from promptrails_engine import definitions
from promptrails_engine.definitions.records import Prompt, PromptVersion
from promptrails_engine.errors import DefinitionError
from promptrails_engine.faces import M_co, method
from promptrails_engine.resources.base import EngineResource, page_slice
from promptrails_engine.results import ExecutionResult, Page, PromptPreview, RunPromptResponse, page_of
from promptrails_engine.rows import execution_result
from promptrails_engine.run.pipeline import json_object, plan_input
from promptrails_engine.run.preview import preview_step
from promptrails_engine.run.runner import RunOptions

if TYPE_CHECKING:
    from promptrails_engine.definitions.changes import VersionDiff

_list = list  # the classes below have a method of that name


class Prompts(EngineResource[M_co]):
    """Prompts.  An id may be given as the unique name too, a version as its id or label."""

    @method
    async def list(
        self, *, page: int = 1, limit: int = 20, name: str | None = None, status: str | None = None
    ) -> Page[Prompt]:
        """One page of prompts, newest first.  `name` matches a part; deleted ones are left out."""
        await self._parts.ready()
        offset, limit = page_slice(page, limit)
        found, total = await self._parts.prompts.list(offset=offset, limit=limit, name=name, status=status)
        return page_of(found, total, page, limit)

    @method
    async def get(self, prompt_id: str) -> Prompt:
        """The prompt and its current version.

        Raises:
            NotFoundError: there is none.
        """
        await self._parts.ready()
        return await self._parts.prompts.get(prompt_id)

    @method
    async def create(
        self,
        name: str,
        description: str = "",
        *,
        labels: Sequence[str] = (),
        user_prompt: str | None = None,
        system_prompt: str | None = None,
        model: str | None = None,
        llm_model_id: str | None = None,
        fallback_llm_model_id: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        top_p: float | None = None,
        input_schema: Mapping[str, Any] | None = None,
        output_schema: Mapping[str, Any] | None = None,
        tools: Sequence[str] | None = None,
        strict: bool | None = None,
        config: Mapping[str, Any] | None = None,
        cache_timeout: int | None = None,
        version: str | None = None,
        message: str = "",
    ) -> Prompt:
        """A new prompt.  With a template given, its first version is made of these arguments and is current.

        The arguments from `user_prompt` on are those of `create_version`.

        Raises:
            ConflictError: the name is taken.
            DefinitionError, TemplateError: an argument cannot be used.
        """
        await self._parts.ready()
        content = _content(
            user_prompt=user_prompt,
            system_prompt=system_prompt,
            llm_model_id=_one_model(model, llm_model_id),
            fallback_llm_model_id=fallback_llm_model_id,
            temperature=temperature,
            max_tokens=max_tokens,
            top_p=top_p,
            input_schema=input_schema,
            output_schema=output_schema,
            config=_config(config, tools, strict),
            cache_timeout=cache_timeout,
        )
        return await self._parts.prompts.create(
            name, description=description, labels=labels, content=content or None, label=version, message=message
        )

    @method
    async def create_version(
        self,
        prompt_id: str,
        version: str | None = None,
        user_prompt: str | None = None,
        system_prompt: str = "",
        *,
        model: str | None = None,
        llm_model_id: str | None = None,
        fallback_llm_model_id: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        top_p: float | None = None,
        input_schema: Mapping[str, Any] | None = None,
        output_schema: Mapping[str, Any] | None = None,
        tools: Sequence[str] | None = None,
        strict: bool | None = None,
        config: Mapping[str, Any] | None = None,
        cache_timeout: int | None = None,
        set_current: bool = False,
        message: str = "",
    ) -> PromptVersion:
        """A new, immutable version; without a label in `version` it gets the next free one (v1, v2, ...).

        Args:
            prompt_id: the prompt's id or name.
            user_prompt, system_prompt: Jinja2 templates of the messages; an empty system prompt is not sent.
            model, llm_model_id: two names for one argument: a registered model id or a `provider/model` name.
            fallback_llm_model_id: the model to use when the first fails.
            temperature: 0.7 where it is not given.
            max_tokens: most tokens of the answer.
            input_schema: JSON Schema of the input; its defaults are filled in.
            output_schema: JSON Schema of the answer, which then is that value.
            tools: names of the tools that this prompt may use, instead of the agent's.
            strict: an undefined variable is an error instead of empty.
            config: further settings; what the engine does not know goes to the provider under its own name.
            cache_timeout: seconds for which an equal call is answered from the cache; 0 is never.
            set_current, message: make it the current version, and say why.

        Raises:
            NotFoundError, ConflictError: no such prompt, or the label is taken.
            DefinitionError, TemplateError: an argument cannot be used.
        """
        await self._parts.ready()
        content = _content(
            user_prompt=user_prompt,
            system_prompt=system_prompt,
            llm_model_id=_one_model(model, llm_model_id),
            fallback_llm_model_id=fallback_llm_model_id,
            temperature=temperature,
            max_tokens=max_tokens,
            top_p=top_p,
            input_schema=input_schema,
            output_schema=output_schema,
            config=_config(config, tools, strict),
            cache_timeout=cache_timeout,
        )
        return await self._parts.prompts.create_version(
            prompt_id, content, label=version, set_current=set_current, message=message
        )

    @method
    async def update(
        self,
        prompt_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        labels: Sequence[str] | None = None,
        status: str | None = None,
    ) -> Prompt:
        """The prompt with what is given changed; content changes by a new version only.

        Raises:
            NotFoundError: no such prompt.
            ConflictError: the name is taken.
        """
        await self._parts.ready()
        return await self._parts.prompts.update(
            prompt_id, name=name, description=description, labels=labels, status=status
        )

    @method
    async def archive(self, prompt_id: str) -> Prompt:
        """The prompt, archived: it is kept, and agents that use it refuse to run."""
        await self._parts.ready()
        return await self._parts.prompts.update(prompt_id, status="archived")

    @method
    async def restore(self, prompt_id: str) -> Prompt:
        """The prompt, active again."""
        await self._parts.ready()
        return await self._parts.prompts.update(prompt_id, status="active")

    @method
    async def delete(self, prompt_id: str) -> None:
        """Hide the prompt for good; executions keep their references, and the name is free again."""
        await self._parts.ready()
        await self._parts.prompts.delete(prompt_id)

    @method
    async def list_versions(self, prompt_id: str) -> _list[PromptVersion]:
        """All versions, newest first."""
        await self._parts.ready()
        return await self._parts.prompts.list_versions(prompt_id)

    @method
    async def get_version(self, prompt_id: str, version_id: str | None = None) -> PromptVersion:
        """A version by id or label; the current one where none is named."""
        await self._parts.ready()
        return await self._parts.prompts.get_version(prompt_id, version_id)

    @method
    async def promote_version(self, prompt_id: str, version_id: str) -> PromptVersion:
        """The version, now current: agents that link to the prompt use it from their next run on.

        Promoting an older version is how to roll back.

        Raises:
            NotFoundError, VersionMismatchError: no such version of this prompt.
        """
        await self._parts.ready()
        return await self._parts.prompts.promote_version(prompt_id, version_id)

    @method
    async def diff(self, prompt_id: str, old: str, new: str | None = None) -> VersionDiff:
        """What changed between two versions, by id or label; `new` is the current one where it is not named."""
        await self._parts.ready()
        prompts = self._parts.prompts
        return definitions.diff_versions(
            await prompts.get_version(prompt_id, old), await prompts.get_version(prompt_id, new)
        )

    @method
    async def preview(self, prompt_id: str, input: Mapping[str, Any], version_id: str | None = None) -> PromptPreview:
        """The model call that this input would make, exactly as it would be sent; nothing is sent or stored.

        Raises:
            NotFoundError, ArchivedError, InputInvalidError, TemplateError, ModelNotServedError.
        """
        await self._parts.ready()
        plan = await self._parts.planner.prompt_plan(prompt_id, version_id)
        return await preview_step(plan.steps[0], plan_input(plan, input))

    @method
    async def execute(
        self,
        prompt_id: str,
        input: Mapping[str, Any],
        version_id: str | None = None,
        *,
        session_id: str = "",
        user_id: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> ExecutionResult:
        """The result of running one prompt by itself, without an agent; stored and traced like any run.

        Raises:
            NotFoundError, ArchivedError, InputInvalidError, TemplateError, ModelNotServedError: nothing was stored.
        """
        await self._parts.ready()
        plan = await self._parts.planner.prompt_plan(prompt_id, version_id)
        options = RunOptions(session_id, user_id, json_object(metadata or {}, "metadata"))
        return execution_result(await self._parts.runner.run(plan, plan_input(plan, input), options))

    @method
    async def run_prompt(self, prompt_id: str, data: Mapping[str, Any]) -> RunPromptResponse:
        """The answer of the prompt's current version with parts of it replaced for this one run.

        `data` holds `input` and any of the arguments of `create_version`; nothing of it is kept as a version.

        Raises:
            DefinitionError: a key is unknown or its value wrong.
            RunFailedError: the run failed.
            NotFoundError, ArchivedError, InputInvalidError, TemplateError, ModelNotServedError.
        """
        await self._parts.ready()
        changes = {key: value for key, value in data.items() if key != "input"}
        plan = await self._parts.planner.prompt_plan(prompt_id, None, changes)
        row = await self._parts.runner.run(plan, plan_input(plan, data.get("input", {})), RunOptions())
        result = execution_result(row).raise_for_status()
        return RunPromptResponse(
            content=result.text,
            token_usage=result.token_usage,
            cost=result.cost,
            duration_ms=result.duration_ms or 0,
            model=plan.steps[0].model.name,
            output=result.output,
            trace_id=result.trace_id,
        )


def _one_model(model: str | None, llm_model_id: str | None) -> str | None:
    if model is not None and llm_model_id is not None and model != llm_model_id:
        raise DefinitionError("model and llm_model_id are two names of one argument; give one of them")
    return model if llm_model_id is None else llm_model_id


def _config(
    config: Mapping[str, Any] | None, tools: Sequence[str] | None, strict: bool | None
) -> dict[str, Any] | None:
    merged = dict(config or {})
    if tools is not None:
        merged["tools"] = [tools] if isinstance(tools, str) else list(tools)
    if strict is not None:
        merged["strict"] = strict
    return merged or None


def _content(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
