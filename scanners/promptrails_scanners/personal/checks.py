"""Check digits: whether a number can have been issued at all.

The formulas are public: Luhn (ISO/IEC 7812), ISO 7064 (mod 11,10; mod 97,10; mod 11,2), Verhoeff (1969), base58check,
bech32 (BIP 173, BIP 350), and those that states publish for their numbers.  They take text without separators.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date


def luhn(digits: str) -> bool:
    """Whether the last digit fits the others, and not all are alike."""
    total = 0
    for at, char in enumerate(reversed(digits)):
        value = int(char)
        if at % 2:
            value = value * 2 - 9 * (value > 4)
        total += value
    return total % 10 == 0 and len(set(digits)) > 1


def weighted(digits: str, weights: Sequence[int]) -> int:
    """The sum of the digits, each times its weight."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def mod97(text: str) -> bool:
    """ISO 7064 mod 97,10 of letters and digits, the first four moved to the end."""
    moved = text[4:] + text[:4]
    return int("".join(str(int(char, 36)) for char in moved)) % 97 == 1


def mod11_10(digits: str) -> bool:
    """ISO 7064 mod 11,10."""
    product = 10
    for digit in digits[:-1]:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(digits[-1])


def mod11_2(digits: str) -> bool:
    """ISO 7064 mod 11,2: the last is a digit or X."""
    total = 0
    for digit in digits[:-1]:
        total = (total + int(digit)) * 2 % 11
    return "0123456789X"[(12 - total) % 11] == digits[-1].upper()


_DIHEDRAL = (
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
)
_PERMUTED = (
    "0123456789",
    "1576283094",
    "5803796142",
    "8916043527",
    "9453126870",
    "4286573901",
    "2793806415",
    "7046913258",
)


def verhoeff(digits: str) -> bool:
    """Verhoeff's check over the dihedral group of ten elements."""
    state = 0
    for at, digit in enumerate(reversed(digits)):
        state = int(_DIHEDRAL[state][int(_PERMUTED[at % 8][int(digit)])])
    return state == 0


def is_date(year: int, month: int, day: int) -> bool:
    """Whether there is such a day."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def short_date(digits: str, order: str = "ymd") -> bool:
    """Whether six digits are a day of this century or the last one; `order` says what stands where."""
    values = {key: int(digits[2 * at : 2 * at + 2]) for at, key in enumerate(order)}
    return any(is_date(century + values["y"], values["m"], values["d"]) for century in (1900, 2000))


# ------------------------------------------------------------------ addresses of currencies

_BASE58 = {char: at for at, char in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
_BECH32 = {char: at for at, char in enumerate("qpzry9x8gf2tvdw0s3jn54khce6mua7l")}
_POLYNOMIALS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def base58check(text: str) -> bool:
    """Whether 21 bytes with four bytes of their double SHA-256 stand here."""
    number = 0
    for char in text:
        if char not in _BASE58:
            return False
        number = number * 58 + _BASE58[char]
    zeros = len(text) - len(text.lstrip("1"))
    data = b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(data) != 25:
        return False
    return hashlib.sha256(hashlib.sha256(data[:-4]).digest()).digest()[:4] == data[-4:]


def bech32(text: str) -> bool:
    """Whether the checksum of a segwit address holds, in either of its two forms."""
    if text.lower() != text and text.upper() != text:
        return False
    prefix, _, data = text.lower().rpartition("1")
    if not prefix or any(char not in _BECH32 for char in data):
        return False
    state = 1
    values = [ord(char) >> 5 for char in prefix] + [0] + [ord(char) & 31 for char in prefix]
    for value in values + [_BECH32[char] for char in data]:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for bit, polynomial in enumerate(_POLYNOMIALS):
            if top >> bit & 1:
                state ^= polynomial
    return state in (1, 0x2BC830A3)
