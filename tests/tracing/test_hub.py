"""The hub: quick and bounded whatever a sink does."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Sequence

import pytest

from promptrails_engine import tracing
from promptrails_engine.ports.sink import CapturingSink, Span
from promptrails_engine.testing.sink_conformance import example_trace, make_span, make_trace
from promptrails_engine.tracing import MemorySink, SinkHub, SinkStats


class BlockedSink:
    """Waits in `export` until it is let go; `entered` tells that it is there."""

    def __init__(self) -> None:
        self.gate, self.entered, self.closed = threading.Event(), threading.Event(), threading.Event()
        self.spans: list[Span] = []

    def export(self, spans: Sequence[Span]) -> None:
        self.entered.set()
        self.gate.wait(30)
        self.spans.extend(spans)

    def flush(self) -> None: ...

    def close(self) -> None:
        self.closed.set()


class FailingSink:
    """Raises what it is given, call by call; None lets a call pass."""

    def __init__(self, *errors: BaseException | None, at: str = "export") -> None:
        self.errors = list(errors)
        self.at = at
        self.spans: list[Span] = []
        self.closed = 0

    def _fail(self, at: str) -> None:
        error = self.errors.pop(0) if at == self.at and self.errors else None
        if error is not None:
            raise error

    def export(self, spans: Sequence[Span]) -> None:
        self._fail("export")
        self.spans.extend(spans)

    def flush(self) -> None:
        self._fail("flush")

    def close(self) -> None:
        self.closed += 1
        self._fail("close")

    def capture(self) -> str:
        self._fail("capture")
        return "seen"


def spans(count: int) -> list[Span]:
    trace = make_trace()
    return [make_span(trace, number, 1) for number in range(2, count + 2)]


def stats(hub: SinkHub) -> SinkStats:
    (found,) = hub.stats()
    return found


# ------------------------------------------------------------------ the usual way


def test_spans_arrive_in_order_at_every_sink() -> None:
    first, second = MemorySink(), MemorySink()
    hub = SinkHub([first, second])
    batches = [example_trace(make_trace(f"{number:032x}")) for number in range(1, 200)]
    for batch in batches:
        hub.publish(batch)
    assert hub.flush()
    wanted = [span for batch in batches for span in batch]
    assert all(a is b for a, b in zip(first.spans, wanted, strict=True))
    assert second.spans == wanted
    assert [(entry.name, entry.exported) for entry in hub.stats()] == [("MemorySink-1", 796), ("MemorySink-2", 796)]
    assert hub.close()


def test_no_sinks() -> None:
    hub = SinkHub([])
    hub.publish(example_trace())
    assert hub.stats() == []
    assert hub.capture() is None
    assert hub.flush()
    assert hub.close()


def test_the_batch_may_be_reused_by_the_publisher() -> None:
    sink = BlockedSink()
    hub = SinkHub([sink])
    batch = spans(3)
    hub.publish(batch)
    batch.clear()
    sink.gate.set()
    assert hub.close()
    assert len(sink.spans) == 3


def test_threads_start_with_the_first_span_and_end_at_close() -> None:
    def ours() -> list[threading.Thread]:
        return [thread for thread in threading.enumerate() if thread.name == "sink-BlockedSink"]

    sink = BlockedSink()
    sink.gate.set()
    hub = SinkHub([sink])
    hub.publish([])
    hub.flush()
    assert ours() == []
    hub.publish(spans(1))
    (thread,) = ours()
    assert thread.daemon
    assert hub.close()
    thread.join(10)
    assert not thread.is_alive()


def test_a_sink_without_spans_is_closed_as_well() -> None:
    sink = FailingSink()
    assert SinkHub([sink]).close()
    assert sink.closed == 1


def test_close_is_done_once() -> None:
    sink = FailingSink()
    hub = SinkHub([sink])
    hub.publish(spans(1))
    assert hub.close()
    assert hub.close()
    assert hub.flush()
    assert sink.closed == 1
    hub.publish(spans(2))
    assert stats(hub) == SinkStats("FailingSink", exported=1, dropped=2, errors=0)


def test_many_publishers() -> None:
    sink = MemorySink()
    hub = SinkHub([sink], queue_size=10**6)

    def publish() -> None:
        for _ in range(500):
            hub.publish(spans(2))

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert hub.close()
    assert len(sink.spans) == stats(hub).exported == 4000


# ------------------------------------------------------------------ a sink that blocks


def test_a_blocked_sink_loses_the_newest_and_no_other_suffers() -> None:
    blocked, fine = BlockedSink(), MemorySink()
    hub = SinkHub([blocked, fine], queue_size=10)
    first = spans(4)
    hub.publish(first)
    assert blocked.entered.wait(10)
    for _ in range(5):
        hub.publish(spans(4))  # room for six more, then none
        assert hub.flush(0) is False
    for _ in range(1000):
        hub.publish(spans(4))
    slow, quick = hub.stats()
    assert (slow.exported, slow.dropped) == (0, 4 * 1006 - 10)
    blocked.gate.set()
    assert hub.close()
    slow, quick = hub.stats()
    assert slow == SinkStats("BlockedSink", exported=10, dropped=4014, errors=0)
    assert [span.span_id for span in blocked.spans[:4]] == [span.span_id for span in first]
    assert quick.exported + quick.dropped == 4024
    assert quick.exported >= 4


def test_closing_does_not_wait_for_a_sink_that_hangs() -> None:
    blocked, fine = BlockedSink(), MemorySink()
    hub = SinkHub([blocked, fine])
    for _ in range(3):
        hub.publish(spans(2))
    assert blocked.entered.wait(10)
    assert hub.flush(timeout_s=0.05) is False
    assert hub.close(timeout_s=0.05) is False
    hanging, closed = hub.stats()
    assert (hanging.exported, hanging.dropped) == (0, 6)
    assert closed.exported == 6
    blocked.gate.set()
    assert blocked.closed.wait(10)  # let go later, it takes nothing more, and is closed
    assert len(blocked.spans) <= 6
    assert hub.stats()[0] == hanging


def test_a_hanging_sink_does_not_take_the_time_of_the_others() -> None:
    hanging = [BlockedSink() for _ in range(3)]
    fine = MemorySink()
    hub = SinkHub([*hanging, fine])
    hub.publish(spans(1))
    assert hub.close(timeout_s=0.2) is False
    assert hub.stats()[3].exported == 1
    for sink in hanging:
        sink.gate.set()


# ------------------------------------------------------------------ a sink that raises


def test_a_batch_that_fails_is_left_out_and_counted() -> None:
    sink = FailingSink(ValueError("no"), None)
    hub = SinkHub([sink])
    hub.publish(spans(3))
    hub.flush()
    hub.publish(spans(2))
    assert hub.close()
    assert stats(hub) == SinkStats("FailingSink", exported=2, dropped=3, errors=1)
    assert len(sink.spans) == 2


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), RuntimeError(), GeneratorExit()])
def test_no_error_ends_the_thread(error: BaseException) -> None:
    sink = FailingSink(error)
    hub = SinkHub([sink])
    hub.publish(spans(1))
    assert hub.flush()
    hub.publish(spans(1))
    assert hub.close()
    assert stats(hub).exported == 1


@pytest.mark.parametrize("at", ["flush", "close"])
def test_flush_and_close_may_fail_too(at: str) -> None:
    sink = FailingSink(OSError("full"), at=at)
    hub = SinkHub([sink])
    hub.publish(spans(1))
    assert hub.close()
    assert stats(hub) == SinkStats("FailingSink", exported=1, dropped=0, errors=1)
    assert sink.closed == 1


def test_each_kind_of_error_is_logged_once_and_masked(caplog: pytest.LogCaptureFixture) -> None:
    sink = FailingSink(*(ValueError("key canary-secret") for _ in range(5)), OSError("full"), OSError("full"))
    hub = SinkHub([sink], mask=lambda text: text.replace("canary-secret", "***"))
    with caplog.at_level(logging.DEBUG):
        for _ in range(7):
            hub.publish(spans(1))
            hub.flush()
        hub.close()
    records = [record for record in caplog.records if record.name == "promptrails_engine.tracing"]
    assert [record.levelname for record in records] == ["WARNING", "WARNING"]
    assert "FailingSink" in records[0].message
    assert "ValueError: key ***" in records[0].message
    assert "OSError: full" in records[1].message
    assert "canary-secret" not in caplog.text
    assert stats(hub).errors == 7


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_an_error_that_cannot_be_printed(caplog: pytest.LogCaptureFixture) -> None:
    hub = SinkHub([FailingSink(Unprintable())])
    hub.publish(spans(1))
    assert hub.close()
    assert "Unprintable" in caplog.text


def test_no_thread_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    sink = MemorySink()
    hub = SinkHub([sink])
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        hub.publish(spans(2))
        assert SinkHub([MemorySink()]).close(0.01) is False
    hub.publish(spans(1))
    assert hub.close()
    assert stats(hub) == SinkStats("MemorySink", exported=1, dropped=2, errors=0)


# ------------------------------------------------------------------ capturing


def test_capture_asks_the_sinks_that_capture() -> None:
    sink = FailingSink()
    assert isinstance(sink, CapturingSink)
    assert SinkHub([MemorySink(), sink]).capture() == {id(sink): "seen"}
    assert SinkHub([MemorySink()]).capture() is None


def test_a_capture_that_fails_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    bad, good = FailingSink(ValueError("x"), at="capture"), FailingSink()
    hub = SinkHub([bad, good])
    assert hub.capture() == {id(good): "seen"}
    assert [entry.errors for entry in hub.stats()] == [1, 0]
    assert "capture" in caplog.text


# ------------------------------------------------------------------ processes

FORK = """
import os
from promptrails_engine.testing.sink_conformance import example_trace
from promptrails_engine.tracing import MemorySink, SinkHub
sink = MemorySink()
hub = SinkHub([sink])
hub.publish(example_trace())
hub.flush()
pid = os.fork()
if pid == 0:
    sink.clear()
    hub.publish(example_trace())
    done = hub.close(20)
    os._exit(7 if done and len(sink.spans) == 4 and hub.stats()[0].exported == 4 else 1)
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
hub.publish(example_trace())
print(code, hub.close(20), hub.stats()[0].exported, len(sink.spans))
"""

HANG = """
import threading
from promptrails_engine.testing.sink_conformance import example_trace
from promptrails_engine.tracing import SinkHub
class Hanging:
    def export(self, spans): threading.Event().wait()
    def flush(self): pass
    def close(self): pass
hub = SinkHub([Hanging()])
hub.publish(example_trace())
print(hub.close(0.01))
"""

LAZY = """
import sys
import promptrails_engine.tracing as tracing
tracing.SinkHub([tracing.MemorySink()]).publish([])
tracing.JsonlSink, tracing.plain_payload, tracing.span_to_dict
print(sorted({name.partition(".")[0] for name in sys.modules} & {"rich", "opentelemetry", "httpx", "sqlalchemy"}))
tracing.ConsoleSink, tracing.OTelSink
print("opentelemetry" in sys.modules, "rich" in sys.modules)
"""


def python(code: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip().split("\n")


def test_a_forked_child_has_threads_of_its_own() -> None:
    assert python(FORK) == ["7 True 8 8"]


def test_a_hanging_sink_does_not_keep_the_process() -> None:
    assert python(HANG) == ["False"]


def test_only_the_sink_that_is_used_loads_its_package() -> None:
    assert python(LAZY) == ["[]", "False True"]


def test_every_exported_name_can_be_loaded() -> None:
    with pytest.raises(AttributeError, match="NoSink"):
        _ = tracing.NoSink
    assert set(dir(tracing)) >= {"SinkHub", "OTelSink"}
    assert all(getattr(tracing, name).__name__ == name for name in dir(tracing))
