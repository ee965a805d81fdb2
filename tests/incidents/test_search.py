"""PostgreSQL keeps a table for searches, which follows every write to the incidents."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from incidents.models import Incident
from tests.helpers.counts import SEARCH_EXPECTED, SEARCH_KEPT, execute, rows
from tests.helpers.incidents import make_incident, seeded

pytestmark = pytest.mark.django_db


@pytest.fixture
def low_ids():
    """The migrations go through all ids, from the first to the last."""
    execute("ALTER TABLE incidents_incident ALTER id RESTART")


@pytest.fixture
def incidents():
    made = Incident.objects.bulk_create(Incident(description=f"Точка {n}", source="operator") for n in range(50))
    # As after a commit: a table whose references are still to be checked is not truncated.
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    return made


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE incidents_incident SET description = description || ' упала' WHERE id % 2 = 0",
        "UPDATE incidents_incident SET id = id + 1000000",
        "UPDATE incidents_incident SET id = id + 1000000, description = 'other'",
        "DELETE FROM incidents_incident WHERE id % 2 = 0",
        "INSERT INTO incidents_incident SELECT * FROM incidents_incident "
        "ON CONFLICT (id) DO UPDATE SET description = 'other'",
        "MERGE INTO incidents_incident i USING generate_series(1, 9) g ON i.id % 9 = g "
        "WHEN MATCHED AND g < 4 THEN DELETE WHEN MATCHED THEN UPDATE SET description = 'other'",
        "TRUNCATE incidents_incident CASCADE",
    ],
)
def test_it_follows_raw_sql(incidents, sql):
    before = rows(SEARCH_KEPT)
    execute(sql)
    assert rows(SEARCH_KEPT) == rows(SEARCH_EXPECTED) != before


def test_a_change_of_the_status_does_not_touch_it(incidents):
    places = rows("SELECT ctid::text, * FROM incidents_search")
    Incident.objects.update(status="closed")
    assert rows("SELECT ctid::text, * FROM incidents_search") == places


@pytest.mark.parametrize("batch", [1, 7, 1_000_000])
def test_the_migration_fills_it_beside_writers(low_ids, incidents, monkeypatch, batch):
    execute("TRUNCATE incidents_search")
    migration = import_module("incidents.migrations.0006_fill_search")
    monkeypatch.setattr(migration, "BATCH", batch)
    Incident.objects.filter(pk=incidents[3].pk).update(description="changed before it was filled")
    Incident.objects.create(description="new", source="operator")
    with connection.schema_editor() as editor:
        migration.forwards(apps, editor)
    assert rows(SEARCH_KEPT) == rows(SEARCH_EXPECTED)
    assert len(rows(SEARCH_KEPT)) == 51


@pytest.mark.parametrize("batch", [1, 7, 1_000_000])
def test_the_migration_folds_what_the_previous_version_wrote(low_ids, monkeypatch, batch):
    migrations = [import_module(f"incidents.migrations.{name}") for name in ("0011_fold_search", "0012_refold_search")]
    later = import_module("incidents.migrations.0020_search_yo_as_ye")
    monkeypatch.setattr(migrations[1], "BATCH", batch)
    with connection.schema_editor() as editor:
        later.backwards(apps, editor)
        migrations[0].backwards(apps, editor)
        Incident.objects.bulk_create(
            Incident(description=text, source="operator") for text in ["Straße", "Ёлка", "раз\r\nдва"] * 3
        )
        for migration in migrations:
            migration.forwards(apps, editor)
    assert rows(SEARCH_KEPT) == rows(SEARCH_EXPECTED)
    assert {text for _, text in rows(SEARCH_KEPT)} == {"STRASSE", "ЁЛКА", "РАЗ\nДВА"}


@pytest.mark.parametrize("batch", [1, 7, 1_000_000])
def test_the_migration_takes_ye_for_yo_in_older_texts(low_ids, monkeypatch, batch):
    migration = import_module("incidents.migrations.0020_search_yo_as_ye")
    monkeypatch.setattr(import_module("incidents.migrations.0012_refold_search"), "BATCH", batch)
    with connection.schema_editor() as editor:
        migration.backwards(apps, editor)
        Incident.objects.bulk_create(
            Incident(description=text, source="operator") for text in ["Ёлка", "Е\u0308лка", "ель"] * 3
        )
        assert {text for _, text in rows(SEARCH_KEPT)} == {"ЁЛКА", "Е\u0308ЛКА", "ЕЛЬ"}
        migration.forwards(apps, editor)
        migration.refold(apps, editor)
    assert rows(SEARCH_KEPT) == rows(SEARCH_EXPECTED)
    assert {text for _, text in rows(SEARCH_KEPT)} == {"ЕЛКА", "ЕЛЬ"}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("Дом 1234, корпус 5", []),
        ("00012", [12]),
        ("№123456 и 54321", [12345, 23456, 54321]),
        ("12345678901234", [1234, 12345, 23456, 34567, 45678, 56789, 67890, 78901, 89012, 90123]),
        ("12345\n67890", [12345, 67890]),
    ],
)
def test_each_five_digits_in_a_row_are_indexed(text, parts):
    with connection.cursor() as cursor:
        cursor.execute("SELECT incidents_digits(%s)", [text])
        assert sorted(cursor.fetchone()[0]) == parts


@pytest.mark.parametrize("length", [49, 50, 51, 54, 55, 97, 20_000])
def test_a_long_number_is_indexed_to_its_end(length):
    number = "".join(seeded().choices("0123456789", k=length))
    with connection.cursor() as cursor:
        cursor.execute("SELECT incidents_digits(%s)", [f"№{number}, {number[:7]}"])
        fives = [int(number[start : start + 5]) for start in [*range(length - 4), 0, 1, 2]]
        assert cursor.fetchone()[0] == fives


@pytest.mark.django_db(transaction=True)
def test_the_index_of_numbers_can_be_made_again_and_undone():
    migration = import_module("incidents.migrations.0026_index_numbers")
    with connection.schema_editor(atomic=False) as editor:
        for change in (migration.forwards, migration.backwards, migration.forwards):
            change(apps, editor)
    make_incident(description="№654321")
    assert rows("SELECT incidents_digits(text) FROM incidents_search") == [([65432, 54321],)]


def test_the_fold_is_that_of_python_whatever_the_letter():
    # A newer Unicode than Python's may know more upper-case letters: they fold to themselves there.
    cased = [c for c in map(chr, range(0x110000)) if c.upper() != c or c.lower() != c]
    assert len(cased) > 2_800
    with connection.cursor() as cursor:
        cursor.execute("SELECT c, incidents_fold('x' || c) FROM unnest(%s::text[]) AS c", [cased])
        folded = dict(cursor.fetchall())
    assert [c for c in cased if folded[c] != f"X{c.upper()}".replace("Ё", "Е")] == []


def test_the_migration_can_be_undone(incidents):
    migration = import_module("incidents.migrations.0005_search")
    with connection.schema_editor() as editor:
        migration.backwards(apps, editor)
        Incident.objects.create(description="new", source="operator")
        migration.forwards(apps, editor)
    assert rows(SEARCH_KEPT) == []
