"""Guards in definition files: loaded, saved, and checked like those of the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from promptrails_engine import DefinitionError, Engine

PROMPT = "kind: prompt\nname: ask\nuser_prompt: '{{ text }}'\nmodel: scripted/m\n"
AGENT = """kind: agent
name: desk
type: simple
config: {prompt: ask}
guardrails:
- type: input
  scanner_type: pii
  action: redact
  config: {entities: [email], apply_to: [input, documents]}
  sort_order: 2
- {type: output, scanner_type: toxicity, action: log, config: {sample: 0.5, timeout_ms: 500}}
- {type: input, scanner_type: anonymize, action: redact, config: {vault: session}, is_active: false, id: mine}
"""


def folder_of(path: Path, agent: str = AGENT) -> Path:
    (path / "ask.yaml").write_text(PROMPT, encoding="utf-8")
    (path / "desk.yaml").write_text(agent, encoding="utf-8")
    return path


def test_guards_of_a_file_are_those_of_the_version(tmp_path: Path) -> None:
    with Engine() as engine:
        engine.definitions.load(folder_of(tmp_path))
        guards = engine.guardrails.list("desk")
        told = [(one.type, one.scanner_type, one.action, one.config, one.is_active, one.sort_order) for one in guards]
        assert told == [
            ("input", "pii", "redact", {"entities": ["email"], "apply_to": ["input", "documents"]}, True, 2),
            ("output", "toxicity", "log", {"sample": 0.5, "timeout_ms": 500}, True, None),
            ("input", "anonymize", "redact", {"vault": "session"}, False, None),
        ]
        assert guards[-1].id.endswith(":mine")


def test_they_come_back_from_the_folder_into_which_they_were_saved(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    with Engine() as engine:
        engine.definitions.load(folder_of(first))
        engine.guardrails.create("desk", "output", "secrets", "redact", {"stream": "buffer"})
        engine.definitions.save(second)
        made = engine.agents.get_version("desk").guardrails
    with Engine() as other:
        other.definitions.load(second)
        assert other.agents.get_version("desk").guardrails == made
        assert [entry.name for entry in other.definitions.save(second).unchanged] == ["ask", "desk"]


def refused(folder: Path) -> str:
    """What is said of files that cannot be loaded."""
    with Engine() as engine:
        try:
            return "\n".join(str(entry) for entry in engine.definitions.load(folder).conflicts)
        except DefinitionError as error:
            return error.message


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("scanner_type: toxicity", "scanner_type: toxicities", "did you mean 'toxicity'?"),
        ("sample: 0.5", "sample: 5", "sample"),
        ("action: log", "action: shout", "action"),
        ("entities", "entitys", "did you mean 'entities'?"),
    ],
)
def test_a_guard_that_cannot_be_is_refused_with_its_file(tmp_path: Path, right: str, wrong: str, said: str) -> None:
    assert refused(folder_of(tmp_path)) == ""
    message = refused(folder_of(tmp_path, AGENT.replace(right, wrong)))
    assert "desk" in message
    assert said in message
