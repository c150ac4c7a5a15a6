"""Words that the tagger knows: names, of which there are many, and words that are common in English."""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections import Counter
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scanners")]

from promptrails_scanners.personal import features  # noqa: E402

NAMES = Path(__file__).with_name("tagger_names.txt")
ODD = frozenset({"language", "pii_fixtures", "malicious_urls", "invisible_text", "secrets"})
"""Files whose texts are no English prose."""
SOME, MANY = 4, 25
"""A word is common that stands in lower case in so many texts; one that is a name, too, in so many."""
LABELLED = ("pii", "sensitive", "anonymize")


def tables(folder: Path, words: Path) -> features.Tables:
    """The tables of given names, of family names and of common words.

    Common are words that stand in lower case in several texts of the folder, or in a list of words; of names those that
    stand so in many texts.
    """
    count: Counter[str] = Counter()
    for path in sorted(folder.glob("*.jsonl*")):
        if path.name.split(".")[0] in ODD:
            continue
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                count.update(lower_words(json.loads(line), path.name.split(".")[0] in LABELLED))
    told = set(re.findall(r"^[a-z]{2,20}$", words.read_text(encoding="utf-8"), re.MULTILINE))
    named = {word for group in names().values() for word in group}
    common = told - named
    common |= {word for word, times in count.items() if times >= (MANY if word in named else SOME)}
    lists = names() | {"common": common}
    return [sorted(set(map(features.number, lists[name]))) for name in features.TABLES]


def lower_words(row: dict[str, Any], labelled: bool) -> set[str]:
    """The words of a text that are written in lower case; those of its values are left out."""
    text = row["text"]
    if text.islower() and row.get("spans"):
        return set()
    for start, end, _ in sorted(row.get("spans") or [], reverse=True) if labelled else ():
        text = text[:start] + " " + text[end:]
    return set(re.findall(r"(?<![\w'\u2019])[a-z]{2,20}(?![\w])", text))


@cache
def names() -> dict[str, Collection[str]]:
    """Given names and family names, in lower case."""
    found: dict[str, Collection[str]] = {}
    for part in NAMES.read_text(encoding="utf-8").split("@")[1:]:
        group, *some = part.split()
        found[group] = some
    return found
