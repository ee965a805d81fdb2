"""Counts and searches stay exact in every snapshot while many write, merge and roll back, and writers do not wait."""

from contextlib import contextmanager
from threading import Event

import pytest
from django.db import OperationalError, connection, transaction

from incidents.models import Incident, Source, Status
from tests.helpers.concurrency import at_once
from tests.helpers.counts import SEARCH_EXPECTED, SEARCH_KEPT, assert_exact, counted, deltas, merge_deltas, rows
from tests.helpers.incidents import HOUR, MIDNIGHT, seeded

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS, WRITES = 6, 200


class RolledBackError(Exception):
    pass


class Writer:
    """Commits and rolls back transactions of writes that its seed chooses."""

    def __init__(self) -> None:
        self.chance = seeded()
        self.steps = [
            lambda: self.incident().save(),
            lambda: Incident.objects.bulk_create(self.incident() for _ in range(20)),
            lambda: self.some().update(status=self.chance.choice(Status.values)),
            lambda: self.some().update(created_at=self.created_at(), urgent=self.chance.choice([True, False])),
            lambda: self.some().update(description=self.chance.choice(["Ёлка", "Берёза"])),
            lambda: self.some().delete(),
            merge_deltas,
        ]

    def created_at(self):
        return MIDNIGHT + HOUR * self.chance.randrange(100)

    def incident(self):
        status, source = self.chance.choice(Status.values), self.chance.choice(Source.values)
        return Incident(description="Самокат не в сети", status=status, source=source, created_at=self.created_at())

    def some(self):
        ids = list(Incident.objects.order_by("id").values_list("pk", flat=True))
        return Incident.objects.filter(pk__in=self.chance.sample(ids, min(3, len(ids))))

    def write(self):
        for _ in range(WRITES):
            try:
                with isolated(self.chance.choice(["READ COMMITTED"] * 8 + ["REPEATABLE READ", "SERIALIZABLE"])):
                    for step in self.chance.choices(self.steps, [6, 1, 6, 3, 2, 2, 1], k=self.chance.choice([1, 1, 3])):
                        step()
                    if self.chance.random() < 0.2:
                        raise RolledBackError
            except (RolledBackError, OperationalError):  # deadlocks of two that change the same incidents
                pass


@contextmanager
def isolated(level):
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        yield


@pytest.mark.slow
def test_every_snapshot_is_exact_while_many_write_and_merge():
    writers, over = [Writer() for _ in range(WRITERS)], Event()

    def write_all():
        try:
            at_once(*(writer.write for writer in writers))
        finally:
            over.set()

    def watch():
        while True:
            last = over.is_set()
            with isolated("REPEATABLE READ"):
                for _ in range(3):  # what others commit and merge meanwhile does not show
                    assert_exact()
                    assert rows(SEARCH_KEPT) == rows(SEARCH_EXPECTED)
                    assert counted(status=("open",)) == Incident.objects.filter(status="open").count()
            if last:
                break

    at_once(write_all, watch, watch)
    assert_exact()
    assert Incident.objects.exists()


def test_writers_do_not_wait_for_a_merge():
    def write_quickly():
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = 1")
        Incident.objects.create(description="b", source="operator", created_at=MIDNIGHT)
        Incident.objects.update(status="closed")
        merge_deltas()
        return counted()

    Incident.objects.create(description="a", source="operator", created_at=MIDNIGHT)
    with transaction.atomic():
        Incident.objects.bulk_create(
            Incident(description="c", source="operator", created_at=MIDNIGHT) for _ in range(3)
        )
        merge_deltas()
        assert at_once(write_quickly) == [2]
        assert deltas() > 0  # the second did not merge
    assert_exact()
    assert counted() == 5


def test_a_merge_that_is_rolled_back_has_merged_nothing():
    Incident.objects.create(description="a", source="operator")
    with pytest.raises(RolledBackError), transaction.atomic():
        Incident.objects.create(description="b", source="operator")
        merge_deltas()
        raise RolledBackError
    assert_exact()
    assert counted() == 1


def test_an_older_snapshot_keeps_its_counts():
    Incident.objects.create(description="a", source="operator")
    with isolated("REPEATABLE READ"):
        assert counted() == 1
        at_once(lambda: Incident.objects.create(description="b", source="operator"))
        at_once(merge_deltas)
        assert counted() == 1
        assert_exact()
    assert counted() == 2


def test_a_write_in_an_older_snapshot_survives_a_merge():
    Incident.objects.create(description="a", source="operator")
    with isolated("REPEATABLE READ"):
        Incident.objects.create(description="b", source="operator")
        at_once(merge_deltas)
        merge_deltas()
    assert_exact()
