"""The fields of definition files, and what a file that was read consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from promptrails_engine.definitions.content import AGENT_CONTENT, PROMPT_CONTENT
from promptrails_engine.ports.store import DefinitionKind

TEMPLATES = ("system_prompt", "user_prompt")
HEAD = ("kind", "name", "description", "labels", "version", "message")
SHORT_NAMES = {"model": "llm_model_id", "fallback_model": "fallback_llm_model_id"}
"""Fields of a prompt that have a shorter name in files."""
PROMPT_FIELDS = (*HEAD, *PROMPT_CONTENT, *(f"{name}_file" for name in TEMPLATES), *SHORT_NAMES)
AGENT_FIELDS = (*HEAD, "type", *AGENT_CONTENT)
FIELDS: Mapping[str, tuple[str, ...]] = {"prompt": PROMPT_FIELDS, "agent": AGENT_FIELDS}
TEXT_FIELDS = frozenset({
    "kind", "name", "description", "version", "message", "type", "llm_model_id", "fallback_llm_model_id", *TEMPLATES,
    *SHORT_NAMES, *(f"{name}_file" for name in TEMPLATES),
})  # fmt: skip
"""Fields whose plain YAML value is text as written, so that `version: 1.10` is the label 1.10."""

SUFFIXES: Mapping[str, Literal["yaml", "json"]] = {".yaml": "yaml", ".yml": "yaml", ".json": "json"}
MAX_FILE_BYTES = 1024 * 1024
MAX_FILES = 10_000
MAX_NAME = 200
MAX_TOTAL_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class DefinitionFile:
    """A prompt or agent as its file says it.

    Attributes:
        root: the folder that was read.
        path: the file, relative to the folder.
        description: None where the file says nothing of it.
        labels: None where the file says nothing of them.
        version: label for the next version; None leaves it to the engine.
        message: what is said about the version.
        content: content of the version, as the store would keep it; an agent's links are as written in the file,
            which is by name as a rule.
        digest: SHA-256 of the content.
        templates: files of the templates that are not in the definition file itself, relative to the folder.
        sources: the bytes that were read, by path relative to the folder.
    """

    kind: ClassVar[DefinitionKind]
    root: Path
    path: Path
    name: str
    description: str | None = None
    labels: tuple[str, ...] | None = None
    version: str | None = None
    message: str = ""
    content: Mapping[str, Any]
    digest: str
    templates: Mapping[str, Path] = field(default_factory=dict[str, Path])
    sources: Mapping[Path, bytes] = field(default_factory=dict[Path, bytes], repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFile(DefinitionFile):
    """A prompt as its file says it."""

    kind: ClassVar[DefinitionKind] = "prompt"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFile(DefinitionFile):
    """An agent as its file says it; `type` is one of the five."""

    kind: ClassVar[DefinitionKind] = "agent"
    type: str
