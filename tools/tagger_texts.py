"""Texts for the tagger's training: rows with other names in them, and sentences of our own filled with made-up data."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tagger_plain import Plain
from tagger_words import names

from promptrails_scanners.personal import features

Pieces = list[tuple[str, str]]
"""A text as pieces, each with its kind: PERSON, ADDRESS or nothing."""

STARTS = [
    "b",
    "br",
    "c",
    "ch",
    "d",
    "dr",
    "f",
    "fr",
    "g",
    "gr",
    "h",
    "j",
    "k",
    "kl",
    "kr",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "sch",
    "sh",
    "st",
    "sv",
    "t",
    "th",
    "tr",
    "v",
    "w",
    "y",
    "z",
]
MIDDLES = ["a", "e", "i", "o", "u", "aa", "ai", "au", "ea", "ei", "ie", "oo", "ou", "ya", "io"]
ENDS = [
    "n",
    "r",
    "l",
    "s",
    "t",
    "k",
    "m",
    "nd",
    "rt",
    "ck",
    "sson",
    "sen",
    "ski",
    "ova",
    "ov",
    "ez",
    "i",
    "o",
    "a",
    "e",
    "ini",
    "elli",
    "er",
    "mann",
    "ic",
    "in",
    "us",
    "is",
    "as",
    "yan",
    "enko",
    "wala",
]
ENDINGS = [
    "straat",
    "gatan",
    "strasse",
    "weg",
    "vej",
    "veien",
    "gade",
    "laan",
    "katu",
    "gasse",
    "vägen",
    "lund",
    "gata",
    "tie",
    "kuja",
    "plein",
    "kade",
]
LETTERS = ("PhD", "Ph.D.", "MD", "M.D.", "DDS", "DVM", "Jr.", "Jr", "Sr.", "II", "III", "IV", "Esq.")
"""What stands behind names."""
SUFFIXES = ("Ltd", "Inc.", "LLC", "GmbH", "Group", "Bank", "AG", "Systems", "Labs", "& Sons", "Partners", "")
WORDS = [
    "Green",
    "Blue",
    "Summer",
    "Winter",
    "Music",
    "Health",
    "Science",
    "River",
    "Ocean",
    "Digital",
    "Happy",
    "Street",
    "Golden",
    "Silver",
    "Night",
    "Morning",
    "Dream",
    "World",
    "Fire",
    "Water",
    "History",
    "Art",
    "Peace",
    "Love",
    "Power",
    "Future",
    "Garden",
    "Mountain",
    "Light",
    "House",
    "Project",
    "Data",
    "Energy",
    "Finance",
    "Sports",
    "Culture",
    "Account",
    "Settings",
    "Export",
    "Profile",
    "Network",
    "Storage",
    "Payment",
    "Report",
    "Global",
    "Central",
    "National",
    "Royal",
    "Modern",
    "Classic",
    "Daily",
]
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
LOWER = re.compile(r"(?<![\w@])[a-z]{3,}(?!\w)")
PLACEHOLDER = re.compile(r"\{([pgfascnowdix])\}")


class Writer:
    """Makes texts by chance; the same chance makes the same texts."""

    def __init__(self, pick: random.Random) -> None:
        self._pick, self._plain = pick, Plain(pick)
        lists = sorted(features.lists().items())
        self._words = {
            group: [word for word, bits in lists if bits >> bit & 1] for bit, group in enumerate(features.GROUPS)
        } | {group: list(some) for group, some in names().items()}
        lines = Path(__file__).with_name("tagger_sentences.txt").read_text(encoding="utf-8").splitlines()
        self._sentences = [line.replace("\\n", "\n") for line in lines if not line.startswith("#")]

    def documents(self, rows: Sequence[Pieces]) -> Iterator[Pieces]:
        """The texts of one pass: the rows, varied, and each sentence with new data; some joined to longer texts."""
        pick = self._pick
        order = [self.varied(row) for row in rows]
        order += [self.cased(self.filled(sentence)) for sentence in self._sentences * 2]
        order += [[(self._plain.text(), "")] for _ in range(len(self._sentences))]
        order = [self.misspelt(one) if pick.random() < 0.15 else one for one in order]
        pick.shuffle(order)
        joined: Pieces = []
        for one in order:
            joined = [*joined, *one]
            if pick.random() < 0.65:
                yield joined
                joined = []
            else:
                joined.append((pick.choice([" ", "\n", "\n\n"]), ""))
        if joined:
            yield joined

    def varied(self, row: Pieces) -> Pieces:
        """The row with other names, in another case, or as it is."""
        some = row
        if self._pick.random() < 0.5:
            names: dict[str, str] = {}
            some = [(names.setdefault(t, self.renamed(t)) if k == "PERSON" else t, k) for t, k in some]
        if self._pick.random() < 0.3:
            some = [(self.address() if k == "ADDRESS" and len(t) > 20 else t, k) for t, k in some]
        if self._pick.random() < 0.1:
            some = [(re.sub(r"\s*\n\s*", ", ", text) if kind == "ADDRESS" else text, kind) for text, kind in some]
        return self.cased(some)

    def misspelt(self, some: Pieces) -> Pieces:
        """The text with some of its words misspelt, but no names: not every unknown word is one."""
        return [(text if kind else LOWER.sub(self._slip, text), kind) for text, kind in some]

    def _slip(self, match: re.Match[str]) -> str:
        word, pick = match[0], self._pick
        if pick.random() > 0.2:
            return word
        at = pick.randrange(len(word) - 1)
        first, second = word[at : at + 2]
        return word[:at] + pick.choice([second + first, first, second, first + first + second]) + word[at + 2 :]

    def cased(self, some: Pieces) -> Pieces:
        """The text in lower case or in capitals now and then."""
        chance = self._pick.random()
        if chance < 0.1:
            return [(text.lower(), kind) for text, kind in some]
        return [(text.upper(), kind) for text, kind in some] if chance < 0.12 else some

    def filled(self, sentence: str) -> Pieces:
        """A sentence with data in the place of what stands in braces."""
        found: Pieces = []
        after = 0
        for match in PLACEHOLDER.finditer(sentence):
            key = match[1]
            kind = "PERSON" if key in "pgf" else "ADDRESS" if key in "as" else ""
            found += (sentence[after : match.start()], ""), (self._made(key), kind)
            after = match.end()
        return [*found, (sentence[after:], "")]

    def renamed(self, name: str) -> str:
        """Another name with as many parts."""
        count = len(name.split())
        if count > 3 or not name.replace(" ", "").replace(".", "").isalpha() or self._pick.random() < 0.3:
            return name
        made = self.person() if count > 1 else self._pick.choice([self.given(), self.family()])
        return made.lower() if name.islower() else made.upper() if name.isupper() else made

    def given(self) -> str:
        return self._pick.choice(self._words["given"]).title() if self._pick.random() < 0.6 else self.unknown()

    def family(self) -> str:
        chance = self._pick.random()
        if chance < 0.04:
            return f"{self.unknown()}-{self.unknown()}"
        return self._pick.choice(self._words["family"]).title() if chance < 0.5 else self.unknown()

    def person(self) -> str:
        named = self.named()
        return f"{named} {self._pick.choice(LETTERS)}" if self._pick.random() < 0.03 else named

    def named(self) -> str:
        """A given name and a family name, as several countries put them."""
        chance = self._pick.random()
        letter = self._pick.choice("ABCDEFGHIJKLMNOPRSTW")
        if chance < 0.08:
            return f"{self.given()} {letter}. {self.family()}"
        if chance < 0.14:
            return f"{self.given()} {letter} {self.family()}"
        if chance < 0.2:
            return f"{self.given()} {self.given()} {self.family()}"
        if chance < 0.24:
            return f"{self.given()} {self._pick.choice(['van', 'de', 'von', 'da', 'al', 'van der'])} {self.family()}"
        return f"{self.given()} {self.family()}"

    def unknown(self) -> str:
        """A word that no list has."""
        pick = self._pick
        middle = "".join(pick.choice(STARTS) + pick.choice(MIDDLES) for _ in range(pick.choice([1, 1, 2])))
        return (
            middle + pick.choice(STARTS)[:1] * pick.choice([0, 1]) + pick.choice(MIDDLES) + pick.choice(ENDS)
        ).title()

    def street(self) -> str:
        """A street with its number, as one of several countries writes it."""
        pick = self._pick
        number = str(pick.randint(1, pick.choice([40, 400, 9999])))
        name = pick.choice([self.family, self.unknown, self.given, lambda: pick.choice(WORDS)])()
        kind = pick.choice(self._words["street"]).title()
        chance = pick.random()
        if chance < 0.4:
            return f"{number} {name} {kind}"
        if chance < 0.55:
            return f"{name}{pick.choice(ENDINGS)} {number}"
        if chance < 0.7:
            return f"{kind} {name} {number}"
        if chance < 0.8:
            return f"{number}, {kind} {name}"
        if chance < 0.9:
            return f"{number} {self.unknown()} {name} {kind}"
        return f"{name} {number}"

    def address(self) -> str:
        """An address of one or several parts."""
        pick = self._pick
        if pick.random() < 0.06:
            return f"P.O. Box {pick.randint(1, 9999)}, {self.town()}"
        street = self.street()
        if pick.random() < 0.12:  # as in the United Kingdom a flat, and elsewhere a code, comes first
            street = (
                f"{pick.choice(['Flat ', 'Unit ', '', '', ''])}{pick.randint(1, pick.choice([99, 99999]))} {street}"
            )
        elif pick.random() < 0.04:
            street = f"the corner of {street} and {self.street()}"
        parts = [street]
        if pick.random() < 0.35:
            parts.append(f"{pick.choice(['Apt.', 'Suite', 'Apt', 'Unit', 'Floor', '#'])} {pick.randint(1, 999)}")
        code = pick.choice(
            [str(pick.randint(1000, 99999)), f"{pick.randint(100, 999)} {pick.randint(10, 99)}", "AB1 2CD"]
        )
        if pick.random() < 0.7:
            parts.append(pick.choice([self.town(), f"{code} {self.town()}", f"{self.town()} {code}"]))
            if pick.random() < 0.5:
                parts.append(
                    pick.choice([self.country(), f"{self.country()} {code}", pick.choice(["TX", "NY", "CA", "WHT"])])
                )
        return pick.choice([", ", ", ", "\n", " ", "\n "]).join(parts)

    def town(self) -> str:
        return (
            self.unknown()
            if self._pick.random() < 0.8
            else f"{self._pick.choice(['San', 'Bad', 'New', 'Port'])} {self.unknown()}"
        )

    def country(self) -> str:
        return self._pick.choice(self._words["country"]).title()

    def company(self) -> str:
        pick = self._pick
        chance = pick.random()
        if chance < 0.2:
            return f"{self.family()}, {self.family()} and {self.family()}"
        if chance < 0.3:
            return f"{self.family()}-{self.family()}"
        if chance < 0.45:
            return f"{pick.choice(WORDS)} {pick.choice([self.unknown(), *WORDS[:30]])}"
        if chance < 0.6:
            return self.unknown() + pick.choice(["", "com", "soft", "tech", "42", ".io", "Labs", "Works"])
        first = pick.choice([self.family(), self.unknown(), pick.choice(WORDS), f"{self.family()} and {self.family()}"])
        return f"{first} {pick.choice(SUFFIXES)}".strip()

    def date(self) -> str:
        pick = self._pick
        day, month, year = pick.randint(1, 28), pick.randint(1, 12), pick.randint(1930, 2026)
        forms = (
            f"{year}-{month:02}-{day:02}",
            f"{MONTHS[month - 1]} {day}, {year}",
            f"{month}/{day}/{year}",
            str(year),
        )
        return pick.choice(forms)

    def _made(self, key: str) -> str:
        pick = self._pick
        if key == "i":
            return str(pick.randint(1, pick.choice([10, 100, 100000])))
        if key == "w":
            return pick.choice(WORDS)
        if key == "c" and pick.random() < 0.3:
            return pick.choice(
                ["London", "Paris", "Berlin", "Madrid", "Tokyo", "Boston", "Chicago", "Oslo", "Rome", "Cairo"]
            )
        makers = {"p": self.person, "g": self.given, "f": self.family, "a": self.address, "s": self.street}
        makers |= {"c": self.town, "n": self.country, "o": self.company, "d": self.date, "x": self.family}
        return makers[key]()
