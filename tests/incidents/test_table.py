"""An exported list has the same bytes whether Python writes it or PostgreSQL does."""

import csv
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from zoneinfo import TZPATH, ZoneInfo

import pytest
from django.db import connection

from incidents import table
from incidents.actors import Named
from incidents.models import Incident, Status
from incidents.services import change_incident
from incidents.store import store
from incidents.table import Texts
from tests.helpers.incidents import make_incident, seeded

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

PIECES = (
    *"=+-@＝＋－＠'\",;\t\r\n\v\f\\%{}$&?*.()[]|^ абё😀0_",
    *"\x01\x1c\x1f\x7f\x85\xa0\u1680\u180e\u200b\u2003\u2028\u202f\u3000\ufeff\ufffe",
    *("=1", '"="', ";=1", "\r\n=", "''", '""', "%s", "\\1", "E'", "NULL"),
)
LABELS = {
    "open": "Открыт",
    "in_progress": 'В "работе"',
    "resolved": "Решён",
    "closed": "-Закрыт; =",
    "operator": "Оператор",
    "monitoring": "Мониторинг",
    "partner": "Партнёр",
}
ZONES = ("UTC", "Europe/Moscow", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia", "CET")


def written(by, zone="UTC", names=None, separator=";"):
    texts = Texts(LABELS, names or {}, ZoneInfo(zone) if isinstance(zone, str) else zone)
    return by.csv_lines(table.select(Incident.objects.order_by("-pk")), texts, separator)


@pytest.mark.parametrize("separator", [";", ","])
def test_hostile_texts(separator):
    chance = seeded()
    rows = ["\n" * 9_000, ";\t" * 4_500 + "=", "\v" * 9_000]
    mixed = ("".join(chance.choices(PIECES, k=chance.randrange(1, 9))) for _ in range(400))
    texts = [*PIECES, *(f"a{row}b" for row in rows), *mixed]
    # As a program may have written them that does not make one line break of all kinds.
    incidents = Incident.objects.bulk_create(
        Incident(description=text, status=chance.choice(Status.values), source="partner") for text in texts
    )
    lines, last = written(store, separator=separator)
    assert (lines, last) == written(table, separator=separator)
    assert last == incidents[0].pk
    rows = list(csv.reader(StringIO(lines.decode(), newline=""), delimiter=separator))
    assert [row[3].replace("'", "") for row in reversed(rows)] == [text.replace("'", "") for text in texts]


def test_who_took_it():
    actors = ["petrova", "=1+1", 'a"b', "sidorov", "\t@x", "null"]
    names = {"petrova": 'Петрова "Анна"', "sidorov": "=Сидоров;@", "nobody": "Никто"}
    make_incident()
    for actor in actors:
        change_incident(make_incident(), values={"status": "in_progress"}, actor=Named(actor), channel="api")
    lines, _ = written(store, names=names)
    assert lines == written(table, names=names)[0]
    takers = [row[6] for row in csv.reader(StringIO(lines.decode(), newline=""), delimiter=";")]
    assert takers == ["null", "\t'@x", "'=Сидоров;'@", 'a"b', "'=1+1", 'Петрова "Анна"', ""]


@pytest.mark.parametrize("zone", ZONES)
def test_times(zone):
    for hours in range(0, 24 * 365, 101):
        at = datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=hours, microseconds=999_999)
        make_incident(created_at=at)
    for at in (
        datetime(1, 2, 3, tzinfo=UTC),
        datetime(1890, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 1, UTC),
    ):
        make_incident(created_at=at)
    assert written(store, zone) == written(table, zone)


@pytest.mark.parametrize("name", ["Europe/Nowhere", "Asia/Omsk"])
def test_a_zone_that_postgresql_does_not_know_or_has_other_rules_for(name):
    make_incident(created_at=datetime(2024, 1, 15, 10, 30, tzinfo=UTC))
    with (Path(TZPATH[0]) / "Europe/Moscow").open("rb") as file:
        zone = ZoneInfo.from_file(file, key=name)
    assert b"2024-01-15 13:30:00" in written(store, zone)[0]


def test_nothing():
    assert written(store) == written(table) == (b"", 0)
    texts = Texts(LABELS, {}, ZoneInfo("UTC"))
    assert store.csv_lines(table.select(Incident.objects.filter(pk__in=[])), texts, ";") == (b"", 0)


def test_each_part_of_an_export_is_planned_for_its_filters():
    """As with a search of the API, one plan for all texts would be a bad one for some."""
    if connection.vendor != "postgresql":
        return  # it prepares nothing
    make_incident()
    for _ in range(10):
        written(store)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%string_agg%'")
        assert cursor.fetchone() == (0,)
