"""The table of adapters in pyproject.toml: whole, right, and the one that is installed."""

from __future__ import annotations

import tomllib
from importlib import import_module
from importlib.metadata import distribution
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest

import promptrails_providers
import promptrails_scanners
from promptrails_engine.ports.scanner import ScannerModule

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ADAPTERS = {(group, name): target for group, table in PROJECT["entry-points"].items() for name, target in table.items()}
ALL = ADAPTERS | {("console_scripts", name): target for name, target in PROJECT["scripts"].items()}


SCANNERS = PROJECT["entry-points"]["promptrails_engine.scanners"]


@pytest.mark.parametrize("target", sorted(set(ALL.values()) - set(SCANNERS.values())))
def test_every_target_can_be_called(target: str) -> None:
    module, _, attribute = target.partition(":")
    assert callable(getattr(import_module(module), attribute))


@pytest.mark.parametrize("scanner", sorted(SCANNERS))
def test_every_scanner_of_the_table_is_the_module_of_its_name(scanner: str) -> None:
    module = import_module(SCANNERS[scanner])
    assert isinstance(module, ScannerModule)
    assert module.META.type == scanner


def test_every_scanner_on_disk_is_in_the_table() -> None:
    modules = [info.name for info in iter_modules(promptrails_scanners.__path__, "promptrails_scanners.")]
    on_disk = {name for name in modules if hasattr(import_module(name), "META")}
    assert on_disk == set(SCANNERS.values())


def test_every_adapter_on_disk_is_in_the_table() -> None:
    named = {target.partition(":")[0] for target in ADAPTERS.values()}
    modules = (info.name for info in iter_modules(promptrails_providers.__path__, "promptrails_providers."))
    on_disk = {name for name in modules if callable(getattr(import_module(name), "create", None))}
    assert on_disk, "no provider has a create()"
    assert {name for name in named if name.startswith("promptrails_providers.")} == on_disk


def test_the_installed_table_is_the_one_of_the_project() -> None:
    installed = {(point.group, point.name): point.value for point in distribution("promptrails-engine").entry_points}
    assert installed == ALL, "the table changed: install again (make test does)"


def test_every_extra_is_part_of_all() -> None:
    extras = PROJECT["optional-dependencies"]
    (everything,) = extras["all"]
    names = everything.partition("[")[2].rstrip("]").split(",")
    assert set(names) == set(extras) - {"all"}
