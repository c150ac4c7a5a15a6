"""Numbers that states of Europe give to persons, with the check digits that they publish."""

from __future__ import annotations

from functools import cache

from promptrails_scanners.personal.checks import is_date, luhn, mod11_10, short_date, weighted
from promptrails_scanners.personal.rules import Row, Rule, rules_of

_NIF = "TRWAGMYFPDXBNJZSQVHLCKE"
_FI = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_IE = "WABCDEFGHIJKLMNOPQRSTUV"
_IT_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


def _nhs(value: str) -> bool:
    check = 11 - weighted(value, range(10, 1, -1)) % 11
    return check % 11 == int(value[9]) and check != 10 and len(set(value)) > 1


def _nino(value: str) -> bool:
    return value[:2] not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}


def _de_tax(value: str) -> bool:
    counts = [value[:10].count(digit) for digit in set(value[:10])]
    return value[0] != "0" and 1 < max(counts) <= 3 and mod11_10(value)


def _rvnr(value: str) -> bool:
    day, month = int(value[2:4]), int(value[4:6])
    letter = f"{ord(value[8]) - 64:02}"
    total = 0
    for digit, weight in zip(value[:8] + letter + value[9:11], (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1), strict=True):
        product = int(digit) * weight
        total += product // 10 + product % 10
    return (1 <= day <= 31 or 51 <= day <= 81) and 1 <= month <= 12 and total % 10 == int(value[11])


def _kvnr(value: str) -> bool:
    total = 0
    for at, digit in enumerate(f"{ord(value[0]) - 64:02}" + value[1:9]):
        product = int(digit) * (1 + at % 2)
        total += product // 10 + product % 10
    return total % 10 == int(value[9])


def _de_document(value: str) -> bool:
    digits = [int(char, 36) for char in value]
    check = sum(one * (7, 3, 1)[at % 3] for at, one in enumerate(digits[:9])) % 10
    return any(char.isdigit() for char in value) and (len(value) == 9 or check == digits[9])


def _es_nif(value: str) -> bool:
    number = value.replace("X", "0", 1).replace("Y", "1", 1).replace("Z", "2", 1) if value[0] in "XYZ" else value
    return _NIF[int(number[:-1]) % 23] == value[-1]


def _it_code(value: str) -> bool:
    total = 0
    for at, char in enumerate(value[:15]):
        index = int(char) if char.isdigit() else ord(char) - 65
        total += index if at % 2 else _IT_ODD[index]
    return chr(65 + total % 26) == value[15]


def _pesel(value: str) -> bool:
    month = int(value[2:4])
    year = (1900, 2000, 2100, 2200, 1800)[month // 20] + int(value[:2])
    check = -weighted(value, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)) % 10
    return is_date(year, month % 20, int(value[4:6])) and check == int(value[10])


def _fi(value: str) -> bool:
    digits = value[:6] + value[-4:-1]
    return short_date(value[:6], "dmy") and digits[6:] >= "002" and _FI[int(digits) % 31] == value[-1]


def _se(value: str) -> bool:
    digits = "".join(filter(str.isdigit, value))[-10:]
    day = int(digits[4:6])
    plain = digits[:4] + f"{day - 60 if day > 60 else day:02}"
    return short_date(plain) and luhn(digits)


def _se_company(value: str) -> bool:
    return int(value[2]) >= 2 and luhn(value)


def _no(value: str) -> bool:
    day = int(value[:2])
    first = -weighted(value, (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11
    second = -weighted(value, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return short_date(f"{day - 40 if day > 40 else day:02}{value[2:6]}", "dmy") and value[9:] == f"{first}{second}"


def _dk(value: str) -> bool:
    return short_date(value[:6], "dmy")


def _bsn(value: str) -> bool:
    return weighted(value, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and len(set(value)) > 1


def _be(value: str) -> bool:
    number = int(value[:9])
    return any(97 - one % 97 == int(value[9:]) for one in (number, 2_000_000_000 + number))


def _nir(value: str) -> bool:
    number = value[:13].replace("2A", "19").replace("2B", "18")
    return number.isdigit() and 97 - int(number) % 97 == int(value[13:])


def _pt(value: str) -> bool:
    check = 11 - weighted(value, range(9, 1, -1)) % 11
    return (0 if check > 9 else check) == int(value[8])


def _ean13(value: str) -> bool:
    return weighted(value, (1, 3) * 6 + (1,)) % 10 == 0


def _at(value: str) -> bool:
    return weighted(value[:3] + value[4:], (3, 7, 9, 5, 8, 4, 2, 1, 6)) % 11 == int(value[3]) and short_date(
        value[4:], "dmy"
    )


def _pps(value: str) -> bool:
    extra = 9 * (ord(value[8]) - 64) if len(value) == 9 and value[8] != "W" else 0
    return _IE[(weighted(value, range(8, 1, -1)) + extra) % 23] == value[7]


def _cnp(value: str) -> bool:
    check = weighted(value, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    return short_date(value[1:7]) and (1 if check == 10 else check) == int(value[12])


def _egn(value: str) -> bool:
    month = int(value[2:4])
    plain = f"{value[:2]}{month % 20:02}{value[4:6]}"
    check = weighted(value, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10
    return short_date(plain) and check == int(value[9])


def _cz(value: str) -> bool:
    month = int(value[2:4])
    month -= 70 if month > 70 else 50 if month > 50 else 20 if month > 20 else 0
    return short_date(f"{value[:2]}{month:02}{value[4:6]}") and int(value) % 11 == 0


def _baltic(value: str) -> bool:
    first = weighted(value, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    check = first if first < 10 else weighted(value, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return short_date(value[1:7]) and check == int(value[10])


def _amka(value: str) -> bool:
    return short_date(value[:6], "dmy") and luhn(value)


def _turkish(value: str) -> bool:
    digits = [int(char) for char in value]
    tenth = (sum(digits[0:9:2]) * 7 - sum(digits[1:8:2])) % 10
    return tenth == digits[9] and sum(digits[:10]) % 10 == digits[10]


_PASS = "pass(?:port)?s?|passport (?:number|no)|reisepass|pass-?nr|ausweis(?:nummer)?|pasaporte|passaporto|passeport"
_LICENCE = "driv(?:ing|er'?s?) licen[cs]e|licen[cs]e|f[uü]hrerschein(?:nummer)?|fahrerlaubnis|patente|permis"
_PLATE = "plate|number plate|licen[cs]e plate|registration|reg|vehicles?|kennzeichen|plaka|plate number|bike"
_ID = r"id|identity|identification|national|personal (?:code|number|identity)"

_TABLE: dict[str, tuple[Row, ...]] = {
    "GB": (
        ("UK_NHS", r"\d{3}[ -]?\d{3}[ -]?\d{4}", 0.3, _nhs, "nhs|national health|health service|patient"),
        ("UK_NINO", r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D]", 0.6, _nino, "nino|insurance"),
        ("UK_PASSPORT", r"[A-Z]{2}\d{7}", 0.3, None, _PASS),
        (
            "UK_DRIVING_LICENCE",
            r"[A-Z]{1,5}9{0,4}(?<=[A-Z9]{5})\d[0156]\d(?:0[1-9]|[12]\d|3[01])\d[A-Z9]{2}[A-Z\d][A-Z]{2}",
            0.7,
            None,
            _LICENCE,
        ),
        ("UK_VEHICLE_REGISTRATION", r"[A-Z]{2}\d{2}[ -]?[A-Z]{3}|[A-Z]\d{1,3} ?[A-Z]{3}", 0.2, None, _PLATE),
        (
            "UK_POSTCODE",
            r"GIR ?0AA|[A-PR-UWYZ](?:\d{1,2}|[A-HK-Y]\d{1,2}|\d[A-HJKSTUW]|"
            r"[A-HK-Y]\d[ABEHMNPRVWXY]) ?\d[ABD-HJLNP-UW-Z]{2}",
            0.3,
            None,
            "post ?codes?|address|live|lives|london|street|road|uk|england|scotland|wales",
        ),
    ),
    "DE": (
        ("DE_TAX_ID", r"\d{2} ?\d{3} ?\d{3} ?\d{3}", 0.35, _de_tax, "steuer-?id|steuernummer|idnr|tin|tax|steuerliche"),
        (
            "DE_SOCIAL_SECURITY",
            r"\d{2} ?\d{6} ?[A-Z] ?\d{3}",
            0.6,
            _rvnr,
            "rvnr|sozialversicherung\\w{0,12}|rente\\w{0,20}",
        ),
        (
            "DE_HEALTH_INSURANCE",
            r"[A-Z]\d{9}",
            0.45,
            _kvnr,
            "kvnr|krankenkasse|krankenversicher\\w{0,12}|versicherten\\w{0,8}",
        ),
        ("DE_PASSPORT", r"[CFGHJK][CFGHJKLMNPRTVWXYZ0-9]{8}\d?", 0.2, _de_document, _PASS),
        (
            "DE_ID_CARD",
            r"[LMNPRTVWXY][CFGHJKLMNPRTVWXYZ0-9]{8}\d?",
            0.2,
            _de_document,
            f"{_ID}|personalausweis|ausweis",
        ),
        ("DE_FUEHRERSCHEIN", r"[A-Z]{1,2}\d{1,8}[A-Z0-9]{1,3}", 0.2, lambda value: len(value) == 11, _LICENCE),
        ("DE_VAT_ID", r"DE[ .-]?\d{3}[ .-]?\d{3}[ .-]?\d{3}", 0.5, None, "ust-?id\\w{0,4}|vat|umsatzsteuer\\w{0,20}"),
        ("DE_TAX_NUMBER", r"\d{2,3}/\d{3,4}/\d{4,5}|\d{13}", 0.15, None, "steuernummer|st-?nr|finanzamt"),
        ("DE_KFZ", r"(?-i:[A-ZÄÖÜ]{1,3}[ -][A-Z]{1,2}[ -]?\d{1,4}[HE]?)", 0.15, None, _PLATE),
        ("DE_LANR", r"\d{9}", 0.15, None, "lanr|arztnummer"),
    ),
    "ES": (
        ("ES_NIF", r"\d{8}-?[A-Z]", 0.65, _es_nif, "dni|nif|documento"),
        ("ES_NIE", r"[XYZ]-?\d{7}-?[A-Z]", 0.65, _es_nif, "nie|extranjero|identificaci[oó]n"),
        ("ES_PASSPORT", r"[A-Z]{3}\d{6}", 0.2, None, _PASS),
    ),
    "IT": (
        ("IT_FISCAL_CODE", r"[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z]", 0.8, _it_code, "codice fiscale|fiscale"),
        ("IT_VAT_CODE", r"\d{11}", 0.3, luhn, "partita iva|p\\.? ?iva|iva|vat"),
        ("IT_DRIVER_LICENSE", r"[A-Z]{2}\d{7}[A-Z]|U1[A-Z0-9]{7}[A-Z]", 0.3, None, _LICENCE),
        ("IT_PASSPORT", r"[A-Z]{2}\d{7}", 0.2, None, "passaporto"),
        (
            "IT_IDENTITY_CARD",
            r"[A-Z]{2} ?\d{5}[A-Z]{2}|[A-Z]{2} ?\d{7}",
            0.2,
            None,
            "carta d'identit[aà]|identit[aà]|cie",
        ),
    ),
    "FR": (
        (
            "FR_NIR",
            r"[12] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}",
            0.7,
            _nir,
            "nir|insee|s[eé]curit[eé] sociale|vitale",
        ),
    ),
    "PL": (("PL_PESEL", r"\d{11}", 0.4, _pesel, "pesel"),),
    "FI": (
        (
            "FI_PERSONAL_IDENTITY_CODE",
            r"\d{6}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]",
            0.75,
            _fi,
            "hetu|henkil[oö]tunnus|identity",
        ),
    ),
    "SE": (
        ("SE_PERSONNUMMER", r"(?:19|20)?\d{6}[-+]\d{4}|(?:19|20)\d{10}", 0.55, _se, "personnummer|pnr|person-?nr"),
        ("SE_PERSONNUMMER", r"\d{10}", 0.3, _se, "personnummer|pnr|person-?nr"),
        (
            "SE_ORGANISATIONSNUMMER",
            r"\d{6}-\d{4}",
            0.5,
            _se_company,
            "org\\.?-?nr|organisationsnummer|f[oö]retag\\w{0,3}",
        ),
        ("SE_ORGANISATIONSNUMMER", r"\d{10}", 0.3, _se_company, "org\\.?-?nr|organisationsnummer"),
    ),
    "NO": (("NO_FODSELSNUMMER", r"\d{6} ?\d{5}", 0.6, _no, "f[oø]dselsnummer|personnummer|fnr"),),
    "DK": (("DK_CPR", r"\d{6}-\d{4}", 0.4, _dk, "cpr|personnummer|cpr-?nr"),),
    "NL": (("NL_BSN", r"\d{9}|\d{4}\.\d{2}\.\d{3}", 0.3, _bsn, "bsn|burgerservicenummer|sofi"),),
    "BE": (
        (
            "BE_NATIONAL_NUMBER",
            r"\d{2}\.?\d{2}\.?\d{2}-?\d{3}[.-]?\d{2}",
            0.65,
            _be,
            "rijksregister\\w{0,8}|nn|registre",
        ),
    ),
    "PT": (("PT_NIF", r"\d{9}|\d{3} \d{3} \d{3}", 0.3, _pt, "nif|contribuinte|fiscal"),),
    "CH": (("CH_AHV", r"756[. ]?\d{4}[. ]?\d{4}[. ]?\d{2}", 0.8, _ean13, "ahv|avs|oasi"),),
    "AT": (("AT_SVNR", r"\d{4} ?\d{6}", 0.4, _at, "svnr|sv-?nummer|sozialversicherung\\w{0,10}"),),
    "IE": (("IE_PPS", r"\d{7}[A-W][A-IW]?", 0.5, _pps, "pps|ppsn|public service"),),
    "RO": (("RO_CNP", r"[1-8]\d{12}", 0.6, _cnp, "cnp|numeric personal"),),
    "BG": (("BG_EGN", r"\d{10}", 0.4, _egn, "egn|егн"),),
    "CZ": (("CZ_BIRTH_NUMBER", r"\d{6}/\d{4}", 0.6, _cz, "rodn[eé] [cč][ií]slo|r[cč]"),),
    "EE": (("EE_ISIKUKOOD", r"[1-6]\d{10}", 0.45, _baltic, "isikukood|asmens kodas|ik"),),
    "GR": (("GR_AMKA", r"\d{11}", 0.3, _amka, "amka|αμκα"),),
    "TR": (
        (
            "TR_NATIONAL_ID",
            r"[1-9]\d{10}",
            0.6,
            _turkish,
            "tc kimlik|kimlik|tckn|turkish id|t\\.c\\.",
        ),
        ("TR_LICENSE_PLATE", r"(?:0[1-9]|[1-7]\d|8[01]) ?[A-Z]{1,3} ?\d{2,4}", 0.15, None, _PLATE),
    ),
}


@cache
def european() -> tuple[Rule, ...]:
    """The rules of all these states."""
    return tuple(rule for region, rows in _TABLE.items() for rule in rules_of(rows, region))
