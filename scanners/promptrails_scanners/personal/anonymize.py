"""What the scanner `anonymize` looks at and how it judges, loaded at its first use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import AliasChoices, ConfigDict, Field

from promptrails_engine.ports.scanner import Finding, Scanner, Verdict
from promptrails_scanners.anonymize import META
from promptrails_scanners.foundation.base import BaseScanner
from promptrails_scanners.foundation.options import read_options
from promptrails_scanners.foundation.places import replace, union
from promptrails_scanners.personal.kinds import label
from promptrails_scanners.personal.options import Names, PersonalOptions
from promptrails_scanners.personal.recogniser import Recogniser
from promptrails_scanners.personal.restore import Restore, Restorer, looks_like_label, restored
from promptrails_scanners.personal.scanner import verdict
from promptrails_scanners.personal.vault import Vault

__all__ = ["Anonymize", "Options", "Restorer", "Vault", "build"]

_SPOOF = "LITERAL"


class Options(PersonalOptions):
    """What is looked for, where values are kept, and how they come back."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    names: Names = Field(default="thorough", validation_alias=AliasChoices("names", "name_setting"))
    vault: Vault | None = Field(default=None, repr=False)
    """Where values are kept; without one each text has a vault of its own that nothing is restored from."""
    ttl_s: float | None = Field(default=None, gt=0, validation_alias=AliasChoices("ttl_s", "ttl"))
    """After so many seconds without use a value is forgotten, and its label stays; None for as long as the vault is."""
    restore: Restore = "fuzzy"
    """Labels come back as they were written, or also as models change them."""
    preamble: str = ""
    """What is put before a text in which labels stand, for the model."""


class Anonymize(BaseScanner[Options]):
    """Replaces values by labels such as `[PERSON_1]`.

    What looks like a label in the text already is replaced by a label itself, so that nobody gets at another's value by
    writing its label.
    """

    meta = META

    def __init__(self, options: Options, recogniser: Recogniser | None = None) -> None:
        super().__init__(options)
        self._recogniser = recogniser or Recogniser(options, META.type)
        self._labelled = frozenset(label(kind) for kind in self._recogniser.asked.kinds) | {_SPOOF}

    def opened(self) -> Anonymize:
        """This scanner with its vault: an empty one, unless its options name one."""
        return self if self.options.vault is not None else self.bound(Vault(ttl_s=self.options.ttl_s))

    def bound(self, vault: Vault) -> Anonymize:
        """This scanner with a vault: one of a run, or of a conversation."""
        return Anonymize(self.options.model_copy(update={"vault": vault}), self._recogniser)

    def judge(self, text: str) -> Verdict:
        vault = self.options.vault
        if vault is None:
            vault = Vault()
        spoofs = [Finding(start, end, _SPOOF) for start, end in looks_like_label(text, self._labelled | vault.kinds())]
        found = union([*self._recogniser.find(text), *spoofs], {**self._recogniser.asked.ranks, _SPOOF: -1})
        redacted = text
        if found:
            redacted = self.options.preamble + replace(
                text, found, lambda one, value: vault.label(label(one.type), value)
            )
        return verdict(found, redacted, self._recogniser.engine)

    def settled(self, text: str) -> int | None:
        """None: a label's number is that of the whole text, and labels are for what goes to a model at once."""
        return None

    def restore(self, text: str) -> str:
        """The text with the vault's values in place of their labels."""
        return text if self.options.vault is None else restored(text, self.options.vault, self.options.restore)

    def restorer(self) -> Restorer:
        """What restores a text that comes in pieces."""
        return Restorer(self.options.vault or Vault(), self.options.restore)


def build(config: Mapping[str, Any]) -> Scanner:
    """A scanner with these options.

    Raises:
        ConfigurationError: an option is unknown or cannot be used; the message names it.
    """
    return Anonymize(read_options(Options, META.type, config))
