"""The tests that every scanner must pass.

Subclass it in a test module and run it with pytest (or call the `test_*` methods):

    class TestMyScanner(ScannerConformance):
        module = my_scanner
        config = {"words": ["forbidden"]}
        found = ("a forbidden word",)
        clean = ("a fine day",)
"""

from __future__ import annotations

import random
import threading
from abc import ABC
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar

from promptrails_engine.errors import ConfigurationError
from promptrails_engine.ports.scanner import ReversibleScanner, Scanner, ScannerModule, Verdict

_AROUND = (
    "",
    " ",
    "\n\n",
    "\r\n",
    "plain words before it. ",
    "日本 🙂 ",
    "e\u0301 ",
    "[REDACTED] ",
    "{{ x }} ",
    "\ud800 ",
)
_CUTS = 50
_THREADS = 8


class ScannerConformance(ABC):
    """What the port promises: verdicts that fit their text, nothing of it in their words, and clean cuts."""

    module: ClassVar[ScannerModule]
    config: ClassVar[Mapping[str, Any]] = {}
    """Options with which the scanner is built."""
    found: ClassVar[Sequence[str]]
    """Texts on which it triggers, whatever harmless words stand before them."""
    clean: ClassVar[Sequence[str]]
    """Texts on which it does not."""

    def make(self) -> Scanner:
        """The scanner to be tested."""
        return self.module.build(self.config)

    def texts(self) -> Iterator[str]:
        """What it is tried on: the texts given, others around them, and what has no words at all."""
        yield from ("", " ", "\x00", "\u200b", "\ud83d", "a" * 3000, "\n" * 300)
        for text in (*self.found, *self.clean):
            for around in _AROUND:
                yield around + text + around
        yield "\n".join([*self.found, *self.clean])

    # -------------------------------------------------------------- what it is

    def test_it_is_a_scanner(self) -> None:
        meta = self.module.META
        assert isinstance(self.module, ScannerModule), "it lacks META or build"
        assert isinstance(self.make(), Scanner), "it lacks a member of the Scanner protocol"
        assert meta.type, "it has no type"
        assert meta.label, "it has no label"
        assert meta.description, "it has no description"
        assert set(self.config) <= set(meta.config_fields), "an option is missing in config_fields"

    def test_an_option_that_there_is_not_is_refused(self) -> None:
        said = ""
        try:
            self.module.build({**self.config, "no_such_option": 1})
        except ConfigurationError as error:
            said = error.message
        assert "no_such_option" in said, "an unknown option is taken, or the error does not name it"

    # -------------------------------------------------------------- verdicts

    def test_it_tells_what_it_looks_for_from_the_rest(self) -> None:
        scanner = self.make()
        for text in self.found:
            assert scanner.scan(text).triggered, f"not found: {text!r}"
        for text in self.clean:
            assert not scanner.scan(text).triggered, f"found in a clean text: {text!r}"

    def test_a_verdict_fits_its_text(self) -> None:
        scanner = self.make()
        for text in self.texts():
            verdict = scanner.scan(text)
            assert 0.0 <= verdict.score <= 1.0, f"score {verdict.score}: {text!r}"
            places = [(one.start, one.end) for one in verdict.findings]
            assert all(0 <= start < end <= len(text) for start, end in places), f"{places} of {len(text)}: {text!r}"
            assert all(before[1] <= after[0] for before, after in pairwise(places)), f"{places}: {text!r}"
            assert all(0.0 <= one.score <= 1.0 and one.type for one in verdict.findings), f"{text!r}"

    def test_the_same_text_has_the_same_verdict_on_any_thread(self) -> None:
        scanner, texts = self.make(), list(self.texts())
        expected = [scanner.scan(text) for text in texts]
        differing: list[str] = []

        def work(turn: int) -> None:
            for index in [*range(turn, len(texts)), *range(turn)]:
                if scanner.scan(texts[index]) != expected[index]:
                    differing.append(texts[index])

        threads = [threading.Thread(target=work, args=(turn * len(texts) // _THREADS,)) for turn in range(_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not differing, f"another verdict on another thread: {differing[0]!r}"
        assert [self.make().scan(text) for text in texts] == expected, "another one built alike says something else"

    def test_what_it_says_holds_nothing_of_the_text(self) -> None:
        scanner = self.make()
        for text in self.found:
            verdict = scanner.scan(text)
            said = [verdict.reason, verdict.engine, *verdict.labels, *(one.type for one in verdict.findings)]
            for one in verdict.findings:
                value = text[one.start : one.end]
                if len(value) > 3:
                    assert all(value not in words for words in said), f"the verdict repeats what was found: {said}"

    # -------------------------------------------------------------- taking out

    def test_only_what_was_found_is_taken_out(self) -> None:
        scanner = self.make()
        for text in self.texts():
            verdict = scanner.scan(text)
            if verdict.redacted is None or not verdict.findings:
                assert verdict.redacted in (None, text), f"changed without a finding: {text!r}"
                continue
            rest = verdict.redacted
            for kept in _around(text, verdict):
                assert kept in rest, f"{kept!r} is gone or changed: {text!r}"
                rest = rest[rest.index(kept) + len(kept) :]

    def test_what_can_be_taken_out_is_gone(self) -> None:
        scanner = self.make()
        for text in self.found:
            verdict = scanner.scan(text)
            if verdict.redacted is None:
                assert self.module.META.redacts != "spans", f"it says that it redacts, and did not: {text!r}"
                continue
            if self.module.META.redacts == "spans":
                assert verdict.redacted != text, f"it is still there: {text!r}"
                if not isinstance(scanner, ReversibleScanner):  # which takes its own labels for somebody else's
                    assert not scanner.scan(verdict.redacted).triggered, f"it finds something in {verdict.redacted!r}"

    # -------------------------------------------------------------- labels

    def test_labels_come_back_and_are_the_same_in_every_empty_vault(self) -> None:
        """A run that goes on elsewhere labels the same texts in the same order, and stores nothing else."""
        scanner = self.make()
        if not isinstance(scanner, ReversibleScanner):
            return
        here, elsewhere, dice = scanner.opened(), scanner.opened(), random.Random(0)
        for text in self.texts():
            labelled = here.scan(text).redacted
            assert labelled is not None, "it says that labels can be turned back, and takes nothing out"
            assert labelled == elsewhere.scan(text).redacted, f"other labels in another vault: {text!r}"
            if labelled == text:
                continue
            assert here.restore(labelled).endswith(text), f"not restored: {labelled!r}"
            for _ in range(_CUTS // 10):
                restorer = here.restorer()
                pieces = "".join(map(restorer.feed, _cut(labelled, dice))) + restorer.end()
                assert pieces == here.restore(labelled), f"restored otherwise in pieces: {labelled!r}"

    def test_vaults_know_nothing_of_each_other(self) -> None:
        scanner = self.make()
        if not isinstance(scanner, ReversibleScanner):
            return
        for text in self.found:
            labelled = scanner.opened().scan(text).redacted or ""
            assert scanner.opened().restore(labelled) == labelled, "a label is restored from another vault"

    # -------------------------------------------------------------- texts that grow

    def test_a_growing_text_cut_where_it_says_comes_to_the_same(self) -> None:
        """Settled parts judged apart, as a stream does it, come to what the whole text comes to."""
        scanner = self.make()
        if scanner.settled("") is None:
            assert all(scanner.settled(text) is None for text in self.texts()), "it can be cut at times only"
            return
        dice = random.Random(0)
        for text in self.texts():
            whole = scanner.scan(text)
            for _ in range(_CUTS):
                parts = list(_streamed(scanner, _cut(text, dice)))
                assert "".join(part for part, _ in parts) == text, "a part is lost or comes twice"
                verdicts = [verdict for _, verdict in parts]
                assert any(one.triggered for one in verdicts) == whole.triggered, f"another verdict in parts: {text!r}"
                if whole.redacted is not None:
                    redacted = "".join(one.redacted if one.redacted is not None else part for part, one in parts)
                    assert redacted == whole.redacted, f"in parts: {redacted!r}, whole: {whole.redacted!r}"


def _around(text: str, verdict: Verdict) -> Iterator[str]:
    """What stands between the findings."""
    after = 0
    for one in verdict.findings:
        yield text[after : one.start]
        after = one.end
    yield text[after:]


def _cut(text: str, dice: random.Random) -> Iterator[str]:
    after = 0
    while after < len(text):
        size = dice.choice((1, 2, 3, 7, 30, 200))
        yield text[after : after + size]
        after += size


def _streamed(scanner: Scanner, chunks: Iterator[str]) -> Iterator[tuple[str, Verdict]]:
    """The parts that are let go one after the other, and what is said of each."""
    held = ""
    for chunk in chunks:
        held += chunk
        settled = scanner.settled(held) or 0
        assert 0 <= settled <= len(held), f"{settled} of {len(held)} are settled"
        if settled:
            yield held[:settled], scanner.scan(held[:settled])
            held = held[settled:]
    if held:
        yield held, scanner.scan(held)
