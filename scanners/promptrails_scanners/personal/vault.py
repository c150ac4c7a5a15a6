"""The vault: which value stands behind which label, for one run or one conversation."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any, NamedTuple

from promptrails_engine.errors import ConfigurationError

_VARIANTS = "abcdefghijklmnopqrstuvwxyz"


class _Entry(NamedTuple):
    kind: str
    value: str
    plain: str
    until: float


class Vault:
    """Values and their labels, such as `[PERSON_1]`.  Any number of threads can share it.

    The same value always has the same label; a value that is only written otherwise (case, spaces) has the same number
    and a letter, `[PERSON_1b]`, so that it comes back as it was.  Neither `repr` nor an error tells a value.
    """

    def __init__(self, *, ttl_s: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """An empty vault.  After `ttl_s` seconds a value is forgotten, and its label stays as it is."""
        self._ttl_s = ttl_s
        self._clock = clock
        self._lock = Lock()
        self._values: dict[str, _Entry] = {}
        self._labels: dict[tuple[str, str], str] = {}
        self._numbers: dict[tuple[str, str], tuple[int, int]] = {}
        self._counts: dict[str, int] = {}

    def label(self, kind: str, value: str) -> str:
        """The value's label: the one that it has, or a new one."""
        plain = " ".join(value.split()).casefold()
        with self._lock:
            self._forget()
            known = self._labels.get((kind, value))
            if known is not None:
                self._values.pop(known)  # what is used last is forgotten last
                self._values[known] = self._entry(kind, value, plain)
                return known
            number, variants = self._numbers.get((kind, plain), (0, 0))
            if not number or variants >= len(_VARIANTS):
                number, variants = self._counts.get(kind, 0) + 1, 0
                self._counts[kind] = number
            self._numbers[kind, plain] = (number, variants + 1)
            made = f"[{kind}_{number}{_VARIANTS[variants] if variants else ''}]"
            self._labels[kind, value] = made
            self._values[made] = self._entry(kind, value, plain)
            return made

    def value(self, label: str) -> str | None:
        """The value behind a label written exactly as `label` gave it; None for one that is unknown or forgotten."""
        with self._lock:
            self._forget()
            entry = self._values.get(label)
            return None if entry is None else entry.value

    def kinds(self) -> frozenset[str]:
        """The kinds that it has given labels of."""
        with self._lock:
            return frozenset(self._counts)

    def __len__(self) -> int:
        with self._lock:
            return len(self._values)

    def __repr__(self) -> str:
        return f"<Vault of {len(self)} values>"

    def __reduce__(self) -> Any:
        raise TypeError("a vault is not pickled by accident; keep dump() in a safe place, and load it again")

    def clear(self) -> None:
        """Forgets all values; numbers go on, so that no old label comes to mean something new."""
        with self._lock:
            for label in list(self._values):
                self._drop(label)

    def dump(self) -> dict[str, Any]:
        """Everything in it as plain data, values included: for a store of the caller's own that is kept safe."""
        with self._lock:
            self._forget()
            values = {label: [entry.kind, entry.value] for label, entry in self._values.items()}
            return {"counts": dict(self._counts), "values": values}

    @classmethod
    def load(
        cls, data: Mapping[str, Any], *, ttl_s: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> Vault:
        """The vault of what `dump` gave; its values count as new.

        Raises:
            ConfigurationError: that is not what `dump` gives.
        """
        vault = cls(ttl_s=ttl_s, clock=clock)
        try:
            vault._counts.update({str(kind): int(count) for kind, count in data["counts"].items()})
            for label, (kind, value) in data["values"].items():
                vault._put(label, kind, value)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError):
            pass  # the error is raised below, where it does not carry the values along
        else:
            return vault
        raise ConfigurationError("this is no dump of a vault; give Vault.load what dump() returned, unchanged")

    def _put(self, label: str, kind: str, value: str) -> None:
        """Takes in a value with the label that it had."""
        plain = " ".join(value.split()).casefold()
        tail = label[len(kind) + 2 : -1]
        letter = tail[-1] if tail[-1] in _VARIANTS else ""
        number, variants = int(tail.rstrip(_VARIANTS)), _VARIANTS.index(letter) + 1 if letter else 1
        self._labels[kind, value] = label
        self._values[label] = self._entry(kind, value, plain)
        self._numbers[kind, plain] = max(self._numbers.get((kind, plain), (0, 0)), (number, variants))

    def _entry(self, kind: str, value: str, plain: str) -> _Entry:
        return _Entry(kind, value, plain, float("inf") if self._ttl_s is None else self._clock() + self._ttl_s)

    def _forget(self) -> None:
        if self._ttl_s is None:
            return
        now = self._clock()
        while self._values:
            oldest = next(iter(self._values))
            if self._values[oldest].until > now:
                return
            self._drop(oldest)

    def _drop(self, label: str) -> None:
        entry = self._values.pop(label)
        self._labels.pop((entry.kind, entry.value), None)
        self._numbers.pop((entry.kind, entry.plain), None)
