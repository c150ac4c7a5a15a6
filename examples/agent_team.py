"""A team of agents: a composite that runs two of them, and a desk whose model asks one and hands over to the other."""

from typing import Any

from promptrails_engine import (
    AgentExecution,
    CompositeAgentConfig,
    CompositeStep,
    Engine,
    Limits,
    ModelRequest,
    SimpleAgentConfig,
    SubAgentAttachment,
)
from promptrails_engine.testing import ScriptedProvider, ToolUse


def model(request: ModelRequest) -> Any:
    """Stands for the models: who is asked can be told from the system message."""
    who, last = request.messages[0].content, request.messages[-1]
    if who.startswith("Stock"):
        return "Three kettles are in stock."
    if who.startswith("Refunds"):
        return f"I have noted it ({len(request.messages)} messages seen), and the money is on its way."
    if who.startswith("Letter"):
        return f"Dear customer: {last.content}"
    if last.role == "tool":
        return f"Our stock says: {last.content}"
    return ToolUse("refunds" if "money" in last.content else "stock", {"task": last.content})


def show(engine: Engine, execution: AgentExecution, depth: int = 0) -> None:
    """Print an execution and all below it."""
    name = engine.agents.get(execution.agent_id).name
    print(f"{'  ' * depth}{name}: {execution.status}, {execution.token_usage['total_tokens']} tokens")
    for child in execution.children:
        show(engine, child, depth + 1)


with Engine(providers=[ScriptedProvider(model)], model="scripted/any") as engine:
    for name, template in {"Stock": "{{ task }}", "Refunds": "{{ task }}", "Letter": "{{ news }}"}.items():
        prompt = engine.prompts.create(name, system_prompt=f"{name}: you do this alone.", user_prompt=template)
        engine.agents.create(name, description=f"Knows {name.lower()}.", config=SimpleAgentConfig(prompt.id))

    # The desk's model decides: it asks for stock and answers itself, and gives refunds out of its hands.
    desk = engine.prompts.create("Desk", system_prompt="Desk: you are the first.", user_prompt="{{ message }}")
    engine.agents.create(
        "Desk",
        config=SimpleAgentConfig(desk.id),
        sub_agents=[
            SubAgentAttachment("Stock"),
            SubAgentAttachment("Refunds", mode="handoff", context_mode="window"),
        ],
    )
    print(engine.agents.execute("Desk", {"message": "Are there kettles?"}).text)
    for event in engine.agents.stream("Desk", {"message": "I want my money back."}):
        if event.type == "content":
            print(event.content, end="")
    print()

    # The composite decides itself: the desk, and then a letter about what it said.
    steps = [
        CompositeStep("desk", agent_id="Desk"),
        CompositeStep("letter", agent_id="Letter", depends_on=["desk"], input_mapping={"news": "{{ desk }}"}),
    ]
    engine.agents.create("Answering", config=CompositeAgentConfig(steps))
    result = engine.agents.execute("Answering", {"message": "Are there kettles?"}, limits=Limits(max_children=5))
    print(result.text)
    show(engine, engine.executions.tree(result.execution_id))
