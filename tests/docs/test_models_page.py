"""The table of servers on the page of models is that of the code."""

from __future__ import annotations

import re
import tomllib

from promptrails_engine.models.table import model_table
from promptrails_engine.run import model_call, retry
from promptrails_engine.run.failures import RETRY_AFTER_CAP_S
from promptrails_providers.local_model import LocalModelProvider
from promptrails_providers.openai_compatible import ENDPOINTS, Endpoint
from tests.repo.documents import ROOT

PAGE = (ROOT / "docs/models.md").read_text(encoding="utf-8")


def code(*names: str) -> str:
    return ", ".join(f"`{name}`" for name in names)


def row(endpoint: Endpoint, names: list[str]) -> str:
    emulated = [what for what, how in (("tools", endpoint.tools), ("schema", endpoint.json_schema)) if how != "native"]
    key = code(*endpoint.key_env) if endpoint.key_required else f"{code(*endpoint.key_env)} (optional)"
    cells = (
        code(*(f"{name}/..." for name in names)),
        code(endpoint.base_url),
        key,
        code(*endpoint.base_url_env),
        ", ".join(emulated),
    )
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def expected_rows() -> list[str]:
    """One row a server, with every installed name of it: aliases share an address."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    served = {
        name
        for name, target in project["entry-points"]["promptrails_engine.providers"].items()
        if target.startswith("promptrails_providers.openai_compatible:")
    }
    servers: dict[str, list[str]] = {}
    for name, endpoint in ENDPOINTS.items():
        if name in served:
            servers.setdefault(endpoint.base_url, []).append(name)
    return [row(ENDPOINTS[names[0]], names) for names in servers.values()]


def test_the_table_of_servers_is_that_of_the_code() -> None:
    shown = re.findall(r"^\| `\w+/\.\.\.`.*$", PAGE, re.MULTILINE)
    assert shown == expected_rows(), "write this:\n" + "\n".join(expected_rows())


def test_the_numbers_in_the_text_are_those_of_the_code() -> None:
    assert model_call._ATTEMPTS_PER_MODEL == 3
    assert RETRY_AFTER_CAP_S == 60
    assert (retry._BASE_S, retry._BASE_S * 2) == (0.5, 1.0)
    assert "`n_parallel` (2)" in PAGE
    assert LocalModelProvider()._options.n_parallel == 2


def test_the_price_table_is_dated_and_has_the_model_of_the_page() -> None:
    table = model_table()
    assert table.rows["openai/gpt-4o-mini"].price.input > 0
    assert table.date in PAGE
