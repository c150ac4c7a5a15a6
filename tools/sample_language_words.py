"""Writes words as each language's letters follow each other, for the training of the language scanner.

Usage: python tools/sample_language_words.py WHEEL FOLDER [LANGUAGE...]

WHEEL is lingua-language-detector 1.4.2 (Apache-2.0), whose models count how often up to five letters follow each other
in sentences of the Leipzig Corpora Collection (CC BY 4.0).  From those counts come exactly the words of up to three
letters and the beginnings of longer ones; their further letters are drawn one after the other.  No text of the corpora
is in the models, and none comes out.  Needs the package brotli.
"""

from __future__ import annotations

import json
import math
import random
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path

import brotli

ORDERS = ("unigrams", "bigrams", "trigrams", "quadrigrams", "fivegrams")
WORDS = 150_000
MOST_LETTERS = 24


def shares(wheel: zipfile.ZipFile, language: str, order: str) -> Iterator[tuple[str, int, int]]:
    """Each run of letters with how often it comes, of how often its beginning does."""
    packed = wheel.read(f"lingua/language-models/{language}/{order}.json.br")
    for share, runs in json.loads(brotli.decompress(packed))["ngrams"].items():
        part, of = map(int, share.split("/"))
        for run in runs.split(" "):
            yield run, part, of


def counts(wheel: zipfile.ZipFile, language: str) -> list[dict[str, float]]:
    """How often each run of one to five letters stands in the corpus."""
    letters = list(shares(wheel, language, ORDERS[0]))
    total = math.lcm(*{of for _, _, of in letters})
    found: list[dict[str, float]] = [{run: total * part / of for run, part, of in letters}]
    for order in ORDERS[1:]:
        before = found[-1]
        found.append({run: part / of * before.get(run[:-1], 0.0) for run, part, of in shares(wheel, language, order)})
    return found


def beginnings(known: list[dict[str, float]]) -> dict[str, float]:
    """How often words of up to three letters come, each with a space after it, and the first four of longer ones."""
    initial = [dict(one) for one in known[:4]]
    for length in range(1, 5):
        for run, count in known[length].items():
            if run[1:] in initial[length - 1]:
                initial[length - 1][run[1:]] -= count
    found = {run: count for run, count in initial[3].items() if count > 0.5}
    for length in range(1, 4):
        longer: defaultdict[str, float] = defaultdict(float)
        for run, count in initial[length].items():
            longer[run[:-1]] += max(0.0, count)
        for run, count in initial[length - 1].items():
            if count - longer[run] > 0.5:
                found[run + " "] = count - longer[run]
    return found


def words(known: list[dict[str, float]], chance: random.Random) -> Iterator[str]:
    """Words, as often as they come."""
    followers: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
    for run, count in known[4].items():
        followers[run[:4]].append((run[4], count))
    tables: dict[str, tuple[list[str], list[float]]] = {}
    first = beginnings(known)
    for start in chance.choices(list(first), cum_weights=list(accumulate(first.values())), k=WORDS):
        word = start
        while not word.endswith(" ") and len(word) < MOST_LETTERS:
            state = word[-4:]
            if state not in tables:
                tables[state] = table(state, known[3], followers)
            letters, weights = tables[state]
            word += chance.choices(letters, cum_weights=weights)[0]
        yield word.strip()


def table(
    state: str, fours: Mapping[str, float], followers: Mapping[str, list[tuple[str, float]]]
) -> tuple[list[str], list[float]]:
    """What may follow four letters, a space for the end of the word."""
    after = followers.get(state, [])
    left = fours.get(state, 0.0) - sum(count for _, count in after)
    pairs = [*after, (" ", max(left, 1e-9))]
    return [letter for letter, _ in pairs], list(accumulate(count for _, count in pairs))


def main(arguments: list[str]) -> None:
    path, folder, *languages = arguments
    Path(folder).mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path) as wheel:
        names = {name.split("/")[2] for name in wheel.namelist() if name.startswith("lingua/language-models/")}
        for language in languages or sorted(name for name in names if len(name) == 2):
            drawn = words(counts(wheel, language), random.Random(language))
            Path(folder, f"{language}.txt").write_text("\n".join(drawn) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
