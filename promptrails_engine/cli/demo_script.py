"""A stand-in for a model that needs nothing: it classifies by key words and answers with what the tool found."""

from __future__ import annotations

import re
from typing import Any

from promptrails_engine.ports.provider import Message, ModelRequest
from promptrails_engine.testing.scripted import AnyReply, ToolUse

_NUMBER = re.compile(r"(?<!\d)\d{4}(?!\d)")
# The first that matches decides.
_RULES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("refund", re.compile(r"refund|money back|\biade", re.IGNORECASE)),
    ("thanks", re.compile(r"\bthank|\bdank|gracias", re.IGNORECASE)),
    ("complaint", re.compile(r"angry|poor|broke|unacceptable|joke|nobody answers", re.IGNORECASE)),
    ("order", re.compile(r"\border\b|bestellung|(?<!\d)\d{4}(?!\d)", re.IGNORECASE)),
    ("product", re.compile(r"stock|heavy|\bcosts?\b|sizes?|\bsell\b|come with", re.IGNORECASE)),
)
_PRODUCT = re.compile(r"\b(?:the|el) ((?:[A-Z][a-z]+ ?)+)")
_ANSWERS = {
    "order": "I could not find that order. Please send me its number.",
    "refund": "I am sorry. Please send me your order number, and I will look after your refund.",
    "product": "I could not find that product. Which one do you mean?",
    "complaint": "I am very sorry about that. A colleague will write to you today.",
    "thanks": "You are welcome! Enjoy your time outdoors.",
    "other": "I can only help with the shop: orders, refunds and products.",
}


def scripted_reply(request: ModelRequest) -> AnyReply:
    """The reply to one call of the demo's agent."""
    text = _customer_text(request.messages)
    if request.output_schema is not None:
        return _classified(text)
    found = [message.content for message in request.messages if message.role == "tool"]
    if found:
        return f"Thank you for your message. {' '.join(found)}"
    return _lookup(text) if request.tools else _ANSWERS["other"]


def _customer_text(messages: Any) -> str:
    """The last message of the user."""
    asked: list[Message] = [message for message in messages if message.role == "user"]
    return asked[-1].content


def _category(text: str) -> str:
    return next((name for name, rule in _RULES if rule.search(text)), "other")


def _classified(text: str) -> dict[str, Any]:
    number = _NUMBER.search(text)
    return {"category": _category(text), "order_number": number[0] if number else None}


def _lookup(text: str) -> AnyReply:
    """A tool call where a number or a product is named, else an answer."""
    number, product = _NUMBER.search(text), _PRODUCT.search(text)
    category = _category(text)
    if number:
        return ToolUse("look_up", {"words": number[0]})
    if product and category == "product":
        return ToolUse("look_up", {"words": product[1].strip()})
    return _ANSWERS[category]
