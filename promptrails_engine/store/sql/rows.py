"""Executions, spans and events as rows of the tables, and back.

These run on the path of each run, so they are plain tuples in the tables' column order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter, itemgetter
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from promptrails_engine.events import Event, event_from_dict, event_to_dict
from promptrails_engine.ports.journal import JournalEntry
from promptrails_engine.ports.provider import Message
from promptrails_engine.ports.sink import Span, TraceInfo
from promptrails_engine.ports.store import ExecutionRow
from promptrails_engine.store.codec import (
    dump_json,
    dump_metadata,
    escape,
    escape_all,
    index_key,
    load_json,
    unescape,
)
from promptrails_engine.store.payload import PAYLOAD_BYTES, capped, is_huge, is_simple, lenient_json
from promptrails_engine.store.sql.tables import IDENTITY_COLUMNS, executions
from promptrails_engine.store.usage import total_tokens
from promptrails_engine.tracing.payload import plain_payload

Values = tuple[Any, ...]
DAY_SECONDS = 86_400

_identity_texts = attrgetter("workspace_id", "id", "agent_id", "agent_version_id", "trace_id", "user_id", "session_id")
_trace_texts = attrgetter("workspace_id", "execution_id", "trace_id", "agent_id", "session_id", "user_id")
_SPAN_FILTERED = attrgetter("kind", "status", "model_name", "started_at")
_SPAN_DATA = (
    "name",
    "parent_span_id",
    "level",
    "ended_at",
    "input",
    "output",
    "attributes",
    "tags",
    "prompt_id",
    "prompt_name",
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "cost",
    "completion_start_time",
    "error_message",
    "error_type",
    "error_stack",
)
"""The order in which `pr_spans.data` holds them, after the agent's name and type.  New ones go to the end."""
_span_data = attrgetter("trace.agent_name", "trace.agent_type", *_SPAN_DATA)
_INPUT, _OUTPUT, _TAGS = (2 + _SPAN_DATA.index(name) for name in ("input", "output", "tags"))

_LARGE = ("input", "version_lock", "metadata", "output", "error", "limits", "events", "journal")
_large_texts = itemgetter(*(executions.c.keys().index(name) for name in _LARGE))
OWNER = executions.c.keys().index("owner")
"""Its place among the columns of an execution."""
_SMALL_COLUMNS = 400
_LISTS = (list, tuple)


def identity_values(row: ExecutionRow) -> Values:
    """The columns that the end of an execution leaves alone."""
    workspace, key, agent, version, trace, user, session = escape_all(_identity_texts(row))
    return (
        workspace,
        key,
        agent,
        version,
        trace,
        dump_json(row.input),
        dump_json(dict(row.version_lock)),
        dump_metadata(row.metadata),
        row.created_at,
        int(row.created_at // DAY_SECONDS),
        user,
        session,
        None if row.parent_execution_id is None else escape(row.parent_execution_id),
        None if row.root_execution_id is None else escape(row.root_execution_id),
        None if row.owner is None else escape(row.owner),
        row.attempt,
        row.cancel_requested_at,
        None if row.limits is None else dump_json(row.limits),
    )


def begin_values(row: ExecutionRow) -> Values:
    """A new execution: the whole row, of which mostly nothing is known yet."""
    identity = identity_values(row)
    if row.output is not None or row.token_usage or row.error or row.error_code:
        return (*identity, *end_values(row), None, None)
    state = (row.status, row.started_at, row.completed_at, row.duration_ms, None, "", "", "{}", 0)
    return (*identity, *state, row.cost, row.cost_known, row.truncated, None, None)


def end_values(row: ExecutionRow) -> Values:
    """The columns that the end of an execution writes, but for its events and journal entries."""
    return (
        row.status,
        row.started_at,
        row.completed_at,
        row.duration_ms,
        None if row.output is None else dump_json(row.output),
        escape(row.error),
        escape(row.error_code),
        dump_json(row.token_usage),
        total_tokens(row.token_usage),
        row.cost,
        row.cost_known,
        row.truncated,
    )


def execution_row(values: Sequence[Any]) -> ExecutionRow:
    """The execution in one row of `pr_executions`."""
    ws, key, agent, version, trace, input_, lock, meta, created, _day, user, session, *more = values[:IDENTITY_COLUMNS]
    parent, root, owner, attempt, cancelled, limits = more
    status, started, completed, duration, output, error, code, usage, _total, cost, known, cut = values[
        IDENTITY_COLUMNS:
    ]
    return ExecutionRow(
        id=unescape(key),
        workspace_id=unescape(ws),
        agent_id=unescape(agent),
        agent_version_id=unescape(version),
        trace_id=unescape(trace),
        status=status,
        input=load_json(input_),
        version_lock=load_json(lock),
        created_at=created,
        user_id=unescape(user),
        session_id=unescape(session),
        metadata=load_json(meta),
        started_at=started,
        completed_at=completed,
        duration_ms=duration,
        output=None if output is None else load_json(output),
        error=unescape(error),
        error_code=unescape(code),
        token_usage=load_json(usage),
        cost=cost,
        cost_known=known,
        truncated=bool(cut),
        parent_execution_id=None if parent is None else unescape(parent),
        root_execution_id=None if root is None else unescape(root),
        owner=None if owner is None else unescape(owner),
        attempt=attempt,
        cancel_requested_at=cancelled,
        limits=None if limits is None else load_json(limits),
    )


def span_values(spans: Sequence[Span]) -> list[Values]:
    """Rows of `pr_spans`; the first of each trace in a batch stands for it in the index by trace."""
    rows: list[Values] = []
    info: TraceInfo | None = None
    workspace = execution = trace = agent = session = user = ""
    trace_key: str | None = None
    for span in spans:
        if span.trace is not info:
            info = span.trace
            workspace, execution, trace, agent, session, user = escape_all(_trace_texts(info))
            trace_key = trace
        kind, status, model, started = _SPAN_FILTERED(span)
        rows.append(
            (
                workspace,
                execution,
                escape(span.span_id),
                trace,
                trace_key,
                agent,
                session,
                user,
                kind,
                status,
                escape(model),
                started,
                _span_text(span),
            )
        )
        trace_key = None
    return rows


def _span_text(span: Span) -> str:
    data: Values = _span_data(span)
    if data[_INPUT].__class__ in _LISTS or data[_OUTPUT].__class__ in _LISTS:
        data = _with_payloads(data, _messages_as_dicts)
    if not (is_simple(data[_INPUT]) and is_simple(data[_OUTPUT])):
        data = _with_payloads(data, plain_payload)
        if is_huge(data[_INPUT]) or is_huge(data[_OUTPUT]):
            return lenient_json(_with_payloads(data, capped))
    try:
        text = to_json(data)
    except PydanticSerializationError:
        pass
    else:
        if len(text) <= PAYLOAD_BYTES:  # so neither part of it can be larger
            return text.decode()
    return lenient_json(_with_payloads(data, capped))


def _messages_as_dicts(payload: Any) -> Any:
    """The usual payload as `plain_payload` gives it, where what is in the messages is simple."""
    if payload.__class__ not in _LISTS:
        return payload
    dicts = [item.to_dict() for item in payload if item.__class__ is Message]
    return dicts if len(dicts) == len(payload) else payload


def _with_payloads(data: Values, change: Callable[[Any], Any]) -> Values:
    parts = list(data)
    parts[_INPUT], parts[_OUTPUT] = change(data[_INPUT]), change(data[_OUTPUT])
    return tuple(parts)


def span_of(values: Sequence[Any], traces: dict[str, TraceInfo]) -> Span:
    """The span in one row of `pr_spans`; spans of one execution share their TraceInfo through `traces`."""
    ws, execution, span_id, trace, _key, agent, session, user, kind, status, model, started, text = values
    agent_name, agent_type, *data = load_json(text)
    info = traces.get(execution)
    if info is None:
        info = traces[execution] = TraceInfo(
            trace_id=unescape(trace),
            execution_id=unescape(execution),
            workspace_id=unescape(ws),
            agent_id=unescape(agent),
            agent_name=agent_name,
            agent_type=agent_type,
            session_id=unescape(session),
            user_id=unescape(user),
        )
    span = Span(
        trace=info,
        span_id=unescape(span_id),
        parent_span_id="",
        name="",
        kind=kind,
        started_at=started,
        status=status,
        model_name=unescape(model),
    )
    for name, value in zip(_SPAN_DATA, data, strict=False):
        setattr(span, name, value)
    span.tags = tuple(span.tags)
    return span


def events_text(events: Sequence[Event]) -> str:
    """JSON text of the events."""
    return dump_json([event_to_dict(event) for event in events])


def events_values(workspace_id: str, execution_id: str, events: Sequence[Event]) -> Values:
    """One row of `pr_events` for all of them."""
    return (
        escape(workspace_id),
        escape(execution_id),
        events[0].seq,
        events[-1].seq,
        events_text(events),
    )


def events_of(text: str, after: int) -> list[Event]:
    """The events in a text of `events_text` that are numbered above `after`."""
    return [event_from_dict(data) for data in load_json(text) if data["seq"] > after]


def fence_values(row: ExecutionRow) -> Values:
    """Whose the execution has to be: workspace, root, whether it is below that, id, owner.

    In the order of the first four executions are locked: a root before what is below it.
    """
    workspace, key = escape(row.workspace_id), escape(row.id)
    root = None if row.root_execution_id is None else escape(row.root_execution_id)
    return (workspace, root or key, root is not None, key, None if row.owner is None else escape(row.owner))


def journal_values(row: ExecutionRow, entries: Sequence[JournalEntry]) -> list[Values]:
    """Rows of `pr_journal`, without their places."""
    if not entries:
        return []
    workspace, execution = escape(row.workspace_id), escape(row.id)
    return [
        (
            workspace,
            execution,
            index_key(entry.key),
            escape(entry.key),
            entry.kind,
            entry.effect,
            entry.state,
            dump_json(entry.value),
        )
        for entry in entries
    ]


def execution_size(values: Values) -> int:
    """About how many characters a row of `pr_executions` holds."""
    return _SMALL_COLUMNS + sum([len(text) for text in _large_texts(values) if text])
