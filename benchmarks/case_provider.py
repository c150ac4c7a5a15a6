"""The OpenAI-compatible provider, against the bare HTTP client that it uses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from harness import Contender, Row, Size, cpu_row, in_turns

from promptrails_engine import Message, ModelRequest, TextDelta
from promptrails_providers.openai_compatible import OpenAICompatibleProvider

PIECES = 300
PROMPT = "Say a word, three hundred times."


async def provider_chunk(size: Size) -> list[Row]:
    """A streamed answer over loopback, one piece a packet; the server is a process of its own."""
    with server() as url:
        provider = OpenAICompatibleProvider("bench", f"{url}/v1", "key")
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            expected = "word " * PIECES

            async def ours_once(i: int) -> str:
                request = ModelRequest("bench", [Message("user", PROMPT)])
                return "".join([d.text async for d in provider.stream(request) if isinstance(d, TextDelta)])

            async def floor_once(i: int) -> str:
                return await bare(client, f"{url}/v1/chat/completions")

            ours = Contender("ours", ours_once, lambda i: expected)
            floor = Contender("floor", floor_once, lambda i: expected)
            await in_turns([floor, ours], size, warm=3)
        await provider.aclose()
    return [
        cpu_row(
            "chunk of the OpenAI-compatible provider", floor, ours, per=PIECES, note="the floor is a bare httpx loop"
        )
    ]


async def bare(client: httpx.AsyncClient, url: str) -> str:
    body = {"model": "bench", "messages": [{"role": "user", "content": PROMPT}], "stream": True}
    pieces: list[str] = []
    async with client.stream("POST", url, json=body) as response:
        async for line in response.aiter_lines():
            if line.startswith("data: ") and line != "data: [DONE]":
                delta: dict[str, Any] = json.loads(line[6:])["choices"][0]["delta"]
                if "content" in delta:
                    pieces.append(delta["content"])
    return "".join(pieces)


@contextmanager
def server() -> Iterator[str]:
    """The base URL of a running server."""
    script = Path(__file__).with_name("sse_server.py")
    command = [sys.executable, str(script), str(PIECES)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.stdin.close()
