"""How telephone numbers are built: after the national numbering plans that states report to the ITU (E.164)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Plan:
    """A country's numbers."""

    region: str
    code: str
    trunk: str
    """What stands before a number inside the country; empty where nothing does."""
    lengths: frozenset[int]
    """Digits of a number without the trunk prefix."""
    leading: re.Pattern[str]
    """How it can begin, without the trunk prefix."""


_PLANS = """
US 1 1 10 [2-9]\\d\\d[2-9]
CA 1 1 10 [2-9]\\d\\d[2-9]
GB 44 0 9,10 [1-3578]
IE 353 0 7,8,9 [1-9]
DE 49 0 6,7,8,9,10,11 [1-9]
AT 43 0 7,8,9,10,11,12,13 [1-9]
CH 41 0 9 [2-9]
FR 33 0 9 [1-9]
BE 32 0 8,9 [1-9]
NL 31 0 9 [1-9]
LU 352 - 6,7,8,9 [2-9]
ES 34 - 9 [5-9]
PT 351 - 9 [2-9]
IT 39 - 8,9,10,11 [03]
GR 30 - 10 [2-9]
SE 46 0 7,8,9 [1-9]
NO 47 - 8 [2-9]
DK 45 - 8 [2-9]
FI 358 0 6,7,8,9,10 [1-9]
IS 354 - 7 [3-9]
PL 48 - 9 [1-9]
CZ 420 - 9 [2-9]
SK 421 0 9 [2-9]
HU 36 06 8,9 [1-9]
RO 40 0 9 [2-9]
BG 359 0 7,8,9 [2-9]
HR 385 0 8,9 [1-9]
SI 386 0 8 [1-9]
RS 381 0 8,9 [1-9]
UA 380 0 9 [3-9]
RU 7 8 10 [3489]
KZ 7 8 10 [67]
TR 90 0 10 [2-5]
IL 972 0 8,9 [2-9]
AE 971 0 8,9 [2-9]
SA 966 0 8,9 [1-9]
EG 20 0 8,9,10 [1-9]
ZA 27 0 9 [1-8]
NG 234 0 8,10 [1-9]
KE 254 0 9 [1-7]
MA 212 0 9 [5-8]
IN 91 0 10 [1-9]
PK 92 0 9,10 [2-9]
BD 880 0 8,9,10 [1-9]
LK 94 0 9 [1-9]
CN 86 0 10,11 [1-9]
HK 852 - 8 [2-9]
TW 886 0 8,9 [2-9]
JP 81 0 9,10 [1-9]
KR 82 0 8,9,10 [1-9]
TH 66 0 8,9 [2-9]
VN 84 0 9,10 [2-9]
MY 60 0 8,9,10 [1-9]
SG 65 - 8 [3689]
ID 62 0 8,9,10,11,12 [2-9]
PH 63 0 8,9,10 [2-9]
AU 61 0 9 [2-478]
NZ 64 0 8,9,10 [2-9]
BR 55 0 10,11 [1-9]
AR 54 0 10,11 [1-9]
CL 56 - 9 [2-9]
CO 57 - 10 [36]
MX 52 - 10 [2-9]
PE 51 0 8,9 [1-9]
"""

CODES = frozenset(
    (
        "1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 "
        "90 91 92 93 94 95 98 211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 235 236 237 "
        "238 239 240 241 242 243 244 245 246 247 248 249 250 251 252 253 254 255 256 257 258 260 261 262 263 264 265 266 "
        "267 268 269 290 291 297 298 299 350 351 352 353 354 355 356 357 358 359 370 371 372 373 374 375 376 377 378 380 "
        "381 382 383 385 386 387 389 420 421 423 500 501 502 503 504 505 506 507 508 509 590 591 592 593 594 595 596 597 "
        "598 599 670 672 673 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692 800 808 850 852 853 "
        "855 856 870 878 880 881 882 883 886 888 960 961 962 963 964 965 966 967 968 970 971 972 973 974 975 976 977 979 "
        "992 993 994 995 996 998"
    ).split()
)
"""The country codes that are assigned (E.164)."""


@cache
def plans() -> tuple[Plan, ...]:
    """The plans of the countries whose numbers are known by their form."""
    made: list[Plan] = []
    for line in _PLANS.split("\n"):
        if line:
            region, code, trunk, lengths, leading = line.split(" ")
            sizes = frozenset(map(int, lengths.split(",")))
            made.append(Plan(region, code, trunk.strip("-"), sizes, re.compile(leading)))
    return tuple(made)
