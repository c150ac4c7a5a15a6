"""One scanner, ours or another's, in the interpreter that has it: prints its figures as a line of JSON.

Usage: python scanner_worker.py SCRIPT KIND VARIANT < WORK

SCRIPT has `load(kind, variant)`, which returns a function of a text and options that returns the kinds of what it
found.  WORK is JSON: `warm` and `texts` to be timed, one `long` text, `options` for them, and labelled `rows` or [].
Standard library only: the interpreters of others have nothing of ours.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

from harness import rss_mib

STRUCTURED = {
    "PHONE_NUMBER", "CREDIT_CARD", "EMAIL_ADDRESS", "US_SSN", "IBAN_CODE", "IP_ADDRESS", "US_DRIVER_LICENSE",
    "US_BANK_NUMBER", "CRYPTO", "US_PASSPORT", "PASSPORT", "US_ITIN", "MEDICAL_LICENSE", "UK_NHS", "PHONE", "EMAIL",
    "SSN", "IBAN", "IP",
}  # fmt: skip
"""What counts on rows that are negatives for identifiers only, because names may stand in them."""

Find = Callable[[str, dict[str, Any]], list[str]]


def main() -> None:
    script, kind, variant = sys.argv[1:]
    work = json.load(sys.stdin)
    warnings.simplefilter("ignore")
    before, start = rss_mib(), time.process_time()
    find = loaded(script, kind, variant)
    find(work["warm"][0], work["options"])
    load, after = time.process_time() - start, rss_mib()
    for text in work["warm"]:
        find(text, work["options"])
    taken = sorted(cpu_ms(find, text, work["options"]) for text in work["texts"])
    figures = {
        "load_ms": load * 1000,
        "rss_mib": None if before is None or after is None else after - before,
        "p50_ms": taken[len(taken) // 2],
        "p99_ms": taken[min(len(taken) - 1, int(0.99 * len(taken)))],
        "long_ms": cpu_ms(find, work["long"], work["options"]),
    }
    print(json.dumps(figures | (quality(find, work["rows"]) if work["rows"] else {})))


def loaded(script: str, kind: str, variant: str) -> Find:
    """From its file: a script may have the name of the package that it loads."""
    spec = spec_from_file_location(f"peer_{kind}", script)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(kind, variant)


def cpu_ms(find: Find, text: str, options: dict[str, Any]) -> float:
    start = time.process_time()
    find(text, options)
    return (time.process_time() - start) * 1000


def quality(find: Find, rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Precision, recall, F1 and the rate of false alarms, by text; one that raises has found nothing."""
    pairs, raised = [], 0
    for row in rows:
        try:
            types = find(row["text"], row.get("options") or {})
        except Exception:
            types, raised = [], raised + 1
        if row.get("structured_only"):
            types = [one for one in types if one.upper() in STRUCTURED]
        pairs.append((bool(types), bool(row["label"])))
    right = sum(found and label for found, label in pairs)
    found, positives = sum(found for found, _ in pairs), sum(label for _, label in pairs)
    precision, recall = right / max(1, found), right / max(1, positives)
    return {
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(1e-9, precision + recall),
        "false_alarms": (found - right) / max(1, len(pairs) - positives),
        "raised": raised,
    }


if __name__ == "__main__":
    main()
