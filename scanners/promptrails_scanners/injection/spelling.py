"""Words of injections with letters in each other's places ("ignroe the prevoius rules"): people read over that."""

from __future__ import annotations

import re
from functools import lru_cache

from promptrails_scanners.foundation import lazily

_WORD = lazily.pattern(r"(?<![^\W_])[A-Za-z]{5,24}(?![^\W_])")
_WORDS = """
above abandon access acting administrator answer answers answering anything assistant bypass bypassing cancel
censored censorship character characters chatbot circumvent classified combine command commands conceal
confidential configuration constraint constraints content context contents conversation credentials database
debug decode delete describe developer direction directions directive directives disable disclose discard
display disregard disregarding document documents earlier embed enable enabled encode erase ethical ethics
everything execute explain expose filter filters following forget forgetting generate given guardrail
guardrails guideline guidelines hidden hypothetical ignore ignored ignoring illegal immoral include initial
initials instead instruction instructions internal jailbreak limitation limitations limits master message
messages moderation moral neglect obey openai opposite orders original output override overriding paraphrase
password passwords permission permissions persona policies policy preceding pretend pretending previous
previously print prior private program programming prohibited prompt prompts protocol provide recite refuse
release remember remove repeat replace respond response responses restrict restricted restriction restrictions
return reveal revealing reverse rules safeguard safeguards safety scenario script secret secrets security
sentence sentences setting settings simulate simulated spell starting summarize summarise system systems token
tokens training translate uncensored unethical unfiltered unlimited unlock unrestricted users verbatim version
violate without words write
"""
_KNOWN = frozenset(_WORDS.split())
_ALSO = frozenset({"conservation", "pervious", "reserve"})
"""Words of their own that are made of the same letters."""
_BY_LETTERS = {(word[0], word[-1], *sorted(word)): word for word in sorted(_KNOWN)}


def respelled(text: str) -> str:
    """The text with such words as they are meant; first and last letters have to be in their places."""
    return _WORD.sub(_meant, text)


def _meant(match: re.Match[str]) -> str:
    return _spelled(match[0])


@lru_cache(maxsize=8192)
def _spelled(word: str) -> str:
    lowered = word.lower()
    if lowered in _KNOWN or lowered in _ALSO:
        return word
    meant = _BY_LETTERS.get((lowered[0], lowered[-1], *sorted(lowered)))
    if meant is None:
        return word
    return meant.upper() if word.isupper() else meant.capitalize() if word[0].isupper() else meant
