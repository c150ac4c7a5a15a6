"""The kinds of personal data: their names, the short names that stand for them, labels, and which wins over which."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from promptrails_scanners.personal.europe import european
from promptrails_scanners.personal.world import worldwide

GENERAL = (
    "EMAIL_ADDRESS",
    "PHONE_NUMBER",
    "CREDIT_CARD",
    "IBAN_CODE",
    "IP_ADDRESS",
    "MAC_ADDRESS",
    "CRYPTO",
    "DATE_OF_BIRTH",
    "PERSON",
    "ADDRESS",
)
PRESIDIO_ONLY = ("LOCATION", "NRP", "ORGANIZATION", "DATE_TIME", "URL", "AGE", "ID", "TITLE")
"""Kinds that the engine `presidio` finds, and this package's own rules do not."""

DENIED = "CUSTOM"
"""The kind of the user's own words."""

LABELS: Mapping[str, str] = {
    "EMAIL_ADDRESS": "EMAIL",
    "PHONE_NUMBER": "PHONE",
    "US_SSN": "SSN",
    "CREDIT_CARD": "CARD",
    "IP_ADDRESS": "IP",
    "IBAN_CODE": "IBAN",
}
"""Shorter names that stand in labels."""

_SHORT: Mapping[str, tuple[str, ...]] = {
    "email": ("EMAIL_ADDRESS",),
    "mail": ("EMAIL_ADDRESS",),
    "email_address_re": ("EMAIL_ADDRESS",),
    "phone": ("PHONE_NUMBER",),
    "telephone": ("PHONE_NUMBER",),
    "ssn": ("US_SSN",),
    "us_ssn_re": ("US_SSN",),
    "card": ("CREDIT_CARD",),
    "creditcard": ("CREDIT_CARD",),
    "credit_card_re": ("CREDIT_CARD",),
    "iban": ("IBAN_CODE",),
    "ip": ("IP_ADDRESS",),
    "mac": ("MAC_ADDRESS",),
    "name": ("PERSON",),
    "person_name": ("PERSON",),
    "street_address": ("ADDRESS",),
    "dob": ("DATE_OF_BIRTH",),
    "birth_date": ("DATE_OF_BIRTH",),
    "wallet": ("CRYPTO",),
}


@cache
def national() -> tuple[str, ...]:
    """The kinds that a state issues, in the order of the tables."""
    return tuple(dict.fromkeys(rule.type for rule in (*european(), *worldwide())))


@cache
def kinds() -> tuple[str, ...]:
    """All kinds that this package finds by itself."""
    return (*GENERAL, *national())


@cache
def short_names() -> Mapping[str, tuple[str, ...]]:
    """Names in lower case, and the kinds that they stand for."""
    issued = national()
    groups = {
        "address": ("ADDRESS", "UK_POSTCODE"),
        "passport": tuple(kind for kind in issued if "PASSPORT" in kind),
        "driver_license": tuple(kind for kind in issued if "DRIV" in kind or kind == "DE_FUEHRERSCHEIN"),
        "license_plate": tuple(kind for kind in issued if "PLATE" in kind or "VEHICLE" in kind or kind == "DE_KFZ"),
        "national_id": issued,
    }
    return {kind.lower(): (kind,) for kind in (*kinds(), *PRESIDIO_ONLY)} | dict(_SHORT) | groups


def label(kind: str) -> str:
    """The kind's name in labels."""
    return LABELS.get(kind, kind)


@cache
def priorities() -> Mapping[str, int]:
    """What a joined place is called: that with checks before that with a shape, and names and addresses last."""
    general = {
        "PERSON": 1,
        "ADDRESS": 2,
        "PHONE_NUMBER": 3,
        "DATE_OF_BIRTH": 4,
        "US_BANK_NUMBER": 3,
        "US_DRIVER_LICENSE": 3,
    }
    strong = {
        "EMAIL_ADDRESS": 9,
        "IBAN_CODE": 9,
        "CRYPTO": 9,
        "IP_ADDRESS": 8,
        "MAC_ADDRESS": 8,
        "CREDIT_CARD": 7,
        "US_SSN": 7,
    }
    return {kind: 5 for kind in national()} | {kind: 5 for kind in PRESIDIO_ONLY} | general | strong
