"""A folder of definition files, read and checked as a whole before anything is done with it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, cast

from promptrails_engine.definitions.checked import checked_agent, checked_prompt
from promptrails_engine.definitions.content import AGENT_CONTENT, PROMPT_CONTENT
from promptrails_engine.definitions.digest import content_digest
from promptrails_engine.definitions.files_format import (
    FIELDS,
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_NAME,
    MAX_TOTAL_BYTES,
    SHORT_NAMES,
    SUFFIXES,
    TEMPLATES,
    TEXT_FIELDS,
    AgentFile,
    DefinitionFile,
    PromptFile,
)
from promptrails_engine.definitions.files_yaml import Entry, fault, parse_json, parse_yaml
from promptrails_engine.errors import DefinitionError
from promptrails_engine.schema import compile_schema, normalise_schema

ReadBytes = Callable[[Path], bytes]
"""Bytes of a file by its path relative to the folder."""

_LINK_NAMES = {
    "prompt": "prompt_id",
    "aggregator_prompt": "aggregator_prompt_id",
    "router_prompt": "router_prompt_id",
    "agent": "agent_id",
    "model": "llm_model_id",
}
_MODEL_NAMES = {"model": "model_id", "fallback_model": "fallback_model_id"}
_LINK_LISTS = ("prompt_ids", "nodes", "steps")
_BLAMED = re.compile(r"is not valid: (\w+)")


def read_folder(folder: str | os.PathLike[str]) -> list[DefinitionFile]:
    """All definitions in the folder and its subfolders, by path; other kinds of files and hidden ones are passed over.

    Raises:
        DefinitionError: the folder or a file in it cannot be used; the message lists every faulty file with its line,
            `details["errors"]` holds the same as data.
    """
    root = _root(folder)
    found: list[DefinitionFile] = []
    errors: list[DefinitionError] = []
    budget = _Budget(root)
    for path in _candidates(root):
        try:
            found.append(parse_definition(root, path, budget.read))
        except DefinitionError as error:
            errors.append(error)
    errors.extend(_repeats(found))
    if errors:
        raise _joined(errors)
    return found


def _root(folder: str | os.PathLike[str]) -> Path:
    try:
        root = Path(folder).resolve(strict=True)
    except (OSError, ValueError) as error:
        raise DefinitionError(f"the folder '{os.fspath(folder)}' cannot be read: {_reason(error)}") from None
    if not root.is_dir():
        raise DefinitionError(f"'{os.fspath(folder)}' is not a folder")
    return root


def _candidates(root: Path) -> Iterator[Path]:
    count = 0
    for here, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.startswith(".") or Path(name).suffix.lower() not in SUFFIXES:
                continue
            count += 1
            if count > MAX_FILES:
                raise DefinitionError(f"'{root}' holds more than {MAX_FILES} definition files")
            yield (Path(here) / name).relative_to(root)


class _Budget:
    """Reads files of one folder, within a limit for all of them."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._left = MAX_TOTAL_BYTES

    def read(self, path: Path) -> bytes:
        data = read_inside(self._root, path)
        self._left -= len(data)
        if self._left < 0:
            raise fault(f"the folder holds more than {MAX_TOTAL_BYTES} bytes of definitions", 1)
        return data


def read_inside(root: Path, path: Path) -> bytes:
    """The bytes of a regular file inside the folder.

    Raises:
        DefinitionError: it lies outside (also by a link), is no regular file, is too large or cannot be read.
    """
    try:
        real = (root / path).resolve(strict=True)
        if not real.is_relative_to(root):
            raise fault(f"'{path.as_posix()}' leads out of the folder; only files inside it are read", 1)
        # A link put in its place since then is not followed, and a pipe does not make us wait.
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        with open(os.open(real, flags), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise fault(f"'{path.as_posix()}' is not a regular file", 1)
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise fault(f"'{path.as_posix()}' cannot be read: {_reason(error)}", 1) from None
    if len(data) > MAX_FILE_BYTES:
        raise fault(f"'{path.as_posix()}' has more than {MAX_FILE_BYTES} bytes", 1)
    return data


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _repeats(files: list[DefinitionFile]) -> Iterator[DefinitionError]:
    first: dict[tuple[str, str], Path] = {}
    for file in files:
        other = first.setdefault((file.kind, file.name), file.path)
        if other != file.path:
            yield _placed(file.path, fault(f"{file.kind} '{file.name}' is already defined in {other.as_posix()}", 1))


def _joined(errors: list[DefinitionError]) -> DefinitionError:
    if len(errors) == 1:
        return errors[0]
    lines = "\n".join(f"  {error.message}" for error in errors)
    details = {"errors": [item for error in errors for item in error.details["errors"]]}
    return DefinitionError(f"{len(errors)} definition files cannot be used:\n{lines}", details=details)


def _placed(path: Path, error: DefinitionError) -> DefinitionError:
    line = error.details.get("line", 1)
    message = f"{path.as_posix()}:{line}: {error.message}"
    detail = {"path": path.as_posix(), "line": line, "message": error.message}
    return DefinitionError(message, details={"errors": [detail]})


# ------------------------------------------------------------------ one file


def parse_definition(root: Path, path: Path, read: ReadBytes) -> DefinitionFile:
    """The definition in one file; `path` is relative to the folder, `read` also brings its templates.

    Raises:
        DefinitionError: the file cannot be used; the message begins with its path and line.
    """
    fields: Mapping[str, Entry] = {}
    try:
        source = read(path)
        text = _decoded(source)
        fields = (parse_json if SUFFIXES[path.suffix.lower()] == "json" else parse_yaml)(text)
        return _definition(root, path, fields, read, {path: source})
    except DefinitionError as error:
        if "line" not in error.details:
            error.details["line"] = _blamed_line(error.message, fields)
        raise _placed(path, error) from None


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise fault("not UTF-8 text; save the file in that encoding", line) from None


def _blamed_line(message: str, fields: Mapping[str, Entry]) -> int:
    """The line of the field that a complaint names first."""
    blamed = _BLAMED.search(message)
    words = [blamed[1]] if blamed else []
    for word in [*words, *re.findall(r"\w+", message)]:
        for name in (word, f"{word}s"):
            if name in fields:
                return fields[name].line
    return fields["config"].line if "config" in fields else 1


def _definition(
    root: Path, path: Path, fields: Mapping[str, Entry], read: ReadBytes, sources: dict[Path, bytes]
) -> DefinitionFile:
    kind = _text(fields, "kind") or ""
    if kind not in FIELDS:
        said = f", not {kind!r}" if kind else ""
        raise fault(f"`kind` must be prompt or agent{said}", _line_of(fields, "kind"))
    for name, entry in fields.items():
        if name not in FIELDS[kind]:
            raise fault(f"unknown field '{name}'; a {kind} file knows: {', '.join(FIELDS[kind])}", entry.line)
    _check_schemas(fields)
    templates = _read_templates(path, fields, read, sources) if kind == "prompt" else {}
    head = _head(fields)
    content = _prompt_content(fields, {name: text for name, (_, text) in templates.items()})
    if kind == "prompt":
        checked = checked_prompt(content)
        places = {name: place for name, (place, _) in templates.items()}
        return PromptFile(
            root=root,
            path=path,
            content=checked,
            digest=content_digest(checked),
            templates=places,
            sources=sources,
            **head,
        )
    type_name = _text(fields, "type")
    checked = checked_agent(_agent_content(fields), type_name)
    type_name = checked["config"]["type"]
    return AgentFile(
        root=root, path=path, content=checked, digest=content_digest(checked), sources=sources, type=type_name, **head
    )


def _check_schemas(fields: Mapping[str, Entry]) -> None:
    """Refuse a schema here, where its line is known."""
    for name in ("input_schema", "output_schema"):
        schema: Any = fields[name].value if name in fields else None
        if isinstance(schema, dict):
            try:
                compile_schema(normalise_schema(cast("dict[str, Any]", schema)))
            except DefinitionError as error:
                raise fault(f"{name}: {error.message}", fields[name].line) from None


def _head(fields: Mapping[str, Entry]) -> dict[str, Any]:
    name = _text(fields, "name")
    if not name or not name.strip():
        raise fault("`name` is missing", _line_of(fields, "name"))
    if len(name) > MAX_NAME:
        raise fault(f"`name` has more than {MAX_NAME} characters", _line_of(fields, "name"))
    label = _text(fields, "version")
    if label is not None and not label.strip():
        raise fault("`version` is empty; leave it out, and the engine counts", _line_of(fields, "version"))
    labels = fields.get("labels")
    head: dict[str, Any] = {
        "name": name,
        "description": _text(fields, "description"),
        "version": label,
        "message": _text(fields, "message") or "",
    }
    if labels is not None and labels.value is not None:
        given: Any = labels.value
        if not isinstance(given, list) or not all(isinstance(label, str) for label in cast("Sequence[Any]", given)):
            raise fault("`labels` must be a list of strings; put numbers in quotes", labels.line)
        head["labels"] = tuple(cast("Sequence[str]", given))
    return head


def _text(fields: Mapping[str, Entry], name: str) -> str | None:
    """A text field; a plain YAML value is taken as written, and null as not given."""
    entry = fields.get(name)
    if entry is None or entry.value is None:
        return None
    if isinstance(entry.value, str):
        return entry.value
    if entry.source is not None:
        return entry.source
    raise fault(f"`{name}` must be text", entry.line)


def _prompt_content(fields: Mapping[str, Entry], templates: Mapping[str, str]) -> dict[str, Any]:
    content: dict[str, Any] = dict(templates)
    for name, entry in fields.items():
        target = SHORT_NAMES.get(name, name)
        if target not in PROMPT_CONTENT:
            continue
        if entry.value is None and target in content:
            continue
        if content.get(target) is not None:
            raise fault(f"`{name}` and `{_other_name(name)}` are both given; keep one", entry.line)
        content[target] = _text(fields, name) if name in TEXT_FIELDS else entry.value
    if "user_prompt" not in content and "system_prompt" in content:
        content["user_prompt"] = ""
    return content


def _other_name(name: str) -> str:
    return SHORT_NAMES.get(name) or next(short for short, long in SHORT_NAMES.items() if long == name)


def _read_templates(
    path: Path, fields: Mapping[str, Entry], read: ReadBytes, sources: dict[Path, bytes]
) -> dict[str, tuple[Path, str]]:
    found: dict[str, tuple[Path, str]] = {}
    for name in TEMPLATES:
        reference = _text(fields, f"{name}_file")
        if reference is None:
            continue
        line = fields[f"{name}_file"].line
        if _text(fields, name) is not None:
            raise fault(f"`{name}` and `{name}_file` are both given; keep one", max(line, fields[name].line))
        place = _inside(path, reference, line)
        try:
            source = read(place)
            # A checkout may have turned line feeds into pairs; the same text must have the same digest everywhere.
            found[name] = place, _decoded(source).replace("\r\n", "\n")
        except DefinitionError as error:
            where = "" if place.as_posix() in error.message else f"{place.as_posix()}: "
            raise fault(f"{where}{error.message}", line) from None
        sources[place] = source
    return found


def _inside(path: Path, reference: str, line: int) -> Path:
    """A reference, relative to the file that makes it, as a path relative to the folder."""
    pure = PurePosixPath(reference)
    place = Path(os.path.normpath(path.parent / pure))
    if not reference or "\\" in reference or "\0" in reference or pure.is_absolute() or place.is_absolute():
        raise fault(f"'{reference}' is not a file name relative to this file, with / between folders", line)
    if ".." in place.parts:
        raise fault(f"'{reference}' leads out of the folder; only files inside it are read", line)
    return place


def _agent_content(fields: Mapping[str, Entry]) -> dict[str, Any]:
    content = {name: fields[name].value for name in AGENT_CONTENT if name in fields}
    if not isinstance(content.get("config"), dict):
        raise fault("an agent needs a `config`, such as `config: {prompt: NAME}`", _line_of(fields, "config"))
    content["config"] = _with_ids(content["config"], _line_of(fields, "config"))
    if isinstance(content.get("sub_agents"), list):
        content["sub_agents"] = _renamed_all(content["sub_agents"], _line_of(fields, "sub_agents"))
    if isinstance(content.get("model_config"), dict):
        content["model_config"] = _renamed(content["model_config"], _MODEL_NAMES, _line_of(fields, "model_config"))
    return content


def _line_of(fields: Mapping[str, Entry], name: str) -> int:
    return fields[name].line if name in fields else 1


def _with_ids(config: dict[str, Any], line: int) -> dict[str, Any]:
    """The config with the field names of the typed configs; what they hold may be names all the same."""
    out = _renamed(config, _LINK_NAMES, line)
    for name in _LINK_LISTS:
        if isinstance(out.get(name), list):
            out[name] = _renamed_all(out[name], line)
    return out


def _renamed_all(entries: list[Any], line: int) -> list[Any]:
    return [_renamed(entry, _LINK_NAMES, line) if isinstance(entry, dict) else entry for entry in entries]


def _renamed(data: Any, names: Mapping[str, str], line: int) -> dict[str, Any]:
    entries = cast("dict[str, Any]", data)
    for short, long in names.items():
        if short in entries and long in entries:
            raise fault(f"`{short}` and `{long}` are both given; keep one", line)
    return {names.get(key, key): value for key, value in entries.items()}
