"""Changes that are committed later than others with a higher id."""

from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from incidents.models import IncidentChange
from incidents.services import Comment, import_incidents, new_incident
from incidents.store import store
from tests.helpers.concurrency import at_once
from tests.helpers.incidents import make_incident
from webhooks.collecting import Collector
from webhooks.jobs import Sender
from webhooks.models import Event

pytestmark = pytest.mark.django_db(transaction=True)

INSERT = """
INSERT INTO incidents_incidentchange (incident_id, at, actor, channel, changes)
VALUES (%s, now(), 'a', 'api', '{"comment": [null, "slow"]}') RETURNING id
"""


@contextmanager
def other_connection():
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as connected:
        yield connected


@pytest.fixture
def slow():
    with other_connection() as connected:
        yield connected


def insert(connected, incident):
    ((pk,),) = connected.execute(INSERT, [incident.pk])
    return pk


def collect(collector, times=1):
    """Returns how often changes were read."""
    with CaptureQueriesContext(connection) as queries:
        for _ in range(times):
            collector.collect()
    return sum('FROM "incidents_incidentchange"' in query["sql"] and "LIMIT" in query["sql"] for query in queries)


def collected():
    return sorted(Event.objects.values_list("change_id", flat=True))


def all_changes():
    return sorted(IncidentChange.objects.values_list("pk", flat=True))


def test_slow_transaction_is_not_passed(hook, receiver, slow):
    incident, sender = make_incident(), Sender()
    slow_id = insert(slow, incident)
    quick = make_incident()
    for _ in range(5):
        sender.step()
    assert ("created", quick.pk) in receiver.events
    assert slow_id < IncidentChange.objects.latest("pk").pk
    slow.commit()
    for _ in range(5):
        sender.step()
    assert receiver.events[-1] == ("commented", incident.pk)
    assert len(receiver.events) == 3


@pytest.mark.parametrize("restarts", [(), ("while it is open",), ("after it ended",)])
def test_cursor_waits_for_an_open_transaction(hook, slow, restarts):
    incident, collector = make_incident(), Collector()
    collect(collector)
    slow_id = insert(slow, incident)
    make_incident()
    collect(collector)
    if "while it is open" in restarts:
        collect(collector := Collector())
    hook.refresh_from_db()
    assert hook.cursor < slow_id
    slow.commit()
    collect(collector if "after it ended" not in restarts else Collector(), 3)
    hook.refresh_from_db()
    assert (collected(), hook.cursor) == (all_changes(), all_changes()[-1])


def test_transactions_that_end_in_another_order(hook):
    incident, collector = make_incident(), Collector()
    with other_connection() as first, other_connection() as second, other_connection() as third:
        for connected in (first, second, third):
            insert(connected, incident)
            collect(collector)
            make_incident()
        for connected in (second, third, first):
            connected.commit()
            collect(collector)
            assert collected() == all_changes()


def test_transaction_that_is_rolled_back_holds_nothing(hook, slow):
    incident, collector = make_incident(), Collector()
    insert(slow, incident)
    make_incident()
    collect(collector)
    slow.rollback()
    collect(collector, 2)
    hook.refresh_from_db()
    assert hook.cursor == all_changes()[-1]


def test_nothing_is_read_again_while_a_transaction_that_writes_stays_open(hook, slow):
    incident, collector = make_incident(), Collector()
    insert(slow, incident)
    for _ in range(10):
        make_incident()
    assert collect(collector) == 1
    assert collect(collector, 10) == 0
    make_incident()
    assert collect(collector, 10) == 1
    slow.commit()
    assert collect(collector, 10) == 1
    assert collected() == all_changes()


def test_ids_that_an_import_takes_in_advance(hook, slow, monkeypatch):
    insert_rows, collector, made = store.insert_rows, Collector(), make_incident()

    def insert_later(model, *arguments):
        if model is IncidentChange:
            insert(slow, made)
            slow.commit()
            at_once(lambda: collect(collector, 3))
        insert_rows(model, *arguments)

    monkeypatch.setattr(store, "insert_rows", insert_later)
    report = new_incident(description="Самокат 875643 не в сети", source="operator")
    comment = Comment(report, "слышно", report.created_at, "anna")
    import_incidents([(report, "anna")], [comment], channel="telegram")
    collect(collector, 3)
    assert collected() == all_changes()


@pytest.mark.parametrize("isolation", ["READ COMMITTED", "REPEATABLE READ"])
def test_transaction_that_reads_holds_nothing(hook, slow, isolation):
    slow.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}")
    slow.execute("SELECT count(*) FROM incidents_incidentchange")
    collector = Collector()
    make_incident()
    collect(collector, 2)
    hook.refresh_from_db()
    assert hook.cursor == all_changes()[-1]


def test_writers_of_other_roles_are_seen(hook, slow):
    """A role without pg_read_all_stats is not shown when a transaction of another role began."""
    incident, collector = make_incident(), Collector()
    insert(slow, incident)
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE plain")
        cursor.execute("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA public TO plain")
        cursor.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO plain")
        cursor.execute("SET ROLE plain")
        try:
            make_incident()
            collect(collector, 3)
            slow.commit()
            collect(collector)
        finally:
            cursor.execute("RESET ROLE")
            cursor.execute("DROP OWNED BY plain")
            cursor.execute("DROP ROLE plain")
    assert collected() == all_changes()
