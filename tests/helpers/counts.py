"""The tables of counts and search on PostgreSQL, and what their contents must be."""

from typing import Any

from django.db import connection as default_connection
from django.db.backends.base.base import BaseDatabaseWrapper

from core.db.postgresql import fetch
from incidents.listing.counts import count_sql
from incidents.listing.filters import IncidentQuery

SEARCH_KEPT = "TABLE incidents_search"
SEARCH_EXPECTED = "SELECT id, incidents_fold(description) FROM incidents_incident"


def rows(sql: str, connection: BaseDatabaseWrapper = default_connection) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return sorted(cursor.fetchall())


def execute(sql: str) -> None:
    with default_connection.cursor() as cursor:
        cursor.execute(sql)


def assert_exact(connection: BaseDatabaseWrapper = default_connection) -> None:
    """The counts equal those of the rows, by day, status, source and urgency, and in total without the day."""
    kept = """
        SELECT day, status, source, urgent, sum(n)::bigint
        FROM (SELECT * FROM incidents_count UNION ALL SELECT * FROM incidents_countdelta
              UNION ALL SELECT NULL, status, source, n, urgent FROM incidents_countdelta)
            AS kept (day, status, source, n, urgent)
        GROUP BY 1, 2, 3, 4 HAVING sum(n) <> 0
    """
    expected = """
        SELECT (created_at AT TIME ZONE 'UTC')::date, status, source, urgent, count(*) FROM incidents_incident
        GROUP BY 1, 2, 3, 4
        UNION ALL SELECT NULL, status, source, urgent, count(*) FROM incidents_incident GROUP BY 2, 3, 4
    """
    for one, other in ((kept, expected), (expected, kept)):
        assert rows(f"({one}) EXCEPT ALL ({other})", connection) == []


def deltas() -> int:
    return rows("SELECT count(*) FROM incidents_countdelta")[0][0]


def merge_deltas() -> None:
    rows("SELECT incidents_count_fold()")


def counted(**query: Any) -> int:
    statement = count_sql(IncidentQuery(**query))
    assert statement is not None
    ((number,),) = fetch(*statement)
    return number
