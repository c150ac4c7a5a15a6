"""A scanner that finds numbers, and agents that it guards."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from promptrails_engine import Agent, AsyncEngine, ConfigurationError, Finding, ScannerMeta, SimpleAgentConfig, Verdict
from promptrails_engine.testing import ScriptedProvider

_NUMBER = re.compile(r"\d+")


class Numbers:
    """A scanner of numbers, or with `upper` of words in capitals; it can be told to fail or to hang."""

    META = ScannerMeta("numbers", "Numbers", "Finds numbers.", "spans", ("replacement", "upper", "fails", "hangs"))

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.free = threading.Event()

    kind: type[NumbersScanner]

    def build(self, config: Mapping[str, Any]) -> NumbersScanner:
        unknown = sorted(set(config) - set(self.META.config_fields))
        if unknown:
            raise ConfigurationError(f"scanner 'numbers': there is no option '{unknown[0]}'")
        return self.kind(self, config)


class NumbersScanner:
    def __init__(self, module: Numbers, config: Mapping[str, Any]) -> None:
        self.meta = module.META
        self._module = module
        self._config = config
        self._pattern = re.compile(r"[A-Z]+") if config.get("upper") else _NUMBER

    def scan(self, text: str) -> Verdict:
        self._module.threads.add(threading.get_ident())
        if "fails" in self._config:
            raise ValueError(f"cannot read {text}")
        if "hangs" in self._config:
            self._module.free.wait(30)
        found = tuple(Finding(match.start(), match.end(), "NUMBER") for match in self._pattern.finditer(text))
        redacted = self._pattern.sub(self._config.get("replacement", "[N]"), text)
        return Verdict(bool(found), float(bool(found)), found, redacted, reason="there are numbers" if found else "")

    def settled(self, text: str) -> int | None:
        matches = [match for match in self._pattern.finditer(text) if match.end() == len(text)]
        return matches[0].start() if matches else len(text)


class Judge(Numbers):
    """The same, but of the text as a whole: it takes nothing out."""

    META = replace(Numbers.META, type="judge", redacts="never")


class JudgeScanner(NumbersScanner):
    def scan(self, text: str) -> Verdict:
        verdict = super().scan(text)
        return replace(verdict, findings=(), redacted=None, labels={"numbers": verdict.score})

    def settled(self, text: str) -> int | None:
        return None


Numbers.kind = NumbersScanner
Judge.kind = JudgeScanner


@asynccontextmanager
async def guarded(
    guards: Sequence[Any], reply: Any = "answer 7", *, config: Any = None, **options: Any
) -> AsyncIterator[tuple[AsyncEngine, Agent, ScriptedProvider]]:
    """An engine with an agent that has these guards, and the model behind it."""
    provider = ScriptedProvider(reply if callable(reply) else lambda request: reply)
    numbers = options.pop("scanner", None) or Numbers()
    async with AsyncEngine(
        options.pop("store", None),
        providers=[provider],
        model="scripted/m",
        scanners=[numbers, Judge(), Labels()],
        **options,
    ) as engine:
        await engine.prompts.create("Prompt", user_prompt="{{ text }}")
        agent = await engine.agents.create("Agent", config=config or SimpleAgentConfig("Prompt"), guardrails=guards)
        try:
            yield engine, agent, provider
        finally:
            numbers.free.set()
            await asyncio.sleep(0)


def guard(type: str = "input", action: str = "redact", scanner: str = "numbers", **more: Any) -> dict[str, Any]:
    """A guard with numbers; what is not a field of it goes to its config."""
    fields = {name: more.pop(name) for name in ("is_active", "sort_order", "id") if name in more}
    return {"type": type, "scanner_type": scanner, "action": action, "config": more, **fields}


async def spans_of(engine: AsyncEngine, trace_id: str) -> list[Any]:
    """The spans of its guards."""
    trace = await engine.traces.get_by_trace_id(trace_id)
    return [span for span in trace if span.kind == "guardrail"]


class Labels(Numbers):
    """The same, with labels that can be turned back."""

    META = replace(Numbers.META, type="labels")


class LabelsScanner(NumbersScanner):
    def __init__(self, module: Numbers, config: Mapping[str, Any], values: dict[str, str] | None = None) -> None:
        super().__init__(module, config)
        self._values = values

    def opened(self) -> LabelsScanner:
        return LabelsScanner(self._module, self._config, {})

    def scan(self, text: str) -> Verdict:
        values = {} if self._values is None else self._values

        def label(match: re.Match[str]) -> str:
            known = [label for label, value in values.items() if value == match[0]]
            if known:
                return known[0]
            made = f"[{'ABCDEFGH'[len(values)]}]"
            values[made] = match[0]
            return made

        return replace(super().scan(text), redacted=self._pattern.sub(label, text))

    def settled(self, text: str) -> int | None:
        return None

    def restore(self, text: str) -> str:
        for label, value in (self._values or {}).items():
            text = text.replace(label, value)
        return text

    def restorer(self) -> LabelsRestorer:
        return LabelsRestorer(self)


class LabelsRestorer:
    def __init__(self, scanner: LabelsScanner) -> None:
        self._scanner = scanner
        self._held = ""

    def feed(self, piece: str) -> str:
        text = self._held + piece
        cut = text.rfind("[") if "]" not in text[text.rfind("[") :] and "[" in text else len(text)
        self._held = text[cut:]
        return self._scanner.restore(text[:cut])

    def end(self) -> str:
        held, self._held = self._held, ""
        return self._scanner.restore(held)


Labels.kind = LabelsScanner
