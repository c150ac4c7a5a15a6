"""Trains the model of links and writes its weights, with a manifest of what it was trained on.

Wants scikit-learn, in an environment of its own; the package itself does without.  Learns from the rows of
FOLDER/malicious_urls.jsonl, from harmless links in the texts of all other files there, and from links of our own in
tools/own_links.txt.  The same files and version of scikit-learn (1.9.1) give the same weights, byte by byte.

    python tools/train_urls.py --data FOLDER            train, and write the weights and their manifest
    python tools/train_urls.py                          the same, on the rows beside the repository
    python tools/train_urls.py --check [--wrong N]      only print what cross-validation says
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / name) for name in ("scanners", "")]

from classifier_rows import DATA, ROOT, Row  # noqa: E402

from promptrails_scanners.foundation.linear import BITS, Head, written  # noqa: E402
from promptrails_scanners.links.address import Address, parsed  # noqa: E402
from promptrails_scanners.links.model import NAME, read  # noqa: E402

KEPT_BITS = 14
STRENGTH = 12.0
ROUNDS, FOLDS = 3, 5
FALSE_ALARMS = 0.025
"""Of the harmless development links so many may score over 0.5, on hosts not seen."""
RAILS = {"readme-links": 0.02, "doc-links": 0.05}
"""And of each of these slices."""
BESIDE = 0.5
"""What a link counts that is not in the file of links."""
PER_HOST = 3
NEVER = -99.0
"""The sum of a link to a host that the table knows."""
WEIGHTS = ROOT / "scanners" / "promptrails_scanners" / "weights"
OWN = ROOT / "tools" / "own_links.txt"
_LINK = re.compile(r"https?://[A-Za-z0-9][^\s<>\"'`)\]}\\,;|{]{3,200}")
_MADE_UP = re.compile(
    r"example|localhost|evil|attack|malware|phish|\.(?:test|invalid|local)(?![\w.])|[%$@\u2026\u201c]|&#"
)


class Link(NamedTuple):
    """A link and what it is."""

    address: Address
    row: Row


# ------------------------------------------------------------------ what is learned from


def development(folder: Path) -> list[Link]:
    """The labelled links, those that lead somewhere."""
    rows = (row for row in _rows(folder / f"{NAME}.jsonl") if row.shipped)
    return [Link(address, row) for row in rows if (address := parsed(row.text))]


def beside(folder: Path) -> list[Link]:
    """Harmless links: those of our own, and those in harmless texts that were gathered for other scanners."""
    texts = (row for path in sorted(folder.glob("*.jsonl*")) if NAME not in path.name for row in _rows(path))
    mentioned = [
        Row(link.rstrip(".:!?*_"), "0", row.source, row.licence, weight=BESIDE)
        for row in texts
        if not row.positive and row.shipped
        for link in _LINK.findall(row.text)
        if not _MADE_UP.search(link)
    ]
    return [*_few([*_own(), *mentioned])]


def _rows(path: Path) -> Iterator[Row]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        for line in file:
            one = json.loads(line)
            source, licence = one.get("source") or path.name, one.get("licence") or "unknown"
            yield Row(one["text"], str(int(one["label"])), source, licence, one.get("slice") or "")


def _own() -> Iterator[Row]:
    for line in OWN.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            host, *paths = line.split()
            for path in paths:
                yield Row(f"https://{host}{path}", "0", "own links", "MIT", weight=BESIDE, own=True)


def _few(rows: Iterable[Row]) -> Iterator[Link]:
    """Each link once, and not many of a host, so that none is most of what is learned."""
    seen: set[str] = set()
    hosts: Counter[str] = Counter()
    for row in rows:
        address = parsed(row.text)
        if address is None or row.text in seen or "." not in address.host or address.at.is_ip:
            continue
        seen.add(row.text)
        hosts[address.host] += 1
        if hosts[address.host] <= PER_HOST:
            yield Link(address, row)


# ------------------------------------------------------------------ matrices and fits


class Trainer:
    """The links as numbers."""

    def __init__(self, folder: Path) -> None:
        self.dev = development(folder)
        self.links = [*self.dev, *beside(folder)]
        self.known = np.array([link.address.known for link in self.links])
        unknown = [_unknown(link.address) for link in self.links]
        self.names = sorted({name for address in unknown for name in read(address).signals})
        self.X = self.matrix(unknown)
        self.y = np.array([link.row.positive for link in self.links], dtype=int)
        self.weights = np.array([link.row.weight for link in self.links])
        self.domains = [link.address.domain for link in self.links]

    def matrix(self, addresses: Sequence[Address]) -> Any:
        """A row for each link: its buckets, then its signals."""
        at = {name: (1 << BITS) + place for place, name in enumerate(self.names)}
        data: list[float] = []
        columns: list[int] = []
        ends = [0]
        for address in addresses:
            buckets, signals = read(address)
            found = [bucket & ((1 << KEPT_BITS) - 1) for bucket in buckets]
            columns += found
            data += [1 / max(1, len(found)) ** 0.5] * len(found)
            for name, value in signals.items():
                columns.append(at[name])
                data.append(value)
            ends.append(len(columns))
        matrix = csr_matrix((data, columns, ends), shape=(len(addresses), (1 << BITS) + len(self.names)))
        matrix.sum_duplicates()
        return matrix

    def fitted(self, chosen: Any) -> LogisticRegression:
        """A model of the chosen links."""
        model = LogisticRegression(C=STRENGTH, max_iter=1000, solver="liblinear", random_state=0)
        return model.fit(self.X[chosen], self.y[chosen], sample_weight=self.weights[chosen])

    def held_out(self, seed: int) -> Any:
        """Sums of the development links, each from a model that has seen no link to its domain."""
        order = sorted(set(self.domains))
        random.Random(seed).shuffle(order)
        fold = {domain: at % FOLDS for at, domain in enumerate(order)}
        folds = np.array([fold[domain] for domain in self.domains])
        sums = np.zeros(len(self.dev))
        for one in range(FOLDS):
            tested = np.flatnonzero(folds[: len(self.dev)] == one)
            sums[tested] = self.fitted(folds != one).decision_function(self.X[tested])
        return sums

    def check(self, wrong: int) -> tuple[float, float]:
        """The point under the rails and the slope there, on cross-validated sums.

        The rails hold for the model alone, as if the table of domains knew none of the hosts: it was made by people who
        had seen some of them.
        """
        sums = np.concatenate([self.held_out(seed) for seed in range(ROUNDS)])
        y = np.tile(self.y[: len(self.dev)], ROUNDS)
        part = np.tile([link.row.part for link in self.dev], ROUNDS)
        known = np.tile(self.known[: len(self.dev)], ROUNDS)
        shown = np.where(known, NEVER, sums)
        rails = [_point(sums[part == name], most) for name, most in RAILS.items() if (part == name).any()]
        point = max([_point(shown[y == 0], FALSE_ALARMS), *rails])
        print(f"{len(self.dev)} links, {len(self.links) - len(self.dev)} harmless ones beside them; domains held out")
        for most in (0.05, 0.04, 0.03, 0.02, 0.01):
            _report(f"at false alarms {most}", y, shown, _point(shown[y == 0], most), part)
        _report("at the point", y, shown, point, part)
        _report("  without the table", y, sums, point, part)
        for at in np.argsort(-np.abs(shown[: len(self.dev)] - point)):
            if wrong > 0 and (shown[at] > point) != bool(y[at]):
                wrong -= 1
                print("MISS " if y[at] else "FALSE", f"{shown[at] - point:+.1f}", part[at], self.dev[at].row.text[:120])
        platt = LogisticRegression(C=1e3).fit(np.clip(sums - point, -15, 15).reshape(-1, 1), y)
        return point, float(min(3.0, max(0.4, platt.coef_[0][0])))

    def write(self, point: float, slope: float) -> None:
        """Writes weights and manifest."""
        model = self.fitted(np.ones(len(self.links), dtype=bool))
        values = model.coef_[0]
        hashed = values[: 1 << KEPT_BITS]
        scale = float(np.abs(hashed).max()) / 127
        head = Head(
            name=NAME,
            scale=scale,
            bias=float(model.intercept_[0]) - point,
            slope=slope,
            signals={name: round(float(values[(1 << BITS) + at]), 4) for at, name in enumerate(self.names)},
            weights=bytes(round(value / scale) + 128 for value in hashed) * (1 << (BITS - KEPT_BITS)),
        )
        data = written(KEPT_BITS, [head])
        (WEIGHTS / f"{NAME}.bin").write_bytes(data)
        about = {
            "files": {f"{NAME}.bin": {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}},
            "sources": sources(link.row for link in self.links),
        }
        text = json.dumps(about, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        (WEIGHTS / f"{NAME}.json").write_text(text, encoding="utf-8")
        print(f"{NAME}.bin: {len(data)} bytes")


def sources(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Of each source its licence, how many links, and a hash of them."""
    parts: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        licence = ", ".join(re.split(r"\s*[/+,]\s*", row.licence))
        parts[row.source, licence].append(f"{row.label}\t{row.text}")
    return [
        {
            "source": source,
            "licence": licence,
            "rows": len(links),
            "sha256": hashlib.sha256("\n".join(sorted(links)).encode()).hexdigest(),
        }
        for (source, licence), links in sorted(parts.items())
    ]


def _unknown(address: Address) -> Address:
    """As if the table did not know its host: the model is asked about such alone, and learns from all."""
    return address._replace(at=address.at._replace(known=False))


# ------------------------------------------------------------------ figures


def _point(harmless: Any, most: float) -> float:
    ordered = np.sort(harmless)[::-1]
    return float(ordered[min(len(ordered) - 1, int(most * len(ordered)))]) + 1e-3


def _report(title: str, y: Any, sums: Any, point: float, part: Any) -> None:
    over = sums > point
    hit, false = int((over & (y == 1)).sum()), int((over & (y == 0)).sum())
    precision, recall = hit / max(1, hit + false), hit / max(1, int((y == 1).sum()))
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    slices = "  ".join(f"{name} {over[part == name].mean():.3f}" for name in sorted(set(part)))
    fpr = false / max(1, int((y == 0).sum()))
    print(f"{title:26} P {precision:.3f}  R {recall:.3f}  F1 {f1:.3f}  FPR {fpr:.3f}  found of: {slices}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", help="the folder that has malicious_urls.jsonl, and files of texts beside it")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--wrong", type=int, default=0, help="so many wrong answers are printed")
    asked = parser.parse_args()
    folder = Path(asked.data or os.environ.get(DATA) or ROOT.parent / "shared" / "data" / "scanners")
    if not (folder / f"{NAME}.jsonl").is_file():
        parser.error(f"there is no {NAME}.jsonl in {folder}; name the folder that has it with --data")
    trainer = Trainer(folder)
    point, slope = trainer.check(asked.wrong)
    if not asked.check:
        trainer.write(point, slope)


if __name__ == "__main__":
    main()
