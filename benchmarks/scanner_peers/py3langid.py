"""py3langid: the language of the whole text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import py3langid


def load(kind: str, variant: str) -> Callable[[str, Mapping[str, Any]], list[str]]:
    def find(text: str, options: Mapping[str, Any]) -> list[str]:
        language = py3langid.classify(text)[0]
        return [] if language in options["valid_languages"] else [language]

    return find
