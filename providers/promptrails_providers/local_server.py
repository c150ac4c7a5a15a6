"""One model held in this process by llama.cpp (package xllamacpp), and its generations on threads.

xllamacpp always opens a listener beside its calls.  Nobody needs it: it is put on a Unix socket in a private folder
that is removed at once, or, where there are none, on a loopback port behind a random key.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import shutil
import socket
import tempfile
import threading
from collections.abc import AsyncGenerator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from promptrails_engine.errors import ConfigurationError
from promptrails_engine.require import require
from promptrails_providers.local_weights import check_file

_log = logging.getLogger(__name__)
_SLOT_STEP = 256
"""llama.cpp rounds the window of a slot up to a multiple of this."""
_UNLOADED = "the model was unloaded"
_SILENT = -1
_VERBOSE = 3


@dataclass(frozen=True, slots=True)
class LocalOptions:
    """How a model is held: see `LocalModelProvider`."""

    n_ctx: int
    n_parallel: int
    n_threads: int
    n_batch: int
    seed: int
    cache_prompt: bool

    @property
    def slot_window(self) -> int:
        """Tokens of prompt and answer together that one call has."""
        return -(-self.n_ctx // (self.n_parallel * _SLOT_STEP)) * _SLOT_STEP


class _Job:
    """One generation: hands pieces from its thread to the loop that waits for them."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.pieces: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.stopped = False

    def put(self, piece: bytes | Exception | None) -> None:
        try:
            self._loop.call_soon_threadsafe(self.pieces.put_nowait, piece)
        except RuntimeError:  # the loop is closed, nobody waits any more
            self.stopped = True


class LocalServer:
    """Loads the weights at the first call, once, and runs `n_parallel` generations at a time; safe to share."""

    def __init__(self, path: Path, options: LocalOptions) -> None:
        self._path = path
        self._options = options
        self._lock = threading.Lock()
        self._server: Any = None
        self._jobs: set[_Job] = set()
        self._closed = False
        self._threads = ThreadPoolExecutor(options.n_parallel, thread_name_prefix="promptrails-local")

    async def load(self) -> None:
        """Load the weights on a thread, if they are not.

        Raises:
            ConfigurationError: they cannot be used.
        """
        await asyncio.wrap_future(self._threads.submit(self._loaded))

    async def chat(self, body: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The chunks of a chat completion, in OpenAI's format; ending it early stops the generation.

        Raises:
            ConfigurationError: the weights cannot be used.
            ValueError, RuntimeError: llama.cpp refused the request.
        """
        data = json.dumps({**body, "cache_prompt": self._options.cache_prompt}, ensure_ascii=False)
        job = _Job()
        self._jobs.add(job)
        future = self._threads.submit(self._run, job, data.encode("utf-8", "replace"))
        try:
            while (piece := await job.pieces.get()) is not None:
                if isinstance(piece, Exception):
                    raise piece
                yield json.loads(piece)
        finally:
            job.stopped = True
            future.cancel()  # one that waits for a slot never starts
            self._jobs.discard(job)

    def close(self) -> None:
        """Stop what runs, wait for its end and free the model.  Blocks."""
        self._closed = True
        for job in list(self._jobs):
            job.stopped = True
        self._threads.shutdown(wait=True, cancel_futures=True)
        for job in list(self._jobs):
            job.put(RuntimeError(_UNLOADED))
        with self._lock:
            self._server = None

    # -------------------------------------------------------------- on a thread

    def _run(self, job: _Job, data: bytes) -> None:
        def on_chunk(chunk: bytes) -> bool:
            if not job.stopped:
                job.put(chunk)
            return job.stopped  # true ends the generation

        try:
            self._loaded().handle_chat_completions(data, on_chunk)
        except Exception as exc:
            job.put(exc)
        else:
            job.put(RuntimeError(_UNLOADED) if self._closed else None)

    def _loaded(self) -> Any:
        with self._lock:
            if self._closed:
                raise RuntimeError(_UNLOADED)
            if self._server is None:
                self._server = _start(self._path, self._options)
            return self._server


def _start(path: Path, options: LocalOptions) -> Any:
    check_file(path)
    module: Any = require("xllamacpp", extra="local", feature="LocalModelProvider")
    folder = Path(tempfile.mkdtemp(prefix="promptrails-")) if hasattr(socket, "AF_UNIX") else None
    params = module.CommonParams()
    params.model.path = str(path)
    params.model_alias = {path.stem}
    params.n_ctx = options.slot_window * options.n_parallel
    params.n_parallel = options.n_parallel
    params.n_batch = params.n_ubatch = options.n_batch
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options.n_threads
    params.fit_params = False  # sizes are given; measuring free memory doubles the time of loading
    params.warmup = False
    params.offline = True
    params.cache_ram_mib = 0
    params.sampling.seed = options.seed
    params.verbosity = _VERBOSE if _log.isEnabledFor(logging.DEBUG) else _SILENT
    params.ui = False
    params.endpoint_slots = False
    params.n_threads_http = 1
    params.port = 0
    params.api_keys = [secrets.token_urlsafe(32)]
    params.hostnames = ["127.0.0.1"] if folder is None else [str(folder / "s.sock")]
    try:
        return module.Server(params)
    except RuntimeError:
        pass
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
    raise ConfigurationError(
        f"llama.cpp cannot load the weights '{path}': they are damaged, of a kind it does not know, or do not fit into "
        f"memory with a window of {options.slot_window} tokens for each of {options.n_parallel} calls. Switch on debug "
        f"logging of '{__name__}' for its own words."
    )
