"""A jury, a panel and a race: prompts side by side over the same input, and three ways to make one answer of them."""

from typing import Any

from promptrails_engine import ContentFilteredError, Engine, ModelRequest, MultiAgentConfig, PromptLink
from promptrails_engine.testing import Reply, ScriptedProvider

LABEL = {
    "type": "object",
    "properties": {"label": {"enum": ["refund", "delivery", "other"]}, "why": {"type": "string"}},
    "required": ["label", "why"],
    "additionalProperties": False,
}


def model(request: ModelRequest) -> Any:
    """Stands for the models: who is asked can be told from the system message."""
    who = request.messages[0].content
    if who.startswith("Pick"):
        return {"roles": ["law", "money"]}
    if who.startswith("Sort quickly"):
        return {"label": "delivery", "why": "It says parcel."}
    if who.startswith("Sort"):
        return {"label": "refund", "why": "They want their money back."}
    if who.startswith("Advise"):
        return "The panel: " + request.messages[-1].content
    if "money" in who:
        return ContentFilteredError("the answer was held back")
    return Reply(f"From the side of {who.split()[-1]} nothing speaks against it.")


def links(*roles: str) -> list[PromptLink]:
    return [PromptLink(prompt_id=role, role=role, sort_order=place) for place, role in enumerate(roles)]


def main() -> None:
    with Engine(providers=[ScriptedProvider(model)], model="scripted/any") as engine:
        for name, system in (("quick", "Sort quickly."), ("careful", "Sort with care."), ("strict", "Sort strictly.")):
            engine.prompts.create(name, system_prompt=system, user_prompt="{{ message }}", output_schema=LABEL)
        for name in ("law", "money", "press"):
            engine.prompts.create(
                name, system_prompt=f"Look at it from the side of {name}", user_prompt="{{ message }}"
            )
        engine.prompts.create("router", system_prompt="Pick whom to ask.", user_prompt="{{ roles }}: {{ message }}")
        engine.prompts.create(
            "advice",
            system_prompt="Advise.",
            user_prompt="{% for role, result in results.items() %}{{ role }}: {{ result.text }} {% endfor %}"
            "{% for role, error in errors.items() %}({{ role }} did not answer){% endfor %}",
        )

        # A jury votes on one field of its answers.
        jury = MultiAgentConfig(links("quick", "careful", "strict"), aggregation="vote", vote_field="label")
        engine.agents.create("Jury", config=jury)
        verdict = engine.agents.execute("Jury", {"message": "Parcel came broken, money back!"}).output or {}
        print(f"{verdict['value']}, {verdict['counts'][0]['count']} of {verdict['votes']}")

        # Of a panel a router picks who is asked; one answer is made of theirs, also where somebody fails.
        panel = MultiAgentConfig(
            links("law", "money", "press"),
            router_prompt_id="router",
            failure_policy="settle",
            aggregation="prompt",
            aggregator_prompt_id="advice",
        )
        engine.agents.create("Panel", config=panel)
        for event in engine.agents.stream("Panel", {"message": "Shall we pay?"}):
            print(getattr(event, "content", ""), end="")
        print()

        # A race: the first answer that the schema allows.
        race = MultiAgentConfig(links("quick", "careful"), aggregation="first_valid")
        engine.agents.create("Race", config=race, output_schema=LABEL)
        print(engine.agents.execute("Race", {"message": "Parcel came broken, money back!"}).output)


if __name__ == "__main__":
    main()
