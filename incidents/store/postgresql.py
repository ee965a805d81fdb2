"""Each request in one statement, where that is possible. It checks the actor in passing, and is a transaction."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from typing import Any

import orjson
from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model, Q, QuerySet
from django.db.models.expressions import RawSQL
from psycopg.types.json import Jsonb

from core.db.postgresql import fetch
from core.log.context import current_request_id
from incidents import table
from incidents.actors import Actor, Named, Reader
from incidents.listing.counts import PageStart, count_sql, find_page_start
from incidents.listing.filters import IncidentQuery, filters_of, where_clause
from incidents.listing.search import contains_sql, found_sql, pattern
from incidents.models import Incident, IncidentChange, IncidentCount, IncidentCountDelta
from incidents.serializers import IncidentSerializer
from incidents.table import FORMULA, Texts
from incidents.text import normalize_line_breaks

FIELDS = IncidentSerializer.Meta.fields
COLUMNS = ", ".join(FIELDS)
MODEL_COLUMNS = [field.attname for field in Incident._meta.concrete_fields]

ENTRY = """
change AS (
  INSERT INTO incidents_incidentchange (incident_id, at, actor, channel, changes, request_id, taken_by)
  SELECT id, %(at)s, username, %(channel)s, %(changes)s, %(request_id)s, %(undo)s FROM incident, actor
  RETURNING id
)
SELECT username, incident.id, change.id FROM actor, incident, change
"""
INSERT = f"""
incident AS (
  INSERT INTO incidents_incident (description, status, source, urgent, created_at, updated_at)
  SELECT %(description)s, %(status)s, %(source)s, %(urgent)s, %(created_at)s, %(updated_at)s FROM actor RETURNING id
), {ENTRY}
"""  # noqa: S608
UPDATE = f"""
incident AS (
  UPDATE incidents_incident SET {{columns}}
  WHERE id = %(id)s AND updated_at = %(unchanged_since)s RETURNING id
), {ENTRY}
"""  # noqa: S608
COMMENT = f"incident AS (SELECT %(id)s::bigint AS id), {ENTRY}"
LOCK = "SELECT id, status FROM incidents_incident WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
# Locked in the order of the ids first: an UPDATE takes rows in any order, and two could wait for each other.
CHANGE_MANY = """
WITH locked AS (
  SELECT id, {field} AS old FROM incidents_incident
  WHERE id = ANY(%(ids)s) AND status <> 'closed' AND {field} <> %(value)s::{type} ORDER BY id FOR NO KEY UPDATE
), changed AS (
  UPDATE incidents_incident AS incident
  SET {field} = %(value)s::{type}, updated_at = greatest(%(at)s, updated_at + interval '1 microsecond')
  FROM locked WHERE incident.id = locked.id RETURNING incident.id, old, created_at
)
INSERT INTO incidents_incidentchange (incident_id, at, actor, channel, changes, request_id)
SELECT id, greatest(%(at)s, created_at), %(actor)s, %(channel)s,
  jsonb_build_object('{field}', jsonb_build_array(old, %(value)s::{type})), %(request_id)s
FROM changed ORDER BY id RETURNING id
"""
# Most were created in the same weeks: an index has those in a row, the others are looked up one by one.
SUMS = """
SELECT resolved_at >= %s, count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY resolved_at - created_at)
    FILTER (WHERE resolved_at > created_at)
FROM (
    SELECT resolved_at, coalesce(
        recent.created_at, (SELECT created_at FROM incidents_incident WHERE id = resolutions.incident)
    ) AS created_at
    FROM ({resolutions}) AS resolutions
    LEFT JOIN incidents_incident AS recent ON recent.id = resolutions.incident AND recent.created_at >= %s
) AS rows
GROUP BY 1
"""


def _without_formula(text: str) -> str:
    # A search alone is cheap, and few texts have a formula.
    return f"CASE WHEN {text} ~ '{FORMULA}' THEN regexp_replace({text}, '{FORMULA}', '\\1''', 'g') ELSE {text} END"


def _in_quotes(text: str) -> str:
    return f"""replace({text}, '"', '""')"""


def _seconds(at: str) -> str:
    return f"date_trunc('second', {at})::text"


# What `cells` and `csv_lines` of incidents/table.py write.
CSV_LINES = f"""
SELECT convert_to(coalesce(string_agg(concat('"', concat_ws(%s,
    pk,
    {_in_quotes("status")},
    {_in_quotes("source")},
    {_in_quotes(_without_formula("description"))},
    {_seconds("created_at AT TIME ZONE zone")},
    {_seconds("updated_at AT TIME ZONE zone")},
    {_in_quotes(_without_formula("taker"))},
    {_seconds("created_at AT TIME ZONE 'UTC'")},
    {_seconds("updated_at AT TIME ZONE 'UTC'")}
), E'"\\r\\n'), '' ORDER BY pk DESC), ''), 'UTF8'), coalesce(min(pk), 0)
FROM (
    SELECT pk, %s::jsonb ->> status AS status, %s::jsonb ->> source AS source, description, created_at, updated_at,
        coalesce(%s::jsonb ->> taken_by, taken_by) AS taker, %s AS zone
    FROM ({{rows}}) AS incidents (pk, status, source, description, created_at, updated_at, taken_by)
) AS rows
"""  # noqa: S608
# NULL if PostgreSQL does not know the zone
SAME_TIMES = """
SELECT bool_and(at AT TIME ZONE name = local)
FROM pg_timezone_names, unnest(%s::timestamptz[], %s::timestamp[]) AS times (at, local)
WHERE name = %s
"""
# An INSERT locks the table before it takes an id, and until its transaction ends; readers, such as pg_dump, take other
# locks. pg_locks shows those of all roles, where pg_stat_activity hides when a transaction of another role began.
# The snapshot of max(id) is older than the list of locks: a transaction with a smaller id is in the list, or has ended
# and is seen by the next statement. Two-phase commits are not expected: they give a transaction another name.
NEWEST_AND_WRITERS = """
SELECT (SELECT coalesce(max(id), 0) FROM incidents_incidentchange), array(
    SELECT virtualtransaction FROM pg_locks
    WHERE relation = 'incidents_incidentchange'::regclass AND mode = 'RowExclusiveLock' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND pid <> pg_backend_pid()
)
"""


def insert_incident(incident: Incident, entry: IncidentChange, actor: Actor) -> None:
    """Writes the incident and the first entry of its history. Raises what `actor.accept` raises."""
    columns = ("description", "status", "source", "urgent", "created_at", "updated_at")
    incident.pk = _insert(INSERT, entry, actor, {column: getattr(incident, column) for column in columns})
    incident._state.adding = False


def insert_entry(entry: IncidentChange, actor: Actor) -> None:
    """Writes the entry. Raises what `actor.accept` raises."""
    _insert(COMMENT, entry, actor, {"id": entry.incident_id})


def update_incident(incident: Incident, entry: IncidentChange, updated_at: datetime) -> bool:
    """Writes the entry's changes and the entry if the incident is still as it was read; returns whether it was."""
    values = entry.values() | {"updated_at": updated_at}
    sql = UPDATE.format(columns=", ".join(f"{column} = %({column})s" for column in values))
    values |= {"id": incident.pk, "unchanged_since": incident.updated_at}
    return bool(_write(sql, entry, Named(entry.actor), values))


def _insert(sql: str, entry: IncidentChange, actor: Actor, params: Mapping[str, Any]) -> int:
    """Returns the incident's id."""
    rows = _write(sql, entry, actor, params)
    entry.actor = actor.accept(rows[0][0] if rows else None)
    entry.pk = rows[0][2]
    entry._state.adding = False
    return rows[0][1]


def _write(sql: str, entry: IncidentChange, actor: Actor, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    written = {field: getattr(entry, field) for field in ("at", "channel", "request_id")}
    written |= {"changes": Jsonb(entry.changes, orjson.dumps), "undo": entry.taken_by}
    return fetch(f"WITH actor AS ({actor.sql}), {sql}", {**params, **written, **actor.params})


def lock_statuses(ids: list[int]) -> dict[int, str]:
    """Locks the incidents until the transaction ends; returns their statuses."""
    return dict(fetch(LOCK, [ids]))


def change_many(ids: list[int], field: str, value: str | bool, *, at: datetime, actor: str, channel: str) -> None:
    """Changes a field of all that are neither closed nor have the value already, and writes their history."""
    sql = CHANGE_MANY.format(field=field, type="boolean" if isinstance(value, bool) else "text")
    values = {"ids": ids, "value": value, "at": at, "actor": actor, "channel": channel}
    fetch(sql, values | {"request_id": current_request_id()})


def read_page(query: IncidentQuery, offset: int, limit: int, reader: Reader) -> tuple[int, list[dict[str, Any]]]:
    """Returns how many incidents the query chooses, and `limit` of them behind `offset`."""
    conditions, params = where_clause(query)
    counting, count_params = _count(query)
    # The best plan depends on how many incidents have the values, or how often the text occurs.
    prepare = False if query.multi_value or query.search else None
    # With several values the newest rows may be anywhere in the index: the counts by day find the page.
    if not offset and not (query.multi_value and query.by_creation):
        sql = _select(f"({counting}) AS count, {COLUMNS}", conditions) + _page(query.ordering, 0, limit)
        rows = reader.fetch(sql, params | count_params, prepare=prepare)
        return (rows[0][0] if rows else 0), _as_dicts(rows)
    start = find_page_start(query, offset, reader.fetch) if query.by_creation else None
    if start is None:
        ((count,),) = reader.fetch(counting, count_params, prepare=prepare)
        start = PageStart(count, None, offset)
    skipped = start.offset
    if start.bound:
        conditions.append(_from_first_row(conditions, query.ordering, start))
        params["bound"], skipped = start.bound, 0
    sql = _select(f"0, {COLUMNS}", conditions) + _page(query.ordering, skipped, limit)
    return start.count, _as_dicts(reader.fetch(sql, params, prepare=prepare) if skipped < start.count else [])


def read_incident(pk: int, reader: Reader) -> Incident | None:
    columns = ", ".join(MODEL_COLUMNS)
    rows = reader.fetch(f"SELECT {columns} FROM incidents_incident WHERE id = %(id)s", {"id": pk})  # noqa: S608
    if not rows:
        return None
    values = [value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for value in rows[0]]
    return Incident.from_db(DEFAULT_DB_ALIAS, MODEL_COLUMNS, values)


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


def _select(columns: str, conditions: list[str]) -> str:
    return f"SELECT {columns} FROM incidents_incident" + (f" WHERE {' AND '.join(conditions)}" if conditions else "")  # noqa: S608


def _page(ordering: str, offset: int, limit: int) -> str:
    direction = "DESC" if ordering.startswith("-") else "ASC"
    # As numbers, not parameters: a plan for any limit is a plan for a large one.
    return f" ORDER BY {ordering.removeprefix('-')} {direction}, id {direction} LIMIT {limit:d} OFFSET {offset:d}"


def _from_first_row(conditions: list[str], ordering: str, start: PageStart) -> str:
    """Returns the condition for the first row of a page and those behind it."""
    descending = ordering.startswith("-")
    before = descending != start.backwards
    bound = f"created_at {'<' if before else '>='} %(bound)s"
    if not start.offset and not start.backwards:
        return bound
    # By an index alone, unless a condition is not in it: the rows that are skipped are not looked up.
    first = _select("created_at, id", [*conditions, bound]) + _page(f"{'-' * before}created_at", start.offset, 1)
    return f"(created_at, id) {'<=' if descending else '>='} ({first})"


def mentions(*texts: str) -> Q:
    """Descriptions that contain each of the texts, in any order."""
    # In one condition, so that one scan of the index finds what has all of them.
    return _found(" AND ", texts)


def newest_mentions(texts: Sequence[str], limit: int) -> Q:
    """Descriptions that contain one of the texts, of the newest incidents that do."""
    return _found(" OR ", texts, f" ORDER BY incident_id DESC LIMIT {limit:d}")


def _found(operator: str, texts: Sequence[str], end: str = "") -> Q:
    texts = [normalize_line_breaks(text) for text in texts]
    conditions = [contains_sql(text) for text in texts]
    found = operator.join(conditions) % {"search": "%s"}
    patterns = [
        pattern(text)
        for text, condition in zip(texts, conditions, strict=True)
        for _ in range(condition.count("%(search)s"))
    ]
    return Q(pk__in=RawSQL(f"SELECT incident_id FROM incidents_search WHERE {found}{end}", patterns))  # noqa: S608, S611


def count_incidents(query: IncidentQuery) -> int:
    ((count,),) = fetch(*_count(query))
    return count


def _count(query: IncidentQuery) -> tuple[str, dict[str, Any]]:
    """Returns a SELECT and its parameters."""
    return count_sql(query) or _count_rows(query)


def _count_rows(query: IncidentQuery) -> tuple[str, dict[str, Any]]:
    conditions, params = where_clause(query)
    # Each incident has one text: those found need not be looked up.
    search_only = [each.name for each, _ in filters_of(query)] == ["search"]
    return f"SELECT count(*) {found_sql(query.search)}" if search_only else _select("count(*)", conditions), params


def count_by_status_and_source() -> dict[tuple[str, str], int]:
    rows = _counts_and_deltas(("status", "source"), {"day__isnull": True}, {})
    counts: Counter[tuple[str, str]] = Counter()
    for status, source, n in rows:
        counts[status, source] += n
    return counts


def count_created_by_day(first: date) -> dict[date, int]:
    """Counts from `first` on, in UTC."""
    counts: Counter[date] = Counter()
    for day, n in _counts_and_deltas(("day",), {"day__gte": first}, {"day__gte": first}):
        counts[day] += n
    return counts


def _counts_and_deltas(
    fields: tuple[str, ...], counts: dict[str, Any], deltas: dict[str, Any]
) -> QuerySet[Any, tuple[Any, ...]]:
    # One statement: between two a delta could be merged, and be missed or counted twice.
    columns = (*fields, "n")
    rows = IncidentCountDelta.objects.filter(**deltas).values_list(*columns)
    return IncidentCount.objects.filter(**counts).values_list(*columns).union(rows, all=True)


def count_resolved_by_day(resolutions: QuerySet[Any, Any]) -> dict[date, int]:
    """Counts by the day of `resolved_at` in UTC."""
    sql, params = resolutions.query.sql_with_params()
    sql = f"SELECT (resolved_at AT TIME ZONE 'UTC')::date, count(*) FROM ({sql}) AS rows GROUP BY 1"  # noqa: S608
    return dict(fetch(sql, params, prepare=False))


def sum_up_resolutions(resolutions: QuerySet[Any, Any], since: datetime, middle: datetime) -> dict[bool, list[Any]]:
    """
    Returns the number of resolutions since then and the median time that they took, by whether from `middle` on.

    Those that took no time count for the number alone; without others the median is None.
    """
    sql, params = resolutions.query.sql_with_params()
    found = fetch(SUMS.format(resolutions=sql), [middle, *params, since], prepare=False)
    return {later: numbers for later, *numbers in found}


def csv_lines(rows: QuerySet[Incident, Any], texts: Texts, separator: str) -> tuple[bytes, int]:
    """Returns rows of `table.select` by descending ids as lines of CSV, and the last id, 0 if there are none."""
    if not _has_zone(texts.zone):
        return table.csv_lines(rows, texts, separator)
    try:
        sql, params = rows.query.sql_with_params()
    except EmptyResultSet:  # of conditions that no row can meet
        return b"", 0
    safe = {value: table.without_formula(label) for value, label in texts.labels.items()}
    labels, names = (Jsonb(found, orjson.dumps) for found in (safe, texts.names))
    given: list[Any] = [f'"{separator}"', labels, labels, names, str(texts.zone)]
    # The best plan depends on the filters.
    ((lines, last),) = fetch(CSV_LINES.format(rows=sql), [*given, *params], prepare=False)
    return lines, last


@cache
def _has_zone(zone: tzinfo) -> bool:
    """
    Returns whether PostgreSQL has the same local times: its time zones may be older than the service's, or newer.

    It also takes CET, EET, MET and WET for abbreviations of standard time.
    """
    until = datetime.now(UTC) + timedelta(days=365)
    times = [until - timedelta(weeks=weeks) for weeks in range(50 * 52)]
    local = [at.astimezone(zone).replace(tzinfo=None) for at in times]
    ((same,),) = fetch(SAME_TIMES, [times, local, str(zone)])
    return bool(same)


def newest_change_and_writers() -> tuple[int, list[str]]:
    """Returns the largest id in the history, 0 if it is empty, and names of the other transactions that write it."""
    with connection.cursor() as cursor:
        cursor.execute(NEWEST_AND_WRITERS)
        newest, writers = cursor.fetchone()
    return newest, writers


def reserve_ids(model: type[Model], count: int) -> Sequence[int]:
    """Returns ascending ids of new rows for this writer."""
    with connection.cursor() as cursor:
        sql = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
        cursor.execute(sql, [model._meta.db_table, count])
        return [pk for (pk,) in cursor.fetchall()]


def reserve_entry_ids(count: int) -> Sequence[int]:
    """Returns ascending ids of new entries of the history, whose transaction is a writer from now on."""
    with connection.cursor() as cursor:
        # As an INSERT does before it takes an id: see NEWEST_AND_WRITERS.
        cursor.execute("LOCK TABLE incidents_incidentchange IN ROW EXCLUSIVE MODE")
    return reserve_ids(IncidentChange, count)


def reserve_ids_until(model: type[Model], pk: int) -> None:
    """Lets new rows have larger ids, in a database that did not give this one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_serial_sequence(%s, 'id')", [model._meta.db_table])
        (sequence,) = cursor.fetchone()
        cursor.execute("SELECT setval(%s, %s) WHERE nextval(%s) < %s", [sequence, pk, sequence, pk])


def insert_rows(model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Writes rows without model instances, which take twice as long."""
    sql = f"COPY {model._meta.db_table} ({', '.join(columns)}) FROM STDIN"
    # Django wraps the errors of other statements.
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(sql) as copy:
        for row in rows:
            copy.write_row(row)


def update_rows(model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Writes columns of stored rows in one statement; `rows` are an id and values each, such as JSON can hold."""
    table, names = model._meta.db_table, ("id", *columns)
    typed = ", ".join(f"{name} {model._meta.get_field(name).db_type(connection)}" for name in names)
    values = ", ".join(f"{name} = new.{name}" for name in columns)
    sql = f"UPDATE {table} SET {values} FROM json_to_recordset(%s) AS new ({typed}) WHERE {table}.id = new.id"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, [orjson.dumps([dict(zip(names, row, strict=True)) for row in rows]).decode()])


def delete_rows(model: type[Model], column: str, values: Sequence[int]) -> int:
    """Deletes the rows with one of the values, without those that belong to them; returns how many there were."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {model._meta.db_table} WHERE {column} = ANY(%s)", [list(values)])  # noqa: S608
        return cursor.rowcount


def update_statistics() -> None:
    """Tells the planner of many new rows."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE incidents_incident, incidents_incidentchange")
