"""Counts and searches stay exact in every snapshot while many write, fold and roll back, and nobody waits for them."""

import random
from contextlib import contextmanager
from threading import Event

import pytest
from django.db import OperationalError, connection, transaction

from incidents.models import Incident, Source, Status
from tests.incidents.test_concurrency import at_once
from tests.incidents.test_counts import HOUR, MIDNIGHT, assert_exact, counted, deltas, fold, rows
from tests.incidents.test_search import KEPT, WRITTEN

pytestmark = pytest.mark.django_db(transaction=True)

WRITERS, WRITES = 6, 200


class RolledBackError(Exception):
    pass


def a_moment():
    return MIDNIGHT + HOUR * random.randrange(100)


def an_incident():
    status, source = random.choice(Status.values), random.choice(Source.values)
    return Incident(description="Самокат не в сети", status=status, source=source, created_at=a_moment())


def some():
    ids = list(Incident.objects.values_list("pk", flat=True))
    return Incident.objects.filter(pk__in=random.sample(ids, min(3, len(ids))))


STEPS = [
    lambda: an_incident().save(),
    lambda: Incident.objects.bulk_create(an_incident() for _ in range(20)),
    lambda: some().update(status=random.choice(Status.values)),
    lambda: some().update(created_at=a_moment()),
    lambda: some().update(description=random.choice(["Ёлка", "Берёза"])),
    lambda: some().delete(),
    fold,
]


@contextmanager
def isolated(level):
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        yield


def write():
    """How many of the transactions were committed."""
    committed = 0
    for _ in range(WRITES):
        try:
            with isolated(random.choice(["READ COMMITTED"] * 8 + ["REPEATABLE READ", "SERIALIZABLE"])):
                for step in random.choices(STEPS, [6, 1, 6, 3, 2, 2, 1], k=random.choice([1, 1, 3])):
                    step()
                if random.random() < 0.2:
                    raise RolledBackError
            committed += 1
        except (RolledBackError, OperationalError):  # two that change the same incidents may deadlock, and one gives in
            pass
    return committed


def test_every_snapshot_is_exact_while_many_write_and_fold():
    over = Event()

    def write_all():
        try:
            return sum(at_once(*[write] * WRITERS))
        finally:
            over.set()

    def watch():
        snapshots = 0
        while not over.is_set():
            with isolated("REPEATABLE READ"):
                for _ in range(3):  # what others commit and fold meanwhile does not show
                    assert_exact()
                    assert rows(KEPT) == rows(WRITTEN)
                    assert counted({"status": ["open"]}) == Incident.objects.filter(status="open").count()
            snapshots += 1
        return snapshots

    committed, *snapshots = at_once(write_all, watch, watch)
    assert committed > WRITERS * WRITES / 3
    assert min(snapshots) > 10
    assert_exact()
    assert Incident.objects.exists()


def test_nobody_waits_for_who_folds():
    def write_quickly():
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = 1")
        Incident.objects.create(description="b", source="operator", created_at=MIDNIGHT)
        Incident.objects.update(status="closed")
        fold()
        return counted({})

    Incident.objects.create(description="a", source="operator", created_at=MIDNIGHT)
    with transaction.atomic():
        Incident.objects.bulk_create(
            Incident(description="c", source="operator", created_at=MIDNIGHT) for _ in range(3)
        )
        fold()
        assert at_once(write_quickly) == [2]
        assert deltas() > 0  # the second did not fold
    assert_exact()
    assert counted({}) == 5


def test_who_folds_and_rolls_back_has_folded_nothing():
    Incident.objects.create(description="a", source="operator")
    with pytest.raises(RolledBackError), transaction.atomic():
        Incident.objects.create(description="b", source="operator")
        fold()
        raise RolledBackError
    assert_exact()
    assert counted({}) == 1


def test_an_older_snapshot_keeps_its_counts():
    Incident.objects.create(description="a", source="operator")
    with isolated("REPEATABLE READ"):
        assert counted({}) == 1
        at_once(lambda: Incident.objects.create(description="b", source="operator"))
        at_once(fold)
        assert counted({}) == 1
        assert_exact()
    assert counted({}) == 2


def test_who_writes_in_an_older_snapshot_does_not_fail_for_who_folds():
    Incident.objects.create(description="a", source="operator")
    with isolated("REPEATABLE READ"):
        Incident.objects.create(description="b", source="operator")
        at_once(fold)
        fold()
    assert_exact()
