"""Prompts and agents as files: readable, in a stable order, and read back before they replace anything."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast

from promptrails_engine.definitions.checked import checked_agent, checked_prompt
from promptrails_engine.definitions.content import content_of
from promptrails_engine.definitions.digest import content_digest
from promptrails_engine.definitions.files_dump import block_safe, dump_json, dump_yaml, file_safe
from promptrails_engine.definitions.files_format import (
    SHORT_NAMES,
    SUFFIXES,
    TEMPLATES,
    AgentFile,
    DefinitionFile,
    PromptFile,
)
from promptrails_engine.definitions.files_read import parse_definition, read_inside
from promptrails_engine.definitions.files_yaml import parse_json, parse_yaml
from promptrails_engine.definitions.records import Agent, AgentVersion, Prompt, PromptVersion
from promptrails_engine.errors import ConflictError, DefinitionError

FileFormat = Literal["yaml", "json"]

_SHORT = {long: short for short, long in SHORT_NAMES.items()}
_LINK_LISTS = ("prompt_ids", "nodes", "steps")
_REFERENCES = {
    "prompt_id": "prompt",
    "aggregator_prompt_id": "aggregator_prompt",
    "router_prompt_id": "router_prompt",
    "agent_id": "agent",
}
_UNSAID: dict[str, Any] = {"approval_required": False, "depends_on": []}
"""Defaults that a file need not say."""
_SLUG_CHARS = 60
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)")


def write_prompt(
    folder: str | os.PathLike[str],
    prompt: Prompt,
    version: PromptVersion,
    *,
    existing: PromptFile | None = None,
    templates: Literal["inline", "files"] = "inline",
    format: FileFormat = "yaml",
    labelled: bool = True,
) -> PromptFile:
    """The file as written and read back: `prompts/NAME.yaml`, or the existing file of this prompt.

    Args:
        existing: the prompt's file as it was read: its place, format and template files are kept, and it is only
            replaced if it is still what was read.  Without it, a file of the prompt in the usual place is.
        templates: `inline` puts templates into the file, and into neighbours only what YAML cannot show line by line;
            `files` puts every template of more than one line into a neighbouring `.j2`.
        labelled: whether the version's label and message are written.  A file that keeps them must be given a new
            label with each edit.

    Raises:
        ConflictError: the file has changed since it was read.
        DefinitionError: the content cannot be written as text, or the place is taken.
    """
    content = content_of(version)
    if "system_prompt" not in content:
        content.setdefault("user_prompt", "")  # a file must hold one of the two
    place = _Place(folder, "prompt", prompt.name, existing, format)
    data = _head(prompt, version, labelled)
    neighbours = _neighbours(place, content, templates)
    for name, value in content.items():
        if name in neighbours:
            data[f"{name}_file"] = os.path.relpath(neighbours[name], place.path.parent).replace(os.sep, "/")
        elif name not in data:
            data[_SHORT.get(name, name)] = value
    texts = {path: content[name] for name, path in neighbours.items()}
    digest = content_digest(checked_prompt({"user_prompt": "", **content}))
    return cast("PromptFile", place.write(data, texts, digest))


def write_agent(
    folder: str | os.PathLike[str],
    agent: Agent,
    version: AgentVersion,
    *,
    names: Mapping[str, str],
    existing: AgentFile | None = None,
    format: FileFormat = "yaml",
    labelled: bool = True,
) -> AgentFile:
    """The file as written and read back: `agents/NAME.yaml`, or the existing file of this agent.

    Args:
        names: names of the linked prompts and agents by their ids; a link without one is written as it is.
        existing: as for `write_prompt`.
        labelled: as for `write_prompt`.

    Raises:
        ConflictError: the file has changed since it was read.
        DefinitionError: the content cannot be written as text, or the place is taken.
    """
    content = named_content(content_of(version), names)
    place = _Place(folder, "agent", agent.name, existing, format)
    data: dict[str, Any] = {**_head(agent, version, labelled), "type": agent.type}
    data["config"] = _short_config(content.get("config", {}))
    data.update({name: value for name, value in content.items() if name != "config"})
    if "sub_agents" in content:
        data["sub_agents"] = [_short_config(sub) for sub in content["sub_agents"]]
    return cast("AgentFile", place.write(data, {}, content_digest(checked_agent(content, agent.type))))


def named_content(content: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """An agent's content with its links by name, where the name of an id is known."""

    def named(entry: Any) -> Any:
        if not isinstance(entry, dict):
            return entry
        items = cast("dict[str, Any]", entry).items()
        return {key: names.get(value, value) if key in _REFERENCES else value for key, value in items}

    config = named(content.get("config", {}))
    for name in _LINK_LISTS:
        if name in config:
            config[name] = [named(entry) for entry in config[name]]
    subs = {"sub_agents": [named(sub) for sub in content["sub_agents"]]} if "sub_agents" in content else {}
    return {**content, "config": config, **subs}


def _short_config(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        _REFERENCES.get(key, "model" if key == "llm_model_id" else key): [_short_config(entry) for entry in value]
        if key in _LINK_LISTS
        else value
        for key, value in config.items()
        if key != "type" and not (key in _UNSAID and value == _UNSAID[key])
    }


def _head(definition: Prompt | Agent, version: PromptVersion | AgentVersion, labelled: bool) -> dict[str, Any]:
    kind = "prompt" if isinstance(definition, Prompt) else "agent"
    data: dict[str, Any] = {"kind": kind, "name": definition.name}
    optional = {"description": definition.description, "labels": list(definition.labels)}
    if labelled:
        optional |= {"version": version.version, "message": version.message}
    return data | {key: value for key, value in optional.items() if value}


def _neighbours(place: _Place, content: Mapping[str, Any], templates: str) -> dict[str, Path]:
    """The templates that get a file of their own, and its path."""
    found: dict[str, Path] = {}
    kept: Mapping[str, Path] = place.existing.templates if place.existing else {}
    for name in TEMPLATES:
        text = content.get(name, "")
        lines = "\n" in text.rstrip("\n") or text.endswith("\n")
        wanted = name in kept or (lines and (templates == "files" or not block_safe(text)))
        if wanted and text and file_safe(text):
            found[name] = kept.get(name) or place.neighbour(name.removesuffix("_prompt"))
    return found


# ------------------------------------------------------------------ where a file goes


class _Place:
    """The file of one definition: where it is or will be, and what may be replaced there."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        kind: Literal["prompt", "agent"],
        name: str,
        existing: DefinitionFile | None,
        format: FileFormat,
    ) -> None:
        self.root = _made(Path(folder))
        self._kind, self._name = kind, name
        self.existing = existing
        self.path = existing.path if existing else self._free_path(format)
        if not existing and (self.root / self.path).exists():
            self.existing = parse_definition(self.root, self.path, lambda path: read_inside(self.root, path))

    def _free_path(self, format: FileFormat) -> Path:
        slug = re.sub(r"[^a-z0-9_-]+", "-", self._name.lower()).strip("-")[:_SLUG_CHARS]
        if not slug or _RESERVED.fullmatch(slug):
            slug = f"{self._kind}-{slug}".strip("-")
        suffix = hashlib.sha256(self._name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        folder = Path(f"{self._kind}s")
        for stem in (slug, f"{slug}-{suffix}"):
            path = folder / f"{stem}.{format}"
            if not (self.root / path).exists() or self._is_ours(path):
                return path
        raise DefinitionError(f"cannot write {self._kind} '{self._name}': '{path.as_posix()}' holds something else")

    def _is_ours(self, path: Path) -> bool:
        with contextlib.suppress(DefinitionError):
            found = parse_definition(self.root, path, lambda inner: read_inside(self.root, inner))
            return (found.kind, found.name) == (self._kind, self._name)
        return False

    def neighbour(self, part: str) -> Path:
        """A path for a template file that nobody else uses."""
        own = set(self.existing.templates.values()) if self.existing else set[Path]()
        stem = self.path.stem
        for number in range(1, 1_000):
            path = self.path.with_name(f"{stem}.{part}{'' if number == 1 else f'-{number}'}.j2")
            if path in own or not (self.root / path).exists():
                return path
        raise DefinitionError(f"no name is free for the template file '{stem}.{part}.j2'")

    def write(self, data: dict[str, Any], texts: Mapping[Path, str], digest: str) -> DefinitionFile:
        """Write what differs from what is there, templates first; the result is what the files say now.

        Raises:
            ConflictError: a file is not what was read.
            DefinitionError: the text would not read back as the same content.
        """
        pending = {path: _encoded(path, text) for path, text in texts.items()}
        written, main = self._main_file(data, pending, digest)
        pending[self.path] = main
        known: Mapping[Path, bytes] = self.existing.sources if self.existing else {}
        for path, content in pending.items():
            if known.get(path) != content:
                self._replace(path, content, known.get(path))
        return written

    def _main_file(
        self, data: dict[str, Any], pending: Mapping[Path, bytes], digest: str
    ) -> tuple[DefinitionFile, bytes]:
        is_json = SUFFIXES[self.path.suffix.lower()] == "json"
        for careful in (False, True):
            main = _encoded(self.path, dump_json(data) if is_json else dump_yaml(data, quote_all=careful))
            main = self._unless_same(main, is_json)
            files = {**pending, self.path: main}
            found = parse_definition(self.root, self.path, files.__getitem__)
            if found.digest == digest and found.name == data["name"]:
                return found, main
        raise DefinitionError(f"{self._kind} '{self._name}' cannot be written to a file that reads back the same")

    def _unless_same(self, main: bytes, is_json: bool) -> bytes:
        """The bytes that are there where they say the same: comments and layout stay."""
        there = self.existing.sources.get(self.path) if self.existing else None
        if there is None:
            return main
        parse = parse_json if is_json else parse_yaml
        old, new = ({key: entry.value for key, entry in parse(_text(raw)).items()} for raw in (there, main))
        return there if _same(old, new) else main

    def _replace(self, path: Path, content: bytes, expected: bytes | None) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target = target.resolve()
        if not target.is_relative_to(self.root):
            raise DefinitionError(f"'{path.as_posix()}' leads out of the folder; nothing was written there")
        if (target.read_bytes() if target.exists() else None) != expected:
            raise ConflictError(f"'{path.as_posix()}' was changed by somebody else just now; it was left alone")
        temp = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
        try:
            with open(temp, "xb") as file:
                if expected is not None:
                    os.chmod(temp, target.stat().st_mode & 0o777)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temp, target)
        finally:
            temp.unlink(missing_ok=True)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return folder.resolve(strict=True)
    except OSError as error:
        raise DefinitionError(f"the folder '{folder}' cannot be made: {error.strerror or error}") from None


def _encoded(path: Path, text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise DefinitionError(
            f"'{path.as_posix()}' cannot be written: the text holds half of a surrogate pair, which is not a character"
        ) from None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8").removeprefix("\ufeff")


def _same(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Equal, telling 1 from 1.0 and from true."""
    return content_digest(old) == content_digest(new)
