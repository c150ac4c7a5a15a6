"""A query of a data source, asked by a node of a workflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import to_jsonable_python

from promptrails_engine.errors import DataSourceError, QueryLimitError
from promptrails_engine.ports.sink import Span
from promptrails_engine.run.adapter_call import call_adapter
from promptrails_engine.run.context import RunContext
from promptrails_engine.run.guarding import restored
from promptrails_engine.run.labelling import guard_later
from promptrails_engine.run.plan import Query
from promptrails_engine.run.recall import retell


async def run_query_step(
    ctx: RunContext, parent: Span, query: Query, params: dict[str, Any], key: str
) -> list[dict[str, Any]]:
    """The rows as JSON data, each an object by name of the column.

    Raises:
        DataSourceError: the query was refused, gave too much, or nobody answered it.
    """
    if not ctx.on_record:
        await ctx.begin()
    key = f"{key}/query"
    if ctx.past is not None and (record := ctx.journal.recorded(key)) is not None:
        retell(ctx, parent, key)
        return await _guarded(ctx, parent, record["rows"], key)
    ctx.journal.send()
    return await ctx.step("datasource", query.source.name, key, parent, _ask, query, params)


async def _ask(ctx: RunContext, span: Span, query: Query, params: dict[str, Any]) -> list[dict[str, Any]]:
    source = query.source
    span.attributes |= {"data_source_name": source.name, "data_source_kind": source.kind, "parameters": params}
    span.input = {"query": query.template, "parameters": params}
    noun = f"data source '{source.name}'"
    late = QueryLimitError(f"{noun} gave no answer within {ctx.limits.call_s} s; ask for less, or raise call_s")
    values = restored(ctx.labels.known, params) if ctx.labels.known else params
    found = await call_adapter(ctx, lambda: source.query(query.template, values), late, DataSourceError, noun)
    rows = [_json_data(record, noun) for record in found.records]
    span.attributes["row_count"] = len(rows)
    key = span.attributes["key"]
    ctx.journal.note(key, "datasource", "idempotent", {"rows": rows})
    span.output = rows = await _guarded(ctx, span, rows, key)
    return rows


async def _guarded(ctx: RunContext, parent: Span, rows: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    if not ctx.guards.documents:
        return rows
    passed: list[dict[str, Any]] = await guard_later(ctx, parent, "documents", rows, key, f"{key}/guards/documents")
    return passed


def _json_data(record: Mapping[str, Any], noun: str) -> dict[str, Any]:
    try:
        data: dict[str, Any] = to_jsonable_python(dict(record), inf_nan_mode="null")
    except Exception as error:  # what an adapter gives may hold anything
        raise DataSourceError(f"{noun} gave a row that has no JSON form: {type(error).__name__}: {error}") from error
    return data
