"""Two prompts in a chain; the first looks things up with tools, the second writes the answer from what it found."""

from typing import Any

from promptrails_engine import ChainAgentConfig, Engine, PromptLink, ToolContext, ToolError, tool
from promptrails_engine.testing import Reply, ScriptedProvider, ToolUse

ORDERS: dict[str, dict[str, Any]] = {"A-17": {"item": "kettle", "price": 39.9, "status": "shipped"}}


@tool(effect="pure")
def find_order(number: str) -> dict[str, Any]:
    """Look up an order.

    Args:
        number: The order's number, such as A-17.
    """
    if number not in ORDERS:
        raise ToolError(f"there is no order {number}; order numbers look like A-17")
    return ORDERS[number]


@tool(effect="idempotent")
async def remember(note: str, ctx: ToolContext) -> str:
    """Keep a note for the rest of this conversation."""
    notes: list[str] = await ctx.state.get("notes") or []
    notes.append(note)
    await ctx.state.set("notes", notes)
    return f"{len(notes)} note(s)"


SCRIPT: list[ToolUse | Reply | str] = [
    ToolUse("find_order", {"number": "A17"}),  # wrong: the model is told why, and asks again
    Reply(
        tool_calls=[
            ToolUse("find_order", {"number": "A-17"}),
            ToolUse("calculator", {"expression": "39.90 * 0.2"}),
            ToolUse("remember", {"note": "wants 20% off A-17"}),
        ]
    ),
    "Order A-17 is a kettle for 39.90, shipped; 20% of it are 7.98.",
    "Your kettle is on its way, and we have taken 7.98 off its price.",
]


def main() -> None:
    provider = ScriptedProvider(SCRIPT)
    with Engine(providers=[provider], model="scripted/any", tools=[find_order, remember]) as engine:
        look_up = engine.prompts.create(
            "Look up",
            system_prompt="Find out what the customer needs. Use the tools.",
            user_prompt="{{ question }}",
            tools=["find_order", "calculator", "remember"],
        )
        write = engine.prompts.create("Write", user_prompt="Write to the customer. Facts: {{ previous_output }}")
        agent = engine.agents.create(
            "Orders",
            config=ChainAgentConfig(
                prompt_ids=[
                    PromptLink(prompt_id=look_up.id, role="look up", sort_order=1),
                    PromptLink(prompt_id=write.id, role="write", sort_order=2),
                ]
            ),
        )
        result = engine.agents.execute(agent.id, {"question": "20% off order A17, please."}, session_id="s-1")
        print(result.text)
        spans = engine.traces.get_by_trace_id(result.trace_id)
        depth = {"": -1}
        for span in spans:
            depth[span.span_id] = depth[span.parent_span_id] + 1
            failed = f"  {span.error_type}: {span.error_message}" if span.status == "error" else ""
            print(f"{'  ' * depth[span.span_id]}{span.kind} {span.name}{failed}")


if __name__ == "__main__":
    main()
