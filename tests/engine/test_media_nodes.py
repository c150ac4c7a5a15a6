"""Nodes of workflows that have speech, images or videos made, in time that the tests own."""

from __future__ import annotations

import asyncio
import base64
import time
from contextlib import suppress
from typing import Any

import pytest

from promptrails_engine import (
    AsyncEngine,
    BadRequestError,
    ConfigurationError,
    DefinitionError,
    ExecutionEvent,
    Limits,
    ProviderUnavailableError,
    RateLimitError,
    WorkflowNode,
)
from promptrails_engine.ports.media import MAX_POLLS, POLL_INTERVAL_S, MediaAsset, MediaJob, MediaRequest, MediaStatus
from promptrails_engine.run.media_step import INLINE_BYTES
from promptrails_engine.testing import MediaReply, ScriptedMediaProvider
from tests.engine.flows import node, prompts, spans_of, workflow

PNG = b"\x89PNG not really"
DATA_URL = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"


class Clock:
    """In which waiting takes no time, and is noted."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)


def makes(id: str, *depends_on: str, media_type: str = "image_gen", provider: str = "scripted", **more: Any):
    fields = {"node_type": "media", "media_provider": provider, "media_model": "small", "media_type": media_type}
    return WorkflowNode(id, list(depends_on), **fields, **more)


DRAW = {"input_mapping": {"prompt": "A picture of {{ input.what }}.", "seed": 7}, "media_config": {"size": "1x1"}}


async def test_an_asset_is_made_of_the_inputs():
    media = ScriptedMediaProvider([PNG])
    async with prompts({"say": "{{ picture.asset.url }}"}, media=[media]) as (engine, _):
        agent = await workflow(engine, makes("picture", **DRAW), node("say", "picture"))
        result = await engine.agents.execute(agent, {"what": "a kettle"})
        assert result.text == f"<{DATA_URL}>"
        request = MediaRequest("small", "image_gen", "A picture of a kettle.", None, {"size": "1x1", "seed": 7})
        assert media.requests == [request]
        span = (await spans_of(engine, result))["nodes[picture]/media"]
        assert (span.kind, span.name, span.status, span.model_name) == (
            "image",
            "scripted/small",
            "ok",
            "scripted/small",
        )
        shown = {name: span.attributes[name] for name in ("provider", "model", "media_type", "content_type")}
        assert list(shown.values()) == ["scripted", "small", "image_gen", "image/png"]
        assert span.input["prompt"] == "A picture of a kettle."
        lock = (await engine.executions.get(result.execution_id)).version_lock
        assert lock["media"] == {"scripted/small": "image_gen"}
        assert "data_sources" not in lock


async def test_the_output_says_what_it_is():
    media = ScriptedMediaProvider([PNG, MediaAsset("video/mp4", url="https://cdn.example/v.mp4"), "what was said"])
    nodes = [
        makes("picture", **DRAW),
        makes(
            "video", "picture", media_type="video_from_image", input_mapping={"input_url": "{{ picture.asset.url }}"}
        ),
        makes("words", "video", media_type="stt", input_mapping={"input_url": "{{ previous_output }}"}),
        node("say", "words"),
    ]
    async with prompts({"say": "{{ previous_output }}|{{ steps.words.output.asset.text }}"}, media=[media]) as (
        engine,
        _,
    ):
        result = await engine.agents.execute(await workflow(engine, *nodes), {"what": "x"})
        assert result.text == "<what was said|what was said>"
        assert [request.input_url for request in media.requests] == [None, DATA_URL, "https://cdn.example/v.mp4"]
        spans = await spans_of(engine, result)
        assert [spans[f"nodes[{name}]/media"].kind for name in ("picture", "video", "words")] == [
            "image", "video", "speech",
        ]  # fmt: skip
        assert spans["nodes[video]/media"].attributes["asset_url"] == "https://cdn.example/v.mp4"
        assert spans["nodes[words]"].output == {
            "asset": {
                "content_type": "text/plain",
                "model": "scripted/small",
                "media_type": "stt",
                "size_bytes": 13,
                "text": "what was said",
            }
        }


async def test_the_text_may_come_from_a_prompt_or_from_the_only_dependency():
    media = ScriptedMediaProvider(lambda _: PNG)
    async with prompts({"story": "Tell of {{ what }}", "draw": "Draw {{ what }} {{ mood }}"}, media=[media]) as (
        engine,
        p,
    ):
        nodes = [
            node("story"),
            makes("first", "story"),
            makes("second", prompt_id="draw", input_mapping={"mood": "gladly"}),
        ]
        result = await engine.agents.execute(await workflow(engine, *nodes), {"what": "a kettle"})
        assert result.status == "completed"
        assert sorted(str(request.prompt) for request in media.requests) == [
            "<Tell of a kettle>", "Draw a kettle gladly",
        ]  # fmt: skip
        assert len(p.requests) == 1
        lock = (await engine.executions.get(result.execution_id)).version_lock
        assert len(lock["prompts"]) == 2


@pytest.mark.parametrize(
    ("media_type", "mapping", "said"),
    [
        ("tts", {}, "/prompt: must be text, not null"),
        ("tts", {"prompt": "{{ input.nothing }}"}, "/prompt: must be text"),
        ("tts", {"prompt": "{{ [1] }}"}, "/prompt: must be text, not an? (array|list)"),
        ("stt", {"prompt": "x"}, "/input_url: must be text"),
        ("image_edit", {"prompt": "x"}, "/input_url: must be text"),
        ("video_from_image", {"input_url": 7}, "/input_url: must be text"),
        ("image_gen", {"prompt": "x", "input_url": 7}, "/input_url: must be text"),
    ],
)
async def test_inputs_that_are_no_use_are_refused(media_type: str, mapping: Any, said: str):
    media = ScriptedMediaProvider([])
    async with prompts({}, media=[media]) as (engine, _):
        agent = await workflow(engine, makes("it", media_type=media_type, input_mapping=mapping))
        with pytest.raises(Exception, match=said) as caught:
            await engine.agents.execute(agent, {})
        assert getattr(caught.value, "code", "") == "input_invalid"


# ------------------------------------------------------------------ size


async def test_bytes_are_kept_out_of_traces():
    data = b"x" * 200_000
    media = ScriptedMediaProvider(lambda _: data)
    edit = makes(
        "edit", "first", media_type="image_edit", input_mapping={"input_url": "{{ first.asset.url }}", "prompt": "x"}
    )
    listed = makes("listed", input_mapping={"prompt": "{{ item }}"}, map_over="['a', 'b']")
    async with prompts({}, media=[media]) as (engine, _):
        agent = await workflow(engine, makes("first", **DRAW), edit, listed)
        result = await engine.agents.execute(agent, {"what": "x"})
        assert len(result.output["edit"]["asset"]["url"]) > 200_000
        assert result.output["edit"]["asset"]["size_bytes"] == 200_000
        spans = await engine.traces.get_by_trace_id(result.trace_id)
        for span in spans:
            assert "eHh4eHh4" not in f"{span.input} {span.output} {span.attributes}", span.name
        by_key = await spans_of(engine, result)
        for key in ("nodes[first]/media", "nodes[first]", "nodes[listed][1]"):
            assert by_key[key].output["asset"]["url"] == "data:image/png;base64,(266668 characters)"
        assert by_key["nodes[edit]/media"].input["input_url"] == "data:image/png;base64,(266668 characters)"


@pytest.mark.parametrize(
    ("asset", "url", "code"),
    [
        (MediaAsset("image/png", b"x" * INLINE_BYTES, "https://cdn.example/a"), "data:image/png;base64,", None),
        (MediaAsset("image/png", b"x" * (INLINE_BYTES + 1), "https://cdn.example/a"), "https://cdn.example/a", None),
        (MediaAsset("image/png", b"x" * (INLINE_BYTES + 1)), "", "response_too_large"),
        (MediaAsset("image/png", url="data:image/png;base64," + "A" * 400_000), "", "response_too_large"),
        (MediaAsset("image/png", url="data:image/png;base64,AAAA"), "data:image/png;base64,AAAA", None),
        (MediaAsset("image/png"), "", "provider_protocol"),
        (MediaAsset("a picture,", b"x"), "", "provider_protocol"),
    ],
)
async def test_big_assets_are_at_an_address(asset: MediaAsset, url: str, code: str | None):
    async with prompts({}, media=[ScriptedMediaProvider([asset])]) as (engine, _):
        result = await engine.agents.execute(await workflow(engine, makes("it", **DRAW)), {"what": "x"})
        assert result.error_code == (code or "")
        if code is None:
            assert result.output["asset"]["url"].startswith(url)


# ------------------------------------------------------------------ jobs


async def test_a_job_is_looked_at_until_it_is_done():
    clock, media = Clock(), ScriptedMediaProvider([MediaReply(PNG, polls=3)])
    async with prompts({}, media=[media], clock=clock) as (engine, _):
        result = await engine.agents.execute(await workflow(engine, makes("it", **DRAW)), {"what": "x"})
        assert result.status == "completed"
        assert (clock.waits, media.polls) == ([POLL_INTERVAL_S] * 4, 4)
        assert (await spans_of(engine, result))["nodes[it]/media"].attributes["polls"] == 4


@pytest.mark.parametrize(
    ("reply", "code", "said", "polls"),
    [
        (MediaReply(polls=None), "timeout", "not done after 60 looks, 10 s apart", MAX_POLLS),
        (MediaReply(polls=2, failure="no paint: sk-12345678abcdef"), "media_failed", "failed: no paint: \\*\\*\\*", 3),
        (BadRequestError("too many legs"), "bad_request", "too many legs", 0),
        (RuntimeError("a fault"), "provider_error", "media provider 'scripted' failed: RuntimeError: a fault", 0),
        (MediaReply(poll_errors=(BadRequestError("gone"),)), "bad_request", "gone", 1),
        (MediaReply(poll_errors=(ProviderUnavailableError("down"),) * 3), "provider_unavailable", "down", 3),
    ],
)
async def test_a_job_that_comes_to_nothing(reply: Any, code: str, said: str, polls: int):
    media = ScriptedMediaProvider([reply])
    async with prompts({}, media=[media], clock=Clock()) as (engine, _):
        result = await engine.agents.execute(await workflow(engine, makes("it", **DRAW)), {"what": "x"})
        assert (result.status, result.error_code, media.polls) == ("failed", code, polls)
        with pytest.raises(Exception, match=said):
            result.raise_for_status()
        assert (result.cost is None) == (polls > 0), "what was begun may cost something; what was refused does not"


async def test_a_look_that_fails_is_taken_again():
    troubles = (ProviderUnavailableError("down"), RateLimitError("slow", retry_after_s=25.0), RateLimitError("?"))
    clock = Clock()
    media = ScriptedMediaProvider(
        [
            MediaReply(PNG, polls=1, poll_errors=troubles[:2]),
            MediaReply(PNG, poll_errors=(RateLimitError("slow", retry_after_s=1e9),)),
        ]
    )
    async with prompts({}, media=[media], clock=clock) as (engine, _):
        agent = await workflow(engine, makes("it", **DRAW))
        for _ in range(2):
            assert (await engine.agents.execute(agent, {"what": "x"})).status == "completed"
        assert clock.waits == [10, 10, 25, 10, 10, 60]


async def test_a_run_that_is_cancelled_stops_looking():
    waiting = asyncio.Event()

    class Slow(Clock):
        async def sleep(self, seconds: float) -> None:
            waiting.set()
            await asyncio.sleep(3600)

    media = ScriptedMediaProvider([MediaReply(polls=None)])
    async with prompts({}, media=[media], clock=Slow()) as (engine, _):
        stream = engine.agents.stream(await workflow(engine, makes("it", **DRAW)), {"what": "x"})
        first = await anext(aiter(stream))
        assert isinstance(first, ExecutionEvent)
        await waiting.wait()
        await engine.executions.cancel(first.execution_id)
        result = await stream.result()
        assert (result.status, result.cost, media.polls) == ("cancelled", None, 0)


async def test_a_run_out_of_time_stops_looking():
    async with prompts({}, media=[ScriptedMediaProvider([MediaReply(polls=None)])]) as (engine, _):
        agent = await workflow(engine, makes("it", **DRAW))
        result = await engine.agents.execute(agent, {"what": "x"}, limits=Limits(timeout_s=0.02))
        assert (result.status, result.error_code) == ("failed", "run_timeout")


class Hanging(ScriptedMediaProvider):
    """Hangs at one of its calls, and may swallow its cancellation."""

    def __init__(self, at: str, swallow: bool = False) -> None:
        super().__init__(lambda _: MediaReply(PNG, polls=1))
        self.at = at
        self.swallow = swallow
        self.hung = asyncio.Event()

    async def _hang(self, at: str) -> None:
        if at == self.at:
            self.hung.set()
            with suppress(*([asyncio.CancelledError] if self.swallow else [])):
                await asyncio.sleep(3600)

    async def submit(self, request: MediaRequest) -> MediaJob:
        await self._hang("submit")
        return await super().submit(request)

    async def poll(self, job: MediaJob) -> MediaStatus:
        await self._hang("poll")
        return await super().poll(job)

    async def fetch(self, job: MediaJob) -> MediaAsset:
        await self._hang("fetch")
        return await super().fetch(job)


@pytest.mark.parametrize("at", ["submit", "poll", "fetch"])
async def test_a_provider_that_hangs_is_given_up(at: str):
    async with prompts({}, media=[Hanging(at)], clock=Clock()) as (engine, _):
        agent = await workflow(engine, makes("it", **DRAW))
        result = await engine.agents.execute(agent, {"what": "x"}, limits=Limits(call_s=0.01))
        assert (result.error_code, result.cost) == ("timeout", None)


@pytest.mark.parametrize("swallow", [True, False])
@pytest.mark.parametrize("at", ["submit", "poll", "fetch"])
async def test_a_cancellation_is_not_lost_in_a_provider(at: str, swallow: bool):
    media = Hanging(at, swallow)
    async with prompts({}, media=[media], clock=Clock()) as (engine, _):
        stream = engine.agents.stream(await workflow(engine, makes("it", **DRAW)), {"what": "x"})
        first = await anext(aiter(stream))
        assert isinstance(first, ExecutionEvent)
        await media.hung.wait()
        await engine.executions.cancel(first.execution_id)
        assert (await stream.result()).status == "cancelled"


# ------------------------------------------------------------------ money


async def test_what_a_job_costs_is_the_run_s():
    replies = [MediaAsset("image/png", PNG, cost=0.04), MediaAsset("image/png", PNG)]
    async with prompts({}, media=[ScriptedMediaProvider(replies)]) as (engine, _):
        agent = await workflow(engine, makes("it", **DRAW))
        known, unknown = [await engine.agents.execute(agent, {"what": "x"}) for _ in range(2)]
        assert (known.cost, unknown.cost) == (0.04, None)
        assert (await spans_of(engine, known))["nodes[it]/media"].cost == 0.04
        assert "0.04 USD" in (await engine.agents.draw(agent, execution_id=known.execution_id)).text


@pytest.mark.parametrize(
    ("price", "most", "made", "code"),
    [
        (0.04, 0.1, 2, "budget_exceeded"),
        (0.04, 0.12, 3, None),
        (None, 0.1, 0, "budget_exceeded"),
        (None, None, 3, None),
    ],
)
async def test_a_job_that_is_not_affordable_is_not_begun(price: float | None, most: float | None, made: int, code: Any):
    media = ScriptedMediaProvider(lambda _: PNG, price=price)
    async with prompts({}, media=[media]) as (engine, _):
        three = makes("it", input_mapping={"prompt": "x"}, map_over="[1, 2, 3]", map_concurrency=1)
        result = await engine.agents.execute(await workflow(engine, three), {}, limits=Limits(max_cost=most))
        assert (len(media.requests), result.error_code) == (made, code or "")


async def test_what_was_reserved_too_much_is_given_back():
    media = ScriptedMediaProvider(lambda _: MediaAsset("image/png", PNG, cost=0.01), price=0.06)
    async with prompts({}, media=[media]) as (engine, _):
        many = makes("it", input_mapping={"prompt": "x"}, map_over="[1, 2, 3, 4]")
        result = await engine.agents.execute(await workflow(engine, many), {}, limits=Limits(max_cost=0.1))
        assert (result.status, len(media.requests), round(result.cost or 0, 6)) == ("completed", 4, 0.04)


async def test_a_job_that_is_refused_takes_nothing_from_the_budget():
    replies = [BadRequestError("no"), PNG]
    nodes = [makes("a", **DRAW), makes("b", "a", join="always", **DRAW)]
    async with prompts({}, media=[ScriptedMediaProvider(replies, price=0.1)]) as (engine, _):
        agent = await workflow(engine, *nodes, failure_policy="settle")
        result = await engine.agents.execute(agent, {"what": "x"}, limits=Limits(max_cost=0.1))
        assert set(result.output) == {"asset", "errors"}


# ------------------------------------------------------------------ definitions


async def test_an_unknown_provider_or_type_is_found_before_the_run():
    speech = ScriptedMediaProvider([], "voice", media_types=["tts", "stt"])
    async with prompts({}, media=[speech]) as (engine, _):
        for provider, said in (
            ("paint", "media provider 'paint', which there is not. There are: voice"),
            ("voice", "stt, tts"),
        ):
            agent = await engine.agents.create(provider, config={"type": "workflow", "nodes": [fields(provider)]})
            with pytest.raises(DefinitionError, match=said):
                await engine.agents.execute(agent.id, {"what": "x"})
        assert (await engine.executions.list()).meta.total == 0


def fields(provider: str) -> dict[str, Any]:
    return {key: value for key, value in vars(makes("it", provider=provider, **DRAW)).items() if value is not None}


def test_providers_have_one_name_each_and_are_some():
    with pytest.raises(ConfigurationError, match="two media providers are named 'scripted'"):
        AsyncEngine(media=[ScriptedMediaProvider([]), ScriptedMediaProvider([])])
    with pytest.raises(ConfigurationError, match="object is no media provider"):
        AsyncEngine(media=[object()])  # type: ignore[list-item] # what is wrong with it


async def test_a_drawing_shows_who_makes_what():
    async with prompts({}, media=[ScriptedMediaProvider([])]) as (engine, _):
        drawn = (await engine.agents.draw(await workflow(engine, makes("it", **DRAW)))).text
        assert 'n0[/"it<br/>image_gen by scripted/small"/]' in drawn.replace("#95;", "_")
