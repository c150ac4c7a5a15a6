"""The scripted media provider: a good adapter of the port, and a script that is kept."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from promptrails_engine.errors import BadRequestError
from promptrails_engine.ports.media import MediaAsset, MediaProvider, MediaRequest
from promptrails_engine.testing import MediaConformance, MediaReply, ScriptedMediaProvider, ScriptError

FAILS = "fail"


def reply(request: MediaRequest) -> Any:
    return MediaReply(failure="no paint left") if request.prompt == FAILS else MediaReply(b"a picture", polls=2)


class TestPictures(MediaConformance):
    def make(self) -> MediaProvider:
        return ScriptedMediaProvider(reply, price=0.04)

    def request(self) -> MediaRequest:
        return MediaRequest("small", "image_gen", "A kettle.", options={"size": "1x1"})

    def failing_request(self) -> MediaRequest:
        return MediaRequest("small", "image_gen", FAILS)


class TestTranscripts(MediaConformance):
    def make(self) -> MediaProvider:
        return ScriptedMediaProvider(lambda _: "what was said")

    def request(self) -> MediaRequest:
        return MediaRequest("small", "stt", input_url="https://example.com/a.mp3")

    def failing_request(self) -> MediaRequest | None:
        return None


async def test_calls_and_script_have_to_match():
    provider = ScriptedMediaProvider([b"one", MediaAsset("image/png", url="https://example.com/two.png"), b"three"])
    request = MediaRequest("m", "image_gen", "x")
    jobs = [await provider.submit(request) for _ in range(2)]
    assert (await provider.fetch(jobs[1])).url == "https://example.com/two.png"
    with pytest.raises(ScriptError, match="1 scripted media replies were never asked for"):
        await provider.aclose()
    await provider.submit(request)
    await provider.aclose()
    with pytest.raises(BadRequestError, match="no reply left"):
        await provider.submit(request)
    with pytest.raises(ScriptError, match=r"1 media job\(s\) came after"):
        await provider.aclose()


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        ({"name": "a/b"}, "test_it_is_a_media_provider"),
        ({"name": "", "media_types": []}, "test_it_is_a_media_provider"),
        ({"price": -1.0}, "test_a_price_is_unknown_or_no_less_than_nothing"),
        ({"replies": lambda _: MediaAsset("image/png")}, "test_a_job_comes_to_an_asset"),
        ({"replies": lambda _: MediaAsset("picture", b"x")}, "test_a_job_comes_to_an_asset"),
        ({"replies": lambda _: b"never fails"}, "test_a_job_that_fails_says_why"),
        ({"replies": lambda _: MediaReply(polls=None)}, "test_the_request_is_left_as_it_was"),
    ],
)
def test_a_broken_adapter_does_not_pass(broken: dict[str, Any], test: str):
    class Suite(TestPictures):
        def make(self) -> MediaProvider:
            return ScriptedMediaProvider(**{"replies": reply, **broken})

    with pytest.raises(AssertionError):
        getattr(Suite(), test)()
    assert asyncio.run(ScriptedMediaProvider([]).aclose()) is None
