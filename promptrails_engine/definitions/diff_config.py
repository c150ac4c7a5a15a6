"""Differences between the settings, links and tools of two versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, cast

from promptrails_engine.definitions.changes import Change, Part, brief, names
from promptrails_engine.definitions.configs import VOTE_KEYS
from promptrails_engine.definitions.digest import canonical_json
from promptrails_engine.definitions.graph_nodes import ERRORS_KEY

Entry = Mapping[str, Any]

_LINK_LISTS: dict[str, str] = {"prompt_ids": "prompt", "nodes": "node", "steps": "step"}
_LINKS: dict[str, str] = {
    "prompt_id": "prompt",
    "aggregator_prompt_id": "aggregator prompt",
    "router_prompt_id": "router prompt",
}


def diff_settings(part: Part, path: str, old: Any, new: Any) -> Iterator[Change]:
    """The leaves of JSON data that differ; a list is a leaf."""
    if canonical_json(old) == canonical_json(new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        before, after = cast("dict[str, Any]", old), cast("dict[str, Any]", new)
        for key in dict.fromkeys([*before, *after]):
            yield from diff_settings(part, f"{path}.{key}" if path else key, before.get(key), after.get(key))
        return
    yield _change(part, path, old, new)


def _change(part: Part, path: str, old: Any, new: Any, *, breaking: bool = False, said: str = "") -> Change:
    if old is None:
        return Change(part, path, "added", None, new, breaking, said or f"{path}: {brief(new)}")
    if new is None:
        return Change(part, path, "removed", old, None, breaking, said or f"{path}: was {brief(old)}")
    return Change(part, path, "changed", old, new, breaking, said or f"{path}: {brief(old)} -> {brief(new)}")


# ------------------------------------------------------------------ agents


def diff_config(old: Entry, new: Entry) -> Iterator[Change]:
    """The changes of an agent's config: its links, and the settings beside them."""
    if old.get("type") != new.get("type"):
        said = f"agent type: {old.get('type')} -> {new.get('type')}"
        yield _change("links", "type", old.get("type"), new.get("type"), breaking=True, said=said)
    for name in dict.fromkeys([*old, *new]):
        before, after = old.get(name), new.get(name)
        if name in _LINK_LISTS:
            yield from _diff_links(name, old, new)
        elif name in _LINKS:
            if before != after:
                yield _change("links", name, before, after, said=_link_text(_LINKS[name], before, after))
        elif name != "type":
            yield from diff_settings("parameters", f"config.{name}", before, after)


def _link_text(noun: str, old: Any, new: Any) -> str:
    if old is None or new is None:
        return f"{noun} '{new}' added" if old is None else f"{noun} '{old}' removed"
    return f"{noun}: {old} -> {new}"


def _diff_links(name: str, old: Entry, new: Entry) -> Iterator[Change]:
    chain = "chain" in (old.get("type"), new.get("type"))
    key = "prompt_id" if chain else ("role" if name == "prompt_ids" else "id")
    before, after = _entries(old.get(name)), _entries(new.get(name))
    yield from diff_entries("links", name, _LINK_LISTS[name], _keyed(before, key), _keyed(after, key))


def diff_tools(old: Sequence[Entry], new: Sequence[Entry]) -> Iterator[Change]:
    """The changes of an agent's tool attachments."""
    yield from diff_entries("tools", "", "tool", _keyed(_entries(old), "name"), _keyed(_entries(new), "name"))


def diff_sub_agents(old: Sequence[Entry], new: Sequence[Entry]) -> Iterator[Change]:
    """The changes of an agent's sub-agents."""
    before, after = _keyed(_entries(old), "agent_id"), _keyed(_entries(new), "agent_id")
    yield from diff_entries("links", "sub_agents", "sub-agent", before, after)


def diff_guards(old: Sequence[Entry], new: Sequence[Entry]) -> Iterator[Change]:
    """The changes of an agent's guards."""
    yield from diff_entries("guardrails", "", "guard", _keyed(_entries(old), "id"), _keyed(_entries(new), "id"))


def _entries(value: Any) -> list[Entry]:
    """The mappings of a list, by their `sort_order` where they have one."""
    items = cast("list[Any]", value) if isinstance(value, list | tuple) else []
    found = [cast("Entry", item) for item in items if isinstance(item, Mapping)]
    return sorted(found, key=_sort_order)


def _sort_order(entry: Entry) -> float:
    order = entry.get("sort_order")
    return order if isinstance(order, int | float) else 0


def _keyed(entries: Sequence[Entry], key: str) -> dict[str, Entry]:
    """The entries by name; one that comes again is `name#2`."""
    seen: Counter[str] = Counter()
    found: dict[str, Entry] = {}
    for entry in entries:
        name = str(entry.get(key, ""))
        seen[name] += 1
        found[name if seen[name] == 1 else f"{name}#{seen[name]}"] = entry
    return found


def diff_entries(
    part: Part, path: str, noun: str, old: Mapping[str, Entry], new: Mapping[str, Entry]
) -> Iterator[Change]:
    """Entries that were added, removed, changed field by field, or put in another order."""

    def where(name: str) -> str:
        return f"{path}[{name}]" if path else name

    for name in new:
        if name not in old:
            yield _change(part, where(name), None, dict(new[name]), said=f"{noun} '{name}' added")
    for name in old:
        if name not in new:
            yield _change(part, where(name), dict(old[name]), None, said=f"{noun} '{name}' removed")
    both = [name for name in old if name in new]
    moved = [name for name in new if name in old]
    if both != moved:
        said = f"{noun}s reordered: {names(both)} -> {names(moved)}"
        yield _change(part, path, both, moved, said=said)
    for name in both:
        for key in dict.fromkeys([*old[name], *new[name]]):
            before, after = old[name].get(key), new[name].get(key)
            if key == "sort_order" and (both != moved or len(both) < max(len(old), len(new))):
                continue  # said above
            yield from diff_settings(part, f"{where(name)}.{key}", before, after)


# ------------------------------------------------------------------ the form of the output


def diff_output_keys(old: Entry, new: Entry) -> Iterator[Change]:
    """The change of the names under which an agent without an output schema returns its parts."""
    before, after = _output_keys(old), _output_keys(new)
    if before == after:
        return
    lost = before is None or after is None or any(key not in after or before[key] > after[key] for key in before)
    shown = [sorted(keys) if keys is not None else None for keys in (before, after)]
    said = f"output keyed by: {_key_text(before)} -> {_key_text(after)}"
    kind: Literal["changed"] = "changed"
    yield Change("output_schema", "", kind, shown[0], shown[1], lost, said, aspect="keys")


def _key_text(keys: Mapping[str, bool] | None) -> str:
    if keys is None:
        return "nothing (one text)"
    return names([key if always else f"{key}?" for key, always in sorted(keys.items())])


def _output_keys(config: Entry) -> dict[str, bool] | None:
    """Roles of a multi_agent, ids of a graph's sinks where there are several; None for a single text.

    By key, whether it is always there.
    """
    if config.get("type") == "multi_agent":
        return _multi_agent_keys(config)
    parts = _entries(config.get("nodes")) or _entries(config.get("steps"))
    used = {str(parent) for part in parts for parent in cast("list[Any]", part.get("depends_on") or [])}
    sinks = {str(part.get("id")) for part in parts} - used
    return dict.fromkeys(sinks, True) if len(sinks) > 1 else None


def _multi_agent_keys(config: Entry) -> dict[str, bool] | None:
    aggregation = config.get("aggregation", "mapping")
    if aggregation not in ("mapping", "vote"):
        return None
    lenient = config.get("failure_policy", "fail_fast") != "fail_fast"
    errors = {ERRORS_KEY: False} if lenient else {}
    if aggregation == "vote":
        return {**dict.fromkeys(VOTE_KEYS, True), **errors}
    always = not lenient and config.get("router_prompt_id") is None
    return {**{str(link.get("role")): always for link in _entries(config.get("prompt_ids"))}, **errors}
