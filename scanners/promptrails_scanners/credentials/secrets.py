"""What the scanner `secrets` looks at and how it judges, loaded at its first use.

Tokens that begin with letters of their own are found by a table of those, values without by the name of a service or of
a secret beside them.  The tables are written after what vendors document of their credentials; where a token carries a
checksum that is known (GitHub, npm), it is looked at.
"""

from __future__ import annotations

import difflib
import hmac
import re
import secrets as randomness
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, StringConstraints

from promptrails_engine.errors import ConfigurationError
from promptrails_engine.ports.scanner import Finding, Scanner, Verdict
from promptrails_scanners.credentials import tokens
from promptrails_scanners.credentials.finder import Occurrences, Rules, findings, is_endless, settled
from promptrails_scanners.credentials.found import KINDS, provider_of
from promptrails_scanners.credentials.services import services
from promptrails_scanners.foundation.allow import Allowed
from promptrails_scanners.foundation.base import BaseScanner
from promptrails_scanners.foundation.options import ScannerOptions, read_options
from promptrails_scanners.foundation.patterns import compiled
from promptrails_scanners.foundation.places import replace
from promptrails_scanners.secrets import META

__all__ = ["Options", "Pattern", "build"]

_THRESHOLD = 0.5
_SHOWN = 4

Name = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Provider = Annotated[str, StringConstraints(min_length=1, max_length=64, to_lower=True)]


class Pattern(BaseModel):
    """A rule of your own."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: Name
    """Becomes the type of what it finds, in capitals."""
    pattern: Text = Field(validation_alias=AliasChoices("pattern", "regex"))
    case_sensitive: bool = True


class Options(ScannerOptions):
    """Which secrets count, and what takes their place."""

    providers: Literal["all"] | tuple[Provider, ...] = "all"
    """Names of services such as `github`, and `generic`, `password`, `private_key`, `jwt`, `header`."""
    exclude: tuple[Provider, ...] = Field(default=(), validation_alias=AliasChoices("exclude", "exclude_providers"))
    generic: bool = True
    """Whether values count that are named a secret where no service is named."""
    entropy: float = Field(default=3.2, ge=0, le=8)
    """Bits per character that those have at least."""
    entropy_only: bool = False
    """Whether values count that look drawn at random, whatever stands beside them; finds much that is no secret."""
    patterns: tuple[Pattern, ...] = ()
    redact_mode: Literal["label", "all", "partial", "hash"] = "label"
    """What stands in place of a secret: `[GITHUB_TOKEN]`, `******`, its first and last characters, or a keyed hash."""
    hash_key: str | None = Field(default=None, min_length=16, repr=False)
    """Makes hashes of one value the same in every process; without it they are in one scanner only."""
    verify_checksum: bool = False
    """Whether a token with a wrong checksum is none; otherwise it only counts for less."""
    occurrences: Occurrences = "everywhere"
    """Where a value counts once something tells that it is a secret.  `everywhere`: before that place, too; a stream is
    held from the first run of characters on that may turn out as one.  `after`: from there on; a stream is held from
    the first secret on.  `found`: where something tells so each time; a stream is never held for long."""


class Secrets(BaseScanner[Options]):
    """Finds secrets and takes every place of them out."""

    meta = META

    def __init__(self, options: Options, rules: Rules) -> None:
        super().__init__(options)
        self._rules = rules
        self._mask = _mask(options)

    def judge(self, text: str) -> Verdict:
        found = findings(text, self._rules)
        if not found:
            return Verdict(False, 0.0, redacted=text)
        scores: dict[str, float] = {}
        for one in found:
            scores[one.type] = max(one.score, scores.get(one.type, 0.0))
        kinds = ", ".join(sorted(scores))
        reason = f"{len(found)} {'place' if len(found) == 1 else 'places'} with secrets: {kinds}"
        redacted: str | None = replace(text, found, self._mask)
        if is_endless(text, found):
            redacted, reason = None, f"{reason}; a private key is too long for its end to be known"
        return Verdict(True, max(scores.values()), found, redacted, labels=scores, reason=reason)

    def settled(self, text: str) -> int | None:
        """How much is decided; None with patterns of your own, which can be of any length."""
        return None if self._rules.patterns else settled(text, self._rules)


def build(config: Mapping[str, Any]) -> Scanner:
    """A scanner with these options.

    Raises:
        ConfigurationError: an option is unknown or cannot be used.
    """
    options = read_options(Options, META.type, config)
    asked = None if options.providers == "all" else _known(options.providers, "providers")
    rules = Rules(
        providers=asked,
        without=_known(options.exclude, "exclude") if options.exclude else frozenset(),
        generic=options.generic,
        entropy=options.entropy,
        verify_checksum=options.verify_checksum,
        entropy_only=options.entropy_only,
        patterns=tuple((one.name.upper(), _own(one)) for one in options.patterns),
        allowed=Allowed(options.allow, options.allow_patterns, META.type),
        least=_THRESHOLD if options.threshold is None else options.threshold,
        occurrences=options.occurrences,
    )
    return Secrets(options, rules)


def _own(one: Pattern) -> re.Pattern[str]:
    return compiled(one.pattern, META.type, "patterns", flags=re.NOFLAG if one.case_sensitive else re.IGNORECASE)


def _known(names: Iterable[str], option: str) -> frozenset[str]:
    asked = frozenset(names)
    if not asked:
        raise ConfigurationError(
            f"scanner 'secrets': '{option}' is empty, so nothing would be found; name one or leave it out"
        )
    known = KINDS | services().names | {provider_of(label) for label in tokens.labels()}
    for name in sorted(asked - known):
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        meant = f"; did you mean '{near[0]}'?" if near else ""
        raise ConfigurationError(f"scanner 'secrets': '{option}': no provider '{name}' is known{meant}")
    return asked


def _mask(options: Options) -> Callable[[Finding, str], str]:
    if options.redact_mode == "label":
        return lambda one, found: f"[{one.type}]"
    if options.redact_mode == "all":
        return lambda one, found: "******"
    if options.redact_mode == "partial":
        return _partly
    key = _encoded(options.hash_key or randomness.token_hex(16))
    return lambda one, found: f"[{one.type}:{hmac.new(key, _encoded(found), 'sha256').hexdigest()[:16]}]"


def _encoded(text: str) -> bytes:
    """The text as bytes, halves of surrogate pairs as well, which a stream may leave behind."""
    return text.encode("utf-8", "surrogatepass")


def _partly(one: Finding, found: str) -> str:
    """The value with its ends alone, and those only where it is long enough that they tell little."""
    if len(found) < 5 * _SHOWN or one.type == "PRIVATE_KEY":
        return "******"
    return f"{found[:_SHOWN]}******{found[-2:]}"
