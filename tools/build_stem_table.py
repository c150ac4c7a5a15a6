"""Writes what is known of rules beforehand: `build_stem_table.py [--check]`.

That is the words that rules of words begin with and need, and how many digits rules of personal data have.  To be run
when a rule was changed; with `--check` it only says whether the tables are those of the rules.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scanners"), str(ROOT)]

from promptrails_scanners.foundation import stems  # noqa: E402
from promptrails_scanners.foundation.stems import Read, key, read_anew  # noqa: E402
from promptrails_scanners.personal import rules  # noqa: E402
from promptrails_scanners.personal.europe import european  # noqa: E402
from promptrails_scanners.personal.world import worldwide  # noqa: E402

PACKAGE = ROOT / "scanners" / "promptrails_scanners"
HOMES = ("hate.signals", "harm.signals", "injection.phrases", "refusals.phrases")


def words() -> dict[str, Read]:
    """What every rule of words comes to, by the name of its pattern."""
    modules = [import_module(f"promptrails_scanners.{home}") for home in HOMES]
    sources = {source for module in modules for source in vars(module)["_rules"]().sources()}
    return {key(source): read_anew(source) for source in sorted(sources)}


def digits() -> dict[str, tuple[int, int]]:
    """How many digits every rule of personal data has, by the name of its pattern."""
    ours = {rule.shape: rule for rule in (*european(), *worldwide())}
    return {key(shape): rule.digits_anew() for shape, rule in sorted(ours.items())}


def written(table: Mapping[str, Sequence[object]]) -> str:
    lines = (f"{json.dumps(name)}: {json.dumps(known, ensure_ascii=False)}" for name, known in table.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main(arguments: list[str]) -> int:
    tables = {
        PACKAGE / "foundation" / stems.TABLE: written(words()),
        PACKAGE / "personal" / rules.TABLE: written(digits()),
    }
    if arguments == ["--check"]:
        same = all(place.read_text(encoding="utf-8") == table for place, table in tables.items())
        print("the tables are those of the rules" if same else "the rules were changed: write the tables anew")
        return 0 if same else 1
    for place, table in tables.items():
        place.write_text(table, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
