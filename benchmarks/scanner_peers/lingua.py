"""lingua in its mode of low accuracy; the other one takes a minute and more than a gigabyte to load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lingua import LanguageDetectorBuilder


def load(kind: str, variant: str) -> Callable[[str, Mapping[str, Any]], list[str]]:
    detector = LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode().build()

    def find(text: str, options: Mapping[str, Any]) -> list[str]:
        found = detector.detect_language_of(text)
        language = found.iso_code_639_1.name.lower() if found else ""
        return [] if language in ("", *options["valid_languages"]) else [language]

    return find
