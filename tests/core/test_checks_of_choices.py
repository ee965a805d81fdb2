"""The database itself refuses a value outside a closed set, whatever writes it."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, connections, transaction
from django.utils import timezone

from incidents.models import Channel, Incident, IncidentChange
from incidents.store import store
from intake.models import Delivery, Sender
from telegram.models import Chat
from tests.helpers.incidents import make_incident
from webhooks.models import Event, Subscription

BEFORE, CHECKED = "0016", "0017"


@pytest.fixture
def rows(db):
    incident = make_incident()
    Sender.objects.create(name="zabbix", format="generic", secret_hash=b"")
    Delivery.objects.create(channel=Channel.WEBHOOK, external_id="1", body=b"{}")
    Chat.objects.create(bot_id=1, telegram_id=1)
    subscription = Subscription.objects.create(name="a", url="https://a.example")
    change, now = IncidentChange.objects.first(), timezone.now()
    Event.objects.create(
        subscription=subscription, change=change, incident=incident, type="incident.created", created_at=now, due_at=now
    )


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("model", "field", "value"),
    [
        (Incident, "status", "partner"),
        (Incident, "status", ""),
        (Incident, "source", "resolved"),
        (Sender, "source", "open"),
        (Delivery, "state", "open"),
        (Chat, "mode", "open"),
        (Chat, "source", "open"),
        (Event, "state", "open"),
    ],
)
def test_other_value_is_refused(rows, model, field, value):
    with pytest.raises(IntegrityError), transaction.atomic():
        model.objects.update(**{field: value})


def migrate_incidents(number):
    try:
        call_command("migrate", "incidents", number, verbosity=0)
    finally:
        if connection.vendor == "postgresql":
            connections.close_all()


@pytest.fixture
def unchecked(transactional_db):
    """A database of the release before."""
    migrate_incidents(BEFORE)
    yield
    Incident.objects.filter(status="partner").update(status="open")
    call_command("migrate", verbosity=0)


def record():
    """An incident, by the columns that it had then."""
    columns, now = ("description", "status", "source", "created_at", "updated_at"), timezone.now()
    store.insert_rows(Incident, columns, [("x", "open", "operator", now, now)])


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_migration_names_the_rows_to_correct_and_can_be_started_again(unchecked):
    record()
    record()
    wrong = Incident.objects.order_by("-pk").values_list("pk", flat=True)[0]
    Incident.objects.filter(pk=wrong).update(status="partner")
    with pytest.raises(CommandError, match=rf"incident_status_known, such as those with the ids {wrong}\. Correct"):
        migrate_incidents(CHECKED)
    Incident.objects.filter(pk=wrong).update(status="open")
    migrate_incidents(CHECKED)
    with pytest.raises(IntegrityError):
        Incident.objects.update(status="partner")


@pytest.mark.django_db(transaction=True)
def test_writers_go_on_while_the_migration_waits_for_a_long_reader(unchecked):
    parameters = connection.get_connection_params()
    waiting = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted"
    with (
        ThreadPoolExecutor(1) as threads,
        psycopg.connect(**parameters) as reader,
        psycopg.connect(**parameters) as observer,
    ):
        reader.execute("SELECT count(*) FROM incidents_incident")
        migration = threads.submit(migrate_incidents, CHECKED)
        while observer.execute(waiting).fetchone() == (0,):
            observer.rollback()
        record()
        assert not migration.done()
        reader.rollback()
        migration.result()
    assert Incident.objects.count() == 1
