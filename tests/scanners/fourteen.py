"""All scanners of the package, built to find what their conformance tests give them, and texts drawn for them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from promptrails_engine.ports.scanner import Scanner, ScannerModule
from promptrails_engine.testing import ScannerConformance
from tests.scanners import test_conformance as conformance

CASES: Sequence[type[ScannerConformance]] = [
    one for name, one in sorted(vars(conformance).items()) if name.startswith("Test")
]
MODULES: Mapping[str, ScannerModule] = {one.module.META.type: one.module for one in CASES}
CONFIGS: Mapping[str, Mapping[str, Any]] = {one.module.META.type: one.config for one in reversed(CASES)}
NAMES = sorted(MODULES)
FOUND = {name: [text for one in CASES if one.module is MODULES[name] for text in one.found] for name in NAMES}
CLEAN = [text for one in CASES for text in one.clean]

SAID = (
    "Завтра мы пойдём в магазин, чтобы купить хлеб и молоко.",
    "Αύριο θα πάμε στο μαγαζί για να αγοράσουμε ψωμί και γάλα.",
    "سنذهب غدا إلى السوق لشراء الخبز والحليب.",
    "فردا برای خرید نان به فروشگاه می\u200cرویم.",
    "מחר נלך לחנות כדי לקנות לחם וחלב.",
    "हम कल रोटी और दूध खरीदने के लिए दुकान पर जाएंगे।",
    "আমরা আগামীকাল রুটি কিনতে দোকানে যাব।",
    "நாளை நாங்கள் ரொட்டி வாங்க கடைக்குச் செல்வோம்.",
    "พรุ่งนี้เราจะไปร้านเพื่อซื้อขนมปังและนม",
    "明天我们要去商店买面包和牛奶。",
    "明日はパンと牛乳を買いにお店へ行きます。",
    "내일 우리는 빵과 우유를 사러 가게에 갈 것입니다.",
    "ხვალ მაღაზიაში წავალთ პურის საყიდლად.",
    "Վաղը մենք կգնանք խանութ հաց գնելու։",
    "Mañana iremos a la tienda a comprar pan, señor.",
    "Morgen gehen wir in den großen Laden und kaufen Brot.",
    "Demain, nous irons au marché acheter du pain très frais.",
    "Zítra půjdeme do obchodu koupit chléb a mléko.",
    "Ngày mai chúng tôi sẽ đến cửa hàng để mua bánh mì.",
    "Yarın ekmek almak için dükkâna gideceğiz, İyi günler.",
)
"""A sentence about bread in a dozen scripts, and in Latin ones with marks on them."""
ODD = (
    "",
    " ",
    "\t\n",
    "\r\n",
    "\x00",
    "\ud83d",
    "\udc00x",
    "\u200b",
    "\u202eabc\u202c",
    "e\u0301",
    "👩\u200d👧",
    "\ufeff",
)
_GLUE = (
    " ",
    " ",
    " ",
    "\n",
    "\r\n",
    "",
    ". ",
    "\u3000",
    " \u2014 ",
    "🙂",
    "[EMAIL_REDACTED]",
    "[PERSON_1] ",
    "\u00a0",
    *ODD,
)


def built(name: str, **more: Any) -> Scanner:
    """A scanner with the options of its conformance tests, and with these."""
    return MODULES[name].build({**CONFIGS[name], **more})


def drawn(name: str, count: int, pieces: int, seed: int = 3) -> Iterator[str]:
    """Texts of so many pieces, in many scripts and with what is no text at all; in most there is something to find."""
    dice = random.Random(f"{name} {seed}")
    everything = [text for texts in FOUND.values() for text in texts]
    for _ in range(count):
        yield "".join(
            dice.choice(dice.choice((FOUND[name], everything, CLEAN, SAID))) + dice.choice(_GLUE) for _ in range(pieces)
        )
