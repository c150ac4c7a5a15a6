"""Prompts and agents as files: load a folder, change a file, load it again.  What did not change makes no version."""

import tempfile
from pathlib import Path

from promptrails_engine import Engine
from promptrails_engine.testing import ScriptedProvider

FILES = {
    "prompts/answer.yaml": """\
kind: prompt
name: answer
model: scripted/any
system_prompt: You answer for {{ company }}.
user_prompt: "{{ question }}"
input_schema:
  type: object
  properties: {company: {type: string, default: Acme}, question: {type: string}}
  required: [question]
""",
    "agents/helpdesk.yaml": """\
kind: agent
name: helpdesk
type: simple
config: {prompt: answer}
run_budget: {max_tool_calls: 5}
""",
}


def main() -> None:
    provider = ScriptedProvider(lambda request: f"[{request.messages[0].content}] Five days.")
    with tempfile.TemporaryDirectory() as name, Engine(providers=[provider]) as engine:
        folder = Path(name)
        for path, text in FILES.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text)

        print(engine.definitions.load(folder))
        print(engine.agents.execute("helpdesk", {"question": "How long do refunds take?"}).text)

        file = folder / "prompts/answer.yaml"
        file.write_text(file.read_text().replace("You answer for", "You are polite and answer for"))
        print(engine.definitions.load(folder))
        print(engine.agents.execute("helpdesk", {"question": "How long do refunds take?"}).text)
        print(engine.prompts.diff("answer", "v1"))


if __name__ == "__main__":
    main()
