"""Who decides, and which tools have to be decided: checked, kept, digested, compared, and written to files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from promptrails_engine import Agent, AgentVersion, ApprovalPolicy, ToolAttachment, diff_versions
from promptrails_engine.definitions.checked import checked_agent
from promptrails_engine.definitions.digest import content_digest
from promptrails_engine.definitions.files import read_folder, write_agent
from promptrails_engine.errors import DefinitionError

CONFIG = {"type": "simple", "prompt_id": "P1"}


def content(**more: Any) -> dict[str, Any]:
    return checked_agent({"config": CONFIG, **more}, None)


POLICIES = [
    (ApprovalPolicy(), {"mode": "admins"}),
    (ApprovalPolicy("any_member"), {"mode": "any_member"}),
    (ApprovalPolicy("assigned", ["ann", "bob"]), {"mode": "assigned", "member_ids": ["ann", "bob"]}),
    (ApprovalPolicy(expires_in_s=90), {"mode": "admins", "expires_in_s": 90}),
]


@pytest.mark.parametrize(("policy", "data"), POLICIES)
def test_a_policy_is_kept_as_data(policy: ApprovalPolicy, data: dict[str, Any]) -> None:
    assert content(approval_policy=policy)["approval_policy"] == data
    assert content(approval_policy=data)["approval_policy"] == data


def test_what_a_policy_leaves_out_is_the_default() -> None:
    assert content(approval_policy={"expires_in_s": 5})["approval_policy"] == {"mode": "admins", "expires_in_s": 5}
    assert content(approval_policy={"member_ids": []})["approval_policy"] == {"mode": "admins"}
    assert "approval_policy" not in content()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"mode": "everybody"}, "mode"),
        ({"mode": "assigned"}, "needs member_ids"),
        ({"mode": "assigned", "member_ids": [""]}, "member_ids"),
        ({"mode": "assigned", "member_ids": "ann"}, "member_ids"),
        ({"mode": "admins", "member_ids": ["ann"]}, "for mode 'assigned' only"),
        ({"expires_in_s": 0}, "expires_in_s"),
        ({"expires_in_s": float("inf")}, "expires_in_s"),
        ({"expires_in_s": 1e12}, "expires_in_s"),
        ({"expires_in": 5}, "expires_in"),
    ],
)
def test_a_policy_that_cannot_work_is_refused(data: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        content(approval_policy=data)
    with pytest.raises((DefinitionError, TypeError), match=said):
        ApprovalPolicy(**data)


@pytest.mark.parametrize(
    ("tool", "data"),
    [
        ("lookup", {"name": "lookup"}),
        (ToolAttachment("lookup"), {"name": "lookup"}),
        (ToolAttachment("lookup", requires_approval=False), {"name": "lookup"}),
        ({"name": "lookup", "requires_approval": False}, {"name": "lookup"}),
        (ToolAttachment("lookup", requires_approval=True), {"name": "lookup", "requires_approval": True}),
        (
            {"name": "lookup", "requires_approval": True, "sort_order": 0},
            {"name": "lookup", "requires_approval": True, "sort_order": 0},
        ),
    ],
)
def test_a_tool_says_only_that_it_has_to_be_approved(tool: Any, data: dict[str, Any]) -> None:
    assert content(tools=[tool])["tools"] == [data]


def test_whether_a_tool_has_to_be_approved_is_yes_or_no() -> None:
    with pytest.raises(DefinitionError, match="requires_approval"):
        content(tools=[{"name": "lookup", "requires_approval": "yes"}])


def test_the_digest_tells_what_has_to_be_approved() -> None:
    unsaid = content(tools=[ToolAttachment("a")])
    # A version that was stored before there were approvals keeps its digest.
    assert content_digest(unsaid) == content_digest(
        {"config": {**CONFIG, "approval_required": False}, "tools": [{"name": "a"}]}
    )
    said = [
        content(tools=[ToolAttachment("a", requires_approval=True)]),
        content(tools=[ToolAttachment("a")], approval_policy=ApprovalPolicy()),
        content(tools=[ToolAttachment("a")], approval_policy=ApprovalPolicy(expires_in_s=5)),
    ]
    assert len({content_digest(one) for one in (unsaid, *said)}) == 4


def version(label: str, **more: Any) -> AgentVersion:
    return AgentVersion(id=label, agent_id="a", version=label, **content(**more))


def test_versions_differ_in_what_has_to_be_approved_and_by_whom() -> None:
    old = version("v1", tools=["a"], approval_policy={"mode": "any_member", "expires_in_s": 5})
    guarded = ToolAttachment("a", requires_approval=True)
    new = version("v2", tools=[guarded], approval_policy=ApprovalPolicy("assigned", ["ann"], expires_in_s=9))
    assert [(change.part, change.path, change.kind) for change in diff_versions(old, new).changes] == [
        ("parameters", "approval_policy.mode", "changed"),
        ("parameters", "approval_policy.expires_in_s", "changed"),
        ("parameters", "approval_policy.member_ids", "added"),
        ("tools", "a.requires_approval", "added"),
    ]
    assert diff_versions(old, old).is_empty


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_files_keep_them(tmp_path: Path, form: Any) -> None:
    policy = ApprovalPolicy("assigned", ["ann", "007"], expires_in_s=1.5)
    made = version("v1", tools=[ToolAttachment("a", requires_approval=True), "b"], approval_policy=policy)
    agent = Agent(id="a", workspace_id="w", name="triage", type="simple")
    written = write_agent(tmp_path, agent, made, names={"P1": "P1"}, format=form)
    [found] = read_folder(tmp_path)
    assert found == written
    assert found.content == content(
        tools=[{"name": "a", "requires_approval": True}, {"name": "b"}],
        approval_policy={"mode": "assigned", "member_ids": ["ann", "007"], "expires_in_s": 1.5},
    )


def test_a_file_with_a_policy_that_cannot_work_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "kind: agent\nname: a\ntype: simple\nconfig: {prompt: p}\napproval_policy:\n  mode: assigned\n"
    )
    with pytest.raises(DefinitionError, match=r"^a\.yaml:5: .*needs member_ids"):
        read_folder(tmp_path)
