"""A workflow that asks a database, has a model write of what it finds, and has the text spoken."""

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from promptrails_engine import Engine, SQLiteDataSource, WorkflowAgentConfig, WorkflowNode
from promptrails_engine.testing import MediaReply, ScriptedMediaProvider, ScriptedProvider

SHOP = """
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT, item TEXT, state TEXT);
INSERT INTO orders VALUES (1, 'Ada', 'kettle', 'on its way'), (2, 'Ada', 'toaster', 'delivered');
"""


class NoWaiting:
    """A clock in which the ten seconds between two looks at a job take no time."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        print(f"(looks again in {seconds:g} s)")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shop.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(SHOP)
        shop = SQLiteDataSource("shop", path, tables=["orders"])
        model = ScriptedProvider(["Your kettle is on its way."])  # as a model would, so that this file needs none
        voice = ScriptedMediaProvider([MediaReply(b"...speech...", polls=1)], name="voice")
        with Engine(
            providers=[model], data_sources=[shop], media=[voice], model="scripted/any", clock=NoWaiting()
        ) as engine:
            engine.prompts.create("Tell", user_prompt="Tell {{ customer }}: {{ orders }}")
            orders = WorkflowNode(
                "orders",
                node_type="datasource",
                data_source="shop",
                query="SELECT item, state FROM orders WHERE customer = :customer AND state <> 'delivered'",
                input_mapping={"customer": "{{ input.customer }}"},
            )
            tell = WorkflowNode("tell", ["orders"], prompt_id="Tell")
            speak = WorkflowNode(
                "speak",
                ["tell"],
                node_type="media",
                media_provider="voice",
                media_model="small",
                media_type="tts",
                media_config={"voice": "calm"},
            )
            engine.agents.create("Desk", config=WorkflowAgentConfig([orders, tell, speak]))
            result = engine.agents.execute("Desk", {"customer": "Ada"}).raise_for_status()
            print(model.requests[0].messages[-1].content)
            print(voice.requests[0].prompt, "->", result.output["asset"]["content_type"])
            for span in engine.traces.get_by_trace_id(result.trace_id):
                print(span.kind, span.name)


if __name__ == "__main__":
    main()
