"""Numbers that states outside Europe give to persons, with the check digits that they publish."""

from __future__ import annotations

from functools import cache

from promptrails_scanners.personal.checks import is_date, luhn, mod11_2, short_date, verhoeff, weighted
from promptrails_scanners.personal.rules import Row, Rule, rules_of

_NRIC = {"S": "JZIHGFEDCBA", "T": "GFEDCBAJZIH", "F": "XWUTRQPNMLK", "G": "RQPNMLKXWUT", "M": "XWUTRQPNJLK"}
_CURP = {char: at for at, char in enumerate("0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ")}
_TW = {char: 10 + at for at, char in enumerate("ABCDEFGHJKLMNPQRSTUVXYWZIO")}


def _ssn(value: str) -> bool:
    area, group, serial = value[:3], value[3:5], value[5:]
    if value in {"123456789", "219099999", "078051120"} or len(set(value)) == 1:
        return False
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


def _itin(value: str) -> bool:
    group = int(value[3:5])
    return 50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99


def _npi(value: str) -> bool:
    return len(set(value)) > 2 and luhn("80840" + value)


def _dea(value: str) -> bool:
    return (weighted(value[2:8:2], (1, 1, 1)) + 2 * weighted(value[3:8:2], (1, 1, 1))) % 10 == int(value[8])


def _aba(value: str) -> bool:
    return len(set(value)) > 1 and weighted(value, (3, 7, 1) * 3) % 10 == 0


def _sin(value: str) -> bool:
    return value[0] not in "08" and luhn(value)


def _tfn(value: str) -> bool:
    return weighted(value, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0 and len(set(value)) > 1


def _abn(value: str) -> bool:
    return (weighted(value, (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)) - 10) % 89 == 0 and value[0] != "0"


def _acn(value: str) -> bool:
    return -weighted(value, range(8, 0, -1)) % 10 == int(value[8]) and len(set(value)) > 1


def _medicare(value: str) -> bool:
    return weighted(value, (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(value[8])


def _ird(value: str) -> bool:
    padded = value.zfill(9)
    first = -weighted(padded, (3, 2, 7, 6, 5, 4, 3, 2)) % 11
    check = first if first < 10 else -weighted(padded, (7, 4, 3, 2, 5, 2, 7, 6)) % 11
    return check == int(padded[8])


def _aadhaar(value: str) -> bool:
    return verhoeff(value) and value != value[::-1]


def _nric(value: str) -> bool:
    total = weighted(value[1:], (2, 7, 6, 5, 4, 3, 2)) + (4 if value[0] in "TG" else 3 if value[0] == "M" else 0)
    return _NRIC[value[0]][total % 11] == value[8]


def _dated(value: str) -> bool:
    return short_date(value[:6])


def _rrn(value: str) -> bool:
    check = weighted(value, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5))
    return short_date(value[:6]) and (11 - check % 11) % 10 == int(value[12])


def _frn(value: str) -> bool:
    check = weighted(value, (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5))
    return short_date(value[:6]) and (13 - check % 11) % 10 == int(value[12])


def _brn(value: str) -> bool:
    total = weighted(value, (1, 3, 7, 1, 3, 7, 1, 3, 5)) + int(value[8]) * 5 // 10
    return (10 - total % 10) % 10 == int(value[9])


def _thai(value: str) -> bool:
    return (11 - weighted(value, range(13, 1, -1)) % 11) % 10 == int(value[12])


def _south_african(value: str) -> bool:
    return short_date(value[:6]) and value[10] in "012" and luhn(value)


def _chinese(value: str) -> bool:
    return is_date(int(value[6:10]), int(value[10:12]), int(value[12:14])) and mod11_2(value)


def _taiwanese(value: str) -> bool:
    code = _TW[value[0]]
    return (code // 10 + code % 10 * 9 + weighted(value[1:], (8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 == 0


def _hong_kong(value: str) -> bool:
    plain = value.replace("(", "").replace(")", "").rjust(9)
    total = sum(
        (36 if char == " " else int(char, 36)) * weight for char, weight in zip(plain[:8], range(9, 1, -1), strict=True)
    )
    return "0123456789A"[-total % 11] == plain[8]


def _my_number(value: str) -> bool:
    rest = weighted(value, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return (0 if rest <= 1 else 11 - rest) == int(value[11]) and len(set(value)) > 1


def _indonesian(value: str) -> bool:
    day = int(value[6:8])
    return short_date(f"{day - 40 if day > 40 else day:02}{value[8:12]}", "dmy") and value[12:] != "0000"


def _cpf(value: str) -> bool:
    first = weighted(value, range(10, 1, -1)) * 10 % 11 % 10
    second = weighted(value, range(11, 1, -1)) * 10 % 11 % 10
    return value[9:] == f"{first}{second}" and len(set(value)) > 1


def _cnpj(value: str) -> bool:
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    first = weighted(value, weights[1:]) * 10 % 11 % 10
    second = weighted(value, weights) * 10 % 11 % 10
    return value[12:] == f"{first}{second}" and len(set(value)) > 1


def _curp(value: str) -> bool:
    total = sum(_CURP[char] * (18 - at) for at, char in enumerate(value[:17]))
    return short_date(value[4:10]) and -total % 10 == int(value[17])


def _cuit(value: str) -> bool:
    rest = 11 - weighted(value, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return {11: 0, 10: 9}.get(rest, rest) == int(value[10])


def _rut(value: str) -> bool:
    total = sum(int(digit) * (2 + at % 6) for at, digit in enumerate(reversed(value[:-1])))
    return "0123456789K"[-total % 11] == value[-1]


_PASS = "passports?|travel document"
_LICENCE = "driv(?:ing|er'?s?|ers'?) licen[cs]es?|driv(?:ing|er) permit|licen[cs]e (?:number|no)|dl number"
_PLATE = "plate|registration|vehicles?|bike|car|reg"
_BANK = "bank account|account (?:number|no\\.?|#)|acct|checking|savings|bank"

_TABLE: dict[str, tuple[Row, ...]] = {
    "US": (
        ("US_SSN", r"\d{3}-\d{2}-\d{4}", 0.85, _ssn, "ssn|social security|social"),
        ("US_SSN", r"\d{3}([ .])\d{2}\1\d{4}", 0.5, _ssn, "ssns?|social security|social"),
        (
            "US_SSN",
            r"\d{3}-?\d{2}-?\d{4}",
            0.35,
            _ssn,
            "ssns?|social security(?: number)?|social|soc sec",
        ),
        ("US_ITIN", r"9\d{2}([- ])\d{2}\1\d{4}", 0.7, _itin, "itin|tax|taxpayer"),
        ("US_ITIN", r"9\d{2}-?\d{2}-?\d{4}", 0.3, _itin, "itin|tax id|taxpayer|individual"),
        ("US_NPI", r"[12]\d{9}", 0.3, _npi, "npi|provider identifier|provider"),
        (
            "US_MBI",
            r"[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y]{2}\d{2}",
            0.7,
            None,
            "mbi|medicare",
        ),
        (
            "MEDICAL_LICENSE",
            r"[ABCDEFGHJKLMPRSTUX][A-Z9]\d{7}",
            0.5,
            _dea,
            "dea|medical licen[cs]e|certificate|registration",
        ),
        ("ABA_ROUTING_NUMBER", r"[0-3678]\d{8}|[0-3678]\d{3}-\d{4}-\d", 0.2, _aba, "aba|routing(?: number)?|rtn"),
        ("US_BANK_NUMBER", r"\d{8,17}", 0.1, None, _BANK),
        ("US_PASSPORT", r"[A-Z]\d{8}|\d{9}", 0.15, None, _PASS),
        (
            "US_DRIVER_LICENSE",
            r"[A-Z]{0,3}\d{5,14}[A-Z]?|\d{4}-\d{2}-\d{4}|[A-Z]\d{3}-\d{4}-\d{4}",
            0.15,
            None,
            _LICENCE,
        ),
    ),
    "CA": (("CA_SIN", r"\d{3}([ -]?)\d{3}\1\d{3}", 0.35, _sin, "sin|social insurance|nas"),),
    "AU": (
        ("AU_TFN", r"\d{3} ?\d{3} ?\d{3}", 0.3, _tfn, "tfn|tax file"),
        ("AU_ABN", r"\d{2} ?\d{3} ?\d{3} ?\d{3}", 0.45, _abn, "abn|business number"),
        ("AU_ACN", r"\d{3} ?\d{3} ?\d{3}", 0.3, _acn, "acn|company number"),
        ("AU_MEDICARE", r"[2-6]\d{3} ?\d{5} ?\d{1,2}", 0.35, _medicare, "medicare"),
    ),
    "NZ": (("NZ_IRD", r"\d{2,3}-?\d{3}-?\d{3}", 0.25, _ird, "ird|inland revenue"),),
    "IN": (
        ("IN_AADHAAR", r"[2-9]\d{3}([ -:])\d{4}\1\d{4}", 0.55, _aadhaar, "aadhaar|aadhar|uidai"),
        ("IN_AADHAAR", r"[2-9]\d{11}", 0.35, _aadhaar, "aadhaar|aadhar|uidai"),
        ("IN_PAN", r"[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z]", 0.6, None, "pan|permanent account"),
        ("IN_GSTIN", r"[0-3]\d[A-Z]{5}\d{4}[A-Z][1-9A-Z]Z[0-9A-Z]", 0.7, None, "gstin|gst"),
        ("IN_VOTER", r"[A-Z]{3}\d{7}", 0.2, None, "voter|epic|election"),
        ("IN_PASSPORT", r"[A-Z]\d{7}", 0.2, None, _PASS),
        ("IN_VEHICLE_REGISTRATION", r"[A-Z]{2}[ -]?\d{1,2}[ -]?[A-Z]{0,3}[ -]?\d{4}", 0.2, None, _PLATE),
    ),
    "SG": (
        ("SG_NRIC_FIN", r"[STFGM]\d{7}[A-Z]", 0.7, _nric, "nric|fin"),
        ("SG_UEN", r"\d{8,9}[A-Z]|[TSR]\d{2}[A-Z]{2}\d{4}[A-Z]", 0.2, None, "uen|entity number"),
    ),
    "KR": (
        ("KR_RRN", r"\d{6}-[1-4]\d{6}", 0.65, _dated, "rrn|resident registration|주민등록번호"),
        ("KR_RRN", r"\d{6}[1-4]\d{6}", 0.45, _rrn, "rrn|resident registration|주민등록번호"),
        ("KR_FRN", r"\d{6}-[5-8]\d{6}", 0.6, _dated, "frn|foreigner|외국인등록번호"),
        ("KR_FRN", r"\d{6}[5-8]\d{6}", 0.45, _frn, "frn|foreigner|외국인등록번호"),
        ("KR_BRN", r"\d{3}-\d{2}-\d{5}", 0.5, _brn, "brn|business registration|사업자"),
        ("KR_PASSPORT", r"[MSRODG]\d{3}[A-Z]\d{4}|[MSRODG]\d{8}", 0.3, None, f"{_PASS}|korean|여권"),
        ("KR_DRIVER_LICENSE", r"(?:1[1-9]|2[0-8])([- ])\d{2}\1\d{6}\1\d{2}", 0.5, None, f"{_LICENCE}|운전면허"),
    ),
    "TH": (
        ("TH_TNIN", r"[1-8]-\d{4}-\d{5}-\d{2}-\d", 0.65, _thai, "thai id|เลขประจำตัวประชาชน|บัตรประชาชน"),
        ("TH_TNIN", r"[1-8]\d{12}", 0.35, _thai, "thai id|citizen id|เลขประจำตัวประชาชน|บัตรประชาชน"),
    ),
    "ZA": (
        (
            "ZA_ID_NUMBER",
            r"\d{13}",
            0.5,
            _south_african,
            "rsa id|id number|identity|refugee|permanent resident|south african",
        ),
    ),
    "CN": (("CN_RESIDENT_ID", r"[1-9]\d{16}[\dX]", 0.75, _chinese, "身份证|居民身份证|resident id"),),
    "TW": (("TW_NATIONAL_ID", r"[A-Z][1289]\d{8}", 0.6, _taiwanese, "身分證|national id"),),
    "HK": (("HK_ID", r"[A-Z]{1,2}\d{6}\([\dA]\)", 0.7, _hong_kong, "hkid|identity card|身份證"),),
    "JP": (("JP_MY_NUMBER", r"\d{4}([ -]?)\d{4}\1\d{4}", 0.3, _my_number, "my number|マイナンバー|個人番号"),),
    "MY": (("MY_NRIC", r"\d{6}-\d{2}-\d{4}", 0.6, _dated, "nric|mykad|ic"),),
    "ID": (("ID_NIK", r"[1-9]\d{15}", 0.3, _indonesian, "nik|ktp"),),
    "PH": (("PH_TIN", r"\d{3}-\d{3}-\d{3}(?:-\d{3,5})?|\d{12}", 0.25, None, "tin|bir|taxpayer"),),
    "BR": (
        ("BR_CPF", r"\d{3}\.\d{3}\.\d{3}-\d{2}", 0.85, _cpf, "cpf"),
        ("BR_CPF", r"\d{9}-?\d{2}", 0.4, _cpf, "cpf"),
        ("BR_CNPJ", r"\d{2}\.\d{3}\.\d{3}/\d{4}-\d{2}", 0.8, _cnpj, "cnpj"),
    ),
    "MX": (
        ("MX_CURP", r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d", 0.8, _curp, "curp"),
        ("MX_RFC", r"[A-ZÑ&]{4}\d{6}[A-Z0-9]{2}[0-9A]", 0.5, lambda value: short_date(value[4:10]), "rfc"),
    ),
    "AR": (("AR_CUIT", r"(?:2[0347]|3[034])-?\d{8}-?\d", 0.55, _cuit, "cuit|cuil"),),
    "CL": (("CL_RUT", r"\d{1,2}\.\d{3}\.\d{3}-[\dK]", 0.75, _rut, "rut|run"),),
    "IL": (("IL_ID", r"\d{9}", 0.25, luhn, "teudat zehut|israeli id|תעודת זהות|ת\\.ז"),),
    "AE": (("AE_EMIRATES_ID", r"784-?\d{4}-?\d{7}-?\d", 0.75, luhn, "emirates id"),),
    "NG": (("NG_VEHICLE_REGISTRATION", r"[A-Z]{3}[ -]?\d{3}[ -]?[A-Z]{2}", 0.2, None, _PLATE),),
}


@cache
def worldwide() -> tuple[Rule, ...]:
    """The rules of all these states."""
    return tuple(rule for region, rows in _TABLE.items() for rule in rules_of(rows, region))
