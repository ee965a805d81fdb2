"""
By the ORM, with a query of its own for the actor.

A transaction holds the write lock from its beginning, so that it is the only writer.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from statistics import median
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, F, Max, Model, Q, QuerySet
from django.db.models.functions import TruncDate

from incidents import table
from incidents.actors import Actor, Reader
from incidents.listing.filters import IncidentQuery, apply_filters
from incidents.listing.search import contains
from incidents.models import Incident, IncidentChange, Status
from incidents.serializers import IncidentSerializer
from incidents.table import Texts
from incidents.text import normalize_line_breaks


def insert_incident(incident: Incident, entry: IncidentChange, actor: Actor) -> None:
    """Writes the incident and the first entry of its history. Raises what `actor.check` raises."""
    with transaction.atomic():
        entry.actor = actor.check()
        incident.save()
        entry.save()


def insert_entry(entry: IncidentChange, actor: Actor) -> None:
    """Writes the entry. Raises what `actor.check` raises."""
    with transaction.atomic():
        entry.actor = actor.check()
        entry.save()


def update_incident(incident: Incident, entry: IncidentChange, updated_at: datetime) -> bool:
    """Writes the entry's changes and the entry if the incident is still as it was read; returns whether it was."""
    with transaction.atomic():
        row = Incident.objects.filter(pk=incident.pk)
        # Compared here: SQLite compares texts, which differ where another program wrote the time in another format.
        if row.values_list("updated_at", flat=True).get() != incident.updated_at:
            return False
        row.update(**entry.values(), updated_at=updated_at)
        entry.save()
        return True


def lock_statuses(ids: list[int]) -> dict[int, str]:
    """Returns the statuses of incidents; the transaction holds the lock already."""
    return dict(Incident.objects.filter(pk__in=ids).values_list("pk", "status"))


def change_many(ids: list[int], field: str, value: str | bool, *, at: datetime, actor: str, channel: str) -> None:
    """Changes a field of all that are neither closed nor have the value already, and writes their history."""
    others = Incident.objects.filter(pk__in=ids).exclude(Q(status=Status.CLOSED) | Q(**{field: value}))
    for incident in others.order_by("pk"):
        changes = {field: [getattr(incident, field), value]}
        entry_at, updated_at = max(at, incident.created_at), max(at, incident.updated_at + timedelta(microseconds=1))
        entry = IncidentChange(incident=incident, at=entry_at, actor=actor, channel=channel, changes=changes)
        update_incident(incident, entry, updated_at)


def read_page(query: IncidentQuery, offset: int, limit: int, reader: Reader) -> tuple[int, list[dict[str, Any]]]:
    """Returns how many incidents the query chooses, and `limit` of them behind `offset`."""
    reader.check()
    ordered = Incident.objects.in_order(query.ordering)
    incidents = apply_filters(query, ordered).values(*IncidentSerializer.Meta.fields)
    return incidents.count(), list(incidents[offset : offset + limit])


def read_incident(pk: int, reader: Reader) -> Incident | None:
    reader.check()
    return Incident.objects.filter(pk=pk).first()


def mentions(*texts: str) -> Q:
    """Descriptions that contain each of the texts, in any order."""
    return Q(*(contains(normalize_line_breaks(text)) for text in texts))


def newest_mentions(texts: Sequence[str], limit: int) -> Q:
    """Descriptions that contain one of the texts, of any number: SQLite reads all of them in any case."""
    return Q(*map(contains, texts), _connector=Q.OR)


def count_incidents(query: IncidentQuery) -> int:
    return apply_filters(query, Incident.objects.all()).count()


def count_by_status_and_source() -> dict[tuple[str, str], int]:
    rows = Incident.objects.values_list("status", "source").annotate(Count("pk"))
    return {(status, source): n for status, source, n in rows}


def count_created_by_day(first: date) -> dict[date, int]:
    """Counts from `first` on, in UTC."""
    incidents = Incident.objects.filter(created_at__gte=datetime.combine(first, time.min, UTC))
    return dict(incidents.values_list(TruncDate("created_at", tzinfo=UTC)).annotate(Count("pk")))


def count_resolved_by_day(resolutions: QuerySet[Any, Any]) -> dict[date, int]:
    """Counts by the day of `resolved_at` in UTC."""
    return Counter(at.date() for at in resolutions.values_list("resolved_at", flat=True))


def sum_up_resolutions(resolutions: QuerySet[Any, Any], since: datetime, middle: datetime) -> dict[bool, list[Any]]:
    """
    Returns the number of resolutions since then and the median time that they took, by whether from `middle` on.

    Those that took no time count for the number alone; without others the median is None.
    """
    times = defaultdict(list)
    found = resolutions.filter(at__gte=since).annotate(created_at=F("incident__created_at"))
    for created_at, at in found.values_list("created_at", "resolved_at"):
        times[at >= middle].append(at - created_at)
    return {later: [len(took), median(filter(None, took)) if any(took) else None] for later, took in times.items()}


def csv_lines(rows: QuerySet[Incident, Any], texts: Texts, separator: str) -> tuple[bytes, int]:
    """Returns rows of `table.select` by descending ids as lines of CSV, and the last id, 0 if there are none."""
    return table.csv_lines(rows, texts, separator)


def newest_change_and_writers() -> tuple[int, list[str]]:
    """Returns the largest id in the history, 0 if it is empty, and no writer: ids are in the order of the commits."""
    return IncidentChange.objects.aggregate(newest=Max("pk"))["newest"] or 0, []


def reserve_ids(model: type[Model], count: int) -> Sequence[int]:
    """Returns ascending ids of new rows for this writer."""
    with connection.cursor() as cursor:
        # Not the largest in the table, whose incident may be archived.
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [model._meta.db_table])
        (last,) = cursor.fetchone() or (0,)
    return range(last + 1, last + 1 + count)


def reserve_entry_ids(count: int) -> Sequence[int]:
    """Returns ascending ids of new entries of the history."""
    return reserve_ids(IncidentChange, count)


def reserve_ids_until(model: type[Model], pk: int) -> None:
    """Does nothing: SQLite goes on behind the largest id that there ever was."""


def insert_rows(model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Writes rows without model instances, which take twice as long."""
    sql = f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.executemany(sql, [tuple(map(_adapt, row)) for row in rows])


def update_rows(model: type[Model], columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Writes columns of stored rows; `rows` are an id and values each."""
    sql = f"UPDATE {model._meta.db_table} SET {', '.join(f'{name} = %s' for name in columns)} WHERE id = %s"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.executemany(sql, [(*map(_adapt, values), pk) for pk, *values in rows])


def delete_rows(model: type[Model], column: str, values: Sequence[int]) -> int:
    """Deletes the rows with one of the values, without those that belong to them; returns how many there were."""
    sql = f"DELETE FROM {model._meta.db_table} WHERE {column} IN ({', '.join(['%s'] * len(values))})"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sql, list(values))
        return cursor.rowcount


def _adapt(value: Any) -> Any:
    """Writes timestamps in Django's own format: the driver would add an offset, `+00:00`."""
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value


def update_statistics() -> None:
    """Does nothing: SQLite plans without them."""
