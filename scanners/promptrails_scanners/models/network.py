"""A network in the ONNX format with its tokenizer: loaded once per folder, for any number of threads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from promptrails_engine.require import require
from promptrails_scanners.models.files import Folder

_KEPT = 8
_OVERLAP = 8
"""Windows overlap by one part in so many."""
_BATCH = 8
_LOADING = Lock()
_KNOWN = ("input_ids", "attention_mask", "token_type_ids")


class Network(NamedTuple):
    """What can be asked of a model."""

    session: Any
    tokenizer: Any
    inputs: tuple[str, ...]
    output: str
    short: bool
    """Whether its numbers are of 32 bits."""
    numbers: Any
    """The package for numbers."""
    width: int | None
    """How many numbers it gives for a text, or for each token; None where that shows only when it is run."""

    def rows(self, text: str) -> list[tuple[list[int], Any]]:
        """For each window of the text its attention mask, and what the network gives: one array, or one per token."""
        first = self.tokenizer.encode(text.encode("utf-8", "replace").decode())  # it takes no halves of characters
        windows = [first, *first.overflowing]
        found: list[tuple[list[int], Any]] = []
        for at in range(0, len(windows), _BATCH):
            found += self._run(windows[at : at + _BATCH])
        return found

    def _run(self, windows: Sequence[Any]) -> list[tuple[list[int], Any]]:
        size = max(len(one.ids) for one in windows)
        shape = (len(windows), size)
        kind = self.numbers.int32 if self.short else self.numbers.int64
        given = {name: self.numbers.zeros(shape, dtype=kind) for name in _KNOWN}
        for row, one in enumerate(windows):
            length = len(one.ids)
            given["input_ids"][row, :length] = one.ids
            given["attention_mask"][row, :length] = one.attention_mask
            given["token_type_ids"][row, :length] = one.type_ids
        [output] = self.session.run([self.output], {name: given[name] for name in self.inputs})
        masks: list[list[int]] = given["attention_mask"].tolist()
        return list(zip(masks, output, strict=True))


def network(model: Path, vocabulary: Path, max_tokens: int, threads: int, folder: Folder, extra: str) -> Network:
    """The network in this file.

    Raises:
        MissingExtraError: the packages that run it are not installed.
        ConfigurationError: a file cannot be read, or the network wants something else than tokens.
    """
    feature = f"the model in '{folder.name}'"
    for package in ("onnxruntime", "tokenizers"):
        require(package, extra=extra, feature=feature)
    with _LOADING:
        try:
            found = _loaded(str(model.resolve()), str(vocabulary.resolve()), max_tokens, threads, _stamp(model), extra)
        except _Unreadable as error:
            raise folder.error(f"{error.what} in '{folder.path}' cannot be used: {error.why}") from None
    strange = [name for name in found.inputs if name not in _KNOWN]
    if strange or "input_ids" not in found.inputs:
        raise folder.error(
            f"{model.name} wants the inputs {', '.join(found.inputs)}; it has to be a model of texts with input_ids"
        )
    return found


class _Unreadable(Exception):
    def __init__(self, what: str, why: str) -> None:
        super().__init__(what)
        self.what, self.why = what, why


def _stamp(model: Path) -> tuple[int, int]:
    """Tells a file from one that takes its place."""
    found = model.stat()
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=_KEPT)
def _loaded(model: str, vocabulary: str, max_tokens: int, threads: int, stamp: tuple[int, int], extra: str) -> Network:
    runtime: Any = require("onnxruntime", extra=extra, feature="a model in a folder")
    numbers: Any = require("numpy", extra=extra, feature="a model in a folder")
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4
    try:
        session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of the runtime, in many classes
        raise _Unreadable(Path(model).name, f"{type(error).__name__}; it is no ONNX model that runs here") from None
    inputs, [output, *_] = session.get_inputs(), session.get_outputs()
    width = output.shape[-1:]
    return Network(
        session,
        _tokenizer(Path(vocabulary), max_tokens, extra),
        tuple(one.name for one in inputs),
        output.name,
        any(one.type == "tensor(int32)" for one in inputs),
        numbers,
        width[0] if width and isinstance(width[0], int) else None,
    )


def _tokenizer(vocabulary: Path, max_tokens: int, extra: str) -> Any:
    """The tokenizer of a `tokenizer.json`, or that of a `vocab.txt` of lower-case word pieces."""
    tokens: Any = require("tokenizers", extra=extra, feature="a model in a folder")
    try:
        if vocabulary.suffix == ".json":
            made = tokens.Tokenizer.from_file(str(vocabulary))
        else:
            pieces: Any = require("tokenizers.implementations", extra=extra, feature="a model in a folder")
            made = pieces.BertWordPieceTokenizer(str(vocabulary), lowercase=True)
        made.no_padding()
        made.enable_truncation(max_tokens, stride=max_tokens // _OVERLAP)
    except Exception as error:  # of the package, without classes of their own
        raise _Unreadable(vocabulary.name, f"{type(error).__name__}; it is no tokenizer") from None
    return made
