"""A text as its words, for less than a pattern takes to find them: what parts them becomes white space at once."""

from __future__ import annotations

_ASCII = bytes(range(128))
_FEW = 16
"""So many different signs outside ASCII are dealt with one after the other."""


def table(kept: str) -> bytes:
    """For `spaced`: the ASCII characters that stay are letters, digits and these."""
    ours = {char for char in map(chr, range(128)) if char.isalnum()} | set(kept)
    return bytes(at if at > 127 or chr(at) in ours else ord(" ") for at in range(256))


def spaced(text: str, ascii_table: bytes, kept: str = "") -> str | None:
    """The text with a space for every character but letters, digits, those that the table keeps, and these outside
    ASCII; None where that would take too long, for its signs are too many."""
    data = text.encode("utf-8", "surrogatepass")
    found = data.translate(ascii_table).decode("utf-8", "surrogatepass")
    if text.isascii():
        return found
    others = set(data.translate(None, _ASCII).decode("utf-8", "surrogatepass"))
    signs = [char for char in others if not char.isalnum() and char not in kept]
    if len(signs) > _FEW:
        return None
    for sign in signs:
        found = found.replace(sign, " ")
    return found
