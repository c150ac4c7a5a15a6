"""The laws of comparing runs, over runs and inputs of any kind."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from promptrails_engine import Difference, Engine, ExecutionDiff, RateLimitError, SimpleAgentConfig, StepDiff
from promptrails_engine.errors import AuthError
from promptrails_engine.testing import Reply, ScriptedProvider, ToolUse
from promptrails_engine.testing.scripted import AnyReply

MIRRORED: dict[Any, Any] = {"a": "b", "b": "a", "both": "both"}
WORDS = st.lists(st.sampled_from(["one ", "two", "\n", "é", '{"x": 1}', "- "]), max_size=8).map("".join)
LEAVES = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0]) | WORDS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["x", "y", "role"]), inner, max_size=3),
    max_leaves=12,
)
INPUTS = st.dictionaries(st.sampled_from("pqr"), VALUES, max_size=3)
REPLIES = st.one_of(
    st.sampled_from(["yes", "no", "a longer answer, over\ntwo lines"]),
    st.builds(lambda n: Reply(tool_calls=[ToolUse("calculator", {"expression": f"{n}+1"})]), st.integers(0, 2)),
    st.just(RateLimitError("slow down", retry_after_s=0)),
    st.just(AuthError("the key is refused")),
)
SCRIPTS = st.lists(REPLIES, max_size=4)


def compared(scripts: list[list[Any]], inputs: list[dict[str, Any]], system: list[str]) -> tuple[ExecutionDiff, ...]:
    """Of two runs in one engine: a with b, b with a, a with a."""
    queue: list[AnyReply] = []
    with Engine(providers=[ScriptedProvider(lambda request: queue.pop(0))], model="scripted/m") as engine:
        prompt = engine.prompts.create("P", user_prompt="x")
        engine.agents.create("A", config=SimpleAgentConfig(prompt_id=prompt.id))
        ids: list[str] = []
        for script, data, text in zip(scripts, inputs, system, strict=True):
            engine.prompts.create_version(
                prompt.id, user_prompt="go {{ p }}", system_prompt=text, tools=["calculator"], set_current=True
            )
            queue[:] = [*script, *["the end"] * 9]
            ids.append(engine.agents.execute("A", data).execution_id)
        a, b = ids
        diff = engine.executions.diff
        return diff(a, b), diff(b, a), diff(a, a)


def mirrored(difference: Difference) -> Difference:
    return replace(
        difference,
        a=difference.b,
        b=difference.a,
        a_path=difference.b_path,
        b_path=difference.a_path,
        hunks=(),
    )


def seen(differences: tuple[Difference, ...]) -> Counter[str]:
    return Counter(repr(replace(difference, hunks=())) for difference in differences)


def seen_mirrored(differences: tuple[Difference, ...]) -> Counter[str]:
    return Counter(repr(mirrored(difference)) for difference in differences)


def mirrors(one: StepDiff, other: StepDiff) -> bool:
    return (
        (MIRRORED[one.present], one.a, one.b, one.undecided) == (other.present, other.b, other.a, other.undecided)
    ) and seen(one.differences) == seen_mirrored(other.differences)


@example(
    ([], []), ({"p": ["one ", "two"]}, {"p": ["two", "one "]}), ("", "")
)  # either item could be the one that moved
@given(st.tuples(SCRIPTS, SCRIPTS), st.tuples(INPUTS, INPUTS), st.tuples(WORDS, WORDS))
@settings(max_examples=40, deadline=None)
def test_a_run_is_as_itself_and_swapping_two_swaps_what_differs(
    scripts: tuple[Any, Any], inputs: tuple[Any, Any], system: tuple[str, str]
) -> None:
    there, back, itself = compared(list(scripts), list(inputs), list(system))
    assert itself.is_empty
    assert itself.diverged_at is None
    assert (there.a, there.b) == (back.b, back.a)
    assert seen(there.differences) == seen_mirrored(back.differences)
    other = {step.key: step for step in back.steps}
    assert len(other) == len(back.steps) == len(there.steps)
    assert all(mirrors(step, other[step.key]) for step in there.steps)
    assert (there.diverged_at is None) == (back.diverged_at is None)
    assert str(there).splitlines()
    json.dumps(there.to_dict(), allow_nan=False)


@given(st.tuples(INPUTS, INPUTS))
@settings(max_examples=40, deadline=None)
def test_what_differs_is_all_that_differs(inputs: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """Each value stands where it is said to stand, and no difference means the same data."""
    there, _, _ = compared([[], []], list(inputs), ["", ""])
    found = [difference for difference in there.differences if difference.part == "input"]
    same = json.dumps(inputs[0], sort_keys=True) == json.dumps(inputs[1], sort_keys=True)
    assert same == (not found)
    for difference in found:
        for path, value, data in (
            (difference.a_path, difference.a, inputs[0]),
            (difference.b_path, difference.b, inputs[1]),
        ):
            assert path is None or repr(at(data, path)) == repr(value)
        assert repr(difference.a) != repr(difference.b) or None in (difference.a_path, difference.b_path)


@given(st.tuples(WORDS, WORDS))
@settings(max_examples=40, deadline=None)
def test_hunks_turn_the_one_text_into_the_other(system: tuple[str, str]) -> None:
    # The bar at the end: of a template the last line break goes.
    there, _, _ = compared([[], []], [{}, {}], [f"0\n{text}|" for text in system])
    rendered = [each for step in there.steps for each in step.differences if each.hunks]
    assert bool(rendered) == (system[0] != system[1])
    for difference in rendered:
        lines = difference.a.splitlines(keepends=True)
        for hunk in reversed(difference.hunks):
            lines[hunk.old_start - 1 : hunk.old_start - 1 + len(hunk.old_lines)] = hunk.new_lines
        assert "".join(lines) == difference.b


def at(data: Any, path: str) -> Any:
    """The value at a path; texts that are JSON are looked into."""
    for part in re.findall(r"\[\d+\]|[^.\[\]]+", path):
        if isinstance(data, str):
            data = json.loads(data)
        data = data[int(part[1:-1])] if part.startswith("[") else data[part]
    return data
