"""Ours, called as the others are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def load(kind: str, variant: str) -> Callable[[str, Mapping[str, Any]], list[str]]:
    scan = import_module(f"promptrails_scanners.{kind}").scan

    def find(text: str, options: Mapping[str, Any]) -> list[str]:
        verdict = scan(text, **options)
        return [one.type for one in verdict.findings] or [kind] if verdict.triggered else []

    return find
