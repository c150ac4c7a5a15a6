"""The sinks in memory, in a file and on the console."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from promptrails_engine.errors import ConfigurationError
from promptrails_engine.ports.sink import Span
from promptrails_engine.testing.sink_conformance import SinkConformance, example_trace, make_span, make_trace
from promptrails_engine.tracing import ConsoleSink, JsonlSink, MemorySink, span_from_dict, span_to_dict


class TestMemorySink(SinkConformance):
    def make(self) -> MemorySink:
        return MemorySink()


class TestJsonlSink(SinkConformance):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "spans.jsonl"

    def make(self) -> JsonlSink:
        return JsonlSink(self.path)


class TestConsoleSink(SinkConformance):
    def make(self) -> ConsoleSink:
        return ConsoleSink(io.StringIO())


class TestNarrowConsoleSink(SinkConformance):
    def make(self) -> ConsoleSink:
        return ConsoleSink(io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict"))


# ------------------------------------------------------------------ memory


def test_memory_keeps_the_newest() -> None:
    sink = MemorySink(max_spans=3)
    spans = example_trace()
    sink.export(spans)
    assert sink.spans == spans[1:]
    sink.clear()
    assert sink.spans == []


def test_memory_can_be_read_while_it_is_written() -> None:
    sink = MemorySink(max_spans=100)
    done = threading.Event()

    def write() -> None:
        for _ in range(2000):
            sink.export(example_trace())
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not done.is_set():
        assert len(sink.spans) <= 100
    thread.join()
    assert len(sink.spans) == 100


# ------------------------------------------------------------------ file


def records(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_line_a_span_and_nothing_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    spans = example_trace()
    for _ in range(2):
        sink = JsonlSink(path)
        sink.export(spans[:3])
        sink.export(spans[3:])
        assert len(records(path)) % 4 == 0  # before flush and close
        sink.close()
    assert records(path) == [span_to_dict(span) for span in spans] * 2
    assert span_from_dict(records(path)[3]).name == "Agent"


def test_line_breaks_in_texts_do_not_break_lines(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    sink = JsonlSink(str(path))
    sink.export([make_span(make_trace(), 1, name="a\nb\r\u2028c", input="x\n" * 10)])
    sink.close()
    assert path.read_bytes().count(b"\n") == 1
    assert json.loads(path.read_bytes())["name"] == "a\nb\r\u2028c"


def test_content_and_cap_can_be_chosen(tmp_path: Path) -> None:
    span = make_span(make_trace(), 1, input="canary " * 1000)
    for content, cap in ((False, 8192), (True, 100)):
        path = tmp_path / f"{cap}.jsonl"
        sink = JsonlSink(path, content=content, cap_bytes=cap)
        sink.export([span])
        sink.close()
        assert path.read_text().count("canary") == (14 if content else 0)


def test_a_directory_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"missing' does not exist"):
        JsonlSink(tmp_path / "missing" / "spans.jsonl")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        JsonlSink(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="file modes are a matter of POSIX")
def test_only_the_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    JsonlSink(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_after_closing_it_refuses(tmp_path: Path) -> None:
    sink = JsonlSink(tmp_path / "spans.jsonl")
    sink.close()
    sink.close()
    with pytest.raises(ValueError, match="closed"):
        sink.export(example_trace())


def test_several_writers_do_not_mix_lines(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    sinks = [JsonlSink(path) for _ in range(4)]

    def write(sink: JsonlSink) -> None:
        for _ in range(100):
            sink.export(example_trace())
        sink.close()

    threads = [threading.Thread(target=write, args=(sink,)) for sink in sinks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(records(path)) == 1600


# ------------------------------------------------------------------ console


def printed(spans: list[Span], encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, errors="strict", newline="\n")
    sink = ConsoleSink(file)
    sink.export(spans)
    sink.close()
    return raw.getvalue().decode(encoding)


def test_a_tree_with_figures() -> None:
    assert printed(example_trace()).splitlines() == [
        "agent Agent  999 ms",
        "├── prompt Prompt  998 ms",
        "└── llm openai/gpt-4o-mini  997 ms  12 + 3 tokens  $0.000012",
        "    └── tool calculator  996 ms",
    ]


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
def test_a_narrow_encoding(encoding: str) -> None:
    spans = [make_span(make_trace(), 2, 1, name="größe 日本"), make_span(make_trace(), 1, name="a")]
    lines = printed(spans, encoding).splitlines()
    assert lines[0].startswith("agent a")
    assert lines[1].startswith("`-- tool gr")
    assert "\\u65e5\\u672c" in lines[1]
    assert ("größe" in lines[1]) is (encoding != "ascii")


def test_a_trace_in_several_batches_is_one_tree() -> None:
    file = io.StringIO()
    sink = ConsoleSink(file)
    other = make_span(make_trace("f" * 32), 9, 8, name="other")
    for span in example_trace():
        assert file.getvalue() == ""
        sink.export([span, other] if span.name == "Prompt" else [span])
        sink.flush()
    assert len(file.getvalue().splitlines()) == 4
    sink.close()
    assert file.getvalue().splitlines()[4] == "tool other  991 ms  (incomplete: its root has not been seen)"


def test_errors_and_unknown_costs() -> None:
    text = printed(
        [
            make_span(
                make_trace(), 2, 1, kind="llm", name="call", ended_at=None, completion_tokens=3, model_name="a/b"
            ),
            make_span(make_trace(), 3, 1, name="t", total_tokens=5, cost=0.0),
            make_span(make_trace(), 1, status="error", error_type="timeout", error_message="took\ntoo long", name="a"),
        ]
    )
    assert text.splitlines() == [
        "agent a  999 ms  error timeout: took\\ntoo long",
        "├── llm call  a/b  ? + 3 tokens  cost unknown",
        "└── tool t  997 ms  5 tokens  $0",
    ]


def test_long_traces_take_seconds() -> None:
    assert "12.5 s" in printed([make_span(make_trace(), 1, ended_at=1_767_225_612.6245)])


def test_nothing_reaches_the_terminal_raw() -> None:
    text = printed([make_span(make_trace(), 1, name="\x1b[2J[red]x[/red]\u202e", error_message="\x07", status="error")])
    assert "\\x1b[2J[red]x[/red]\\u202e" in text
    assert all(char.isprintable() or char == "\n" for char in text)


def test_long_lines_are_not_cut_in_files() -> None:
    (line,) = printed([make_span(make_trace(), 1, status="error", error_message="word " * 50)]).splitlines()
    assert line.count("word") == 50


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colours_on_a_terminal_unless_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    coloured, plain = Terminal(), Terminal()
    ConsoleSink(coloured).export(example_trace())
    monkeypatch.setenv("NO_COLOR", "1")
    ConsoleSink(plain).export(example_trace())
    assert "\x1b[35mllm" in coloured.getvalue()
    assert "\x1b[3" not in plain.getvalue()


def test_stderr_as_it_is_at_the_time(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sink = ConsoleSink()
    sink.export(example_trace())
    streams = capsys.readouterr()
    assert "calculator" in streams.err
    assert streams.out == ""
    monkeypatch.setattr(sys, "stderr", None)
    sink.export(example_trace())
    sink.close()


def test_a_very_deep_trace() -> None:
    trace = make_trace()
    spans = [make_span(trace, number, number - 1, name=f"s{number}") for number in range(2, 200)]
    assert "s199" in printed([*spans, make_span(trace, 1)])
