"""Tools by name, and what is derived from them once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from promptrails_engine.errors import DefinitionError
from promptrails_engine.ports.provider import ToolSpec
from promptrails_engine.ports.tool import Effect, ToolContext
from promptrails_engine.tools import ToolRegistry, tool
from promptrails_engine.tools.builtin import builtin, builtin_tools


@tool
async def alpha(a: int) -> int:
    """First."""
    return a


def beta(text: str) -> str:
    """Second."""
    return text


class Foreign:
    """A tool that is no function; counts how often its schema is read."""

    def __init__(
        self, name: str = "foreign", effect: Any = "pure", parameters: Any = None, description: Any = "F."
    ) -> None:
        self.name: str = name
        self.description: str = description
        self.effect: Effect = effect
        self.reads = 0
        self._parameters: Mapping[str, Any] = {"type": "object"} if parameters is None else parameters

    @property
    def parameters(self) -> Mapping[str, Any]:
        self.reads += 1
        return self._parameters

    async def call(self, arguments: dict[str, Any], ctx: ToolContext) -> Any:
        return None


def test_tools_and_functions_by_exact_name() -> None:
    foreign = Foreign()
    registry = ToolRegistry([alpha, beta, foreign])
    assert registry.names == ("alpha", "beta", "foreign")
    assert registry.get("alpha") is alpha
    assert registry.get("foreign") is foreign
    for other in ("Alpha", "alpha ", "", "\u0430lpha"):  # the last begins with a Cyrillic letter
        assert registry.get(other) is None


def test_select_keeps_the_asked_order() -> None:
    registry = ToolRegistry([alpha, beta])
    assert [found.name for found in registry.select(["beta", "alpha"])] == ["beta", "alpha"]
    assert registry.select([]) == []


def test_select_of_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(DefinitionError, match=r"'gamma'.*alpha, beta") as caught:
        ToolRegistry([alpha, beta]).select(["alpha", "gamma"])
    assert caught.value.details == {"unknown": ["gamma"], "known": ["alpha", "beta"]}
    with pytest.raises(DefinitionError, match="none"):
        ToolRegistry().select(["alpha"])


def test_two_tools_of_one_name() -> None:
    with pytest.raises(DefinitionError, match="Two tools are named 'foreign'"):
        ToolRegistry([Foreign(), Foreign()])


@pytest.mark.parametrize(
    "bad",
    [
        Foreign(name="not a name"),
        Foreign(effect="none"),
        Foreign(parameters={"type": "string"}),
        Foreign(parameters={}),
        Foreign(parameters={"type": "object", "default": {1, 2}}),
        Foreign(description=None),
    ],
    ids=["name", "effect", "type", "empty", "not-json", "description"],
)
def test_tools_that_cannot_be_used(bad: Foreign) -> None:
    with pytest.raises(DefinitionError):
        ToolRegistry([bad])


def test_spec_and_digest_are_worked_out_once() -> None:
    foreign = Foreign()
    registry = ToolRegistry([foreign])
    spec, digest = registry.spec(foreign), registry.digest(foreign)
    reads = foreign.reads
    assert registry.spec(foreign) is spec
    assert registry.digest(foreign) is digest
    assert foreign.reads == reads
    assert spec == ToolSpec("foreign", "F.", {"type": "object"})


def test_the_digest_changes_with_what_the_model_is_told() -> None:
    def digest(**changes: Any) -> str:
        changed = Foreign(**changes)
        return ToolRegistry([changed]).digest(changed)

    base = digest()
    assert len(base) == 64
    assert int(base, 16) >= 0
    others = [digest(name="n"), digest(description="d"), digest(parameters={"type": "object", "title": "t"})]
    assert len({base, *others}) == 4
    assert digest(parameters={"type": "object", "a": 1, "b": 2}) == digest(
        parameters={"b": 2, "type": "object", "a": 1}
    )


def test_a_tool_of_the_same_name_from_elsewhere_is_not_mixed_up() -> None:
    mine, other = Foreign(), Foreign(description="Other.")
    registry = ToolRegistry([mine])
    assert registry.spec(other).description == "Other."
    assert registry.digest(other) != registry.digest(mine)


def test_the_built_in_tools_fit_into_one_registry() -> None:
    assert set(ToolRegistry(builtin_tools()).names) == {
        "calculator",
        "current_time",
        "current_date",
        "date_math",
        "state",
    }


def test_built_in_tools_by_name() -> None:
    assert builtin("math") is builtin("calculator")
    for name in ("current_time", "current_date", "state", "date_math"):
        assert builtin(name).name == name
    with pytest.raises(DefinitionError, match="math"):
        builtin("shell")
