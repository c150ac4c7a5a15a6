"""Runs one case in this process and prints its rows as a line of JSON.

Usage: python worker.py CASE [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
from dataclasses import asdict
from importlib import import_module

from harness import Row, Size

CASES = {
    "simple": "case_runs:simple",
    "agent-schema": "case_runs:agent_schema",
    "chain": "case_runs:chain",
    "parallel": "case_runs:parallel",
    "tool": "case_runs:tool_round",
    "stream": "case_streams:streamed_chunk",
    "sync-stream": "case_streams:sync_chunk",
    "unstreamed": "case_streams:unheard_chunk",
    "sync": "case_runs:sync_call",
    "concurrent": "case_runs:concurrent",
    "stored": "case_store:stored_full",
    "stored-relaxed": "case_store:stored_relaxed",
    "journal": "case_journal:effect_steps",
    "parked": "case_journal:parked",
    "claim": "case_journal:claimed",
    "graph": "case_graph:scheduler",
    "memory": "case_memory:many_runs",
    "memory-cancelled": "case_memory:cancelled_runs",
    "import": "case_imports:imports",
    "publish": "case_parts:span_publish",
    "otel": "case_parts:otel",
    "provider": "case_provider:provider_chunk",
    "template": "case_parts:template",
    "validation": "case_parts:validation",
    "scanner": "case_scanners:alone",
    "scanners": "case_scanners:together",
    "scanners-first": "case_scanners:first_use",
    "guarded": "case_guards:runs",
    "guarded-stream": "case_guards:chunks",
}
"""Where the case of each name is."""


def rows_of(case: str, size: Size) -> list[Row]:
    module, _, name = CASES[case].partition(":")
    measured = getattr(import_module(module), name)(size)
    return asyncio.run(measured) if inspect.iscoroutine(measured) else measured


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    print(json.dumps([asdict(row) for row in rows_of(arguments.case, Size(arguments.quick))]))


if __name__ == "__main__":
    main()
