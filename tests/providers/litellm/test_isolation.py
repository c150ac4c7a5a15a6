"""What is loaded when, in fresh interpreters; and names and capabilities, which need no litellm at all."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from promptrails_engine.errors import MissingExtraError, ModelNotServedError
from promptrails_engine.ports.provider import ModelCapabilities
from promptrails_providers import litellm_provider
from promptrails_providers.litellm_names import PROVIDER_PREFIXES
from promptrails_providers.litellm_provider import LiteLLMProvider, create
from tests.providers.litellm.calls import KEY, SDK, attempt, closing, collect, make, request
from tests.providers.loopback import LoopbackServer
from tests.providers.replies import chat

ROOT = Path(__file__).resolve().parents[3]

_PRELUDE = """
import asyncio, logging, socket, sys

HEAVY = ("litellm", "openai", "httpx", "aiohttp", "tokenizers", "tiktoken")
asked = []

def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        host = args[1][0] if event == "socket.connect" else args[0]
        if host not in ("127.0.0.1", None, ""):
            asked.append((event, host))

sys.addaudithook(refuse)
from promptrails_engine.ports.provider import Message, ModelRequest
from promptrails_providers.litellm_provider import LiteLLMProvider
"""


def run(script: str, **environment: str) -> str:
    names = ("LITELLM_LOCAL_MODEL_COST_MAP", "OPENAI_API_KEY")
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    path = os.pathsep.join([str(ROOT), str(ROOT / "providers")])
    done = subprocess.run(
        [sys.executable, "-c", _PRELUDE + script],
        env={**inherited, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.once
def test_litellm_comes_late_on_a_thread_and_calls_reach_the_given_address_alone(server: LoopbackServer) -> None:
    server.script(chat())
    printed = run(
        f"""
import threading
from importlib.machinery import PathFinder

main_thread = threading.current_thread()
importers = set()

class Spy:
    def find_spec(self, name, path=None, target=None):
        if name != "litellm":
            return None
        spec = PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module

        def noted(module):
            importers.add(threading.current_thread())
            execute(module)

        spec.loader.exec_module = noted
        return spec

sys.meta_path.insert(0, Spy())

# Capabilities load nothing.
provider = LiteLLMProvider(api_key="k" * 12, api_base={server.url!r})
assert provider.capabilities("openai/gpt-4o").context_window == 128000
repr(provider)
loaded = [name for name in HEAVY if name in sys.modules]
assert not loaded, loaded

async def main():
    # It is imported on a thread, and its first call is quick.
    await provider.warm_up()
    before = set(sys.modules)
    async for _ in provider.stream(ModelRequest("openai/m", [Message("user", "hi")])):
        pass
    new = [name for name in set(sys.modules) - before if name.startswith(("litellm", "openai"))]
    assert len(new) < 20, new
    try:
        async for _ in provider.stream(ModelRequest("gemini/m", [Message("user", "hi")])):
            pass
    except Exception:
        pass
    await provider.aclose()

asyncio.run(main())
assert importers and main_thread not in importers, importers
assert not asked, asked

# It has no say about the application.
import litellm, os
assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "True"
assert litellm.suppress_debug_info
lists = (litellm.callbacks, litellm.success_callback, litellm.failure_callback, litellm.input_callback)
assert set().union(*lists) <= {{"cache"}}, lists  # its own answer cache, which is off
assert litellm.cache is None
assert not any(logging.getLogger(name).handlers for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"))
"""
    )
    assert printed == ""
    assert len(server.requests) == 2


@pytest.mark.once
def test_calls_with_tools_need_no_package_mcp_and_the_applications_own_settings_stay(server: LoopbackServer) -> None:
    server.script(chat("", tool_calls=[("c1", "f", "{}")]))
    run(
        f"""
import os
from promptrails_engine.ports.provider import Finish, ToolSpec

sys.modules["mcp"] = None  # an import of it fails
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
import litellm  # by the application, before the provider

handlers = list(logging.getLogger("LiteLLM").handlers)
assert handlers

async def main():
    provider = LiteLLMProvider(api_key="k" * 12, api_base={server.url!r})
    await provider.warm_up()
    assert logging.getLogger("LiteLLM").handlers == handlers
    tools = [ToolSpec("f", "", {{"type": "object", "properties": {{}}}})]
    for model in ("openai/m", "hosted_vllm/m"):
        asked = ModelRequest(model, [Message("user", "hi")], tools=tools)
        deltas = [delta async for delta in provider.stream(asked)]
        assert deltas[-1] == Finish("tool_calls"), deltas
    await provider.aclose()

asyncio.run(main())
assert logging.getLogger("LiteLLM").handlers == handlers
"""
    )
    assert len(server.requests) == 2


# ------------------------------------------------------------------ names and capabilities


@pytest.mark.parametrize("model", ["nobody/m", "gpt-4o", "", "/", "openai/", "OpenAI/gpt-4o"])
async def test_names_that_are_not_served(model: str) -> None:
    provider = LiteLLMProvider(api_key=KEY)
    with pytest.raises(ModelNotServedError):
        provider.capabilities(model)
    _, failure = await attempt(provider, request(model))
    assert isinstance(failure, ModelNotServedError)


def test_capabilities_come_from_the_table() -> None:
    provider = LiteLLMProvider()
    known = provider.capabilities("anthropic/claude-sonnet-4-5")
    assert (known.tools, known.json_schema, known.context_window) == ("native", "native", 200_000)
    assert provider.capabilities("openai/gpt-3.5-turbo").json_schema == "emulated"
    assert provider.capabilities("ollama_chat/anything") == ModelCapabilities(tools="native", json_schema="emulated")
    own = ModelCapabilities(tools="none", json_schema="none", context_window=5)
    assert LiteLLMProvider(capabilities=own).capabilities("openai/gpt-4o") is own


async def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(litellm_provider, "installed", _nothing_installed)
    provider = LiteLLMProvider(api_key=KEY)
    with pytest.raises(MissingExtraError, match=r"pip install 'promptrails-engine\[litellm\]'"):
        provider.capabilities("openai/gpt-4o")
    _, failure = await attempt(provider, request())
    assert isinstance(failure, MissingExtraError)


async def test_every_chat_provider_of_litellm_has_its_prefix() -> None:
    await LiteLLMProvider().warm_up()
    litellm = sys.modules["litellm"]
    left_out = {"custom", "auto_router", "dotprompt", "humanloop", "langfuse", "litellm_agent", "a2a_agent"}
    known = {str(getattr(name, "value", name)) for name in litellm.provider_list}
    media_only = known - PROVIDER_PREFIXES - left_out
    chat_modes = {"chat", "responses", "completion"}
    serving_chat = {
        facts["litellm_provider"].split("-")[0]
        for facts in litellm.model_cost.values()
        if facts.get("mode") in chat_modes and "litellm_provider" in facts
    }
    assert not media_only & serving_chat


def test_the_factory_of_the_entry_point() -> None:
    assert create("litellm").name == "litellm"
    assert create("other").name == "other"


# ------------------------------------------------------------------ several loops, several calls


def test_one_provider_in_loops_one_after_the_other(server: LoopbackServer) -> None:
    server.script(chat())
    provider = make(server)
    for _ in range(3):
        assert asyncio.run(collect(provider, request()))[-1]


@pytest.mark.once
async def test_many_calls_at_once_leave_no_task_behind(server: LoopbackServer) -> None:
    server.script(chat())
    before = asyncio.all_tasks()
    async with closing(make(server)) as provider:
        answers = await asyncio.gather(*(_count(provider) for _ in range(20)))
    assert set(answers) == {answers[0]}
    gc.collect()
    for _ in range(10):  # generators that the OpenAI client leaves half read are closed by tasks of the loop
        left = asyncio.all_tasks() - before
        if not left:
            break
        await asyncio.wait(left, timeout=10)
    assert not asyncio.all_tasks() - before


def _nothing_installed(module: str) -> bool:
    return False


async def _count(provider: LiteLLMProvider) -> int:
    return len([delta async for delta in provider.stream(request(SDK))])
