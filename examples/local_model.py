"""A real model that runs in this process: no key, no network.  It is small: what it says is not to be relied on."""
# needs: local

from promptrails_engine import ContentEvent, Engine, SimpleAgentConfig

SCHEMA = {
    "type": "object",
    "properties": {"mood": {"type": "string", "enum": ["happy", "angry", "neutral"]}},
    "required": ["mood"],
    "additionalProperties": False,
}


def main() -> None:
    with Engine(model="local/smollm2") as engine:
        summary = engine.prompts.create(
            "Summary", user_prompt="Summarize in one sentence: {{ text }}", temperature=0, max_tokens=40
        )
        agent = engine.agents.create("Summaries", config=SimpleAgentConfig(prompt_id=summary.id))
        text = "The parcel left Utrecht on Monday and arrives on Friday."
        for event in engine.agents.stream(agent.id, {"text": text}):
            if isinstance(event, ContentEvent):
                print(event.content, end="", flush=True)
        print()

        # A schema is enforced token by token: whatever it answers, it is one of the three words.
        mood = engine.prompts.create(
            "Mood", user_prompt="What is the mood of: {{ text }}", output_schema=SCHEMA, temperature=0, max_tokens=40
        )
        result = engine.prompts.execute(mood.id, {"text": "Thank you, this made my day!"})
        print(result.output, result.token_usage, f"{result.cost} USD")


if __name__ == "__main__":
    main()
