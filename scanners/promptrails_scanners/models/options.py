"""The options `model` and `judge`, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Path = Annotated[str, StringConstraints(min_length=1, max_length=4000)]
Ask = Callable[[Sequence[Mapping[str, str]]], str]
"""Gives the text of a reply to messages `{"role", "content"}`."""


class _Own(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), defer_build=True)


class OnnxModel(_Own):
    """A sequence classifier in a folder."""

    folder: Path
    """With `model.onnx` or one other `.onnx` file, `tokenizer.json`, and for the labels `config.json`."""
    labels: dict[str, str | None] | None = None
    """What its labels are called here; None for those that count as nothing."""
    activation: Literal["softmax", "sigmoid"] | None = None
    """How scores are made of what it gives; None for what `config.json` says, or else softmax."""
    max_tokens: int | None = Field(default=None, ge=8, le=65536)
    """Longer texts are read in windows of so many tokens; None for what its files say."""
    threads: int = Field(default=1, ge=1, le=64)
    """On how many threads one text is worked."""


class EmbedModel(_Own):
    """A model that makes vectors of texts, in a folder."""

    folder: Path
    """With `model.onnx`, unless the package of the extra has it, and `tokenizer.json` or `vocab.txt`."""
    threads: int = Field(default=1, ge=1, le=64)


class ModelOption(_Own):
    """One larger model instead of the small one."""

    onnx: OnnxModel | None = None
    embed: EmbedModel | None = None

    @model_validator(mode="before")
    @classmethod
    def _folders(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        given = cast("Mapping[str, Any]", value)
        return {name: {"folder": one} if isinstance(one, str) else one for name, one in given.items()}

    @model_validator(mode="after")
    def _one(self) -> ModelOption:
        if (self.onnx is None) == (self.embed is None):
            raise ValueError("name one model, as {'onnx': FOLDER} or {'embed': FOLDER}")
        return self


class JudgeOption(_Own):
    """A model that is asked what it thinks of a text."""

    model: Name | None = None
    """As the engine knows it, `provider/model` or a registered id."""
    ask: Ask | None = Field(default=None, repr=False)
    """A function that asks, where there is no engine."""
    when: Literal["always", "unsure"] = "always"
    """`unsure`: only where the score of the scanner itself is within `between`."""
    between: tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]] = (0.15, 0.85)
    instructions: str = Field(default="", max_length=8000)
    """What the model is told beside what the scanner looks for: rules of your own, exceptions, examples."""
    max_tokens: int = Field(default=300, ge=16)
    """Of an answer."""

    @model_validator(mode="after")
    def _one(self) -> JudgeOption:
        if (self.model is None) == (self.ask is None):
            raise ValueError("name a model of the engine, or give a function")
        if self.between[0] > self.between[1]:
            raise ValueError("'between' goes from the lower score to the higher one")
        return self


def _asked(judge: object) -> object:
    if isinstance(judge, str):
        return {"model": judge}
    return {"ask": judge} if callable(judge) else judge


Judging = Annotated[JudgeOption, BeforeValidator(_asked)]
"""A model's name, a function, or a mapping with the fields of `JudgeOption`."""
