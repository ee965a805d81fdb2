"""The list of incidents: which ones its filters choose, how many they are, and one page of them."""

from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

from django.db import connection

from incidents.listing import counts
from incidents.listing.filters import apply
from incidents.models import Incident
from incidents.serializers import IncidentSerializer

FIELDS = IncidentSerializer.Meta.fields
COLUMNS = ", ".join(FIELDS)
FOUND = "FROM incidents_search WHERE text LIKE incidents_fold(%(search)s)"
CONDITIONS = {
    "created_after": "created_at >= %(created_after)s",
    "created_before": "created_at < %(created_before)s",
    "updated_after": "updated_at >= %(updated_after)s",
    # What was created later was updated later: newest first, the database need not pass all of it.
    "updated_before": "updated_at < %(updated_before)s AND created_at < %(updated_before)s",
    "search": f"id IN (SELECT incident_id {FOUND})",
}


type Fetch = Callable[..., list[tuple[Any, ...]]]


def read_page(filters: Mapping[str, Any], offset: int, limit: int, *, fetch: Fetch) -> tuple[int, list[dict[str, Any]]]:
    """
    How many incidents `filters`, an IncidentFilter's clean data, choose, and `limit` of them behind `offset`.

    On PostgreSQL by `fetch`: core.db.postgresql.fetch, or a bearer's, which checks its token in the first statement.
    """
    if connection.vendor != "postgresql":
        incidents = apply(filters, Incident.objects.newest_first()).values(*FIELDS)
        return incidents.count(), list(incidents[offset : offset + limit])
    ordering: str = filters.get("ordering", "-created_at")
    by_creation = ordering.endswith("created_at")
    # An index leads to the first of one status, source or both. Those of several may lie behind all the others.
    several = any(len(filters.get(name, ())) > 1 for name in ("status", "source"))
    scattered = by_creation and several
    # The best plan depends on how many they are, or how often the text occurs.
    prepare = False if several or "search" in filters else None
    conditions, params = _conditions(filters)
    counting, count_params = counts.count(filters) or (_count(filters, conditions), params)
    if not offset and not scattered:
        sql = _select(f"({counting}) AS count, {COLUMNS}", conditions) + _page(ordering, 0, limit)
        rows = fetch(sql, params | count_params, prepare=prepare)
        count = rows[0][0] if rows else 0
    else:
        if by_creation and (place := counts.locate(filters, offset, fetch)):
            count, offset = place.count, place.offset
            if place.bound:
                conditions.append(f"created_at {'<' if ordering.startswith('-') else '>='} %(bound)s")
                params["bound"] = place.bound
        else:
            ((count,),) = fetch(counting, count_params, prepare=prepare)
        sql = _select(f"0, {COLUMNS}", conditions) + _page(ordering, offset, limit)
        rows = fetch(sql, params, prepare=prepare) if offset < count else []
    # Written out, since dict(zip(...)) takes four times as long.
    return count, [
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


def _count(filters: Mapping[str, Any], conditions: list[str]) -> str:
    # Of each incident there is one text, so that those found need not be looked up.
    return f"SELECT count(*) {FOUND}" if filters.keys() <= {"search", "ordering"} else _select("count(*)", conditions)


def _conditions(filters: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    conditions, params = counts.choice(filters)
    for name in filters.keys() & CONDITIONS.keys():
        conditions.append(CONDITIONS[name])
        params[name] = filters[name]
    if "search" in params:
        params["search"] = f"%{connection.ops.prep_for_like_query(params['search'])}%"
    return conditions, params


def _select(columns: str, conditions: list[str]) -> str:
    return f"SELECT {columns} FROM incidents_incident" + (f" WHERE {' AND '.join(conditions)}" if conditions else "")  # noqa: S608


def _page(ordering: str, offset: int, limit: int) -> str:
    direction = "DESC" if ordering.startswith("-") else "ASC"
    # As numbers, not parameters: a plan for any limit is a plan for a large one.
    return f" ORDER BY {ordering.removeprefix('-')} {direction}, id {direction} LIMIT {limit:d} OFFSET {offset:d}"
