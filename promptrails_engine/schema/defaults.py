"""Defaults of a schema, filled into data at any depth."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, cast

from promptrails_engine.errors import DefinitionError
from promptrails_engine.schema.graph import Node, Path
from promptrails_engine.schema.instance import MAX_DEPTH
from promptrails_engine.schema.kinds import is_array, is_object
from promptrails_engine.schema.patterns import name_matcher

_MAX_FILLED = 10_000

Fits = Callable[[dict[str, Any], Any], bool]
"""Whether data fit one schema of the tree."""


class _Endless(Exception):
    """The defaults of a schema call for each other for ever."""


class Defaults:
    """Fills in what is absent; `needed` is False for a schema without defaults."""

    def __init__(self, found: dict[Path, Node], fits: Fits) -> None:
        self._found = found
        self._fits = fits
        self._holders = _holders(found)
        self.needed = () in self._holders
        self._plain = self._plain_defaults()
        for path in self._holders:
            self._fill_all({}, path)

    def fill(self, data: Any) -> Any:
        """The same object where nothing was absent, else a new one that shares what was there with the old one."""
        return self._fill_all(data, ()) if self.needed else data

    def flat(self, data: dict[str, Any]) -> Any:
        """The same for a schema whose only defaults are those of its own members; None for any other."""
        plain = self._plain
        if plain is None:
            return None
        for name in plain:
            if name not in data:
                return {**data, **{key: deepcopy(value) for key, value in plain.items() if key not in data}}
        return data

    def _plain_defaults(self) -> dict[str, Any] | None:
        root = self._found[()]
        if self._holders != frozenset[Path]([()]) or any(target in self._holders for target in root.same):
            return None
        properties: dict[str, Any] = root.schema.get("properties", {})
        return {name: inner["default"] for name, inner in properties.items() if is_object(inner) and "default" in inner}

    def _fill_all(self, data: Any, path: Path) -> Any:
        try:
            return _Filling(self._found, self._holders, self._fits).fill(data, path, 0)
        except _Endless:
            raise DefinitionError(
                "the defaults of this schema never end: one of them is inside the schema that it is a default for; "
                "remove it"
            ) from None


def _holders(found: dict[Path, Node]) -> frozenset[Path]:
    """The schemas that have a default for a member, themselves or through others."""
    above: dict[Path, list[Path]] = {}
    for path, node in found.items():
        for target in (*node.same, *(child for children in node.children.values() for child in children)):
            above.setdefault(target, []).append(path)
    todo = [path for path, node in found.items() if "default" in node.schema]
    holders: set[Path] = set()
    while todo:
        for path in above.get(todo.pop(), ()):
            if path not in holders:
                holders.add(path)
                todo.append(path)
    return frozenset(holders)


class _Filling:
    """One pass over one piece of data."""

    def __init__(self, found: dict[Path, Node], holders: frozenset[Path], fits: Fits) -> None:
        self._found = found
        self._holders = holders
        self._fits = fits
        self._filled = 0

    def fill(self, value: Any, path: Path, depth: int) -> Any:
        if path not in self._holders or not (is_object(value) or is_array(value)):
            return value
        if depth > MAX_DEPTH:
            if self._filled > MAX_DEPTH:
                raise _Endless
            return value
        node = self._found[path]
        # What the schema says itself comes before what it takes from others.
        if is_object(value):
            value = self._members(value, node, depth)
        elif is_array(value):
            value = self._items(value, node, depth)
        for target in self._applied(node, value):
            value = self.fill(value, target, depth)
        return value

    def _members(self, value: dict[str, Any], node: Node, depth: int) -> dict[str, Any]:
        new: dict[str, Any] = {}
        properties = cast("dict[str, Any]", node.schema.get("properties", {}))
        for name in properties:
            child = (*node.path, "properties", name)
            if name in value:
                filled = self.fill(value[name], child, depth + 1)
                if filled is not value[name]:
                    new[name] = filled
                continue
            holder = self._default_of(child)
            if holder is not None:
                self._filled += 1
                if self._filled > _MAX_FILLED:
                    raise _Endless
                new[name] = self.fill(deepcopy(holder["default"]), child, depth + 1)
        for name, child in self._others(value, properties, node):
            filled = self.fill(value[name], child, depth + 1)
            if filled is not value[name]:
                new[name] = filled
        return {**value, **new} if new else value

    def _others(self, value: dict[str, Any], properties: dict[str, Any], node: Node) -> list[tuple[str, Path]]:
        """The members that `properties` does not name, with the schema for each."""
        patterns = cast("dict[str, Any]", node.schema.get("patternProperties", {}))
        out: list[tuple[str, Path]] = []
        if not patterns and "additionalProperties" not in node.schema:
            return out
        for name in value:
            if name in properties or len(name) > 200:
                continue
            matching = [pattern for pattern in patterns if name_matcher(pattern)(name)]
            out.extend((name, (*node.path, "patternProperties", pattern)) for pattern in matching)
            if not matching:
                out.append((name, (*node.path, "additionalProperties")))
        return out

    def _items(self, value: list[Any], node: Node, depth: int) -> list[Any]:
        leading = cast("list[Any]", node.schema.get("prefixItems") or [])
        word = "prefixItems"
        if is_array(node.schema.get("items")):  # drafts before 2020-12
            leading, word = cast("list[Any]", node.schema["items"]), "items"
        rest = "items" if word == "prefixItems" else "additionalItems"
        new: list[Any] | None = None
        for index, item in enumerate(value):
            child = (*node.path, word, index) if index < len(leading) else (*node.path, rest)
            filled = self.fill(item, child, depth + 1)
            if filled is not item:
                new = list(value) if new is None else new
                new[index] = filled
        return value if new is None else new

    def _default_of(self, path: Path) -> dict[str, Any] | None:
        """The schema that holds the default of a member: its own, or one that it takes over by reference."""
        todo = [path]
        while todo:
            current = todo.pop(0)
            node = self._found.get(current)
            if node is None:
                continue
            if "default" in node.schema:
                return node.schema
            todo.extend(target for target in node.same if not _is_choice(current, target))
        return None

    def _applied(self, node: Node, value: Any) -> list[Path]:
        """The schemas whose defaults hold for this value: of a choice, the first that it fits."""
        out: list[Path] = []
        chosen: set[Any] = set()
        for target in node.same:
            if target not in self._holders:
                continue
            word = target[len(node.path)] if _is_choice(node.path, target) else None
            if word is None:
                out.append(target)
            elif word in ("anyOf", "oneOf"):
                if word not in chosen and self._fits(self._found[target].schema, value):
                    chosen.add(word)
                    out.append(target)
            elif word in ("then", "else") and "if" in node.schema:
                condition = node.schema["if"]
                holds = condition if isinstance(condition, bool) else self._fits(condition, value)
                if holds == (word == "then"):
                    out.append(target)
            elif word in ("dependentSchemas", "dependencies") and target[-1] in value:
                out.append(target)
        return out


_CHOICES = frozenset({"anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies"})


def _is_choice(path: Path, target: Path) -> bool:
    """Whether the target is a part of the schema at `path` that need not hold (a reference always holds)."""
    return len(target) > len(path) and target[: len(path)] == path and target[len(path)] in _CHOICES
