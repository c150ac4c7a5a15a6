"""The tests that every media provider must pass.

Subclass it in a test module and run it with pytest (or call the `test_*` methods):

    class TestMyMedia(MediaConformance):
        def make(self) -> MediaProvider:
            return MyMedia(...)

        def request(self) -> MediaRequest:
            return MediaRequest("small", "tts", "Hello.")

They need a service that answers, a real one or a local server that plays one.
"""

from __future__ import annotations

import asyncio
import copy
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TypeVar
from unittest import SkipTest

from promptrails_engine.errors import PromptRailsError
from promptrails_engine.ports.media import MAX_POLLS, MEDIA_TYPES, MediaAsset, MediaJob, MediaProvider, MediaRequest

T = TypeVar("T")


class MediaConformance(ABC):
    """What the port promises: jobs that come to an end, assets that say what they are, errors of the tree."""

    secret: str = ""
    """The credential that `make` gives the provider, to be searched for in what it shows."""
    poll_interval_s: float = 0.0
    """Seconds between two looks at a job; a real service wants some."""
    unknown_job: str | None = "no-such-job-3f9a"
    """The id of a job that it does not know; None where it takes any."""

    @abstractmethod
    def make(self) -> MediaProvider:
        """A provider, ready for jobs."""

    @abstractmethod
    def request(self) -> MediaRequest:
        """A job that it can do."""

    def failing_request(self) -> MediaRequest | None:
        """A job that it refuses, or that fails; None where there is none."""
        return None

    # -------------------------------------------------------------- the tests

    def test_it_is_a_media_provider(self) -> None:
        provider = self.make()
        assert isinstance(provider, MediaProvider), "it lacks a member of the MediaProvider protocol"
        assert provider.name, "the name is empty"
        assert "/" not in provider.name, "the name is the part of model names before the first slash"
        assert provider.media_types, "it makes nothing"
        assert set(provider.media_types) <= set(MEDIA_TYPES), "a media type that there is not"
        assert self.request().media_type in provider.media_types

    def test_a_price_is_unknown_or_no_less_than_nothing(self) -> None:
        price = self.make().price(self.request())
        assert price is None or price >= 0

    def test_a_job_comes_to_an_asset(self) -> None:
        asset = self._run(lambda provider: self._made(provider, self.request()))
        assert isinstance(asset, MediaAsset)
        assert asset.content_type.count("/") == 1, "the content type is no MIME type"
        assert asset.data or asset.url, "an asset needs bytes or an address"
        assert asset.cost is None or asset.cost >= 0
        if self.request().media_type == "stt":
            assert asset.content_type.startswith("text/"), "what was said is text"
            assert (asset.data or b"").decode(), "a transcript comes as bytes"

    def test_the_request_is_left_as_it_was(self) -> None:
        request = self.request()
        before = copy.deepcopy(request)
        self._run(lambda provider: self._made(provider, request))
        assert request == before

    def test_a_job_that_fails_says_why(self) -> None:
        request = self.failing_request()
        if request is None:
            raise SkipTest("the suite knows no job that fails")
        failure = self._failure(request)
        assert failure is not None, "the job did not fail"
        assert str(failure), "the error says nothing"
        said = f"{failure} {failure!r} {failure.__cause__!r}"
        assert not self.secret or self.secret not in said, "the error shows the credential"

    def test_a_job_that_it_does_not_know_is_an_error_of_the_tree(self) -> None:
        unknown = self.unknown_job
        if unknown is None:
            raise SkipTest("it takes any id")
        job = MediaJob(unknown, self.request())
        try:
            self._run(lambda provider: provider.poll(job))
        except PromptRailsError:
            return
        raise AssertionError("it said how a job is doing that there is not")

    def test_jobs_may_run_at_once(self) -> None:
        async def both(provider: MediaProvider) -> list[MediaJob]:
            jobs = list(await asyncio.gather(provider.submit(self.request()), provider.submit(self.request())))
            for asset in await asyncio.gather(*(self._end(provider, job) for job in jobs)):
                assert asset.data or asset.url
            return jobs

        first, second = self._run(both)
        assert first.id != second.id, "two jobs with one id"

    def test_it_works_on_one_event_loop_after_another(self) -> None:
        provider = self.make()
        for _ in range(2):
            asyncio.run(self._made(provider, self.request()))
        asyncio.run(provider.aclose())

    def test_it_does_not_show_its_credential(self) -> None:
        if not self.secret:
            raise SkipTest("the suite knows no credential")
        provider = self.make()
        assert self.secret not in f"{provider!r} {vars(provider)!r}"

    def test_it_may_be_closed_twice(self) -> None:
        async def twice(provider: MediaProvider) -> None:
            await provider.aclose()

        self._run(twice)

    # -------------------------------------------------------------- helpers

    def _failure(self, request: MediaRequest) -> Exception | None:
        try:
            self._run(lambda provider: self._made(provider, request))
        except (PromptRailsError, _JobFailedError) as error:
            return error
        return None

    async def _made(self, provider: MediaProvider, request: MediaRequest) -> MediaAsset:
        return await self._end(provider, await provider.submit(request))

    async def _end(self, provider: MediaProvider, job: MediaJob) -> MediaAsset:
        assert job.id, "a job needs an id"
        state = "done" if job.done else "running"
        for _ in range(MAX_POLLS):
            if state != "running":
                break
            await asyncio.sleep(self.poll_interval_s)
            status = await provider.poll(job)
            state = status.state
            if state == "failed":
                raise _JobFailedError(status.error)
        assert state == "done", f"after {MAX_POLLS} looks the job is {state}"
        return await provider.fetch(job)

    def _run(self, work: Callable[[MediaProvider], Awaitable[T]]) -> T:
        """What `work` comes to with a new provider, on an event loop of its own."""
        provider = self.make()

        async def run() -> T:
            try:
                return await work(provider)
            finally:
                await provider.aclose()

        return asyncio.run(run())


class _JobFailedError(Exception):
    """The status of a job said that it failed."""
