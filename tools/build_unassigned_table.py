"""Writes the table of code points that are not assigned, from the Unicode data of this Python or of `unicodedata2`.

Usage: python tools/build_unassigned_table.py

The package `unicodedata2` has newer data than most Pythons.  The table says which version it was made from; it holds
facts of the Unicode Character Database alone: the bounds of the ranges, each as the distance from the one before in
base 36.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "scanners/promptrails_scanners/invisible/unassigned.txt"
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def base36(number: int) -> str:
    digits = ""
    while True:
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
        if not number:
            return digits


def bounds(category: Callable[[str], str]) -> Iterator[int]:
    """Where a range of unassigned code points begins or ends."""
    inside = False
    for code in range(sys.maxunicode + 1):
        if (category(chr(code)) == "Cn") is not inside:
            inside = not inside
            yield code


def main() -> None:
    data = import_module("unicodedata2" if find_spec("unicodedata2") else "unicodedata")
    numbers = [base36(after - before) for before, after in pairwise([0, *bounds(data.category)])]
    lines = [f"# Unicode {data.unidata_version}: bounds of the ranges of unassigned code points"]
    lines += [" ".join(numbers[at : at + 40]) for at in range(0, len(numbers), 40)]
    TARGET.write_text("\n".join(lines) + "\n", encoding="ascii")
    print(f"{TARGET.name}: {len(numbers)} bounds of Unicode {data.unidata_version}")


if __name__ == "__main__":
    main()
