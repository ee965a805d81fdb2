"""One page of the list of incidents, and one incident."""

from collections.abc import Callable
from datetime import UTC
from typing import Any

from django.db import connection

from incidents.listing.counts import PageStart, count_sql, find_page_start
from incidents.listing.filters import IncidentQuery, apply_filters, filters_of, where_clause
from incidents.listing.search import FOUND
from incidents.models import Incident
from incidents.serializers import IncidentSerializer

FIELDS = IncidentSerializer.Meta.fields
COLUMNS = ", ".join(FIELDS)


type Fetch = Callable[..., list[tuple[Any, ...]]]


def read_page(query: IncidentQuery, offset: int, limit: int, *, fetch: Fetch) -> tuple[int, list[dict[str, Any]]]:
    """
    How many incidents the query chooses, and `limit` of them behind `offset`.

    On PostgreSQL by `fetch`: core.db.postgresql.fetch, or a bearer's, which checks its token in the first statement.
    """
    if connection.vendor != "postgresql":
        incidents = apply_filters(query, Incident.objects.in_order(query.ordering)).values(*FIELDS)
        return incidents.count(), list(incidents[offset : offset + limit])
    conditions, params = where_clause(query)
    counting, count_params = count_sql(query) or (_count_rows(query, conditions), params)
    # The best plan depends on how many incidents have the values, or how often the text occurs.
    prepare = False if query.multi_value or query.search else None
    # With several values the newest rows may be anywhere in the index: the counts by day find the page.
    if not offset and not (query.multi_value and query.by_creation):
        sql = _select(f"({counting}) AS count, {COLUMNS}", conditions) + _page(query.ordering, 0, limit)
        rows = fetch(sql, params | count_params, prepare=prepare)
        return (rows[0][0] if rows else 0), _as_dicts(rows)
    start = find_page_start(query, offset, fetch) if query.by_creation else None
    if start is None:
        ((count,),) = fetch(counting, count_params, prepare=prepare)
        start = PageStart(count, None, offset)
    if start.bound:
        conditions.append(f"created_at {'<' if query.ordering.startswith('-') else '>='} %(bound)s")
        params["bound"] = start.bound
    sql = _select(f"0, {COLUMNS}", conditions) + _page(query.ordering, start.offset, limit)
    return start.count, _as_dicts(fetch(sql, params, prepare=prepare) if start.offset < start.count else [])


def read_incident(pk: int, *, fetch: Fetch) -> Incident | None:
    """`fetch` as with `read_page`."""
    if connection.vendor != "postgresql":
        return Incident.objects.filter(pk=pk).first()
    rows = fetch(f"SELECT {COLUMNS} FROM incidents_incident WHERE id = %(id)s", {"id": pk})  # noqa: S608
    if not rows:
        return None
    *values, created_at, updated_at = rows[0]
    values += [created_at.replace(tzinfo=UTC), updated_at.replace(tzinfo=UTC)]
    return Incident.from_db(connection.alias, FIELDS, values)


def _as_dicts(rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    # Written out, since dict(zip(...)) takes four times as long.
    return [
        {
            "id": pk,
            "description": description,
            "status": status,
            "source": source,
            "created_at": created_at,
            "updated_at": updated_at,
        }
        for _, pk, description, status, source, created_at, updated_at in rows
    ]


def _count_rows(query: IncidentQuery, conditions: list[str]) -> str:
    # Each incident has one text: those found need not be looked up.
    search_only = [each.name for each, _ in filters_of(query)] == ["search"]
    return f"SELECT count(*) {FOUND}" if search_only else _select("count(*)", conditions)


def _select(columns: str, conditions: list[str]) -> str:
    return f"SELECT {columns} FROM incidents_incident" + (f" WHERE {' AND '.join(conditions)}" if conditions else "")  # noqa: S608


def _page(ordering: str, offset: int, limit: int) -> str:
    direction = "DESC" if ordering.startswith("-") else "ASC"
    # As numbers, not parameters: a plan for any limit is a plan for a large one.
    return f" ORDER BY {ordering.removeprefix('-')} {direction}, id {direction} LIMIT {limit:d} OFFSET {offset:d}"
