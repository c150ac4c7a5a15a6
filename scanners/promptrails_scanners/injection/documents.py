"""Instructions to an assistant inside a text that was written for people: an e-mail, a notice, a page."""

from __future__ import annotations

import re

from promptrails_scanners.foundation import lazily

_HEADERS = lazily.pattern(
    r"(?im)(?:^|\|)\s{0,4}(?:subject|email_from|from|to|received date|date|sent|reply-to|"
    r"content)\s?:"
)
_GREETING = lazily.pattern(r"(?im)^\s{0,4}(?:hi|hello|dear|good (?:morning|afternoon|evening))\b[^.?!\n]{0,40}[,\n]")
_CLOSING = lazily.pattern(
    r"(?i)\b(?:kind regards|best regards|best,|sincerely|cheers,|thanks,|thank you for your "
    r"(?:payment|purchase|business|order|interest)|unsubscribe"
    r"|privacy policy|all rights reserved|if you have any questions|reply to this e-?mail|do not "
    r"reply|sent from my|view (?:this|it) in your browser)"
)
_TO_ASSISTANT = lazily.pattern(
    r"(?i)\b(?:your|the) (?:next |final |whole |entire )?(?:repl(?:y|ies)|responses?|answers?|"
    r"outputs?|message)\b|\bresponses?\b[^.\n]{0,20}\bas an? (?:ai|assistant)\b"
)
_ORDER = lazily.pattern(
    r"(?i)^\W{0,4}(?:please |kindly |also,? |now,? |then,? )?(?:add|adjust|alter|append|answer|"
    r"adopt|advise|analy[sz]e|arrange|assess|base|begin|break|calculate|capitali[sz]e|change|"
    r"combine|compose|compute|conceal"
    r"|convert|craft|create|decode|define|deliver|describe|determine|direct|discuss|display|embed|"
    r"emphasi[sz]e|encode|encrypt|encourage|end|enhance|enumerate|evaluate|explain|express|find|"
    r"format|gather|generate|give|group"
    r"|guide|highlight|identify|ignore|illustrate|implement|include|incorporate|infuse|insert|"
    r"integrate|introduce|invert|jumble|list|make|mention|mimic|misspell|mix|modify|name|offer|omit|"
    r"outline|output|place|present|print|produce"
    r"|promote|propose|provide|put|randomi[sz]e|rearrange|recommend|refer|remove|render|repeat|"
    r"replace|replicate|respond|reveal|reverse|rewrite|say|scramble|set|share|show|shuffle|skip|"
    r"solve|speak|spell|split|start"
    r"|state|substitute|suggest|summari[sz]e|swap|teach|tell|transform|translate|turn|urge|use|"
    r"utili[sz]e|weave|write)\b"
)
_QUESTION = lazily.pattern(
    r"(?i)^\W{0,4}(?:what|what's|how|who|whom|which|where|when|why|can you|could you|would you|do "
    r"you|is|are)\b[^\n]{3,200}\?\s*$"
)
_ABOUT_TEXT = lazily.pattern(
    r"(?i)\b(?:this|these|that|following|below|above|e-?mails?|mail|letter|text|it|here|attached|"
    r"invoice|order|account|card|payment|subscription|us|we|our|click|reply to)\b"
)
_LONG, _EDGE = 200, 400
"""Lines of more characters are read by sentence, at their beginning and their end."""


def is_document(text: str) -> bool:
    """Whether it looks like a mail or a notice: two of headers, a greeting and a closing, or two headers."""
    headers = len(_HEADERS.findall(text[:2000]))
    signs = (headers >= 1) + (_GREETING.search(text) is not None) + (_CLOSING.search(text) is not None)
    return headers >= 2 or signs >= 2 or (signs == 1 and len(text) > 150 and "\n" in text)


def strange_lines(text: str) -> tuple[float, float]:
    """What stands in a document although it is meant for an assistant: 1.0 where a line tells it how to answer, and
    1.0 where a sentence is a task of its own that has nothing to do with the document.

    The second is not, where the sentence speaks of the document: whoever wants it translated says so.
    """
    told = asked = 0.0
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in lines:
        for sentence in _sentences(line):
            if _ORDER.match(sentence) and _TO_ASSISTANT.search(sentence):
                told = 1.0
            if (_ORDER.match(sentence) or _QUESTION.match(sentence)) and len(sentence) <= 200:
                own = sentence.partition(":")[2].strip()[:1] in ("'", '"') or not _ABOUT_TEXT.search(sentence)
                if own:
                    asked = 1.0
    return told, asked


def _sentences(line: str) -> list[str]:
    """A line; of a long one, such as a mail without its line feeds, the sentences that it begins and ends with."""
    if len(line) <= _LONG:
        return [line]
    edges = [line] if len(line) <= 2 * _EDGE else [line[:_EDGE], line[-_EDGE:]]
    return [sentence for edge in edges for sentence in re.split(r"(?<=[.!?])\s", edge)]
