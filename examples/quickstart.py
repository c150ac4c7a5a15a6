"""A prompt, an agent, a run; then a second version, and back to the first.  The model is a script: no key needed."""

from promptrails_engine import Engine, SimpleAgentConfig
from promptrails_engine.ports.provider import ModelRequest
from promptrails_engine.testing import ScriptedProvider


def answer(request: ModelRequest) -> str:
    """What a model would say: here, a short summary of what it was told to do."""
    return f"({request.messages[0].content}) Refunds take five days."


def main() -> None:
    with Engine(providers=[ScriptedProvider(answer)], model="scripted/any") as engine:
        prompt = engine.prompts.create(
            "Support", system_prompt="Be brief.", user_prompt="Answer {{ name }}: {{ question }}"
        )
        agent = engine.agents.create("Helpdesk", config=SimpleAgentConfig(prompt_id=prompt.id))
        question = {"name": "Ada", "question": "How long do refunds take?"}

        result = engine.agents.execute(agent.id, question)
        print("v1:", result.text)
        print("   ", result.status, result.token_usage)

        # Nothing changes for the agent until the new version is promoted.
        engine.prompts.create_version("Support", system_prompt="Be kind.", user_prompt="{{ name }}: {{ question }}")
        print("still v1:", engine.agents.execute("Helpdesk", question).text)
        engine.prompts.promote_version("Support", "v2")
        print("v2:", engine.agents.execute("Helpdesk", question).text)
        engine.prompts.promote_version("Support", "v1")
        print("rolled back:", engine.agents.execute("Helpdesk", question).text)

        for execution in engine.executions.list(agent_id=agent.id):
            lock = execution.version_lock["prompts"][0]
            print(execution.status, "prompt version", lock["version"], lock["digest"][:8])


if __name__ == "__main__":
    main()
