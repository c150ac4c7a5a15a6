"""What is written to a definition file is read back with the same digest, whatever the text."""

from __future__ import annotations

import os
import string
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from promptrails_engine.definitions.checked import checked_agent, checked_prompt
from promptrails_engine.definitions.digest import content_digest
from promptrails_engine.definitions.files import PromptFile, read_folder, write_agent, write_prompt
from promptrails_engine.definitions.files_dump import dump_json, dump_yaml
from promptrails_engine.definitions.files_yaml import parse_json, parse_yaml, plain_value
from promptrails_engine.definitions.records import Agent, AgentVersion, Prompt, PromptVersion
from promptrails_engine.errors import ConflictError, DefinitionError

ODD = st.sampled_from([
    "", " ", "\n", "\n\n", "\r\n", "\r", "\t", " a", "a ", "a\n", "a\n\n", "\na", "  a\n b\n", "a \nb", "a\t\nb\n",
    "\x85", "\u2028", "\ufeff", "\ufeffa\nb\n", "\x00", "\x1b[31m", "\x7f", "null", "~", "yes", "no", "on", "true", "1",
    "1.10", "1e3", "0o17", "007", "2024-01-01", "12:30:45", "0x1F", ".inf", "- a", "a: b", "a #b", "#a", "'", '"',
    "{{ x }}", "{% if a %}\n b\n{% endif %}\n", "%YAML", "---", "---\na", "...\n", "a\n---\nb\n", "a\n...\n", "|", ">",
    "*a", "&a", "!a", "@", "`", "=", "<<", "\U0001f600\n", "\u202e", "a" * 5000, "a\r\nb\n", "é\nü\n", "\u00a0\n",
    "\n \n", "a\n \nb\n", "a\n\n\n", "\\n", "end\\",
])  # fmt: skip
TEXT = st.one_of(ODD, st.text(max_size=60), st.text(alphabet="ab \n\t\r{}%#:-'\"\\|>\x85\u2028", max_size=40))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)),
    max_leaves=12,
)
NAMES = TEXT.filter(lambda name: bool(name.strip()) and len(name) <= 200)


def version(**content: Any) -> PromptVersion:
    return PromptVersion(id="v", prompt_id="p", version="1.0", **content)


def prompt(name: str = "support", **more: Any) -> Prompt:
    return Prompt(id="p", workspace_id="w", name=name, **more)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=NAMES, system=TEXT, user=TEXT, description=TEXT, labels=st.lists(TEXT, max_size=2), options=JSON, note=TEXT,
    templates=st.sampled_from(["inline", "files"]), form=st.sampled_from(["yaml", "json"]),
)  # fmt: skip
@example("n", "a\nb\n", "\ufeffx\n\r\n", "", [], 1.0, "", "files", "yaml")
def test_a_prompt_reads_back_as_it_was(
    name: str,
    system: str,
    user: str,
    description: str,
    labels: list[str],
    options: Any,
    note: str,
    templates: Any,
    form: Any,
) -> None:
    made = version(system_prompt=system, user_prompt=user, config={"extra": options}, temperature=1.0, message=note)
    of = prompt(name, description=description, labels=labels)
    with tempfile.TemporaryDirectory() as folder:
        written = write_prompt(folder, of, made, templates=templates, format=form)
        [found] = read_folder(folder)
        assert found == written
        digest = content_digest(
            checked_prompt(
                {"system_prompt": system, "user_prompt": user, "config": {"extra": options}, "temperature": 1.0}
            )
        )
        assert isinstance(found, PromptFile)
        assert found.digest == digest
        assert (found.content["system_prompt"], found.content["user_prompt"]) == (system, user)
        assert content_digest({"x": found.content["config"]}) == content_digest({"x": {"extra": options}})
        assert (found.name, found.description or "", list(found.labels or ())) == (name, description, labels)
        assert (found.version, found.message) == ("1.0", note)
        before = {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*") if path.is_file()}
        write_prompt(folder, of, made, templates=templates, format=form)
        assert {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*") if path.is_file()} == before


@settings(max_examples=120, deadline=None)
@given(data=st.dictionaries(TEXT, JSON, min_size=1, max_size=5))
def test_yaml_and_json_text_say_the_same(data: dict[str, Any]) -> None:
    digest = content_digest({"data": data})
    readings = (parse_yaml(dump_yaml(data, quote_all=True)), parse_json(dump_json(data)))
    for fields in readings:
        assert content_digest({"data": {key: entry.value for key, entry in fields.items()}}) == digest


@given(text=st.text(alphabet=string.digits + "+-.eExobn_:", max_size=8))
def test_a_plain_scalar_is_a_number_only_as_json_has_them(text: str) -> None:
    try:
        value = plain_value(text)
    except ValueError:
        return
    if isinstance(value, str):
        assert value == text
    elif value is not None:
        assert float(value) == float(text)
        assert not text.lstrip("+-").startswith(("00", "01", "07"))


def test_no_folder_outside_is_ever_written(tmp_path: Path) -> None:
    for name in ("../../evil", "/etc/passwd", "..", "a/b", "C:\\x", "con", "NUL", "\x00"):
        write_prompt(tmp_path / "defs", prompt(name), version(user_prompt="x"))
    assert os.listdir(tmp_path) == ["defs"]
    assert {found.name for found in read_folder(tmp_path / "defs")} == {
        "../../evil", "/etc/passwd", "..", "a/b", "C:\\x", "con", "NUL", "\x00",
    }  # fmt: skip


def test_names_that_make_the_same_file_name_get_two_files(tmp_path: Path) -> None:
    for name in ("My Prompt", "my prompt", "my-prompt"):
        write_prompt(tmp_path, prompt(name), version(user_prompt=name))
        write_prompt(tmp_path, prompt(name), version(user_prompt=f"{name} again"))
    found = {file.name: file.content["user_prompt"] for file in read_folder(tmp_path)}
    assert found == {name: f"{name} again" for name in ("My Prompt", "my prompt", "my-prompt")}


def test_a_readable_file(tmp_path: Path) -> None:
    made = version(
        system_prompt="You answer for {{ company }}.\nBe brief.\n",
        user_prompt="{{ question }}",
        llm_model_id="openai/gpt-4o-mini",
        temperature=0.2,
        message="first: try",
        input_schema={"type": "object", "properties": {"company": {"enum": ["no", "007", 7]}}, "required": ["company"]},
    )
    write_prompt(tmp_path, prompt(labels=["mail"]), made)
    assert (tmp_path / "prompts" / "support.yaml").read_text() == (
        "kind: prompt\nname: support\nlabels:\n- mail\nversion: \"1.0\"\nmessage: 'first: try'\n"
        "system_prompt: |\n  You answer for {{ company }}.\n  Be brief.\n"
        "user_prompt: '{{ question }}'\nmodel: openai/gpt-4o-mini\ntemperature: 0.2\n"
        "input_schema:\n  type: object\n  properties:\n    company:\n"
        "      enum:\n      - 'no'\n      - '007'\n      - 7\n  required:\n  - company\n"
    )


def test_templates_in_neighbours(tmp_path: Path) -> None:
    made = version(system_prompt="a\nb", user_prompt="one line")
    written = write_prompt(tmp_path, prompt(), made, templates="files")
    assert (tmp_path / "prompts" / "support.system.j2").read_bytes() == b"a\nb"
    assert written.templates == {"system_prompt": Path("prompts/support.system.j2")}
    assert "user_prompt: one line" in (tmp_path / "prompts" / "support.yaml").read_text()


def test_only_what_changed_is_rewritten_and_comments_stay(tmp_path: Path) -> None:
    (tmp_path / "s.yml").write_text("# mine\nkind: prompt\nname: support\nuser_prompt_file: t/u.j2\nversion: '1.0'\n")
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "u.j2").write_text("old\n")
    [file] = read_folder(tmp_path)
    assert isinstance(file, PromptFile)
    write_prompt(tmp_path, prompt(), version(user_prompt="new\n"), existing=file)
    assert (tmp_path / "t" / "u.j2").read_text() == "new\n"
    assert (tmp_path / "s.yml").read_text().startswith("# mine\n")
    assert not (tmp_path / "prompts").exists()


@pytest.mark.parametrize("changed", ["s.yaml", "u.j2"])
def test_a_file_that_somebody_edits_meanwhile_is_left_alone(tmp_path: Path, changed: str) -> None:
    (tmp_path / "s.yaml").write_text("kind: prompt\nname: support\nuser_prompt_file: u.j2\n")
    (tmp_path / "u.j2").write_text("old\n")
    [file] = read_folder(tmp_path)
    assert isinstance(file, PromptFile)
    (tmp_path / changed).write_text("edited meanwhile")
    with pytest.raises(ConflictError, match=changed):
        write_prompt(tmp_path, prompt(), version(user_prompt="new\n"), existing=file, labelled=True)
    assert (tmp_path / changed).read_text() == "edited meanwhile"
    assert not list(tmp_path.glob(".*"))


def test_a_lone_surrogate_is_refused(tmp_path: Path) -> None:
    for form in ("yaml", "json"):
        with pytest.raises(DefinitionError, match="surrogate"):
            write_prompt(tmp_path, prompt(), version(user_prompt="a\ud800"), format=form)  # type: ignore[arg-type] # both are formats
    assert read_folder(tmp_path) == []


AGENTS: list[dict[str, Any]] = [
    {"type": "simple", "prompt_id": "P1", "temperature": 1.0, "llm_model_id": "openai/x"},
    {"type": "simple", "prompt_id": "P1", "approval_required": True, "approval_checkpoint_name": "look"},
    {
        "type": "chain",
        "prompt_ids": [{"prompt_id": f"P{n}", "role": "1", "sort_order": place} for place, n in enumerate((1, 2, 1))],
    },
    {"type": "multi_agent", "prompt_ids": [{"prompt_id": "P2", "role": "yes", "sort_order": 1}]},
    {
        "type": "multi_agent", "prompt_ids": [{"prompt_id": "P2", "role": "yes", "sort_order": 1}],
        "aggregation": "prompt", "aggregator_prompt_id": "P1", "router_prompt_id": "P2", "failure_policy": "settle",
    },
    {
        "type": "workflow",
        "nodes": [
            {"id": "a", "depends_on": [], "prompt_id": "P1"},
            {
                "id": "b", "depends_on": ["a"], "node_type": "media", "media_provider": "x", "media_type": "tts",
                "media_model": "m", "media_config": {"k": [1, 1.0, None, "1"]},
            },
            {
                "id": "c", "depends_on": [], "node_type": "datasource", "data_source": "shop",
                "query": "SELECT 1\nWHERE 1 = :a -- ':b'\n", "input_mapping": {"a": "{{ input.a }}"},
            },
        ],
    },
    {
        "type": "composite",
        "steps": [
            {"id": "s", "agent_id": "A1", "depends_on": [], "input_mapping": {"t": "{{ input.t }}\n"}},
            {
                "id": "t", "agent_id": "A1", "depends_on": ["s"], "condition": "s", "map_over": "[1]",
                "map_concurrency": 2, "join": "always",
            },
        ],
        "failure_policy": "settle",
    },
    {"type": "workflow", "nodes": [{"id": "a", "depends_on": [], "node_type": "agent", "agent_id": "A1"}]},
]  # fmt: skip


@pytest.mark.parametrize("form", ["yaml", "json"])
@pytest.mark.parametrize("config", AGENTS, ids=lambda config: str(config["type"]))
def test_an_agent_reads_back_with_its_links_by_name(tmp_path: Path, config: dict[str, Any], form: Any) -> None:
    content: dict[str, Any] = {
        "config": config, "model_config": {"model_id": "openai/y"}, "run_budget": {"max_cost": 0.5}, "cache_timeout": 0,
        "tools": [{"name": "t", "sort_order": 1}], "input_schema": {"type": "object"},
    }  # fmt: skip
    made = AgentVersion(id="v", agent_id="a", version="v1", **checked_agent(content, None))
    agent = Agent(id="a", workspace_id="w", name="triage", type=config["type"])
    names = {"P1": "support", "P2": "polish it", "A1": "other"}
    written = write_agent(tmp_path, agent, made, names=names, format=form)
    text = (tmp_path / written.path).read_text()
    assert "P1" not in text
    assert "A1" not in text
    [found] = read_folder(tmp_path)
    assert found == written
    back = {name: key for key, name in names.items()}
    assert _with(found.content, back) == checked_agent(content, None)


def _with(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {k: names[v] if k.endswith(("prompt_id", "agent_id")) else _with(v, names) for k, v in value.items()}
    return [_with(item, names) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_sub_agents_read_back_by_name(tmp_path: Path, form: Any) -> None:
    subs = [
        {"agent_id": "A1"},
        {"agent_id": "A2", "alias": "two", "description": "Second.", "mode": "handoff", "context_mode": "window",
         "requires_approval": True, "sort_order": 3},
    ]  # fmt: skip
    content: dict[str, Any] = {"config": {"type": "simple", "prompt_id": "P1"}, "sub_agents": subs}
    made = AgentVersion(id="v", agent_id="a", version="v1", **checked_agent(content, None))
    assert made.sub_agents == subs
    agent = Agent(id="a", workspace_id="w", name="triage", type="simple")
    written = write_agent(tmp_path, agent, made, names={"P1": "p", "A1": "one", "A2": "other"}, format=form)
    text = (tmp_path / written.path).read_text()
    assert "A1" not in text
    assert "agent: other" in text or '"agent": "other"' in text
    [found] = read_folder(tmp_path)
    assert [sub["agent_id"] for sub in found.content["sub_agents"]] == ["one", "other"]
    assert _with(found.content, {"p": "P1", "one": "A1", "other": "A2"}) == checked_agent(content, None)
