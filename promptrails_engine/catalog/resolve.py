"""Which version of a definition a plan takes: the current one, or that with which a run began."""

from __future__ import annotations

from promptrails_engine.catalog.agents import AgentCatalog
from promptrails_engine.catalog.base import Catalog
from promptrails_engine.catalog.descent import Descent, FoundPrompt
from promptrails_engine.catalog.pins import Pin, PromptPin
from promptrails_engine.catalog.prompts import PromptCatalog
from promptrails_engine.definitions import content as contents
from promptrails_engine.definitions.records import AgentVersion
from promptrails_engine.errors import ConfigurationError
from promptrails_engine.ports.store import DefinitionRow, VersionRow


async def find_agent(
    agents: AgentCatalog, ref: str, version_ref: str | None, above: Descent
) -> tuple[Descent, DefinitionRow, AgentVersion]:
    """Where planning stands in this agent, the agent, and its version.

    Raises:
        NotFoundError, ArchivedError, VersionMismatchError: it cannot be used.
        ConfigurationError: the pinned version is not what it was.
        DefinitionError: agents run each other in a circle.
    """
    pins = None if above.pins is None else above.pins.of(ref)
    if pins is None or pins.agent is None:
        row = await agents.active_row(ref)
        here = above.into(row)
        found = await agents.version_row(row, version_ref)
    else:
        row = await agents.any_row(pins.agent.id)
        here = above.into(row)
        found = await _pinned(agents, row, pins.agent)
    return here, row, contents.agent_version(found, row.current_version_id)


async def find_prompt(prompts: PromptCatalog, prompt_id: str, key: str, here: Descent) -> FoundPrompt:
    """The prompt of a step, by its key, of the agent in which planning stands: of each prompt the same version at all
    steps where it is not changed.

    Raises:
        NotFoundError, ArchivedError: it cannot be used.
        ConfigurationError: the pinned version is not what it was.
    """
    if key in here.changed:
        return here.changed[key]
    known = here.prompts.get(prompt_id)
    if known is None:
        pins = here.pinned
        if pins is None:
            row = await prompts.active_row(prompt_id)
            found = await prompts.version_row(row, None)
            known = FoundPrompt(row, contents.prompt_version(found, row.current_version_id))
        else:
            pin = pins.prompt(prompt_id)
            row = await prompts.any_row(pin.id)
            found = await _pinned(prompts, row, pin)
            known = FoundPrompt(row, contents.prompt_version(found, row.current_version_id), pin.model)
        here.prompts[prompt_id] = known
    return known


async def find_prompt_by_itself(prompts: PromptCatalog, pin: PromptPin) -> FoundPrompt:
    """The prompt of a run that had no agent.

    Raises:
        NotFoundError: it is not there.
        ConfigurationError: the run had changed content, which is not kept.
    """
    row = await prompts.any_row(pin.id)
    found = await prompts.pinned_version(row, pin.version_id)
    if found.digest != pin.digest:
        raise ConfigurationError(
            f"prompt '{row.name}' ran with parts of its version '{found.version}' replaced for that one run, which are "
            "kept nowhere, so that it cannot be taken up again; start it anew, or make a version of the changed "
            f"content with prompts.create_version('{row.id}', ...) and run that"
        )
    return FoundPrompt(row, contents.prompt_version(found, row.current_version_id), pin.model)


async def _pinned(catalog: Catalog, row: DefinitionRow, pin: Pin) -> VersionRow:
    found = await catalog.pinned_version(row, pin.version_id)
    if found.digest != pin.digest:
        raise ConfigurationError(
            f"version '{found.version}' of {catalog.kind} '{row.name}' is not what it was when the run began: its "
            f"digest is {found.digest}, in the version lock {pin.digest}; start the run anew"
        )
    return found
