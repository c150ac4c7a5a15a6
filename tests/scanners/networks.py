"""Small networks in the ONNX format, written byte by byte, with their tokenizers: what models of users look like.

A network looks each word up in a table and adds the rows, or gives them word by word.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_FLOAT, _INT64 = 1, 7


def _number(value: int) -> bytes:
    out = bytearray()
    value &= (1 << 64) - 1
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return _number(number << 3) + _number(value)
    data = value.encode() if isinstance(value, str) else value
    return _number(number << 3 | 2) + _number(len(data)) + data


def _tensor(name: str, shape: Sequence[int], kind: int, numbers: Iterable[float]) -> bytes:
    raw = b"".join(struct.pack("<f" if kind == _FLOAT else "<q", one) for one in numbers)
    return b"".join(_field(1, size) for size in shape) + _field(2, kind) + _field(8, name) + _field(9, raw)


def _node(kind: str, inputs: Sequence[str], output: str, **numbers: int) -> bytes:
    said = b"".join(_field(1, one) for one in inputs) + _field(2, output) + _field(4, kind)
    for name, value in numbers.items():
        said += _field(5, _field(1, name) + _field(3, value) + _field(20, 2))
    return said


def _value(name: str, kind: int, shape: Sequence[int | str]) -> bytes:
    sizes = b"".join(_field(1, _field(1, one) if isinstance(one, int) else _field(2, one)) for one in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, sizes)))


def network(rows: Sequence[Sequence[float]], *, summed: bool, inputs: Sequence[str], bias: Sequence[float]) -> bytes:
    """A model that looks ids up in the rows; `summed` for one result a text, else one a word."""
    width = len(rows[0])
    nodes = [_node("Gather", ["table", "input_ids"], "found")]
    last = "found"
    if summed:
        nodes += [
            _node("Cast", ["attention_mask"], "mask", to=_FLOAT),
            _node("Unsqueeze", ["mask", "two"], "masks"),
            _node("Mul", ["found", "masks"], "left"),
            _node("ReduceSum", ["left", "one"], "sums", keepdims=0),
            _node("Add", ["sums", "bias"], "logits"),
        ]
        last = "logits"
    stored = [
        _tensor("table", (len(rows), width), _FLOAT, (one for row in rows for one in row)),
        _tensor("bias", (width,), _FLOAT, bias),
        _tensor("one", (1,), _INT64, [1]),
        _tensor("two", (1,), _INT64, [2]),
    ]
    shape: list[int | str] = ["batch", width] if summed else ["batch", "sequence", width]
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, "texts")
    graph += b"".join(_field(5, one) for one in stored)
    graph += b"".join(_field(11, _value(name, _INT64, ["batch", "sequence"])) for name in inputs)
    graph += _field(12, _value(last, _FLOAT, shape))
    return _field(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 13))


def tokenizer(words: Sequence[str]) -> dict[str, Any]:
    """A tokenizer of whole words in lower case, as `tokenizer.json`."""
    vocabulary = {word: number for number, word in enumerate(words)}
    special = [
        {"id": at, "content": word, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
         "special": True}
        for at, word in enumerate(WORDS)
    ]  # fmt: skip
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": special,
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    }  # fmt: skip


def classifier(
    folder: Path,
    words: Mapping[str, Sequence[float]],
    labels: Sequence[str],
    *,
    bias: Sequence[float] | None = None,
    inputs: Sequence[str] = ("input_ids", "attention_mask", "token_type_ids"),
    **config: Any,
) -> Path:
    """A folder with a classifier: each word adds so much to each label."""
    folder.mkdir(parents=True, exist_ok=True)
    known = [*WORDS, *words]
    rows = [[0.0] * len(labels) for _ in WORDS] + [list(row) for row in words.values()]
    made = network(rows, summed=True, inputs=inputs, bias=bias or [0.0] * len(labels))
    (folder / "model.onnx").write_bytes(made)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer(known)))
    named = {str(number): label for number, label in enumerate(labels)}
    (folder / "config.json").write_text(json.dumps({"id2label": named, **config}))
    return folder


def embedder(folder: Path, words: Mapping[str, Sequence[float]]) -> Path:
    """A folder with a model that gives a vector for each word."""
    folder.mkdir(parents=True, exist_ok=True)
    size = len(next(iter(words.values())))
    rows = [[0.0] * size for _ in WORDS] + [list(row) for row in words.values()]
    made = network(rows, summed=False, inputs=("input_ids", "attention_mask"), bias=[0.0] * size)
    (folder / "model.onnx").write_bytes(made)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer([*WORDS, *words])))
    return folder
