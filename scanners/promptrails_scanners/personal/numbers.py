"""Values that are the same everywhere: mail and network addresses, cards, bank accounts, wallets, dates of birth.

Lengths of account numbers are those of the IBAN registry (ISO 13616), issuers' ranges those that card schemes publish.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from ipaddress import AddressValueError, IPv6Address

from promptrails_scanners.foundation import lazily
from promptrails_scanners.personal.checks import base58check, bech32, is_date, luhn, mod97
from promptrails_scanners.personal.rules import Hit, near

# ------------------------------------------------------------------ mail

_LOCAL = lazily.pattern(r"[\w.!#$%&'*+/=?^`{|}~-]")
_DOMAIN = lazily.pattern(
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}(?:xn--[a-z0-9-]{2,59}|[^\W\d_]{2,24})(?![\w-])", re.IGNORECASE
)
_BEFORE_MAIL = "'\"`*|/={}!#$%&?^~."


def mails(text: str) -> Iterator[Hit]:
    """Mail addresses."""
    at = text.find("@")
    after = 0
    while at >= 0:
        domain = _DOMAIN.match(text, at + 1, at + 256)
        if domain:
            start = at
            while start > max(after, at - 64) and _LOCAL.match(text[start - 1]):
                start -= 1
            while start < at and text[start] in _BEFORE_MAIL:
                start += 1
            if start < at and text[at - 1] != ".":
                yield Hit(start, domain.end(), "EMAIL_ADDRESS", 1.0)
                after = domain.end()
        at = text.find("@", at + 1)


# ------------------------------------------------------------------ network

_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = lazily.pattern(rf"(?<![\w.:]){_OCTET}(?:\.{_OCTET}){{3}}(?!\w|\.\d\d?\d?\.)")
_IPV6 = lazily.pattern(
    r"(?<![\w:.])(?:[0-9a-fA-F]{0,4}:){2,8}(?:[0-9a-fA-F]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?(?![\w:]|\.\d)"
)
_MAC = lazily.pattern(
    r"(?<![\w:-])[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}(?![\w:-])"
    r"|(?<![\w.])[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}(?![\w.])",
    re.IGNORECASE,
)
_COLONS = lazily.pattern(r":[0-9a-fA-F]{0,4}:")
_PAIRS = lazily.pattern(r"[:-][0-9a-fA-F]{2}[:-]|\.[0-9a-fA-F]{4}\.")
"""What no address of version 6 and no hardware address is without; it is found sooner."""
_NETWORK = (
    r"ips?|ipv[46]|addr(?:ess(?:es)?)?|host|server|gateway|dns|subnet|ping|ssh|loopback|localhost|multicast|interface|"
    r"unspecified"
)
_VERSIONS = r"versions?|v|ver|release|section|chapter|build"


def networks(text: str) -> Iterator[Hit]:
    """Internet addresses of both kinds, and hardware addresses."""
    for match in _IPV4.finditer(text) if text.count(".") > 2 else ():
        version = near(text, match.start(), match.end(), _VERSIONS, 12, 0)
        yield Hit(match.start(), match.end(), "IP_ADDRESS", 0.3 if version else 0.9)
    for match in _IPV6.finditer(text) if _COLONS.search(text) else ():
        if _is_ipv6(match[0]):
            groups = sum(map(bool, match[0].split(":")))
            digits = any(map(str.isdigit, match[0]))
            sure = 0.9 if groups >= 3 and digits else 0.6 if groups and digits else 0.3
            sure += 0.3 * near(text, match.start(), match.end(), _NETWORK, 32, 24)
            yield Hit(match.start(), match.end(), "IP_ADDRESS", min(1.0, sure))
    for match in _MAC.finditer(text) if _PAIRS.search(text) else ():
        if set(match[0].lower()) - set(":-.") not in ({"f"}, {"0"}):
            yield Hit(match.start(), match.end(), "MAC_ADDRESS", 0.9)


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return True


# ------------------------------------------------------------------ cards

_CARD = lazily.pattern(
    r"\d(?<![\w.+-]\d)(?<!\d[ ,]\d)"  # the digit first: the search then skips to digits
    r"(?:\d{3}([ -])\d{4}\1\d{4}\1\d{1,7}|\d{3}([ -])\d{6}\2\d{4,5}|(?:[ -]?\d){11,18})(?![\w-]|\.\d)"
)
_CARD_WORDS = (
    r"cards?|credit|debit|cc|visa|master ?card|amex|american express|discover|diners|jcb|maestro|pan|cvv|cvc|"
    r"kredit\w{0,8}|tarjetas?|carte|carta|kaart|kort|cart[aã]o|expir(?:es|y|ing|ation)"
)
_ISSUERS = (
    (lazily.pattern(r"4"), {13, 16, 19}),
    (lazily.pattern(r"5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)"), {16}),
    (lazily.pattern(r"3[47]"), {15}),
    (lazily.pattern(r"3(?:0[0-5]|09|[689])"), {14, 16, 17, 18, 19}),
    (lazily.pattern(r"6(?:011|4[4-9]|5)"), {16, 17, 18, 19}),
    (lazily.pattern(r"35(?:2[89]|[3-8])"), {16, 17, 18, 19}),
    (lazily.pattern(r"(?:2131|1800)"), {15}),
    (lazily.pattern(r"62"), {16, 17, 18, 19}),
    (lazily.pattern(r"(?:50|5[6-9]|6[37])"), set(range(12, 20))),
    (lazily.pattern(r"220[0-4]"), {16, 17, 18, 19}),
    (lazily.pattern(r"1"), {15}),
    (lazily.pattern(r"60|65|81|82|508"), {16}),
)
"""Leading digits and lengths: Visa, Mastercard, American Express, Diners, Discover, JCB (both), UnionPay, Maestro, Mir,
UATP, RuPay."""


def cards(text: str) -> Iterator[Hit]:
    """Numbers of payment cards."""
    for match in _CARD.finditer(text):
        digits = re.sub("[ -]", "", match[0])
        if not luhn(digits):
            continue
        known = any(len(digits) in lengths and issuer.match(digits) for issuer, lengths in _ISSUERS)
        said = near(text, match.start(), match.end(), _CARD_WORDS)
        tight = len(digits) >= 15 and digits[0] in "23456"
        score = (0.85 if tight else 0.4) if known else 0.2
        yield Hit(match.start(), match.end(), "CREDIT_CARD", min(1.0, score + 0.4 * said))


# ------------------------------------------------------------------ accounts

_IBAN_LENGTHS = {
    code: length
    for length, codes in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL SD FK",
        19: "MK SI",
        20: "AT BA EE KZ LT LU XK MN",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM TL SO",
        24: "AD CZ DZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for code in codes.split()
}
_IBAN = lazily.pattern(r"\d(?<=[A-Za-z]{2}\d)(?<![^\W_].{2}\d)\d(?=[ -]?[A-Za-z0-9])")
"""The two digits after the letters: the search then skips to digits."""


def accounts(text: str) -> Iterator[Hit]:
    """International account numbers."""
    for match in _IBAN.finditer(text):
        start = at = match.start() - 2
        length = _IBAN_LENGTHS.get(text[start : start + 2].upper())
        if length is None:
            continue
        digits = ""
        while at < len(text) and len(digits) < length:
            char = text[at]
            if char.isascii() and char.isalnum():
                digits += char
            elif char not in " -" or not text[at - 1].isalnum():
                break
            at += 1
        if len(digits) == length and not text[at : at + 1].isalnum() and mod97(digits.upper()):
            yield Hit(start, at, "IBAN_CODE", 1.0)


# ------------------------------------------------------------------ wallets

_BASE58 = lazily.pattern(r"[13LMD9AT](?<!\w[13LMD9AT])[1-9A-HJ-NP-Za-km-z]{25,34}(?!\w)")
_BECH32 = lazily.pattern(r"(?<![\w])(?:bc|tb|ltc)1[ac-hj-np-z02-9]{11,87}(?!\w)", re.IGNORECASE)
_BECH32_BEGINS = ("bc1", "tb1", "ltc1")
_HEXES = lazily.pattern(r"0x(?<!\w0x)[0-9a-fA-F]{40}(?!\w)")
_WALLET = (
    r"wallets?|eth(?:er(?:eum)?)?|address(?:es)?|crypto|erc-?20|usdt|usdc|token|donat\w{1,5}|metamask|send|deposit"
)


def wallets(text: str) -> Iterator[Hit]:
    """Addresses of crypto-currencies whose checksum holds, and Ethereum's beside a word for it."""
    checked: tuple[tuple[re.Pattern[str], Callable[[str], bool]], ...] = ((_BASE58, base58check), (_BECH32, bech32))
    lower = text.lower()
    for pattern, check in checked:
        if pattern is _BECH32 and not any(begin in lower for begin in _BECH32_BEGINS):
            continue
        for match in pattern.finditer(text):
            if check(match[0]):
                yield Hit(match.start(), match.end(), "CRYPTO", 1.0)
    for match in _HEXES.finditer(text):
        yield Hit(match.start(), match.end(), "CRYPTO", 0.4 + 0.4 * near(text, match.start(), match.end(), _WALLET))


# ------------------------------------------------------------------ dates of birth

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_DATE = lazily.pattern(
    rf"(?<![\w/.-])(?:(\d{{1,4}})([/.-])(\d{{1,2}})\2(\d{{1,4}})|\d{{1,2}}(?:st|nd|rd|th)? (?:of )?{_MONTH},? \d{{4}}"
    rf"|{_MONTH} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}})(?![\w/-])",
    re.IGNORECASE,
)
_BIRTH = (
    r"born(?: on)?|birth ?dates?|birthdays?|dates? of birth|d\.?o\.?b\.?|geboren(?: am)?|geburts(?:datum|tag)|"
    r"n[eé]e? le|date de naissance|"
    r"fecha de nacimiento|nacid[oa]|data di nascita|nat[oa] il|data de nascimento|geboortedatum|"
    r"f[oö]delsedatum|f[oø]dselsdato|syntym[aä]aika|data urodzenia"
)


def births(text: str) -> Iterator[Hit]:
    """Dates beside a word for birth."""
    for match in _DATE.finditer(text):
        if match[1] and not _is_day(match[1], match[3], match[4]):
            continue
        if near(text, match.start(), match.end(), _BIRTH, 40, 0):
            yield Hit(match.start(), match.end(), "DATE_OF_BIRTH", 0.85)


def _is_day(first: str, second: str, third: str) -> bool:
    a, b, c = int(first), int(second), int(third)
    if len(first) == 4:
        return is_date(a, b, c) if a else False
    year = c if len(third) == 4 else 1900 + c
    return len(third) in (2, 4) and (is_date(year, a, b) or is_date(year, b, a)) if year else False
