"""What every scanner does alike with texts that are too long."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Generic, NoReturn

from promptrails_engine.ports.scanner import ScannerMeta, Verdict
from promptrails_scanners.foundation.allow import Allowed
from promptrails_scanners.foundation.options import Options


class BaseScanner(ABC, Generic[Options]):
    """A scanner whose options have been read.  Nothing of it changes after it was made."""

    meta: ScannerMeta

    def __init__(self, options: Options) -> None:
        self.options = options
        self.allowed = Allowed(options.allow, options.allow_patterns, self.meta.type)

    def scan(self, text: str) -> Verdict:
        """The verdict; a text over `max_chars` is dealt with as `on_too_long` says."""
        options = self.options
        if len(text) <= options.max_chars or options.on_too_long == "scan_windows":
            return self.judge(text)
        if options.on_too_long == "block":
            why = f"the text has more than {options.max_chars} characters"
            return Verdict(True, 1.0, reason=why, truncated=True)
        verdict = self.judge(text[: options.max_chars])
        rest = text[options.max_chars :]
        redacted = None if verdict.redacted is None else verdict.redacted + rest
        return replace(verdict, redacted=redacted, truncated=True)

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a built scanner cannot be pickled or copied; build one from the same options where it is needed"
        )

    @abstractmethod
    def judge(self, text: str) -> Verdict:
        """The verdict on a text of any length."""

    def settled(self, text: str) -> int | None:
        """How much of a growing text is decided; None where a scanner needs all of it."""
        return None
