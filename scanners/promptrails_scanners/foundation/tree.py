"""One pattern for many words."""

from __future__ import annotations

import re
from collections.abc import Iterable


def tree(words: Iterable[str]) -> str:
    """A pattern for any of the words, in which common beginnings stand once, so that other text is left fast.

    Of two words that begin alike, it finds the shorter one.
    """
    branches: dict[str, list[str]] = {}
    for word in words:
        if not word:
            return ""
        branches.setdefault(word[0], []).append(word[1:])
    parts = [re.escape(first) + tree(rests) for first, rests in sorted(branches.items())]
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"
