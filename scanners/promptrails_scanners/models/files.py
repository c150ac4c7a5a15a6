"""What stands in the folder of a model, and clear errors about what does not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from promptrails_engine.errors import ConfigurationError

_MOST_JSON = 64 * 1024 * 1024
TOKENS = 512
"""A window has so many tokens, unless the files of a model say less."""


class Folder:
    """The folder of a model."""

    def __init__(self, path: str, scanner: str) -> None:
        """Raises ConfigurationError if there is no such folder."""
        self.path = Path(path).expanduser()
        self._scanner = scanner
        if not self.path.is_dir():
            raise self.error(f"there is no folder '{path}'; models are never downloaded, so put its files there")

    @property
    def name(self) -> str:
        return self.path.resolve().name

    def error(self, said: str) -> ConfigurationError:
        return ConfigurationError(f"scanner '{self._scanner}': 'model': {said}")

    def model(self) -> Path | None:
        """The file of the network; None if there is none.

        Raises:
            ConfigurationError: there are several, and none of them is `model.onnx`.
        """
        found = sorted(self.path.glob("*.onnx"))
        if (self.path / "model.onnx").is_file():
            return self.path / "model.onnx"
        if len(found) > 1:
            names = ", ".join(one.name for one in found[:5])
            raise self.error(f"'{self.path}' has several .onnx files ({names}); call the one that is meant model.onnx")
        return found[0] if found else None

    def needed(self, name: str) -> Path:
        """The path of a file.

        Raises:
            ConfigurationError: it is not there.
        """
        if not (self.path / name).is_file():
            raise self.error(f"'{self.path}' has no {name}; export it beside the model")
        return self.path / name

    def json(self, name: str) -> Mapping[str, Any]:
        """The object in a file; an empty one where there is no such file.

        Raises:
            ConfigurationError: it is no object of JSON.
        """
        path = self.path / name
        if not path.is_file():
            return {}
        try:
            data = json.loads(path.read_text(encoding="utf-8")) if path.stat().st_size < _MOST_JSON else None
        except (OSError, ValueError):
            data = None
        if not isinstance(data, dict):
            raise self.error(f"{name} in '{self.path}' is no object of JSON")
        return cast("dict[str, Any]", data)

    def max_tokens(self) -> int:
        """The longest window that the model reads, as its files say it; 512 at most."""
        config = self.json("config.json")
        said = [self.json("tokenizer_config.json").get("model_max_length"), config.get("max_position_embeddings")]
        sure = [one for one in said if isinstance(one, int) and not isinstance(one, bool) and one >= 8]
        return min([TOKENS, *sure])
