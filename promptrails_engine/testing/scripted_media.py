"""A media provider that answers from a script: for tests, with no key, no network and no waiting of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from promptrails_engine.errors import BadRequestError, NotFoundError
from promptrails_engine.ports.media import MEDIA_TYPES, MediaAsset, MediaJob, MediaRequest, MediaStatus, MediaType
from promptrails_engine.testing.scripted import ScriptError

_CONTENT_TYPES: dict[MediaType, str] = {
    "tts": "audio/mpeg",
    "stt": "text/plain",
    "image_gen": "image/png",
    "image_edit": "image/png",
    "video_gen": "video/mp4",
    "video_from_image": "video/mp4",
}


@dataclass(frozen=True, slots=True)
class MediaReply:
    """One scripted job.

    Attributes:
        asset: what it makes: bytes or a text, of the type that the request implies, or a whole MediaAsset.
        polls: how often it is found running; None is for ever.  With 0 it is done when it is submitted.
        failure: why it fails, in place of making something.
        error: raised when it is submitted.
        poll_errors: raised one after another when it is looked at, before anything else is said.
    """

    asset: MediaAsset | bytes | str = b"asset"
    polls: int | None = 0
    failure: str = ""
    error: Exception | None = None
    poll_errors: tuple[Exception, ...] = ()


AnyMediaReply = MediaReply | MediaAsset | bytes | str | Exception


@dataclass(slots=True)
class _Job:
    reply: MediaReply
    looks: int = 0


class ScriptedMediaProvider:
    """Serves every media model `<name>/...` from a list of replies, one a job, or from a function of the request.

    A reply is bytes, a text, a `MediaAsset`, a `MediaReply`, or an exception to raise.  A job beyond the list fails the
    run; closing the provider raises ScriptError for it, and for replies that nobody asked for.  `requests` holds what
    was received, `polls` how often a job was looked at.
    """

    def __init__(
        self,
        replies: Iterable[AnyMediaReply] | Callable[[MediaRequest], AnyMediaReply],
        name: str = "scripted",
        *,
        media_types: Collection[MediaType] = MEDIA_TYPES,
        price: float | None = None,
    ) -> None:
        self.name = name
        self.media_types = media_types
        self.requests: list[MediaRequest] = []
        self.polls = 0
        self._price = price
        self._function = replies if callable(replies) else None
        self._replies: list[AnyMediaReply] = [] if callable(replies) else list(replies)
        self._unexpected = 0
        self._jobs: dict[str, _Job] = {}

    def price(self, request: MediaRequest) -> float | None:
        """Whatever the provider was made with."""
        return self._price

    async def submit(self, request: MediaRequest) -> MediaJob:
        """The next job of the script."""
        self.requests.append(request)
        reply = _as_reply(self._choose(request))
        if reply.error is not None:
            raise reply.error
        id = f"job_{len(self.requests)}"
        self._jobs[id] = _Job(reply)
        return MediaJob(id, request, done=not (reply.polls != 0 or reply.failure or reply.poll_errors))

    async def poll(self, job: MediaJob) -> MediaStatus:
        """How the script says it is doing."""
        self.polls += 1
        found = self._job(job)
        found.looks += 1
        reply = found.reply
        if found.looks <= len(reply.poll_errors):
            raise reply.poll_errors[found.looks - 1]
        if reply.polls is None or found.looks - len(reply.poll_errors) <= reply.polls:
            return MediaStatus("running")
        return MediaStatus("failed", reply.failure) if reply.failure else MediaStatus("done")

    async def fetch(self, job: MediaJob) -> MediaAsset:
        """What the script says it made."""
        made = self._job(job).reply.asset
        if isinstance(made, MediaAsset):
            return made
        data = made.encode() if isinstance(made, str) else made
        return MediaAsset(_CONTENT_TYPES[job.request.media_type], data, cost=self._price)

    def assert_done(self) -> None:
        """Check that every reply was used, and none was missing.

        Raises:
            ScriptError: otherwise.
        """
        if self._unexpected:
            raise ScriptError(f"{self._unexpected} media job(s) came after the scripted replies were used up")
        if self._replies:
            raise ScriptError(f"{len(self._replies)} scripted media replies were never asked for")

    async def aclose(self) -> None:
        """As `assert_done`."""
        self.assert_done()

    def _choose(self, request: MediaRequest) -> AnyMediaReply:
        if self._function is not None:
            return self._function(request)
        if not self._replies:
            self._unexpected += 1
            raise BadRequestError(f"the script has no reply left for this job; its prompt is: {request.prompt!r}")
        return self._replies.pop(0)

    def _job(self, job: MediaJob) -> _Job:
        found = self._jobs.get(job.id)
        if found is None:
            raise NotFoundError(f"there is no job '{job.id}'")
        return found


def _as_reply(reply: AnyMediaReply) -> MediaReply:
    if isinstance(reply, MediaReply):
        return reply
    return MediaReply(error=reply) if isinstance(reply, Exception) else MediaReply(reply)
