"""alt-profanity-check: a linear model over words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from profanity_check import predict


def load(kind: str, variant: str) -> Callable[[str, Mapping[str, Any]], list[str]]:
    return lambda text, options: ["profanity"] if predict([text])[0] else []
