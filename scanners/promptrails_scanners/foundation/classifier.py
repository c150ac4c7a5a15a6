"""A scanner that judges texts by a model: the views and parts that it looks at, and what their scores mean."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

from pydantic import Field

from promptrails_engine.ports.scanner import Finding, Question, Verdict
from promptrails_scanners.foundation import lazily
from promptrails_scanners.foundation.base import BaseScanner
from promptrails_scanners.foundation.encoded import decoded, tagged
from promptrails_scanners.foundation.linear import Head, Together, features, load, together
from promptrails_scanners.foundation.options import ScannerOptions
from promptrails_scanners.foundation.places import replace as cut_out
from promptrails_scanners.foundation.places import union
from promptrails_scanners.foundation.sentences import ENDS, sentences, stands_apart, windows
from promptrails_scanners.foundation.views import View, canonical, deleeted
from promptrails_scanners.models.options import Judging, ModelOption

if TYPE_CHECKING:
    from promptrails_scanners.models.judge import Judge
    from promptrails_scanners.models.readers import Reader

MatchType = Literal["full", "sentence", "windows"]

_JUDGE, _READERS = "promptrails_scanners.models.judge", "promptrails_scanners.models.readers"
_FULL = (2000, 1600)
_WINDOWS = (500, 400)
"""Length and step, in characters, of the parts that longer texts are judged in."""


class ClassifierOptions(ScannerOptions):
    """What every scanner with a model can be given."""

    match_type: MatchType = "sentence"
    """`full`: the text at once, in parts of 2,000 characters if it is longer; `windows`: parts of 500 characters;
    `sentence`: the text at once and then, where that does not trigger, each of its sentences.  The highest score
    counts."""
    redact_unit: Literal["none", "sentence"] = "none"
    """`sentence`: every sentence over the threshold is replaced; or all of the text, if that is what triggers."""
    replacement: str = Field(default="[REDACTED]", min_length=1)
    """What stands in place of a sentence."""
    model: ModelOption | None = None
    """A larger model in place of the small one: `{"onnx": FOLDER}`, or for some scanners `{"embed": FOLDER}`."""


class JudgedOptions(ClassifierOptions):
    """The same with a model that is asked."""

    judge: Judging | None = None
    """The name of a model that the engine asks what it thinks of a text, or a mapping with more about that."""


Judged = TypeVar("Judged", bound=ClassifierOptions)


_TOLD: Mapping[str, float] = {}
"""The scores of parts whose scores were looked at."""


class Part(NamedTuple):
    """A part of the text that was judged, and the scores of it."""

    start: int
    end: int
    sentence: bool
    scores: Mapping[str, float]
    top: float
    """The highest of the scores that count."""


class Classifier(BaseScanner[Judged], Generic[Judged]):
    """A scanner with a model; subclasses say which one, and which signals go with it."""

    model: str
    decodes = False
    """Whether base64, hexadecimal and percent-encoded parts are read as well."""
    least_sentence = 12
    """Shorter sentences, in characters, are not judged alone."""
    looked_for: ClassVar[str] = ""
    """What it looks for, in words for a judge."""
    nothing: ClassVar[Mapping[str, float]] = {}
    """The scores of a sentence that says nothing of what it looks for."""
    sentence_handicap = 0.7
    """By so much a sentence alone has to score higher than the text at once, on the scale of the sums."""

    def __init__(self, options: Judged) -> None:
        super().__init__(options)
        self.reader: Reader | None = None
        if options.model is not None:
            self.reader = lazily.module(_READERS).reader(options.model, self.meta.type, self.answers())
        judge = options.judge if isinstance(options, JudgedOptions) else None
        self._judge: Judge | None = None
        if judge is not None:
            self._judge = lazily.module(_JUDGE).Judge(judge, self.looked_for, self.counted())
        self._replaces_within = not any(char.isspace() or char in ENDS for char in options.replacement)

    def answers(self) -> tuple[str, ...]:
        """What a larger model may answer: that it is any of what is looked for, and the kinds of it."""
        return (self.meta.type,)

    def counted(self) -> tuple[str, ...]:
        """The kinds that count, where there are several."""
        return ()

    def main(self, text: str, signals: Mapping[str, float], handicap: float) -> float:
        """The score of any kind, by the small model, or by the larger one that the options name."""
        if self.reader is not None and not self.reader.beside:
            return self.reader.whole(text, 0.0)
        small = self.heads()[self.model].score(features(text), signals, handicap)
        return small if self.reader is None else self.reader.whole(text, small)

    def heads(self) -> Mapping[str, Head]:
        """The heads of the model, the one of its name first."""
        return load(self.model)

    def kinds(self) -> Together:
        """The heads that say of which kind a text is; a smaller model of its own."""
        return together(f"{self.model}_kinds")

    @abstractmethod
    def scores(self, text: str, handicap: float) -> Mapping[str, float]:
        """The score of each label for a part of a text as it is read, 0 to 1."""

    def top(self, scores: Mapping[str, float]) -> float:
        """The score that is held against the threshold."""
        return max(scores.values(), default=0.0)

    def judge(self, text: str) -> Verdict:
        parts: list[Part] = []
        labels: dict[str, float] = {}
        for part in self.parts(text):
            for label, score in part.scores.items():
                labels[label] = max(score, labels.get(label, 0.0))
            parts.append(Part(part.start, part.end, part.sentence, _TOLD, part.top))  # long texts have many
        score = max((part.top for part in parts), default=0.0)
        triggered = score >= self.threshold and self.enough(parts)
        findings = self.findings(text, parts) if triggered else ()
        return Verdict(
            triggered,
            score,
            findings,
            self.redacted(text, findings) if triggered else self.untouched(text),
            labels if len(labels) > 1 else {},
            self.reason(labels) if triggered else "",
            engine="builtin" if self.reader is None else self.reader.engine,
        )

    # -------------------------------------------------------------- a judge

    def scan(self, text: str) -> Verdict:
        verdict = super().scan(text)
        if self._judge is None or self._judge.option.ask is None:
            return verdict
        questions = self.questions(text, verdict)
        return self.answered(text, verdict, self._judge.ask(questions)) if questions else verdict

    @property
    def asks(self) -> str | None:
        """The model that the engine is to ask; None if it asks none."""
        return None if self._judge is None else self._judge.option.model

    def questions(self, text: str, verdict: Verdict) -> Sequence[Question]:
        """What is to be asked about a text; nothing where the scanner itself is sure enough, or has not read it."""
        if self._judge is None or (verdict.truncated and self.options.on_too_long == "block"):
            return ()
        read = text[: self.options.max_chars] if verdict.truncated else text
        return self._judge.questions(self.allowed.unread(read), verdict)

    def answered(self, text: str, verdict: Verdict, answers: Sequence[Any]) -> Verdict:
        """The verdict that the answers come to.

        Raises:
            OutputInvalidError: an answer is none.
        """
        if self._judge is None:
            return verdict
        judged = self._judge.judged(verdict, answers, self.threshold)
        if not judged.triggered:
            return replace(judged, findings=(), redacted=self.untouched(text))
        if verdict.triggered:
            return judged
        if self.options.redact_unit != "sentence":
            return replace(judged, findings=(), redacted=None)
        whole = (Finding(0, len(text), self.meta.type, judged.score),)
        return replace(judged, findings=whole, redacted=self.options.replacement)

    @property
    def threshold(self) -> float:
        return 0.5 if self.options.threshold is None else self.options.threshold

    def enough(self, parts: list[Part]) -> bool:
        """Whether enough parts are over the threshold; one is, unless a scanner asks for more."""
        return True

    def reason(self, labels: Mapping[str, float]) -> str:
        """Why it triggers, in words of its own."""
        over = [label for label, score in labels.items() if score >= self.threshold]
        return f"the text looks like {self.meta.label.lower()}" + (f": {', '.join(over)}" if len(labels) > 1 else "")

    # -------------------------------------------------------------- parts

    def parts(self, text: str) -> Iterator[Part]:
        """Every part that is judged, with its place in the text."""
        text = self.allowed.unread(text)
        view = canonical(text)
        yield from self._of_view(view)
        plain = deleeted(view)
        if plain is not None:
            yield from self._of_view(plain, view)
        yield from self.hidden(text)

    def hidden(self, text: str) -> Iterator[Part]:
        """What stands in a text so that nobody sees or reads it: each for itself, whatever stands beside it."""
        for one in (*tagged(text), *(decoded(text) if self.decodes else ())):
            scores = self.scored(canonical(one.text).text, 0.0)
            yield Part(one.start, one.end, True, scores, self.top(scores))

    @property
    def one_is_enough(self) -> bool:
        """Whether the sentences of a part that triggers need not be judged, too."""
        return self.options.redact_unit == "none"

    def telling(self, text: str) -> bool:
        """Whether a part has anything that makes its sentences worth judging alone."""
        return True

    def quiet(self, text: str) -> Callable[[str], bool] | None:
        """What tells of each sentence of a part whether its scores are `nothing`, for less than judging it, maybe not
        of all that are; None where each sentence has to be judged."""
        return None

    def _of_view(self, view: View, besides: View | None = None) -> Iterator[Part]:
        """The parts of a view; of those that stand in another view just so, none."""
        text = view.text
        size, step = _WINDOWS if self.options.match_type == "windows" else _FULL
        alone = self.options.match_type == "sentence" or self.options.redact_unit == "sentence"
        told: list[tuple[int, int]] = []
        for start, end in windows(text, size, step) if text.strip() else ():
            if besides is not None and besides.text[start:end] == text[start:end]:
                continue
            part = self._part(view, start, end, False)
            yield part
            decided = part.top >= self.threshold and self.one_is_enough
            if alone and not decided and (self.reader is not None or self.telling(text[start:end])):
                told.append((start, end))
        if told:
            yield from self._sentences(view, besides, told)

    def _sentences(self, view: View, besides: View | None, told: list[tuple[int, int]]) -> Iterator[Part]:
        """The sentences that begin in one of the parts, both in their order."""
        text = view.text
        whole = len(text.strip())
        at = 0
        quiet = dict[int, Callable[[int, int], bool]]()
        for start, end in sentences(text):
            while at < len(told) and told[at][1] <= start:
                at += 1
            if at == len(told):
                return
            if start < told[at][0] or end - start == whole or end - start < self.least_sentence:
                continue
            if besides is not None and besides.text[start:end] == text[start:end]:
                continue
            if at not in quiet:
                quiet[at] = self._quiet(text, *told[at])
            if quiet[at](start, end):
                yield Part(*view.origin(start, end), True, self.nothing, self.top(self.nothing))
            else:
                yield self._part(view, start, end, True)

    def _quiet(self, text: str, first: int, last: int) -> Callable[[int, int], bool]:
        """The same as `quiet`, by places, for a part of a text; never for a sentence of which it has not all words."""
        quiet = self.quiet(self._read(text[first:last])) if self._replaces_within else None
        if quiet is None:
            return lambda start, end: False
        return lambda start, end: end <= last and stands_apart(text, start, end) and quiet(self._read(text[start:end]))

    def _read(self, text: str) -> str:
        return text.replace(self.options.replacement, " ")

    def scored(self, text: str, handicap: float) -> Mapping[str, float]:
        """The scores of a part, with what a larger model tells of kinds."""
        scores = self.scores(text, handicap)
        if self.reader is None:
            return scores
        kinds = self.reader.kinds(text)
        return {label: max(scores.get(label, 0.0), kinds.get(label, 0.0)) for label in {**scores, **kinds}}

    def _part(self, view: View, start: int, end: int, sentence: bool) -> Part:
        text = self._read(view.text[start:end])
        scores = self.scored(text, self.sentence_handicap if sentence else 0.0)
        return Part(*view.origin(start, end), sentence, scores, self.top(scores))

    # -------------------------------------------------------------- redaction

    def findings(self, text: str, parts: list[Part]) -> tuple[Finding, ...]:
        """The places to cut; none unless sentences are to be replaced."""
        if self.options.redact_unit != "sentence":
            return ()
        over = [part for part in parts if part.sentence and part.top >= self.threshold]
        found = union(Finding(part.start, part.end, self.meta.type, part.top) for part in over)
        if found and not self._triggers(self._cut(text, found)):
            return found
        whole = max((part.top for part in parts), default=1.0)
        return (Finding(0, len(text), self.meta.type, whole),)

    def redacted(self, text: str, findings: tuple[Finding, ...]) -> str | None:
        return self._cut(text, findings) if findings else None

    def untouched(self, text: str) -> str | None:
        """What a text that does not trigger is after redaction: itself, where there is redaction."""
        return text if self.options.redact_unit == "sentence" else None

    def _cut(self, text: str, findings: tuple[Finding, ...]) -> str:
        return cut_out(text, findings, lambda found, was: self.options.replacement)

    def _triggers(self, text: str) -> bool:
        return any(part.top >= self.threshold for part in self.parts(text))
