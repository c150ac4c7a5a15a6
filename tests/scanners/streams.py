"""What holds of every scanner that lets a growing text go: let out piece by piece it is what it is as a whole."""

from __future__ import annotations

from collections.abc import Sequence

from promptrails_engine.ports.scanner import Finding, Scanner


def released(scanner: Scanner, text: str, cuts: Sequence[int]) -> str:
    """The redacted text, as a guard lets it out that gets the text in pieces: what is settled, as soon as it is."""
    out: list[str] = []
    done = 0
    for cut in sorted({min(cut, len(text)) for cut in cuts}):
        settled = scanner.settled(text[:cut])
        assert settled is not None
        assert done <= settled <= cut, "what is settled stays so"
        found = scanner.scan(text[:cut]).findings
        assert not any(one.start < settled < one.end for one in found)
        out.append(cut_out(text[:cut], found, done, settled))
        done = settled
    out.append(cut_out(text, scanner.scan(text).findings, done, len(text)))
    return "".join(out)


def cut_out(text: str, found: Sequence[Finding], start: int, end: int) -> str:
    """That part of the text with the findings in it marked by their type."""
    parts: list[str] = []
    at = start
    for one in found:
        if start <= one.start and one.end <= end:
            parts += text[at : one.start], f"<{one.type}>"
            at = one.end
    return "".join([*parts, text[at:end]])


def whole(scanner: Scanner, text: str) -> str:
    """The same of the whole text at once."""
    return cut_out(text, scanner.scan(text).findings, 0, len(text))


def apart(one: Scanner, parts: Sequence[str]) -> str:
    """What comes out where each part is taken out of by itself that is settled, as a stream does it."""
    out: list[str] = []
    held = ""
    for part in parts:
        held += part
        cut = one.settled(held)
        assert cut is not None
        out.append(one.scan(held[:cut]).redacted or "")
        held = held[cut:]
    return "".join([*out, one.scan(held).redacted or ""])
