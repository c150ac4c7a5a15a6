"""A provider, a sink and a tool of one's own, as `docs/adapters.md` explains them."""

import re
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
        words = [word for message in request.messages for word in message.content.split()]
        answer = re.findall(r"\S+\s*", request.messages[-1].content)
        for piece in answer:
            yield TextDelta(piece.upper() if request.model == "loud" else piece)
        yield UsageDelta(TokenUsage(len(words), len(answer), len(words) + len(answer)))
        yield Finish("stop")

    async def aclose(self) -> None:
        """Nothing is open."""


def create(name: str) -> EchoProvider:
    """The provider for the name of the entry point."""
    return EchoProvider()


class TotalsSink:
    """Counts spans, errors and milliseconds by kind; to be read after `engine.flush()`."""

    def __init__(self) -> None:
        self.totals: Counter[str] = Counter()

    def export(self, spans: Sequence[Span]) -> None:
        for span in spans:
            self.totals[f"{span.kind} spans"] += 1
            self.totals[f"{span.kind} errors"] += span.status == "error"
            self.totals[f"{span.kind} ms"] += span.duration_ms or 0

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        """Nothing is open."""


class StockTool:
    """A tool whose name comes from elsewhere, here a list of warehouses."""

    effect: Effect = "pure"

    def __init__(self, warehouse: str, stock: dict[str, int]) -> None:
        self.name = f"stock_{warehouse}"
        self.description = f"Tell how many pieces of an article are in {warehouse}."
        self.parameters: dict[str, Any] = {
            "type": "object",
            "properties": {"article": {"enum": list(stock), "description": "What to count."}},
            "required": ["article"],
            "additionalProperties": False,
        }
        self._stock = stock
        self._schema = compile_schema(self.parameters)

    async def call(self, arguments: dict[str, Any], ctx: ToolContext) -> Any:
        broken = self._schema.violations(arguments)
        if broken:
            raise ToolArgsInvalidError("; ".join(f"{rule.pointer or 'arguments'}: {rule.message}" for rule in broken))
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
        print(totals.totals["llm spans"], "model calls,", totals.totals["tool errors"], "tool errors")


if __name__ == "__main__":
    main()
