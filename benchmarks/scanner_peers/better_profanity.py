"""better-profanity: a list of words in many spellings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from better_profanity import profanity


def load(kind: str, variant: str) -> Callable[[str, Mapping[str, Any]], list[str]]:
    profanity.load_censor_words()
    return lambda text, options: ["profanity"] if profanity.contains_profanity(text) else []
