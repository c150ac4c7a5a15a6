"""Writes the table of words that the rules of scanners begin with and need: `build_stem_table.py [--check]`.

To be run when a rule was changed; with `--check` it only says whether the table is that of the rules.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scanners"), str(ROOT)]

from promptrails_scanners.foundation.stems import TABLE, Read, key, read_anew  # noqa: E402

HOMES = ("hate.signals", "harm.signals", "injection.phrases", "refusals.phrases")


def table() -> dict[str, Read]:
    """What every rule of the package comes to, by the name of its pattern."""
    modules = [import_module(f"promptrails_scanners.{home}") for home in HOMES]
    sources = {source for module in modules for source in vars(module)["_rules"]().sources()}
    return {key(source): read_anew(source) for source in sorted(sources)}


def written() -> str:
    lines = (f"{json.dumps(name)}: {json.dumps(known, ensure_ascii=False)}" for name, known in table().items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main(arguments: list[str]) -> int:
    place = ROOT / "scanners" / "promptrails_scanners" / "foundation" / TABLE
    if arguments == ["--check"]:
        same = place.read_text(encoding="utf-8") == written()
        print("the table is that of the rules" if same else "the rules were changed: write the table anew")
        return 0 if same else 1
    place.write_text(written(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
