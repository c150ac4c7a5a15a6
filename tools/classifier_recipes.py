"""What each model is trained on, and under which rails its point is chosen."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any

from classifier_rows import Row, own, shared

from promptrails_scanners import bias, harmful, no_refusal, prompt_injection, toxicity
from promptrails_scanners.harm import signals as harm
from promptrails_scanners.hate import signals as hate
from promptrails_scanners.injection import phrases
from promptrails_scanners.refusals import phrases as refusals


def _all(row: Row) -> bool:
    return True


def _no_kind(row: Row) -> str:
    return ""


@dataclass(frozen=True)
class Recipe:
    """How a model is made."""

    name: str
    scanner: Callable[[Mapping[str, Any]], Any]
    signals: Callable[[str], Mapping[str, float]]
    fpr: float
    """At most so many of all harmless development rows may trigger."""
    rails: Mapping[str, float] = field(default_factory=dict)
    """Limits of single sources: the beginning of `source|part`."""
    others: Sequence[tuple[str, str]] = ()
    """More harmless rows: a file, and the beginning of a source's name; also `1` after a bar for its positives."""
    also: Sequence[tuple[str, str]] = ()
    """More rows with the labels that they have for another scanner: a file, and the beginning of `source|part|label`,
    where `*` is any run of characters."""
    most: int = 700
    c: float = 16.0
    bits: int = 16
    contrast: float = 0.0
    """How much more than others features count that set positive rows apart: the power of the logarithm of the ratio;
    0: all count the same."""
    meaning: float = 0.0
    """What the vectors of the words of a text count beside its features, as the length that they have together; 0: the
    model does not know them."""
    fixed: Sequence[str] = ()
    """Signals that are not learned."""
    kinds: Sequence[str] = ()
    kind_of: Callable[[Row], str] = _no_kind
    learned: Callable[[Row], bool] = _all
    shown: Callable[[str], str] = str
    """What of a text the model sees."""
    options: Mapping[str, Any] = field(default_factory=dict)
    own_most: int = 5
    own_weight: float = 0.4

    def dev(self) -> list[Row]:
        return shared(self.name)

    def extra(self) -> list[Row]:
        """Rows beside the development rows: our own sentences, and harmless ones made for other scanners."""
        have = {row.text for row in self.dev()}
        found: dict[str, Row] = {}
        for name, prefix in self.others:
            source, _, label = prefix.partition("|")
            for row in shared(name):
                if row.source.startswith(source) and row.text not in have and row.label == (label or "0"):
                    found[row.text] = Row(row.text, "0", row.source, row.licence, row.part, 0.5)
        rows = list(found.values())
        labelled = {
            row.text: replace(row, label=row.label if row.label == "0" else "1", weight=0.6)
            for name, wanted in self.also
            for row in shared(name)
            if row.text not in have and fnmatchcase(f"{row.source}|{row.part}|{row.label}", wanted + "*")
        }
        random.Random(0).shuffle(rows)
        kept = [row for row in rows if row.text not in labelled]
        return [*own(self.name, self.own_most, self.own_weight), *labelled.values(), *kept[: self.most]]


_PROMPTS = [
    ("harmful", source)
    for source in (
        "lmarena",
        "PurpleLlama",
        "self-instruct",
        "lm-sys",
        "josejg",
        "XSTest",
        "XSTest|1",
        "AdvBench|1",
        "HarmBench|1",
        "StrongREJECT|1",
    )
]

_OPENAI = {
    "S": "sexual",
    "S3": "minors",
    "V": "violence",
    "V2": "violence",
    "SH": "self_harm",
    "H": "hate",
    "H2": "hate",
}

_ABOUT_GROUPS = ("derog_", "ref_", "negate_pos", "phrase_", "threat_norm", "slur_h")


def _harm(row: Row) -> str:
    """The categories of a harmful row: as labelled, or by the acts in it."""
    if not row.positive:
        return ""
    if row.label != "1":
        return row.label
    if row.source.startswith("openai"):
        return " ".join(_OPENAI[part] for part in row.part.split("+") if part in _OPENAI)
    return harm.categories(row.text)


def _part(row: Row) -> str:
    """Whether a refusal is one in full or in part."""
    if not row.positive:
        return ""
    return "partial" if row.label == "partial" or row.part.endswith("partial") else "full"


RECIPES: Mapping[str, Recipe] = {
    "prompt_injection": Recipe(
        "prompt_injection",
        prompt_injection.build,
        phrases.signals,
        fpr=0.055,
        c=8.0,
        rails={"leolee99/PIGuard NotInject": 0.04, "microsoft/BIPIA clean": 0.05},
        others=[*_PROMPTS, ("toxicity", "surge"), ("ban_topics", "clinc"), ("ban_topics", "openai/gsm8k")],
        fixed=("told", "asked", "length"),
        learned=lambda row: "BIPIA indirect" not in row.source,
    ),
    "toxicity": Recipe(
        "toxicity",
        toxicity.build,
        hate.signals,
        fpr=0.10,
        contrast=0.5,
        meaning=0.5,
        rails={"paul-rottger": 0.25, "lmarena": 0.03},
        others=[
            ("harmful", "lmarena"),
            ("harmful", "self-instruct"),
            ("harmful", "XSTest"),
            ("bias", "nyu-mll/BBQ"),
            ("ban_topics", "clinc"),
        ],
        also=[("bias", "paul-rottger"), ("bias", "microsoft/TOXIGEN"), ("harmful", "openai*|H")],
        most=400,
    ),
    "bias": Recipe(
        "bias",
        bias.build,
        hate.signals,
        fpr=0.15,
        meaning=0.5,
        rails={"nyu-mll/BBQ": 0.08},
        others=[("toxicity", "surge"), ("harmful", "XSTest")],
        also=[("toxicity", f"paul-rottger*|{part}") for part in (*_ABOUT_GROUPS, "*|0")],
        most=150,
    ),
    "harmful": Recipe(
        "harmful",
        harmful.build,
        harm.signals,
        fpr=0.10,
        contrast=0.5,
        meaning=0.5,
        rails={"XSTest": 0.20, "PurpleLlama": 0.02, "lmarena": 0.05},
        others=[
            ("toxicity", "surge"),
            ("prompt_injection", "leolee99/PIGuard NotInject"),
            ("prompt_injection", "lmarena"),
            ("ban_topics", "clinc"),
            ("no_refusal", "lmarena"),
        ],
        most=400,
        kinds=harm.KINDS,
        kind_of=_harm,
    ),
    "no_refusal": Recipe(
        "no_refusal",
        no_refusal.build,
        refusals.signals,
        fpr=0.03,
        contrast=0.5,
        rails={"lmarena": 0.01},
        shown=refusals.shown,
        kinds=("partial",),
        kind_of=_part,
        own_most=4,
    ),
}
