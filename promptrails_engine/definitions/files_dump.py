"""JSON data as YAML or JSON text that people like to read and edit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from promptrails_engine.definitions.files_yaml import plain_value

_WIDE = 1_000_000
_TEXT = "tag:yaml.org,2002:str"
_NEVER_BLOCK = re.compile(r"[ \t](\n|\Z)|\A[ \n\t]")


def block_safe(text: str) -> bool:
    """Whether the text can stand line by line in a YAML block scalar."""
    return all(char in "\n\t" or char.isprintable() for char in text) and not _NEVER_BLOCK.search(text)


def file_safe(text: str) -> bool:
    """Whether a template file gives the text back: no line ends that a checkout may turn, no mark at its start."""
    return "\r\n" not in text and not text.startswith("\ufeff")


def dump_json(data: Mapping[str, Any]) -> str:
    """Indented JSON that ends with a line feed."""
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def dump_yaml(data: Mapping[str, Any], *, quote_all: bool = False) -> str:
    """YAML in the given order of keys, several lines in block scalars; `quote_all` puts every text in quotes."""
    dumper = _Quoting if quote_all else _Dumper
    text: str = yaml.dump(
        dict(data), Dumper=dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=_WIDE
    )
    return text


class _Dumper(yaml.SafeDumper):
    """Writes what `files_yaml` reads."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


class _Quoting(_Dumper):
    """As `_Dumper`, with every text in double quotes."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = None
    if "\n" in text and block_safe(text):
        style = "|"
    elif not text.isprintable() or _means_something(text):
        style = '"'
    return yaml.ScalarNode(_TEXT, text, style=style)


def _represent_quoted(dumper: _Quoting, text: str) -> yaml.ScalarNode:
    return yaml.ScalarNode(_TEXT, text, style='"')


def _means_something(text: str) -> bool:
    """Whether the text, written plainly, would be read as something else than text."""
    try:
        return plain_value(text) is not text
    except ValueError:
        return True


_Dumper.add_representer(str, _represent_text)
_Quoting.add_representer(str, _represent_quoted)
