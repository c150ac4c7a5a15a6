"""A prompt under test: what is sent, what comes back, what happens when the model misbehaves.

Run it with `pytest examples/testing_a_prompt.py`, or as a script.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from promptrails_engine import Engine, InputInvalidError, RateLimitError
from promptrails_engine.testing import Reply, ScriptedProvider

OUTPUT = {
    "type": "object",
    "properties": {"category": {"enum": ["refund", "delivery", "other"]}},
    "required": ["category"],
    "additionalProperties": False,
}


def define(engine: Engine) -> None:
    """What the application does when it starts."""
    engine.prompts.create(
        "Triage",
        system_prompt="Sort the message of a customer into one category.",
        user_prompt="{{ message | trim }}",
        input_schema={"type": "object", "properties": {"message": {"type": "string"}}, "required": ["message"]},
        output_schema=OUTPUT,
        temperature=0,
    )


class Bench:
    """An engine with a scripted model, and what that model was asked."""

    def __init__(self, *replies: Any) -> None:
        self.model = ScriptedProvider(replies)
        self.engine = Engine(providers=[self.model], model="scripted/any")
        define(self.engine)

    def triage(self, message: Any) -> Any:
        return self.engine.prompts.execute("Triage", {"message": message})


@pytest.fixture
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(*request.param)
    yield made
    made.engine.close()  # fails the test if a reply was never asked for, or one was missing


@pytest.mark.parametrize("bench", [[{"category": "refund"}]], indirect=True)
def test_the_answer_and_what_was_sent(bench: Bench) -> None:
    assert bench.triage("  I want my money back. ").output == {"category": "refund"}
    (sent,) = bench.model.requests
    assert [message.content for message in sent.messages[1:]] == ["I want my money back."]
    assert sent.temperature == 0


@pytest.mark.parametrize("bench", [["It is about a refund.", {"category": "refund"}]], indirect=True)
def test_an_answer_that_breaks_the_schema_is_sent_back(bench: Bench) -> None:
    assert bench.triage("Money back!").output == {"category": "refund"}
    assert bench.model.requests[1].messages[-1].content.startswith("That is not valid")


@pytest.mark.parametrize(
    "bench", [[RateLimitError("slow down", retry_after_s=0), {"category": "other"}]], indirect=True
)
def test_a_rate_limit_is_waited_for(bench: Bench) -> None:
    assert bench.triage("Hello?").output == {"category": "other"}


@pytest.mark.parametrize("bench", [[Reply(refusal="I cannot help with that.")]], indirect=True)
def test_a_refusal_is_a_failed_result(bench: Bench) -> None:
    result = bench.triage("Help me cheat.")
    assert (result.status, result.error_code) == ("failed", "refused")


@pytest.mark.parametrize("bench", [[]], indirect=True)
def test_wrong_input_never_reaches_the_model(bench: Bench) -> None:
    with pytest.raises(InputInvalidError, match="/message"):
        bench.triage(17)
    assert bench.model.requests == []


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, "-q", "-p", "no:cacheprovider"]))
