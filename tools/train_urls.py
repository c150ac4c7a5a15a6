"""Writes the weights that tell harmful links from others: `train_urls.py ROWS.jsonl [--links FOLDER] [--write]`.

Needs numpy and scikit-learn, which the project itself does not.  ROWS has a link in `text` and 0 or 1 in `label` of
each line; the files below FOLDER, such as the documentation of packages, give links more that are taken to be harmless.
Prints what the model reaches on hosts that it has not seen, and with `--write` puts the weights into the package.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scanners"), str(ROOT)]

from promptrails_scanners.foundation.linear import BITS, Head, written  # noqa: E402
from promptrails_scanners.links.address import Address, parsed  # noqa: E402
from promptrails_scanners.links.model import NAME, features, signals  # noqa: E402

KEPT_BITS = 14
STRENGTH = 12.0
SLOPE = 1.0
FALSE_ALARMS = 0.025
"""Of the harmless links in ROWS so many may score over 0.5, on hosts not seen."""
SOURCES = {
    "Phishing-Database/Phishing.Database": "MIT",
    "links in READMEs and documentation": "CC0, CC-BY, MIT, Apache-2.0",
}
_LINK = re.compile(r"https?://[A-Za-z0-9][^\s<>\"'`)\]}\\,;|{]{3,200}")
_TEXTS = {".py", ".md", ".rst", ".txt", ".toml", ".html", ".js", ".pyi", ""}
Row = tuple[Address, int]


def main() -> None:
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("rows", type=Path)
    wanted.add_argument("--links", type=Path)
    wanted.add_argument("--most", type=int, default=4000, help="so many links of FOLDER, three to a host")
    wanted.add_argument("--write", action="store_true")
    wanted.add_argument("--point", type=float, help="take this point, which was measured before")
    args = wanted.parse_args()
    rows = _labelled(args.rows)
    more = _harmless(args.links, args.most) if args.links else []
    names = sorted({name for address, _ in [*rows, *more] for name in signals(address)})
    point = args.point
    if point is None:
        scores = _held_out(rows, more, names)
        point = _point(scores, rows)
        _report(scores, rows, point)
    if args.write:
        _write(rows, more, names, point, args.rows)


def _labelled(path: Path) -> list[Row]:
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
    found = [(parsed(line["text"]), int(line["label"])) for line in lines]
    return [(address, label) for address, label in found if address is not None]


def _harmless(folder: Path, most: int) -> list[Row]:
    seen: Counter[str] = Counter()
    links: dict[str, Address] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.suffix not in _TEXTS or path.stat().st_size > 1_000_000:
            continue
        for link in _LINK.findall(path.read_text("utf-8", errors="ignore")):
            address = parsed(link.rstrip(".:!?*_"))
            if address is None or link in links or "." not in address.host or address.is_ip or seen[address.host] > 2:
                continue
            if re.search(r"example|localhost|evil|attack|malware|phish|\.(?:test|invalid|local)$|%|\$", link):
                continue
            seen[address.host] += 1
            links[link] = address
    chosen = list(links.values())
    random.Random(0).shuffle(chosen)
    return [(address, 0) for address in chosen[:most]]


def _matrix(rows: list[Row], names: list[str]) -> Any:
    at = {name: (1 << BITS) + place for place, name in enumerate(names)}
    data: list[float] = []
    columns: list[int] = []
    ends = [0]
    for address, _ in rows:
        found = [bucket & ((1 << KEPT_BITS) - 1) for bucket in features(address)]
        columns += found
        data += [1 / len(found) ** 0.5] * len(found)
        for name, value in signals(address).items():
            columns.append(at[name])
            data.append(value)
        ends.append(len(columns))
    matrix = csr_matrix((data, columns, ends), shape=(len(rows), (1 << BITS) + len(names)))
    matrix.sum_duplicates()
    return matrix


def _fitted(rows: list[Row], names: list[str], weights: list[float]) -> LogisticRegression:
    model = LogisticRegression(C=STRENGTH, max_iter=400)
    model.fit(_matrix(rows, names), [label for _, label in rows], sample_weight=weights)
    return model


def _weights(rows: list[Row], more: list[Row]) -> list[float]:
    """Links of the folder count for less, so that they are not most of what is learned."""
    return [1.0] * len(rows) + [min(1.0, 2 * len(rows) / max(1, len(more)))] * len(more)


def _held_out(rows: list[Row], more: list[Row], names: list[str]) -> Any:
    groups = [address.domain for address, _ in rows]
    scores = np.zeros(len(rows))
    for train, test in GroupKFold(5).split(rows, groups=groups):
        hidden = {groups[place] for place in test}
        ours = [rows[place] for place in train]
        theirs = [row for row in more if row[0].domain not in hidden]
        model = _fitted([*ours, *theirs], names, _weights(ours, theirs))
        scores[test] = model.decision_function(_matrix([rows[place] for place in test], names))
    return scores


def _point(scores: Any, rows: list[Row]) -> float:
    harmless = np.sort(scores[[label == 0 for _, label in rows]])
    return float(harmless[int(len(harmless) * (1 - FALSE_ALARMS))])


def _report(scores: Any, rows: list[Row], point: float) -> None:
    labels = np.array([label for _, label in rows])
    for at in (0.0, point):
        hit = scores > at
        true, false, missed = (hit & (labels == 1)).sum(), (hit & (labels == 0)).sum(), (~hit & (labels == 1)).sum()
        print(
            f"over {at:+.2f}: precision {true / (true + false):.3f} recall {true / (true + missed):.3f}"
            f" F1 {2 * true / (2 * true + false + missed):.3f} false alarms {false / (labels == 0).sum():.3f}"
        )


def _write(rows: list[Row], more: list[Row], names: list[str], point: float, source: Path) -> None:
    model = _fitted([*rows, *more], names, _weights(rows, more))
    values = model.coef_[0]
    hashed = values[: 1 << KEPT_BITS]
    scale = float(np.abs(hashed).max()) / 127
    head = Head(
        name=NAME,
        scale=scale,
        bias=float(model.intercept_[0]) - point,
        slope=SLOPE,
        signals={name: round(float(values[(1 << BITS) + at]), 4) for at, name in enumerate(names)},
        weights=bytes(round(value / scale) + 128 for value in hashed) * (1 << (BITS - KEPT_BITS)),
    )
    folder = ROOT / "scanners" / "promptrails_scanners" / "weights"
    folder.mkdir(exist_ok=True)
    path = folder / f"{NAME}.bin"
    path.write_bytes(written(KEPT_BITS, [head]))
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    about = {
        "rows": {"file": source.name, "sha256": digest, "used": len(rows), "harmful": sum(label for _, label in rows)},
        "sources": SOURCES,
        "links_of_packages": len(more),
        "bits": KEPT_BITS,
        "strength": STRENGTH,
        "point": point,
        "weights_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    path.with_suffix(".json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
