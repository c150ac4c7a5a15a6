"""Labels back to values: in a text, or in one that comes piece by piece."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Literal

from promptrails_scanners.foundation import lazily
from promptrails_scanners.personal.vault import Vault

Restore = Literal["exact", "fuzzy"]
"""Labels as they were written, or as models change them, too: other case, spaces, no brackets, backslashes."""

_LONGEST = 56
_EXACT = r"\[[A-Z][A-Z0-9_]{0,39}_\d{1,9}[a-z]?\]"
_BARE = r"(?<!\w)[A-Z][A-Z0-9_]{0,39}_\d{1,9}[a-z]?(?!\w)"
_INSIDE = r" ?[A-Za-z][A-Za-z0-9_ \\-]{0,39}[_ -]\d{1,9}[A-Za-z]? ?"
_LOOSE = rf"\\\[{_INSIDE}\\\]|\[{_INSIDE}\]"
_PATTERNS = {"exact": lazily.pattern(_EXACT), "fuzzy": lazily.pattern(f"{_LOOSE}|{_BARE}")}
_OPEN = {
    "exact": lazily.pattern(rf"\[[A-Za-z0-9_]{{0,{_LONGEST}}}$"),
    "fuzzy": lazily.pattern(rf"(?:\\?\[[\w \\-]{{0,{_LONGEST}}}|\\|(?<!\w)\w{{1,{_LONGEST}}})$"),
}


def looks_like_label(text: str, kinds: Collection[str]) -> Iterator[tuple[int, int]]:
    """The places where something stands that could be taken for a label of one of the kinds."""
    for match in _PATTERNS["fuzzy"].finditer(text):
        if _parts(match[0])[0] in kinds:
            yield match.span()


def restored(text: str, vault: Vault, mode: Restore = "fuzzy") -> str:
    """The text with the values of the vault in place of their labels; labels that it does not know stay."""
    return _PATTERNS[mode].sub(lambda match: _value(match[0], vault), text)


class Restorer:
    """Restores a text that comes in pieces: what it gives back, put together, is the whole text restored.

    It holds back what may yet become a label, at most a few dozen characters.
    """

    def __init__(self, vault: Vault, mode: Restore = "fuzzy") -> None:
        self._vault, self._mode = vault, mode
        self._held = ""
        self._before = ""

    def feed(self, piece: str) -> str:
        """What can be let go now."""
        self._held += piece
        match = _OPEN[self._mode].search(
            self._before + self._held, max(0, len(self._before + self._held) - _LONGEST - 2)
        )
        open_from = len(self._held) if match is None else max(0, match.start() - len(self._before))
        return self._out(open_from)

    def end(self) -> str:
        """The rest, when nothing more comes."""
        return self._out(len(self._held))

    def _out(self, size: int) -> str:
        out, self._held = self._held[:size], self._held[size:]
        if not out:
            return ""
        parts: list[str] = []
        whole = self._before + out
        after = len(self._before)
        for match in _PATTERNS[self._mode].finditer(whole + self._held[:1], after):
            if match.end() > len(whole):
                break
            parts += whole[after : match.start()], _value(match[0], self._vault)
            after = match.end()
        self._before = out[-1:]
        return "".join([*parts, whole[after:]])


def _value(label: str, vault: Vault) -> str:
    value = vault.value(label)
    if value is not None:
        return value
    kind, number = _parts(label)
    value = vault.value(f"[{kind}_{number}]")
    return label if value is None else value


def _parts(label: str) -> tuple[str, str]:
    """A label's kind and number, as they are written in the vault."""
    plain = re.sub(r"[ _\\-]+", "_", label.strip("[] \\"))
    kind, _, number = plain.rpartition("_")
    return kind.upper(), number.lower()
