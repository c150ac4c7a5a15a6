"""The tree of errors and the table of limits are those of the code."""

from __future__ import annotations

import inspect
import re
from dataclasses import fields

import pytest

import promptrails_engine
from promptrails_engine import Limits, PromptRailsError, RunBudget, errors
from promptrails_engine.definitions.settings import DEFAULT_LIMITS
from tests.repo.documents import ROOT, blocks

PAGE = (ROOT / "docs/errors-and-limits.md").read_text(encoding="utf-8")
ROOMS = ("base", "provider", "run", "adapter", "setup")
"""The modules of the tree, in the order in which a reader meets them."""
ERRORS = sorted(
    (item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, PromptRailsError)),
    key=lambda cls: (ROOMS.index(cls.__module__.rsplit(".", 1)[1]), inspect.getsourcelines(cls)[1]),
)
WIDTH = 36


def tree(cls: type[PromptRailsError] = PromptRailsError, indent: str = "", below: str = "") -> list[str]:
    """One line a class, in the order of the code."""
    status = "" if cls.status_code is None else str(cls.status_code)
    lines = [f"{indent + cls.__name__:{WIDTH}}{cls.code:27}{status:4}{'↻' if cls.retryable else ''}".rstrip()]
    children = [child for child in ERRORS if cls in child.__bases__]
    for child in children:
        last = child is children[-1]
        lines += tree(child, below + ("└ " if last else "├ "), below + ("  " if last else "│ "))
    return lines


def test_the_tree_of_errors_is_that_of_the_code() -> None:
    (shown,) = (block.code for block in blocks(PAGE) if block.info == "")
    assert shown.splitlines() == tree(), "write this:\n" + "\n".join(tree())


def test_every_error_can_be_imported_from_the_root() -> None:
    assert [cls.__name__ for cls in ERRORS if not hasattr(promptrails_engine, cls.__name__)] == []


def test_the_table_of_limits_is_that_of_the_code() -> None:
    shown = re.findall(r"^\| `(\w+)` \| (\S+) \| (\w+) \|", PAGE, re.MULTILINE)
    defaults = [
        (field.name, "none" if (value := getattr(DEFAULT_LIMITS, field.name)) is None else f"{value:.12g}")
        for field in fields(Limits)
    ]
    assert [(name, default) for name, default, _ in shown] == defaults
    assert {name for name, _, unit in shown if unit == "s"} == {f.name for f in fields(Limits) if f.name.endswith("_s")}


def test_the_codes_in_the_table_are_those_of_the_tree() -> None:
    codes = set(re.findall(r"^\| `\w+` \| .* \| `(\w+)` \|$", PAGE, re.MULTILINE))
    assert codes
    assert codes <= {cls.code for cls in ERRORS}


@pytest.mark.parametrize("field", [field.name for field in fields(RunBudget)])
def test_every_part_of_a_budget_is_named(field: str) -> None:
    assert f"`{field}`" in PAGE.split("`run_budget` of an agent version")[1]
