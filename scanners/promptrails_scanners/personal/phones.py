"""Telephone numbers: told by their country's plan, by how they are written, and by the words beside them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from promptrails_scanners.foundation import lazily
from promptrails_scanners.personal.checks import is_date
from promptrails_scanners.personal.phone_plans import CODES, plans
from promptrails_scanners.personal.rules import Hit, near

_BETWEEN = r"(?:\) ?[-./]? ?\(?|[ \u00a0]{0,2}[-./] ?\(?|[ \u00a0]{1,2}\(?|\()"
"""What stands between groups of digits: never nothing, so that there is one way only to take a number apart."""
_NUMBER = lazily.pattern(
    r"[+(\d](?<![\w/=#$€£%*<>^-].)(?<!\d[.,].)(?<!\w[+(].)"  # looking back: the search skips to such characters
    rf"(?:(?<=\+) ?\(?\d|(?<=\()\d|(?<=\d))\d{{0,14}}(?:{_BETWEEN}\d{{1,12}}){{0,8}}\)?"
    r"(?: ?(?:x|ext\.? ?|#) ?\d{1,6})?(?![\w%/=+*^<>]|[.,]\d)",
    re.IGNORECASE,
)
_EXTENSION = lazily.pattern(r" ?(?:x|ext\.? ?|#) ?\d{1,6}$", re.IGNORECASE)
_WORDS = (
    r"(?:tele)?(?:ph|f)ones?|(?:tele|handy|mobil|phone|celular|puhelin)\w{0,16}|tel|mobiles?|cell(?:phone)?s?|fax|call(?:s|ed|ing)?|dial(?:ed|led|ing)?|"
    r"text(?:ed|ing)?|sms|whats ?app|reach(?:ed)?|answering|messages? to|contact(?:s|ed)?|hotline|helpline|office|desk|"
    r"voice ?mail|ring|rang|landline|work|home|handy|m[oó]vil|portable|cellulare|numer telefonu|telefono|tlf|puh|"
    r"llam(?:ar?|e)|appel(?:er|ez)|anrufen|bel|電話|携帯|전화|电话|手机|телефон\w{0,3}|тел|هاتف|फ़ोन"
)
_OTHERS = (
    r"cards?|cc|licen[cs]e(?: number)?|account(?: number)?|acct|passport|order|invoice|ssn|social security|iban|zip|"
    r"id|serial|tracking|policy|booking|reference|case|isbn|issn|population|version|score|tax|routing|port"
)
_WEAK_BEFORE = 48


def phones(text: str, regions: Collection[str] = ()) -> Iterator[Hit]:
    """Telephone numbers; those written without a country code are held against the regions' plans, or against all."""
    for match in _NUMBER.finditer(text):
        number = _EXTENSION.sub("", match[0])
        digits = re.sub(r"\D", "", number.replace("(0)", ""))
        if not 7 <= len(digits) <= 15 or number.count("(") != number.count(")"):
            continue
        groups = re.findall(r"\d+", number)
        if _is_other(number, groups):
            continue
        sure = _sure(number, digits, groups, frozenset(regions))
        sure += 0.15 * (number != match[0])
        if near(text, match.start(), match.end(), _WORDS, _WEAK_BEFORE, 12):
            sure += 0.4
        if near(text, match.start(), match.end(), _OTHERS, 16, 0):
            sure -= 0.4
        bracketed = number == match[0] and number[0] == "(" and number.find(")") == len(number) - 1
        yield Hit(match.start() + bracketed, match.end() - bracketed, "PHONE_NUMBER", max(0.0, min(1.0, sure)))


def _sure(number: str, digits: str, groups: list[str], regions: frozenset[str]) -> float:
    """How much the number itself speaks for it."""
    if number.startswith("+") or (digits.startswith("00") and len(digits) > 10):
        return 0.85 if _international(digits.removeprefix("00")) else 0.3
    if any(len(group) == 1 for group in groups[1:]):  # numbers in a row
        return 0.0
    if _american(number, digits, groups) and (not regions or regions & {"US", "CA"}):
        return 0.7
    known = _fits(digits, regions)
    if len(groups) == 1:
        return (0.45 if regions and known else 0.25) if known else 0.1
    if known and (number[0] in "0(" or regions):
        return 0.55 if len(groups) > 2 or number[0] == "(" or regions else 0.3
    return 0.3 if len(digits) <= 12 else 0.05


def _international(digits: str) -> bool:
    code = next((digits[:size] for size in (1, 2, 3) if digits[:size] in CODES), None)
    if code is None:
        return False
    rest = digits[len(code) :]
    known = [plan for plan in plans() if plan.code == code]
    if not known:
        return 6 <= len(rest) <= 12
    rest = rest.removeprefix("0") if rest.startswith("0") and code not in {"39"} else rest
    return any(len(rest) in plan.lengths for plan in known)


def _american(number: str, digits: str, groups: list[str]) -> bool:
    sizes = [len(group) for group in groups]
    if sizes[0] == 1 and digits[0] == "1":
        sizes, digits = sizes[1:], digits[1:]
    if sizes != [3, 3, 4] or digits[0] in "01":
        return False
    return digits[3] not in "01" or "(" in number or number.count("-") >= 2 or number.count(".") >= 2


def _fits(digits: str, regions: frozenset[str]) -> bool:
    """Whether a plan has such numbers."""
    for plan in plans():
        if regions and plan.region not in regions:
            continue
        if plan.trunk and digits.startswith(plan.trunk):
            inner = digits[len(plan.trunk) :]
        elif plan.trunk and plan.region not in {"US", "CA"}:
            continue
        else:
            inner = digits
        if len(inner) in plan.lengths and plan.leading.match(inner):
            return True
    return False


def _is_other(number: str, groups: list[str]) -> bool:
    """Whether it is a date, a range of years, an address of a network or a number with a point."""
    sizes = [len(group) for group in groups]
    if sizes == [4, 4] and all("1000" <= group <= "2100" for group in groups):
        return True
    if len(groups) >= 3 and sizes[:3] in ([4, 2, 2], [2, 2, 4], [1, 2, 4], [2, 1, 4], [1, 1, 4]):
        a, b, c = map(int, groups[:3])
        year = a if sizes[0] == 4 else c
        if 1000 <= year <= 2999 and any(1 <= x <= 12 for x in (a, b)) and is_date(year, 1, 1):
            return True
    if sizes == [3, 2, 4] and re.fullmatch(r"\d{3}[-. ]\d{2}[-. ]\d{4}", number):  # a social security number
        return True
    return (
        number.count(".") == 3 and sizes != [3, 3, 4] and all(int(group) < 256 for group in groups) and len(groups) == 4
    )
