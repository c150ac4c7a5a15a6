"""Runs kept in one SQLite file: read again by another engine, with their traces and what they cost."""

import tempfile
from pathlib import Path

from promptrails_engine import Engine, JsonlSink, LLMModel, SimpleAgentConfig, ValidationError
from promptrails_engine.testing import ScriptedProvider

# The scripted model has a price like any other: USD per million tokens.
PRICED = LLMModel(id="priced", provider="scripted", model_id="priced", input_price=2.0, output_price=10.0)


def run(folder: Path) -> str:
    """The trace id of one of three runs; one of them fails."""
    replies: list[str | Exception] = [
        "Paris is the capital.",
        "Rome is the capital.",
        ValidationError("the model is out of order"),
    ]
    sink = JsonlSink(folder / "spans.jsonl")
    with Engine(str(folder / "app.db"), providers=[ScriptedProvider(replies)], sinks=[sink], models=[PRICED]) as engine:
        prompt = engine.prompts.create("Capital", user_prompt="Capital of {{ country }}?", model="scripted/priced")
        agent = engine.agents.create("Capitals", config=SimpleAgentConfig(prompt_id=prompt.id))
        results = [
            engine.agents.execute(agent.id, {"country": country}, session_id="tour", metadata={"country": country})
            for country in ("France", "Italy", "Spain")
        ]
        return results[0].trace_id


def report(folder: Path, trace_id: str) -> None:
    """What another process would find."""
    with Engine(str(folder / "app.db")) as engine:
        for span in engine.traces.get_by_trace_id(trace_id):
            cost = "" if span.cost is None else f"  {span.cost:.6f} USD"
            print(f"{span.kind:7} {span.name}  {span.total_tokens or '-'} tokens{cost}")
        for span in engine.traces.list(status="error", kind="llm"):
            print("failed:", span.model_name, span.error_type, span.error_message)
        for execution in engine.executions.list(session_id="tour", metadata={"country": "Italy"}):
            print("Italy:", execution.text, execution.status)
        summary = engine.costs.get_agent_summary("Capitals")
        print(f"{summary.total_executions} executions, {summary.total_tokens} tokens, {summary.total_cost:.6f} USD")
    print(len((folder / "spans.jsonl").read_text().splitlines()), "spans in spans.jsonl")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        report(Path(folder), run(Path(folder)))


if __name__ == "__main__":
    main()
