"""What is loaded when, what works without jsonschema-rs, and that nothing is ever fetched."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from promptrails_engine.errors import DefinitionError
from promptrails_engine.schema import compile_schema

ROOT = Path(__file__).resolve().parents[2]


def fresh(program: str) -> Any:
    """What a new interpreter prints, as JSON."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_neither_library_is_loaded_before_it_is_needed() -> None:
    assert fresh(
        "import sys, json, promptrails_engine, promptrails_engine.schema as s\n"
        "first = sorted(m for m in sys.modules if m.startswith('jsonschema'))\n"
        "s.extract_json('{}'); s.parse_arguments('{}')\n"
        "then = sorted(m for m in sys.modules if m.startswith('jsonschema'))\n"
        "v = s.compile_schema({'type': 'integer'}); v.is_valid(1)\n"
        "print(json.dumps([first, then, 'jsonschema' in sys.modules, 'jsonschema_rs' in sys.modules]))"
    ) == [[], [], False, True]


HIDDEN = """
import sys, json
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name == "jsonschema_rs":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hide())
from promptrails_engine.schema import compile_schema, check_input
from promptrails_engine.errors import DefinitionError, PromptRailsError
"""


def test_everything_works_without_the_fast_library() -> None:
    out = fresh(
        HIDDEN
        + """
schema = {"type": "object", "properties": {
    "a": {"type": "integer", "minimum": 2}, "b": {"default": 1}, "slug": {"pattern": "^[a-z0-9]+(?:-[a-z0-9]+)*$"}}}
v = compile_schema(schema)
deep = 1
for _ in range(50000): deep = [deep]
print(json.dumps([
    v.is_valid({"a": 2}), v.is_valid({"a": 1}), v.is_valid({"a": deep}), v.is_valid({"a": float("nan")}),
    [[x.pointer, x.message] for x in v.violations({"a": "x", "slug": "A"})],
    check_input(v, {"a": 3}), v.is_valid({"slug": "a-b-c"}), v.is_valid({"slug": "x" * 100000}),
    "jsonschema_rs" in sys.modules]))
"""
    )
    assert out == [
        True, False, False, False, [["/a", "must be an integer"],
        ["/slug", 'must match the pattern "^[a-z0-9]+(?:-[a-z0-9]+)*$"']],
        {"a": 3, "b": 1}, True, False, False,
    ]  # fmt: skip


COMMON = [
    r"^[\w.+-]+@[\w-]+(\.[\w-]+)+$", r"^(\d{1,3}\.){3}\d{1,3}$", r"^[a-z0-9]+(?:-[a-z0-9]+)*$", r"^\d{4}-\d\d-\d\d$",
    r"^#?([a-fA-F0-9]{6}|[a-fA-F0-9]{3})$", r"^https?://", r"^([a-z]+,)*[a-z]+$", r"^(?=.*[A-Z])(?=.*\d).{8,}$",
    r"^\+?[1-9]\d{1,14}$", r"^(foo|bar)$", r"^[^@\s]+@[^@\s]+$", r"^.*$", r"^(?:[A-Z]{2}\d{2})+$",
]  # fmt: skip
ENDLESS = [r"^(a+)+$", r"(?:ab|a|b)*c", r"^(.*)*$", r"(x+x+)+y", r"^(a+)+\1$", r"^([a-z]+\w*)*$", r"(\s*a*)*$"]


def test_patterns_without_the_fast_library() -> None:
    out = fresh(
        HIDDEN
        + f"common, endless = {COMMON!r}, {ENDLESS!r}\n"
        + """
def accepted(pattern):
    try:
        compile_schema({"pattern": pattern})
    except DefinitionError:
        return False
    return True
print(json.dumps([[p for p in common if not accepted(p)], [p for p in endless if accepted(p)]]))
"""
    )
    assert out == [[], []]


@pytest.mark.parametrize("pattern", COMMON + [p for p in ENDLESS if "\\1" not in p])
def test_patterns_with_it(pattern: str) -> None:
    assert isinstance(compile_schema({"pattern": pattern}).is_valid("a" * 3_000 + "!"), bool)


def test_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def refuse(*args: Any, **kwargs: Any) -> Any:
        asked.append(args)
        raise OSError("no network here")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    local = tmp_path / "local.json"
    local.write_text('{"type": "integer"}')
    for reference in ("http://example.com/x.json", "https://example.com#/a", local.as_uri(), str(local), "local.json",
                      "//example.com/x", "urn:x:y", "json-schema:///x", ""):  # fmt: skip
        for word in ("$ref", "$dynamicRef"):
            with pytest.raises(DefinitionError, match="nothing is fetched"):
                compile_schema({"properties": {"a": {word: reference}}})
    with pytest.raises(DefinitionError):
        compile_schema({"$schema": local.as_uri()})
    # A base address at the top does not turn local references into remote ones.
    validator = compile_schema({
        "$id": "http://example.com/base.json", "$defs": {"n": {"type": "integer"}}, "$ref": "#/$defs/n",
    })  # fmt: skip
    assert validator.is_valid(1)
    assert validator.violations("x")
    assert asked == []
