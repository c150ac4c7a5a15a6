"""A refund that a model asks for, and that a back office approves, in another engine on the same file."""

import tempfile
from pathlib import Path

from promptrails_engine import Engine, HookEvent, SimpleAgentConfig, ToolAttachment, tool
from promptrails_engine.ports.provider import ModelRequest
from promptrails_engine.testing import ScriptedProvider, ToolUse

PAID: list[str] = []


@tool
def refund(order: str, euros: float) -> str:
    """Pay money back."""
    PAID.append(f"{euros:.2f} EUR for order {order}")
    return "paid"


def answer(request: ModelRequest) -> str | ToolUse:
    """Stands in for a model: it asks for the refund, and then writes what came of it."""
    last = request.messages[-1]
    if last.role == "user":
        return ToolUse("refund", {"order": "A-17", "euros": 39.9})
    return "Your money is on its way." if last.content == "paid" else f"We cannot do that: {last.content}"


def ring(event: HookEvent) -> None:
    """Tells somebody; a `Webhook(url, secret=...)` in its place posts the event."""
    print(f"somebody has to decide: {event.data['checkpoint_name']} {event.data['payload']['arguments']}")


def shop(folder: Path) -> str:
    """Runs the agent until it has to wait; the id of the run."""
    provider = ScriptedProvider(answer)
    hooks = {"execution.awaiting_approval": [ring]}
    with Engine(folder / "shop.db", providers=[provider], tools=[refund], model="scripted/any", hooks=hooks) as engine:
        prompt = engine.prompts.create("Reply", user_prompt="Answer the customer: {{ message }}")
        engine.agents.create(
            "Desk",
            config=SimpleAgentConfig(prompt_id=prompt.id),
            tools=[ToolAttachment(name="refund", requires_approval=True)],
            approval_policy={"mode": "assigned", "member_ids": ["ada"], "expires_in_s": 3 * 86_400},
        )
        result = engine.agents.execute("Desk", {"message": "The kettle leaks."})
        print(f"the run is {result.status}, and {len(PAID)} refunds are paid")
        return result.execution_id


def back_office(folder: Path) -> None:
    """Decides what waits; it has neither model nor tools."""
    with Engine(folder / "shop.db") as engine:
        for request in engine.approvals.list(status="pending"):
            engine.approvals.decide(request.id, "approved", "known customer", decided_by="ada", resume=False)
            status = engine.executions.get(request.execution_id).status
            print(f"{request.checkpoint_name} is approved, the run is {status}")


def next_day(folder: Path, execution_id: str) -> None:
    """Goes on where the run stopped: the model is not asked again for what it has said."""
    provider = ScriptedProvider(answer)
    with Engine(folder / "shop.db", providers=[provider], tools=[refund], model="scripted/any") as engine:
        print(engine.executions.resume(execution_id).text)
        print(f"paid: {PAID}; model calls on this day: {len(provider.requests)}")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        execution_id = shop(folder)
        back_office(folder)
        next_day(folder, execution_id)


if __name__ == "__main__":
    main()
