"""Differences between two JSON Schemas, and which of them break somebody.

Every rule is compared for two things: is the new one *narrower* (it may refuse what the old one accepted) and is it
*wider* (it may accept what the old one refused).  A narrower input schema breaks callers; a wider output schema breaks
consumers.  A rule that cannot be compared counts as both, so "not breaking" can be relied upon, with one convention: an
input brings no property that its schema does not name, hence a new optional property breaks nobody.  Where `allOf`
and its like could name the property elsewhere, that is not assumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from promptrails_engine.definitions.changes import Change, ChangeKind, brief
from promptrails_engine.definitions.digest import canonical_json
from promptrails_engine.definitions.schema_rules import (
    NEVER,
    RULES,
    SchemaNode,
    allowed_types,
    allowed_values,
    is_annotation,
    join,
    plain_branches,
    resolve,
    type_names,
    without_annotations,
)

SchemaPart = Literal["input_schema", "output_schema"]

_MAX_NODES = 5_000
_COMPARED = {
    "type", "enum", "const", "properties", "required", "additionalProperties", "propertyNames", "items", "prefixItems",
    "anyOf", "allOf", "$ref", "$defs", "definitions",
}  # fmt: skip
_COMBINING = ("anyOf", "allOf", "oneOf", "not", "if", "dependentSchemas")
_ENTANGLED = ("patternProperties", "unevaluatedProperties", "unevaluatedItems")
"""Rules whose meaning hangs on the properties and items beside them: a node with one is compared as a whole."""


@dataclass(slots=True)
class _Delta:
    """One difference before anybody has asked whom it breaks."""

    path: str
    aspect: str
    kind: ChangeKind
    old: Any
    new: Any
    narrower: bool
    wider: bool
    summary: str


@dataclass(slots=True)
class _Walk:
    """One comparison of two schemas."""

    old_root: Mapping[str, Any]
    new_root: Mapping[str, Any]
    deltas: list[_Delta] = field(default_factory=list[_Delta])
    open_pairs: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    nodes: int = 0
    overflown: bool = False
    beside_others: bool = False
    """Whether the schemas compared are parts of a conjunction, of which another part may name the same properties."""

    def add(self, path: str, aspect: str, old: Any, new: Any, effect: tuple[bool, bool], summary: str = "") -> None:
        narrower, wider = effect
        kind: ChangeKind = "added" if old is None else ("removed" if new is None else "changed")
        where = path or "(root)"
        text = summary or f"{aspect} {kind}: {_arrow(kind, old, new)}"
        self.deltas.append(_Delta(path, aspect, kind, old, new, narrower, wider, f"{where}: {text}"))

    def effect_of(self, path: str, old: Any, new: Any) -> tuple[bool, bool]:
        """Narrower and wider, of a comparison whose details are not wanted."""
        trial = _Walk(self.old_root, self.new_root, open_pairs=set(self.open_pairs), nodes=self.nodes)
        trial.beside_others = self.beside_others
        _compare(trial, path, old, new)
        self.nodes = trial.nodes
        return any(delta.narrower for delta in trial.deltas), any(delta.wider for delta in trial.deltas)


def diff_schema(part: SchemaPart, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Iterator[Change]:
    """The changes of an input or output schema; none where both say the same in the same words."""
    before, after = dict(old or {}), dict(new or {})
    if canonical_json(before) == canonical_json(after):
        return
    if part == "output_schema" and bool(before) != bool(after):
        kind: ChangeKind = "added" if after else "removed"
        yield Change(part, "", kind, before or None, after or None, True, f"output schema {kind}: the output's form")
        return
    walk = _Walk(before, after)
    if part == "input_schema":  # an input is an object, whether its schema says so or not
        before, after = {"type": "object", **before}, {"type": "object", **after}
    _compare(walk, "", before, after)
    if not walk.deltas:
        yield Change(part, "", "changed", old, new, False, "worded differently, with the same meaning")
    for delta in walk.deltas:
        breaking = delta.narrower if part == "input_schema" else delta.wider
        yield Change(part, delta.path, delta.kind, delta.old, delta.new, breaking, delta.summary, delta.aspect)


def _compare(walk: _Walk, path: str, old: Any, new: Any) -> None:
    walk.nodes += 1
    if walk.nodes > _MAX_NODES:
        if not walk.overflown:
            walk.overflown = True
            walk.add(path, "", old, new, (True, True), "the schema is too large to compare further")
        return
    before, old_ref = resolve(old, walk.old_root)
    after, new_ref = resolve(new, walk.new_root)
    if before is None or after is None or before is NEVER or after is NEVER:
        _compare_opaque(walk, path, old, new, before, after)
    elif old_ref or new_ref:
        pair = old_ref or canonical_json(before), new_ref or canonical_json(after)
        if pair not in walk.open_pairs:  # else it is being compared further up
            walk.open_pairs.add(pair)
            _compare_nodes(walk, path, before, after)
            walk.open_pairs.discard(pair)
    else:
        _compare_nodes(walk, path, before, after)


def _compare_opaque(
    walk: _Walk, path: str, old: Any, new: Any, before: SchemaNode | None, after: SchemaNode | None
) -> None:
    """One side is `false`, or refers to what cannot be found."""
    if before is None or after is None:
        if canonical_json([old, walk.old_root]) != canonical_json([new, walk.new_root]):
            walk.add(path, "$ref", old, new, (True, True), "a reference that cannot be followed")
        return
    refused, refuses = before is NEVER, after is NEVER
    if refused != refuses:
        walk.add(path, "", old, new, (refuses, refused), "nothing is accepted" if refuses else "no longer refused")


def _compare_nodes(walk: _Walk, path: str, old: SchemaNode, new: SchemaNode) -> None:
    _compare_annotations(walk, path, old, new)
    branches = plain_branches(old), plain_branches(new)
    if branches[0] is not None or branches[1] is not None:
        left, right = (
            [without_annotations(node)] if found is None else found
            for node, found in zip((old, new), branches, strict=True)
        )
        _compare_branches(walk, path, "anyOf", left, right)
        return
    if any(keyword in node for keyword in _ENTANGLED for node in (old, new)):
        if _with_definitions(walk.old_root, old) != _with_definitions(walk.new_root, new):
            walk.add(path, "", old, new, (True, True), "changed")
        return
    _compare_types(walk, path, old, new)
    _compare_values(walk, path, old, new)
    _compare_properties(walk, path, old, new)
    _compare_items(walk, path, old, new)
    for keyword in ("anyOf", "allOf"):
        if keyword in old and keyword in new:
            before, walk.beside_others = walk.beside_others, True
            _compare_branches(walk, path, keyword, _list(old[keyword]), _list(new[keyword]))
            walk.beside_others = before
        elif keyword in old or keyword in new:
            walk.add(path, keyword, old.get(keyword), new.get(keyword), (keyword in new, keyword in old))
    _compare_rest(walk, path, old, new)


def _compare_types(walk: _Walk, path: str, old: SchemaNode, new: SchemaNode) -> None:
    before, after = allowed_types(old), allowed_types(new)
    if before != after:
        text = f"type changed from {type_names(before)} to {type_names(after)}"
        walk.add(path, "type", old.get("type"), new.get("type"), (bool(before - after), bool(after - before)), text)


def _compare_values(walk: _Walk, path: str, old: SchemaNode, new: SchemaNode) -> None:
    before, after = allowed_values(old), allowed_values(new)
    if before == after:
        return
    if before is None or after is None:
        values = list((before or after or {}).values())
        effect = (True, False) if before is None else (False, True)
        walk.add(path, "enum", None if before is None else values, None if after is None else values, effect)
        return
    gone = [before[key] for key in before if key not in after]
    come = [after[key] for key in after if key not in before]
    said = [f"{word} {', '.join(brief(v) for v in some)}" for word, some in (("without", gone), ("with", come)) if some]
    effect = bool(gone), bool(come)
    walk.add(path, "enum", [*before.values()], [*after.values()], effect, f"enum {' and '.join(said)}")


# ------------------------------------------------------------------ objects and arrays


def _compare_properties(walk: _Walk, path: str, old: SchemaNode, new: SchemaNode) -> None:
    sides = _Sides(old, new)
    for name in sides.names():
        where = join(path, name)
        if name not in sides.old_named:
            _property_added(walk, where, sides, name)
        elif name not in sides.new_named:
            _property_removed(walk, where, sides, name)
        else:
            _compare(walk, where, sides.old_of(name), sides.new_of(name))
            _compare_required(walk, where, sides, name)
    before, after = old.get("additionalProperties", True), new.get("additionalProperties", True)
    if (before is False) != (after is False):
        text = "further properties are refused now" if after is False else "further properties are let through now"
        walk.add(path, "additionalProperties", before, after, (after is False, before is False), text)
    elif before is not True or after is not True:
        _compare(walk, f"{path}.*" if path else "*", before, after)
    if "propertyNames" in old or "propertyNames" in new:
        _compare(walk, f"{path}.(name)" if path else "(name)", *(n.get("propertyNames", True) for n in (old, new)))


class _Sides:
    """Properties of the same object in the old and the new schema."""

    def __init__(self, old: SchemaNode, new: SchemaNode) -> None:
        self._old, self._new = _dict(old.get("properties")), _dict(new.get("properties"))
        self.old_required = {str(name) for name in _list(old.get("required"))}
        self.new_required = {str(name) for name in _list(new.get("required"))}
        self.old_named, self.new_named = {*self._old, *self.old_required}, {*self._new, *self.new_required}
        self.old_combined = any(keyword in old for keyword in _COMBINING)
        self.old_rest, self.new_rest = old.get("additionalProperties", True), new.get("additionalProperties", True)

    def names(self) -> list[str]:
        """All names, those of the new schema first, in its order."""
        found = [*self._new, *self._old, *sorted(self.new_required), *sorted(self.old_required)]
        return list(dict.fromkeys(found))

    def old_of(self, name: str) -> Any:
        return self._old.get(name, self.old_rest)

    def new_of(self, name: str) -> Any:
        return self._new.get(name, self.new_rest)


def _property_added(walk: _Walk, where: str, sides: _Sides, name: str) -> None:
    needed = name in sides.new_required
    narrower, wider = walk.effect_of(where, sides.old_rest, sides.new_of(name))
    unnamed = sides.old_rest is True and not sides.old_combined and not walk.beside_others
    effect = needed or (narrower and not unnamed), wider
    walk.add(where, "", None, sides.new_of(name), effect, _noted("added", needed))


def _property_removed(walk: _Walk, where: str, sides: _Sides, name: str) -> None:
    narrower, _ = walk.effect_of(where, sides.old_of(name), sides.new_rest)
    text = _noted("removed", name in sides.old_required)
    walk.add(where, "", sides.old_of(name), None, (narrower, True), text)


def _compare_required(walk: _Walk, where: str, sides: _Sides, name: str) -> None:
    was, now = name in sides.old_required, name in sides.new_required
    if was != now:
        walk.add(where, "required", was, now, (now, was), "became required" if now else "became optional")


def _compare_items(walk: _Walk, path: str, old: SchemaNode, new: SchemaNode) -> None:
    before, after = old.get("items", True), new.get("items", True)
    if isinstance(before, list) or isinstance(after, list):  # tuples of drafts before 2020-12
        if canonical_json(before) != canonical_json(after):
            walk.add(path, "items", before, after, (True, True))
        return
    heads = _list(old.get("prefixItems")), _list(new.get("prefixItems"))
    for index in range(max(len(heads[0]), len(heads[1]))):
        pair = [head[index] if index < len(head) else rest for head, rest in zip(heads, (before, after), strict=True)]
        _compare(walk, f"{path}[{index}]", *pair)
    if before is not True or after is not True:
        _compare(walk, f"{path}[]", before, after)


# ------------------------------------------------------------------ combinations and the rest


def _compare_branches(walk: _Walk, path: str, keyword: str, old: list[Any], new: list[Any]) -> None:
    """anyOf: one more branch is wider; allOf: one more is narrower."""
    left, right = list(old), list(new)
    for branch in old:
        key = canonical_json(without_annotations(branch))
        match = next((other for other in right if canonical_json(without_annotations(other)) == key), None)
        if match is not None:
            left.remove(branch)
            right.remove(match)
            _compare(walk, path, branch, match)  # the same words may refer to a definition that changed
    if len(left) == len(right) == 1:
        _compare(walk, path, left[0], right[0])
        return
    more, less = ((False, True), (True, False)) if keyword == "anyOf" else ((True, False), (False, True))
    for branch in left:
        walk.add(path, keyword, branch, None, less, f"no longer {_branch(branch)}")
    for branch in right:
        walk.add(path, keyword, None, branch, more, f"now also {_branch(branch)}")


def _compare_rest(walk: _Walk, path: str, old: SchemaNode, new: SchemaNode) -> None:
    for keyword in dict.fromkeys([*old, *new]):
        if keyword in _COMPARED or is_annotation(keyword):
            continue
        before, after = old.get(keyword), new.get(keyword)
        if keyword in RULES:
            if before != after:
                walk.add(path, keyword, before, after, RULES[keyword](before, after))
        elif _with_definitions(walk.old_root, before) != _with_definitions(walk.new_root, after):
            walk.add(path, keyword, before, after, (True, True))


def _compare_annotations(walk: _Walk, path: str, old: SchemaNode, new: SchemaNode) -> None:
    for keyword in sorted(key for key in {*old, *new} if is_annotation(key)):
        before, after = old.get(keyword), new.get(keyword)
        if canonical_json(before) != canonical_json(after):
            walk.add(path, keyword, before, after, (False, False))


def _with_definitions(root: Mapping[str, Any], value: Any) -> str:
    """The value as text, with the definitions that it may refer to."""
    text = canonical_json(value)
    return (
        text + canonical_json([root.get("$defs"), root.get("definitions")])
        if 'Ref"' in text or '"$ref"' in text
        else text
    )


def _branch(branch: Any) -> str:
    node = without_annotations(branch)
    return type_names(allowed_types(node)) if set(node) == {"type"} else brief(branch)


def _arrow(kind: ChangeKind, old: Any, new: Any) -> str:
    return f"{brief(old)} -> {brief(new)}" if kind == "changed" else brief(old if kind == "removed" else new)


def _noted(word: str, required: bool) -> str:
    return f"{word} ({'required' if required else 'optional'})"


def _dict(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return list(cast("Sequence[Any]", value)) if isinstance(value, list) else []
