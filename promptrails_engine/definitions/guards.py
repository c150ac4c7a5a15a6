"""Guards of an agent version: which scanner looks at what, and what becomes of what it finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr, TypeAdapter
from pydantic.dataclasses import dataclass

from promptrails_engine.definitions.checks import checked_class, parsed
from promptrails_engine.errors import DefinitionError

Place = Literal["input", "output", "tool_arguments", "tool_results", "documents"]
_STRICT = ConfigDict(extra="forbid", defer_build=True, allow_inf_nan=False)
_ALIASES = {"malicious_url": "malicious_urls"}
_OUTPUT_ONLY = frozenset({"no_refusal"})
_SAID_AGAIN = {"language": "action_on_mismatch"}
"""Options of scanners that are the guard's action under another name."""


def _scanner(value: Any) -> Any:
    return _ALIASES.get(value, value) if isinstance(value, str) else value


@checked_class
@dataclass(config=_STRICT, frozen=True)
class GuardrailSpec:
    """A guard as part of an agent version.

    Attributes:
        type: `input` or `output`: which way it looks.
        scanner_type: what looks, such as `pii`; `guardrails.list_scanners()` tells them all.
        action: what becomes of what it finds.  `block` fails the run, `redact` takes it out and goes on (a scanner that
            cannot take anything out blocks), `log` only records it.
        config: the scanner's options, and those of the guard (`GuardOptions`).
        is_active: whether it looks at all.
        sort_order: place among the guards of its direction; those without one come last, as they are listed.
        id: names it within the version; made of its direction and scanner where it is not given.
    """

    type: Literal["input", "output"]
    scanner_type: Annotated[StrictStr, Field(min_length=1), BeforeValidator(_scanner)]
    action: Literal["block", "redact", "log"] = "block"
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    is_active: StrictBool = True
    sort_order: StrictInt | None = None
    id: Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_.:-]{1,128}$")] | None = None


@checked_class
@dataclass(config=_STRICT, frozen=True)
class GuardOptions:
    """What a guard's `config` may say beside the options of its scanner.

    Attributes:
        name: what people call it; the scanner's name by default.
        on_error: what a scanner that fails, or takes too long, does to the run: `block` (the default where the guard
            blocks or redacts) or `allow`.
        timeout_ms: how long the scanner may take for one look; 10,000 by default, 60,000 with a judge, whose answers
            may take as long again.
        apply_to: what is looked at: the run's `input` or `output` (the default), `tool_arguments` on their way to a
            tool, `tool_results` and `documents`, the rows of data sources, on their way to the model.  A guard whose
            labels come back looks at all that goes to the model.
        stream: when listeners hear an output.  `buffer`: once all of it has passed (the default where the guard
            blocks).  `window`: as soon as no more can come that belongs to it (the default where it redacts, for
            scanners that know when), so that a block may come after a part was heard.
        sample: of a guard that only records, the part of its looks that it takes, 0 to 1.  Which ones depends on the
            run's id, so a run that goes on elsewhere takes the same.
        vault: of a guard whose labels come back, whether values have the same label in one `run` (the default), or in
            all runs of an agent for one user in one `session`.
    """

    name: Annotated[StrictStr, Field(min_length=1, max_length=128)] | None = None
    on_error: Literal["block", "allow"] | None = None
    timeout_ms: Annotated[StrictFloat, Field(gt=0)] | None = None
    apply_to: Annotated[list[Place], Field(min_length=1)] | None = None
    stream: Literal["buffer", "window"] | None = None
    sample: Annotated[StrictFloat, Field(gt=0, le=1)] | None = None
    vault: Literal["run", "session"] | None = None


_SPECS: TypeAdapter[list[GuardrailSpec]] = TypeAdapter(list[GuardrailSpec])
_OPTIONS: TypeAdapter[GuardOptions] = TypeAdapter(GuardOptions)
_OWN = frozenset(f.name for f in fields(GuardOptions))


def split_config(config: Mapping[str, Any]) -> tuple[GuardOptions, dict[str, Any]]:
    """What a guard's config says of the guard, and what of its scanner.

    Raises:
        DefinitionError: it says something of the guard that cannot be.
    """
    own = {key: value for key, value in config.items() if key in _OWN and not _is_of_scanner(key, value)}
    options: GuardOptions = parsed(_OPTIONS, own, "the config of a guard")
    return options, {key: value for key, value in config.items() if key not in own}


def _is_of_scanner(key: str, value: Any) -> bool:
    """A vault itself is for a scanner that is used alone."""
    return key == "vault" and not isinstance(value, str)


def checked_guards(given: Sequence[Any]) -> list[dict[str, Any]]:
    """The guards as JSON data, each with an id, without what is not set.

    Raises:
        DefinitionError: one of them cannot be used, or two have one id.
    """
    specs: list[GuardrailSpec] = parsed(_SPECS, list(given), "the agent's guardrails")
    guards: list[dict[str, Any]] = []
    taken = {spec.id for spec in specs}
    for spec in specs:
        options, _ = split_config(spec.config)
        if options.sample is not None and spec.action != "log":
            raise DefinitionError(
                f"only a guard that logs may look at a sample, and that of '{spec.scanner_type}' is to {spec.action}; "
                "leave 'sample' out"
            )
        if spec.type == "input" and spec.scanner_type in _OUTPUT_ONLY:
            raise DefinitionError(
                f"scanner '{spec.scanner_type}' looks at outputs only: make the guard's type 'output'"
            )
        _check_action(spec)
        data = {f.name: getattr(spec, f.name) for f in fields(spec)}
        if spec.id is None:
            data["id"] = _free(f"{spec.type}-{spec.scanner_type}", taken)
            taken.add(data["id"])
        guards.append({key: value for key, value in data.items() if value is not None})
    ids = [guard["id"] for guard in guards]
    twice = next((id for id in ids if ids.count(id) > 1), None)
    if twice is not None:
        raise DefinitionError(f"two guards have the id '{twice}'; give one of them another, or none")
    return guards


def _check_action(spec: GuardrailSpec) -> None:
    """Refuse a config that asks for another action than its guard's: neither of the two can win silently."""
    option = _SAID_AGAIN.get(spec.scanner_type, "")
    asked = spec.config.get(option)
    if asked is not None and asked != spec.action:
        raise DefinitionError(
            f"scanner '{spec.scanner_type}': '{option}' is {asked!r}, but the guard's action is '{spec.action}';"
            f" give both alike, or leave '{option}' out"
        )


def _free(name: str, taken: set[str | None]) -> str:
    number = 1
    while (found := name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return found
