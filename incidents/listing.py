"""The list of incidents: which ones its filters choose, how many they are, and one page of them."""

from collections.abc import Mapping
from typing import Any

from django.db import connection

from core.database import fetch
from incidents.counts import locate
from incidents.filters import apply
from incidents.models import Incident
from incidents.serializers import IncidentSerializer

FIELDS = IncidentSerializer.Meta.fields
SELECT = f"SELECT {', '.join(FIELDS)} FROM incidents_incident"  # noqa: S608
CONDITIONS = {
    "created_after": "created_at >= %(created_after)s",
    "created_before": "created_at < %(created_before)s",
    "updated_after": "updated_at >= %(updated_after)s",
    # What was created later was updated later: newest first, the database need not pass all of it.
    "updated_before": "updated_at < %(updated_before)s AND created_at < %(updated_before)s",
    "search": "id IN (SELECT incident_id FROM incidents_search WHERE text LIKE upper(%(search)s))",
}


def read_page(filters: Mapping[str, Any], offset: int, limit: int) -> tuple[int, list[dict[str, Any]]]:
    """The count of the incidents that `filters`, clean data, choose, and `limit` of them behind the first `offset`."""
    if connection.vendor != "postgresql":
        incidents = apply(filters, Incident.objects.newest_first()).values(*FIELDS)
        return incidents.count(), list(incidents[offset : offset + limit])
    conditions, params = _where(filters)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    # What the best plan is for a text depends on how often it occurs.
    prepare = False if "search" in filters else None
    if place := locate(filters, offset):
        count, bound, skipped = place.count, place.bound, place.offset
    else:
        ((count,),) = fetch(f"SELECT count(*) FROM incidents_incident{where}", params, prepare=prepare)  # noqa: S608
        bound, skipped = None, offset
    if offset >= count:
        return count, []
    ordering: str = filters.get("ordering", "-created_at")
    descending = ordering.startswith("-")
    if bound:
        where += f"{' AND' if where else ' WHERE'} created_at {'<' if descending else '>='} %(bound)s"
        params["bound"] = bound
    direction = "DESC" if descending else "ASC"
    # As numbers, not parameters: a plan for any limit is a plan for a large one.
    sql = f"{SELECT}{where} ORDER BY {ordering.removeprefix('-')} {direction}, id {direction} LIMIT {limit:d}"
    if skipped:
        sql += f" OFFSET {skipped:d}"
    return count, [dict(zip(FIELDS, row, strict=True)) for row in fetch(sql, params, prepare=prepare)]


def _where(filters: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    conditions, params = [], {}
    for name, value in filters.items():
        if name in ("status", "source"):
            # Of one value alone an index knows the newest.
            conditions.append(f"{name} = %({name})s" if len(value) == 1 else f"{name} = ANY(%({name})s)")
            params[name] = value[0] if len(value) == 1 else value
        elif name in CONDITIONS:
            conditions.append(CONDITIONS[name])
            params[name] = value if name != "search" else f"%{connection.ops.prep_for_like_query(value)}%"
    return conditions, params
