"""A page read by counts and by hand-written SQL holds what the ORM finds for the same filters."""

import random
from datetime import timedelta

import pytest

from core.db.postgresql import fetch
from incidents.listing.filters import apply
from incidents.listing.pages import FIELDS, read_page
from incidents.models import Incident, Source, Status
from tests.incidents.test_counts import DAY, HOUR, MIDNIGHT, fold

pytestmark = pytest.mark.django_db

TEXTS = ["Самокат №4711 не в сети", "САМОКАТ разряжен на 50 %", "Терминал: ошибка a_b\\c", "Straße gesperrt"]


@pytest.fixture
def incidents():
    for _ in range(400):
        created = MIDNIGHT + DAY * random.choice([0, 1, 2, 5, 6, 9]) + HOUR * random.choice([0, 0, 1, 23])
        Incident.objects.create(
            description=random.choice(TEXTS),
            status=random.choice(Status.values),
            source=random.choice(Source.values),
            created_at=created,
            updated_at=created + DAY * random.choice([0, 0, 4]) + HOUR * random.choice([0, 2]),
        )
    fold()


def some_filters():
    filters = {
        "status": random.sample(Status.values, random.choice([1, 2, 4])),
        "source": random.sample(Source.values, random.choice([1, 2])),
        "search": random.choice(["само", "50 %", "%", "a_b\\", "STRASSE", "сети", "нет такого"]),
        "ordering": random.choice(["created_at", "-created_at", "id", "-id", "updated_at", "-updated_at"]),
    }
    for name in ("created_after", "created_before", "updated_after", "updated_before"):
        filters[name] = MIDNIGHT + HOUR * random.randrange(-12, 400) + timedelta(seconds=random.choice([0, 0, 1]))
    return {name: filters[name] for name in random.sample(list(filters), random.choice([0, 1, 1, 2, 3]))}


@pytest.mark.parametrize("seed", range(10))
def test_any_page_of_any_filters(seed, incidents):
    random.seed(seed)
    for _ in range(30):
        filters = some_filters()
        found = apply(filters, Incident.objects.newest_first()).values(*FIELDS)
        offset = random.randrange(0, max(1, found.count() + 5))
        rows = [
            row | {name: row[name].replace(tzinfo=None) for name in ("created_at", "updated_at")}
            for row in found[offset : offset + 7]
        ]
        assert read_page(filters, offset, 7, fetch=fetch) == (found.count(), rows), (filters, offset)
