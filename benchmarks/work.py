"""The work of every case, for the floors and for ours alike, and what must come out of it."""

from __future__ import annotations

import json

ROLE = "a terse poet"
SIMPLE = "You are {{ role }}. Answer this: {{ question }}"
CHAIN = ("Draft {{ text }}", "Refine {{ previous_output }}", "Translate {{ previous_output }}")
PARALLEL = ("Praise {{ text }}", "Doubt {{ text }}", "Weigh {{ text }}", "Rhyme {{ text }}")
LOOP = "{% for item in items %}{{ loop.index }}. {{ item.name }}: {{ item.price }}\n{% endfor %}"
CHUNKS = 1000
CHUNK = "word "
SLEEP_S = 0.05
CONCURRENT = 1000

SIMPLE_SCHEMA = {
    "type": "object",
    "properties": {"role": {"type": "string"}, "question": {"type": "string", "minLength": 1}},
    "required": ["role", "question"],
}
TEXT_SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


def question(i: int) -> str:
    return f"question {i}"


def answer(prompt: str) -> str:
    """What every fake model says: so a matching output was rendered, sent and returned."""
    return f"<{prompt}>"


def simple(i: int) -> str:
    return answer(f"You are {ROLE}. Answer this: {question(i)}")


def chain(i: int) -> str:
    text = question(i)
    for verb in ("Draft", "Refine", "Translate"):
        text = answer(f"{verb} {text}")
    return text


def parallel(i: int) -> dict[str, str]:
    return {f"role{n}": answer(f"{verb} {question(i)}") for n, verb in enumerate(("Praise", "Doubt", "Weigh", "Rhyme"))}


def tool_arguments(i: int) -> str:
    """What the fake model asks `add` for."""
    return json.dumps({"a": i, "b": 1})


def tool_round(i: int) -> str:
    return f"total {i + 1}"


def streamed(i: int) -> str:
    return CHUNK * CHUNKS


def items(i: int) -> list[dict[str, object]]:
    return [{"name": f"item {i + k}", "price": k * 10} for k in range(50)]


def loop(i: int) -> str:
    return "".join(f"{k + 1}. item {i + k}: {k * 10}\n" for k in range(50))
