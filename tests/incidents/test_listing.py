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
from tests.helpers.incidents import DAY, HOUR, MIDNIGHT, seeded

pytestmark = pytest.mark.django_db

FIELDS = IncidentSerializer.Meta.fields
READER = SimpleNamespace(fetch=fetch)  # one that needs no check
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
