"""A provider, a sink and a tool of one's own, as `docs/adapters.md` explains them."""

import re
import threading
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

from promptrails_engine import (
    Engine,
    Finish,
    ModelCapabilities,
    ModelNotServedError,
    ModelRequest,
    SimpleAgentConfig,
    Span,
    TextDelta,
    TokenUsage,
    ToolArgsInvalidError,
    ToolContext,
    ToolError,
    UsageDelta,
)
from promptrails_engine.ports.provider import Delta
from promptrails_engine.ports.tool import Effect
from promptrails_engine.schema import compile_schema
from promptrails_engine.testing import ScriptedProvider, ToolUse


class EchoProvider:
    """Serves `echo/plain` and `echo/loud`: says the last message again."""

    name = "echo"

    def capabilities(self, model: str) -> ModelCapabilities:
        if model not in ("plain", "loud"):
            raise ModelNotServedError(f"there is no model 'echo/{model}'; there are echo/plain and echo/loud")
        return ModelCapabilities(tools="none", json_schema="none", context_window=100_000)

    async def stream(self, request: ModelRequest) -> AsyncIterator[Delta]:
        text = request.messages[-1].content
        pieces = re.findall(r"\S+\s*", text.upper() if request.model == "loud" else text)
        for piece in pieces:
            yield TextDelta(piece)
        sent = sum(len(message.content.split()) for message in request.messages)
        yield UsageDelta(TokenUsage(sent, len(pieces), sent + len(pieces)))
        yield Finish("stop")

    async def aclose(self) -> None:
        """Nothing is open."""


def create(name: str) -> EchoProvider:
    """The provider for the name of the entry point."""
    return EchoProvider()


class TotalsSink:
    """Counts spans, errors and milliseconds by kind."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # spans come on a thread of the engine's, readers on their own
        self._totals: dict[str, Counter[str]] = {}

    def export(self, spans: Sequence[Span]) -> None:
        with self._lock:
            for span in spans:
                totals = self._totals.setdefault(span.kind, Counter())
                totals["spans"] += 1
                totals["errors"] += span.status == "error"
                totals["ms"] += span.duration_ms or 0

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        """Nothing is open."""

    def total(self, kind: str, what: str) -> int:
        with self._lock:
            return self._totals.get(kind, Counter())[what]


class StockTool:
    """A tool whose name and schema come from elsewhere, here a list of warehouses."""

    effect: Effect = "pure"

    def __init__(self, warehouse: str, stock: dict[str, int]) -> None:
        self.name = f"stock_{warehouse}"
        self.description = f"Tell how many pieces of an article are in {warehouse}."
        self.parameters: dict[str, Any] = {
            "type": "object",
            "properties": {"article": {"type": "string", "description": "Such as kettle."}},
            "required": ["article"],
            "additionalProperties": False,
        }
        self._stock = stock
        self._schema = compile_schema(self.parameters)

    async def call(self, arguments: dict[str, Any], ctx: ToolContext) -> Any:
        broken = self._schema.violations(arguments)
        if broken:
            raise ToolArgsInvalidError("; ".join(f"{rule.pointer or 'arguments'}: {rule.message}" for rule in broken))
        if arguments["article"] not in self._stock:
            raise ToolError(f"no such article; there are: {', '.join(self._stock)}")
        return {"pieces": self._stock[arguments["article"]]}


def main() -> None:
    totals = TotalsSink()
    script = ScriptedProvider([ToolUse("stock_utrecht", {"article": "kettle"}), "There are 12 kettles."])
    tools = [StockTool("utrecht", {"kettle": 12})]
    with Engine(providers=[EchoProvider(), script], sinks=[totals], tools=tools) as engine:
        echo = engine.prompts.create("Echo", user_prompt="{{ text }}", model="echo/loud")
        print(engine.prompts.execute(echo.id, {"text": "hello there"}).text)

        stock = engine.prompts.create("Stock", user_prompt="{{ question }}", model="scripted/any")
        agent = engine.agents.create("Stock", config=SimpleAgentConfig(prompt_id=stock.id), tools=["stock_utrecht"])
        print(engine.agents.execute(agent.id, {"question": "How many kettles?"}).text)

        engine.flush()
        print(totals.total("llm", "spans"), "model calls,", totals.total("tool", "errors"), "tool errors")


if __name__ == "__main__":
    main()
