"""The media port: an adapter that makes speech, images and videos, or text of speech.

A job is submitted, looked at until it is over, and its asset fetched.  An adapter owes:

* jobs that are over already when `submit` returns, where the service answers at once (`MediaJob.done`);
* errors of `promptrails_engine.errors` and no others, with no credential in their texts;
* no retries, no waiting for a job and no deadline of its own: the engine has them;
* that cancelling the task which calls it closes the connection.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args, runtime_checkable

MediaType = Literal["tts", "stt", "image_gen", "image_edit", "video_gen", "video_from_image"]
MEDIA_TYPES: tuple[MediaType, ...] = get_args(MediaType)
MediaState = Literal["running", "done", "failed"]

POLL_INTERVAL_S = 10.0
"""Seconds between two looks at a job."""
MAX_POLLS = 60
"""How often a job is looked at before it is given up."""


@dataclass(frozen=True, slots=True)
class MediaRequest:
    """What is to be made."""

    model: str
    """The model's name at the provider, without the provider's prefix."""
    media_type: MediaType
    prompt: str | None = None
    """What to say (tts), to show (images, videos) or to expect (stt)."""
    input_url: str | None = None
    """What it is made from: the speech of stt, the image of image_edit and video_from_image.  May be a data URL."""
    options: Mapping[str, Any] = field(default_factory=lambda: {})
    """Further parameters, such as voice or size, passed on under their own names."""


@dataclass(frozen=True, slots=True)
class MediaJob:
    """A job that was taken on."""

    id: str
    request: MediaRequest
    done: bool = False
    """Whether its asset can be fetched already."""


@dataclass(frozen=True, slots=True)
class MediaStatus:
    """How a job is doing."""

    state: MediaState
    error: str = ""
    """Why it failed."""


@dataclass(frozen=True, slots=True)
class MediaAsset:
    """What a job made, as bytes or at an address, or both."""

    content_type: str
    """Its MIME type, such as `image/png`; that of a transcript is `text/plain`, its bytes UTF-8."""
    data: bytes | None = field(default=None, repr=False)
    url: str | None = None
    cost: float | None = None
    """USD of the whole job; None where it is unknown."""


@runtime_checkable
class MediaProvider(Protocol):
    """Serves every media model `<name>/...`."""

    @property
    def name(self) -> str:
        """The prefix of the models that it serves."""
        ...

    @property
    def media_types(self) -> Collection[str]:
        """What it can make: some of `MEDIA_TYPES`."""
        ...

    def price(self, request: MediaRequest) -> float | None:
        """The most that the job can cost, in USD; None where it is unknown.  Must not do I/O, and raises nothing."""
        ...

    def submit(self, request: MediaRequest) -> Awaitable[MediaJob]:
        """Begin a job.

        Raises:
            RateLimitError, AuthError, QuotaExceededError, ForbiddenError, ModelNotFoundError, BadRequestError,
            ContentFilteredError, ProviderUnavailableError, ProviderProtocolError, ResponseTooLargeError,
            ProviderTimeoutError.
        """
        ...

    def poll(self, job: MediaJob) -> Awaitable[MediaStatus]:
        """How the job is doing; a failed one is a status, not an error.

        Raises:
            as `submit`; NotFoundError: there is no such job.
        """
        ...

    def fetch(self, job: MediaJob) -> Awaitable[MediaAsset]:
        """What a job that is done has made.

        Raises:
            as `poll`.
        """
        ...

    async def aclose(self) -> None:
        """Close connections.  May be called twice."""
        ...
