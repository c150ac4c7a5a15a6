"""Scanners by name, the guards that are made of them, and how good they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from promptrails_engine.lazy import lazy_names

if TYPE_CHECKING:
    from promptrails_engine.guardrails.evaluation import evaluate as evaluate

__getattr__, __dir__ = lazy_names(__name__, {"evaluate": "evaluation"})
