"""A page read by counts and by hand-written SQL holds what the ORM finds for the same filters."""

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db.models import Q

from core.db.postgresql import fetch
from incidents.listing.filters import IncidentQuery, apply_filters
from incidents.models import Incident, Source, Status
from incidents.serializers import IncidentSerializer
from incidents.store import store
from tests.helpers.counts import merge_deltas
from tests.helpers.incidents import DAY, HOUR, MIDNIGHT, make_many, seeded

pytestmark = pytest.mark.django_db

FIELDS = IncidentSerializer.Meta.fields
READER = SimpleNamespace(fetch=fetch, check=lambda: None)  # one that needs no check
TEXTS = ["Самокат №4711 не в сети", "САМОКАТ разряжен на 50 %", "Терминал: ошибка a_b\\c", "Straße gesperrt"]


def make(chance):
    for _ in range(400):
        created = MIDNIGHT + DAY * chance.choice([0, 1, 2, 5, 6, 9]) + HOUR * chance.choice([0, 0, 1, 23])
        Incident.objects.create(
            description=chance.choice(TEXTS),
            status=chance.choice(Status.values),
            source=chance.choice(Source.values),
            urgent=chance.choice([True, False]),
            created_at=created,
            updated_at=created + DAY * chance.choice([0, 0, 4]) + HOUR * chance.choice([0, 2]),
        )
    merge_deltas()


def any_query(chance):
    filters = {
        "status": tuple(chance.sample(Status.values, chance.choice([1, 2, 4]))),
        "source": tuple(chance.sample(Source.values, chance.choice([1, 2]))),
        "urgent": chance.choice(["true", "false"]),
        "search": chance.choice(["само", "50 %", "%", "a_b\\", "STRASSE", "сети", "нет такого"]),
        "ordering": chance.choice(["created_at", "-created_at", "id", "-id", "updated_at", "-updated_at"]),
    }
    for name in ("created_after", "created_before", "updated_after", "updated_before"):
        filters[name] = MIDNIGHT + HOUR * chance.randrange(-12, 400) + timedelta(seconds=chance.choice([0, 0, 1]))
    return IncidentQuery(
        **{name: filters[name] for name in chance.sample(list(filters), chance.choice([0, 1, 1, 2, 3]))}
    )


def naive(row):
    return row | {name: row[name].replace(tzinfo=None) for name in ("created_at", "updated_at")}


@pytest.mark.parametrize("seed", range(10))
def test_any_page_of_any_filters(seed, db):
    chance = seeded(seed)
    make(chance)
    for _ in range(30):
        query = any_query(chance)
        found = Incident.objects.filter(store.mentions(query.search) if query.search else Q())
        found = apply_filters(replace(query, search=""), found.in_order(query.ordering)).values(*FIELDS)
        offset = chance.randrange(0, max(1, found.count() + 5))
        rows = [naive(row) for row in found[offset : offset + 7]]
        assert store.read_page(query, offset, 7, READER) == (found.count(), rows), (query, offset)


@pytest.mark.both_databases
@pytest.mark.parametrize("ordering", ["created_at", "-created_at"])
def test_every_page_whichever_end_of_its_day_is_nearer(ordering, db):
    """Where days begin and end, among many of the same moment, and after changes that are not merged yet."""
    chance = seeded()
    make_many(400, chance, lambda: MIDNIGHT + DAY * chance.choice([0, 1, 2, 4]) + HOUR * chance.choice([0, 0, 1, 23]))
    filters = [
        {},
        {"status": ("open",)},
        {"status": ("open", "closed"), "source": ("operator", "partner")},
        {"source": ("operator",), "urgent": "false"},
        {"urgent": "true"},
        {"created_after": MIDNIGHT + HOUR, "created_before": MIDNIGHT + DAY * 2 + HOUR * 23},
    ]
    queries = [IncidentQuery(**each, ordering=ordering) for each in filters]
    for query in queries:
        assert_pages(query)
    some = Incident.objects.filter(pk__in=chance.sample(list(Incident.objects.values_list("pk", flat=True)), 150))
    pks = list(some.values_list("pk", flat=True))
    some.filter(pk__in=pks[:50]).delete()
    some.filter(pk__in=pks[50:100]).update(status="closed", urgent=True)
    moved = MIDNIGHT + DAY * 3
    some.filter(pk__in=pks[100:]).update(created_at=moved, updated_at=moved)
    for query in queries:
        assert_pages(query)


def assert_pages(query):
    found = apply_filters(query, Incident.objects.in_order(query.ordering))
    expected = list(found.values_list("pk", flat=True))
    assert len(expected) > 30
    for offset in range(0, len(expected) + 2, 3):
        count, rows = store.read_page(query, offset, 2, READER)
        assert (count, [row["id"] for row in rows]) == (len(expected), expected[offset : offset + 2]), (query, offset)
