"""The upgrade to the column `taken_by`, from histories that were written before it, while others write."""

import json
from importlib import import_module
from threading import Event
from time import monotonic, sleep

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection, transaction

from incidents.actors import Named
from incidents.models import Incident, IncidentChange
from incidents.services import change_incident
from incidents.store import store
from tests.helpers.concurrency import at_once
from tests.helpers.incidents import make_incident

pytestmark = pytest.mark.django_db(transaction=True)
migration = import_module("incidents.migrations.0025_taken_by")
STEPS = [
    ([], ""),
    ([("anna", "open", "in_progress", None)], "anna"),
    ([("anna", "open", "in_progress", None), ("boris", "in_progress", "resolved", None)], "anna"),
    ([("anna", "open", "in_progress", None), ("boris", "in_progress", "open", None)], ""),
    ([("boris", "resolved", "in_progress", "anna")], "anna"),
    ([("anna", "open", "in_progress", None), ("boris", "in_progress", "open", "")], ""),
]


@pytest.fixture
def emptied():
    """SQLite lets no history be deleted of an incident that stays."""
    yield
    call_command("migrate", verbosity=0)
    with transaction.atomic():
        pks = list(Incident.objects.values_list("pk", flat=True))
        store.delete_rows(Incident, "id", pks)
        store.delete_rows(IncidentChange, "incident_id", pks)


@pytest.mark.both_databases
def test_it_is_filled_from_the_history(emptied, monkeypatch):
    monkeypatch.setattr(migration, "BATCH", 2)
    incidents = [make_incident() for _ in STEPS]
    call_command("migrate", *migration.Migration.dependencies[0], verbosity=0)
    with connection.cursor() as cursor:
        for incident, (steps, _) in zip(incidents, STEPS, strict=True):
            for actor, old, new, undo in steps:
                cursor.execute(
                    "INSERT INTO incidents_incidentchange (incident_id, at, actor, channel, changes, taken_by) "
                    "VALUES (%s, %s, %s, 'api', %s, %s)",
                    [incident.pk, incident.created_at, actor, json.dumps({"status": [old, new]}), undo],
                )
    call_command("migrate", "incidents", verbosity=0)
    found = list(Incident.objects.order_by("pk").values_list("taken_by", "updated_at"))
    assert [taker for taker, _ in found] == [taker for _, taker in STEPS]
    assert [at for _, at in found] == [incident.updated_at for incident in incidents]
    change_incident(incidents[0], values={"status": "in_progress"}, actor=Named("vera"), channel="api")
    assert Incident.objects.get(pk=incidents[0].pk).taken_by == "vera"


@pytest.mark.both_databases
def test_a_hand_over_outlives_the_way_back(emptied):
    incident = make_incident(status="in_progress", actor=Named("anna"))
    change_incident(incident, values={"taken_by": "boris"}, actor=Named("anna"), channel="admin")
    call_command("migrate", *migration.Migration.dependencies[0], verbosity=0)
    call_command("migrate", "incidents", verbosity=0)
    assert Incident.objects.get().taken_by == "boris"


@pytest.mark.both_databases
def test_it_can_be_started_again_after_an_interruption(emptied, monkeypatch):
    make_incident(status="in_progress", actor=Named("anna"))
    call_command("migrate", *migration.Migration.dependencies[0], verbosity=0)
    with monkeypatch.context() as interrupted:
        interrupted.setattr(migration, "BATCH", 0)
        with pytest.raises(ValueError):
            call_command("migrate", "incidents", verbosity=0)
    call_command("migrate", "incidents", verbosity=0)
    assert Incident.objects.get().taken_by == "anna"


def test_it_reads_what_a_writer_commits_while_it_waits():
    incident = make_incident(status="in_progress", actor=Named("anna"))
    Incident.objects.update(taken_by="")  # as if the entry were older than the trigger
    written = Event()

    def write():
        with transaction.atomic():
            change_incident(incident, values={"status": "resolved"}, actor=Named("boris"), channel="api")
            change_incident(incident, values={"status": "in_progress"}, actor=Named("boris"), channel="api")
            # Back to what the fill takes for not filled, but with another history
            Incident.objects.update(taken_by="")
            written.set()
            deadline = monotonic() + 20
            while not waits() and monotonic() < deadline:
                sleep(0.05)

    def waits():
        with connection.cursor() as cursor:
            cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid())")
            return cursor.fetchone()[0]

    def fill():
        assert written.wait(20)
        with connection.schema_editor(atomic=False) as schema_editor:
            migration.fill(apps, schema_editor)

    at_once(write, fill)
    assert Incident.objects.get().taken_by == "boris"
