"""Options of scanners: read from plain data, with clear errors about what cannot be used."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from threading import Lock
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from promptrails_engine.errors import ConfigurationError

OnTooLong = Literal["scan_windows", "block", "truncate_and_report"]
Options = TypeVar("Options", bound="ScannerOptions")
AllowedText = Annotated[str, StringConstraints(pattern=r"\S", max_length=2000)]

_BUILDING = Lock()


class ScannerOptions(BaseModel):
    """What every scanner can be given.  Scanners add their own fields; an alias is another name for one."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, protected_namespaces=(), defer_build=True
    )

    threshold: float | None = Field(default=None, ge=0, le=1)
    """From which score on it triggers; None for the scanner's own."""
    allow: tuple[AllowedText, ...] = Field(
        default=(), validation_alias=AliasChoices("allow", "allow_list", "allowed_names")
    )
    """Literals that never count, in any case."""
    allow_patterns: tuple[AllowedText, ...] = ()
    """Patterns of what never counts, in any case."""
    max_chars: int = Field(default=10_000_000, ge=1)
    on_too_long: OnTooLong = "scan_windows"
    """What becomes of longer texts: all of it is scanned, it counts as triggered, or its beginning is scanned."""


def read_options(kind: type[Options], scanner: str, config: Mapping[str, Any]) -> Options:
    """The options of a scanner.

    Raises:
        ConfigurationError: an option is unknown, and which one may have been meant; or its value cannot be used.
    """
    given = dict(config)
    if not given and not any(field.is_required() for field in kind.model_fields.values()):
        return kind.model_construct()  # the defaults, of which there is nothing to check
    with _BUILDING:
        kind.model_rebuild()  # at its first use, by one thread; after that it does nothing
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        problems = [_said(kind, problem) for problem in error.errors(include_input=False, include_url=False)]
        raise ConfigurationError(f"scanner '{scanner}': {'; '.join(problems)}") from None


def option_names(kind: type[ScannerOptions]) -> tuple[str, ...]:
    """The options' names, those of every scanner last."""
    common = ScannerOptions.model_fields
    return (*(name for name in kind.model_fields if name not in common), *common)


def _said(kind: type[ScannerOptions], problem: Any) -> str:
    where = ".".join(str(part) for part in problem["loc"])
    if problem["type"] != "extra_forbidden":
        return f"'{where}': {problem['msg']}"
    names = _all_names(kind)
    near = difflib.get_close_matches(where, names, n=1, cutoff=0.5)
    meant = f"; did you mean '{near[0]}'?" if near else f"; there are: {', '.join(option_names(kind))}"
    return f"there is no option '{where}'{meant}"


def _all_names(kind: type[ScannerOptions]) -> list[str]:
    names = list(option_names(kind))
    for field in kind.model_fields.values():
        alias = field.validation_alias
        choices = getattr(alias, "choices", [alias] if isinstance(alias, str) else [])
        names += [choice for choice in choices if isinstance(choice, str) and choice not in names]
    return names
