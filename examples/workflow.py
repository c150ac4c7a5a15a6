"""A workflow: orders are looked up at once, one branch or the other writes to the customer, and the run is drawn."""

from typing import Any

from promptrails_engine import Engine, WorkflowAgentConfig, WorkflowNode, tool
from promptrails_engine.ports.provider import ModelRequest
from promptrails_engine.testing import ScriptedProvider

STOCK = {"kettle": 3, "toaster": 0}


@tool(effect="pure")
def stock_of(item: str) -> dict[str, Any]:
    """How many of an item are there."""
    return {"item": item, "left": STOCK.get(item, 0)}


def model(request: ModelRequest) -> Any:
    """Answers as a model would, so that this file needs none."""
    text = request.messages[-1].content
    if text.startswith("List"):
        return ["kettle", "toaster"]
    return "Sorry, not all of it is there." if text.startswith("Apologise") else "On its way."


def main() -> None:
    with Engine(providers=[ScriptedProvider(model)], model="scripted/any", tools=[stock_of]) as engine:
        engine.prompts.create(
            "Items",
            user_prompt="List the items in: {{ message }}",
            output_schema={"type": "array", "items": {"type": "string"}},
        )
        engine.prompts.create("Confirm", user_prompt="Confirm the order of {{ items | join(', ') }}.")
        engine.prompts.create(
            "Apologise",
            user_prompt="Apologise for: {% for each in stock if not each.left %}{{ each.item }} {% endfor %}",
        )
        config = WorkflowAgentConfig(
            nodes=[
                WorkflowNode("items", prompt_id="Items"),
                WorkflowNode(
                    "stock",
                    ["items"],
                    node_type="tool",
                    tool="stock_of",
                    input_mapping={"item": "{{ item }}"},
                    map_over="items",
                ),
                WorkflowNode(
                    "confirm",
                    ["items", "stock"],
                    prompt_id="Confirm",
                    condition="stock | map(attribute='left') | min > 0",
                ),
                WorkflowNode(
                    "apologise",
                    ["stock"],
                    prompt_id="Apologise",
                    condition="stock | map(attribute='left') | min == 0",
                ),
            ],
            failure_policy="settle",
        )
        engine.agents.create("Desk", config=config)
        result = engine.agents.execute("Desk", {"message": "A kettle and a toaster, please."})
        print(result.output)
        print(engine.agents.draw("Desk", execution_id=result.execution_id).text)


if __name__ == "__main__":
    main()
