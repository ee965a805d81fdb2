import gzip
import json
import os
import signal
import subprocess
import sys
import time
from importlib import import_module
from threading import Event

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from incidents import archive
from incidents.actors import Named
from incidents.models import Attachment, IdempotencyKey, Incident, IncidentChange, IncidentText
from incidents.services import FEW, add_comment, change_incident, import_incidents, new_incident
from incidents.store import store
from tests.helpers.archive import close, content, restore, write
from tests.helpers.concurrency import at_once
from tests.helpers.counts import SEARCH_EXPECTED, SEARCH_KEPT, assert_exact, rows
from tests.helpers.incidents import BODY, DAY, MIDNIGHT, URL, make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

NAMES = {"HOST": "HOST", "PORT": "PORT", "DB": "NAME", "USER": "USER", "PASSWORD": "PASSWORD"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "archive.jsonl.gz"


def make_closed(count=1, **values):
    incidents = [make_incident(**values) for _ in range(count)]
    close(*incidents)
    return incidents


def lines(path):
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def assert_kept_right():
    """What PostgreSQL's triggers keep fits the rows."""
    if connection.vendor == "postgresql":
        assert_exact()
        assert rows(SEARCH_KEPT) == rows(SEARCH_EXPECTED)


def test_every_table_that_refers_to_incidents_is_registered(db):
    """It goes along with them, or holds them."""
    known = {table.model for table in archive.tables} | {hold().model for hold in archive.holds} | {IncidentText}
    referring = {
        model
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if field.remote_field and field.remote_field.model in (Incident, IncidentChange, Attachment)
    }
    assert referring - known == set()
    assert IncidentChange in referring


def test_there_and_back(path, capsys):
    closed = make_closed(3, description='Ёлка "стоит"\n…', created_at=MIDNIGHT)
    add_comment(incident_id=closed[0].pk, text="Готово", actor=Named("c"), channel="api")
    make_incident()
    before = content()
    write(path)
    assert list(Incident.objects.values_list("status")) == [("open",)]
    assert IncidentChange.objects.count() == 1
    assert_kept_right()
    told = "3 incidents.incident, 7 incidents.incidentchange"
    assert capsys.readouterr().out == f"{path} holds {told}.\n"
    for _ in range(2):
        restore(path)
        assert content() == before
        assert_kept_right()
    assert capsys.readouterr().out == f"Restored: {told}.\nRestored: nothing.\n"
    assert make_incident().pk > max(incident.pk for incident in closed)


def test_the_file(path):
    (incident,) = make_closed(created_at=MIDNIGHT)
    before = timezone.now()
    write(path, before=before.isoformat())
    header, line, batch, last = lines(path)
    assert header == {"format": "archive of incidents", "version": 1, "before": before.isoformat(), "expected": 1}
    (row,) = line["incidents.incident"]
    assert (row["id"], row["description"]) == (incident.pk, BODY["description"])
    assert [row["changes"]["status"] for row in line["incidents.incidentchange"]] == [
        [None, "open"],
        ["open", "closed"],
    ]
    assert (batch["counts"]["incidents.incident"], batch["counts"]["incidents.incidentchange"]) == (1, 2)
    assert last["totals"] == batch["counts"]


@pytest.mark.parametrize("status", ["open", "in_progress", "resolved"])
def test_what_is_not_closed_stays(path, status):
    make_incident(status=status)
    write(path)
    assert Incident.objects.count() == 1


def test_what_was_changed_or_said_since_stays(path, capsys):
    old, commented, changed = (make_incident(status="closed", created_at=MIDNIGHT) for _ in range(3))
    Incident.objects.update(updated_at=MIDNIGHT + DAY)
    change_incident(changed, values={"description": "x"}, actor=Named("b"), channel="admin")
    add_comment(incident_id=commented.pk, text="Всё ещё стоит", actor=Named("c"), channel="api")
    write(path, before="2024-01-17")
    assert set(Incident.objects.values_list("pk", flat=True)) == {commented.pk, changed.pk}
    assert "1 closed incidents stay" in capsys.readouterr().out
    assert old.pk not in (commented.pk, changed.pk)


def test_the_day_itself_is_not_before_it(path):
    make_incident(status="closed", created_at=MIDNIGHT)
    Incident.objects.update(updated_at=MIDNIGHT)
    write(path, before="2024-01-15")
    assert Incident.objects.count() == 1


def test_a_key_that_can_be_replayed_holds_its_incident(api, path):
    key = {"Idempotency-Key": "5f1c"}
    first = api.post(URL, BODY | {"status": "closed"}, "application/json", headers=key).json()
    write(path)
    assert api.post(URL, BODY | {"status": "closed"}, "application/json", headers=key).json() == first
    IdempotencyKey.objects.all().delete()
    path.unlink()
    write(path)
    assert not Incident.objects.exists()


def test_an_archived_incident_is_404(api, path):
    (incident,) = make_closed()
    write(path)
    assert api.get(f"{URL}{incident.pk}/").status_code == 404
    assert api.patch(f"{URL}{incident.pk}/", {"status": "open"}, "application/json").status_code == 404
    assert api.get(f"{URL}{incident.pk}/history/").status_code == 404
    assert api.post(f"{URL}{incident.pk}/comments/", {"text": "x"}, "application/json").status_code == 404


@pytest.mark.parametrize("before", ["tomorrow", "2024-13-01", "2024-01-15T00:00:00", "2999-01-01", "15.01.2024"])
def test_a_date_that_is_none(path, before):
    with pytest.raises(CommandError, match="--before takes"):
        call_command("archive", str(path), before=before)
    assert not path.exists()


def test_batches_and_what_stays_between_them(path, monkeypatch):
    monkeypatch.setattr(archive, "BATCH", 2)
    incidents = make_closed(7)
    user = make_incident(status="closed")
    Incident.objects.update(updated_at=timezone.now())  # ties go by the id
    monkeypatch.setattr(archive, "holds", [lambda: IncidentChange.objects.filter(incident__in=[user, incidents[1]])])
    before = content()
    write(path)
    assert set(Incident.objects.values_list("pk", flat=True)) == {user.pk, incidents[1].pk}
    assert [line["counts"]["incidents.incident"] for line in lines(path) if "counts" in line] == [2, 2, 2]
    restore(path)
    assert content() == before


class KilledError(Exception):
    pass


@pytest.mark.parametrize("name", ["fsync", "read", "delete_rows"])
@pytest.mark.parametrize("times", [1, 2, 3, 4])
def test_an_interruption_anywhere_loses_nothing_and_doubles_nothing(path, monkeypatch, name, times):
    """Before a synchronization of the file, before it is read back, or between the deletions of a batch."""
    monkeypatch.setattr(archive, "BATCH", 2)
    make_closed(5)
    before, moment = content(), timezone.now().isoformat()
    module, attribute = {
        "fsync": (archive.os, "fsync"),
        "read": (archive, "_members"),
        "delete_rows": (store, "delete_rows"),
    }[name]
    original, left = getattr(module, attribute), times

    def interrupted(*args):
        nonlocal left
        left -= 1
        if left == 0:
            raise KilledError
        return original(*args)

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(module, attribute, interrupted)
        write(path, before=moment)
    write(path, before=moment)
    assert not Incident.objects.exists() and not IncidentChange.objects.exists()
    archived = [line["incidents.incident"][0]["id"] for line in lines(path) if "incidents.incident" in line]
    assert archived == [row["id"] for row in before["incidents.Incident"]]
    assert lines(path)[-1]["totals"]["incidents.incident"] == 5
    restore(path)
    assert content() == before
    assert_kept_right()


def test_a_torn_batch_is_written_anew(path, monkeypatch):
    make_closed(3)
    before, moment = content(), timezone.now().isoformat()
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(store, "delete_rows", lambda *_: (_ for _ in ()).throw(KilledError))
        write(path, before=moment)
    os.truncate(path, path.stat().st_size - 20)
    assert content() == before
    write(path, before=moment)
    restore(path)
    assert content() == before


def test_what_is_read_back_must_be_what_was_written(path, monkeypatch):
    make_closed(3)
    compress = gzip.compress
    monkeypatch.setattr(archive.gzip, "compress", lambda text: compress(text.replace(b"closed", b"open")))
    with pytest.raises(CommandError, match="is not what is read"):
        write(path)
    assert Incident.objects.count() == 3


def test_a_full_disk(path, monkeypatch):
    make_closed(3)
    before = content()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive.os, "fsync", full)
    with pytest.raises(CommandError, match="No space left"):
        write(path)
    assert content() == before


@pytest.mark.parametrize("place", ["member", "totals"])
def test_a_file_that_was_altered_is_refused(path, place):
    make_closed(3)
    write(path)
    text = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    members = [text[:1], text[1:-1], text[-1:]]
    if place == "member":
        members[1][0] = members[1][0].replace(b"closed", b"opened")
    else:
        del members[1]
    path.write_bytes(b"".join(gzip.compress(b"".join(member)) for member in members))
    with pytest.raises(CommandError, match="not as it was written"):
        restore(path)
    assert not Incident.objects.exists()


def test_a_damaged_file_is_refused(path):
    make_closed(3)
    write(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    with pytest.raises(CommandError):
        restore(path)
    assert not Incident.objects.exists()


def test_another_file_is_refused(path):
    path.write_bytes(gzip.compress(b'{"a": 1}\n'))
    with pytest.raises(CommandError, match="no archive"):
        restore(path)
    with pytest.raises(CommandError, match="no archive"):
        write(path)
    path.unlink()
    with pytest.raises(CommandError, match="cannot be read"):
        restore(path)


def test_a_complete_file_is_left_alone(path):
    make_closed()
    moment = timezone.now().isoformat()
    write(path, before=moment)
    written = path.read_bytes()
    with pytest.raises(CommandError, match="complete"):
        write(path, before=moment)
    with pytest.raises(CommandError, match="begun with"):
        write(path)
    assert path.read_bytes() == written


def test_a_file_without_its_end_is_restored_and_told_of(path, monkeypatch):
    monkeypatch.setattr(archive, "BATCH", 2)
    make_closed(4)
    before = content()
    with archive.Writer(path, timezone.now()) as writer:
        next(batches := writer.batches())
        batches.close()
    with pytest.raises(CommandError, match=r"no end.*Restored until there: 2 incidents.incident"):
        restore(path)
    assert content() == before


def test_after_a_restore_an_interrupted_archive_is_not_continued(path, monkeypatch):
    """Its later batches may be nowhere else."""
    monkeypatch.setattr(archive, "BATCH", 2)
    make_closed(6)
    moment = timezone.now()
    with archive.Writer(path, moment) as writer:
        batches = writer.batches()
        next(batches), next(batches)
        batches.close()
    written = path.read_bytes()
    restored = archive.restore(path)
    next(restored)
    restored.close()
    with pytest.raises(CommandError, match="name another file"):
        write(path, before=moment.isoformat())
    assert path.read_bytes() == written


def test_two_processes_do_not_share_a_file(path):
    with archive.Writer(path, timezone.now()), pytest.raises(CommandError, match="Another process"):
        write(path)


def test_a_number_that_another_incident_has(path):
    (incident,) = make_closed(created_at=MIDNIGHT)
    write(path)
    Incident.objects.create(pk=incident.pk, description="x", source="operator")
    with pytest.raises(CommandError, match=f"Another incident has the number {incident.pk}"):
        restore(path)


def test_into_another_database_new_reports_get_larger_numbers(path):
    """There the next number may be one of the file's."""
    (incident,) = make_closed()
    write(path)
    text = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    far = incident.pk + 1_000
    text[1] = text[1].replace(f'"id":{incident.pk},"desc'.encode(), f'"id":{far},"desc'.encode())
    text[1] = text[1].replace(f'"incident_id":{incident.pk}'.encode(), f'"incident_id":{far}'.encode())
    batch = json.loads(text[2]) | {"sha256": archive.sha256(text[1]).hexdigest()}
    text[2] = json.dumps(batch).encode() + b"\n"
    last = json.loads(text[3]) | {"sha256": archive.sha256(b"".join(text[:3])).hexdigest()}
    members = [text[:1], text[1:3], [json.dumps(last).encode() + b"\n"]]
    path.write_bytes(b"".join(gzip.compress(b"".join(member)) for member in members))
    restore(path)
    assert Incident.objects.get().pk == far
    assert make_incident().pk > far


def test_history_alone_is_still_append_only(db):
    """It may be deleted with its incident, in one transaction: see test_history.py for the rest."""
    (incident,) = make_closed()
    with transaction.atomic():
        assert store.delete_rows(Incident, "id", [incident.pk]) == 1
        assert store.delete_rows(IncidentChange, "incident_id", [incident.pk]) == 2
    assert not IncidentChange.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("request_of", ["change", "comment"])
def test_what_comes_while_it_is_archived_is_404(api, path, monkeypatch, request_of, keyed):
    """The client is told, and the file has no less than the database had."""
    if connection.vendor != "postgresql":
        return  # its writers wait from their beginning
    (incident,) = make_closed()
    headers = {"Idempotency-Key": "5f1c"} if keyed else {}
    locked = Event()
    rows_of, deadline = archive._rows_of, time.monotonic() + 20

    def slowly(table, pks):
        locked.set()
        while not rows("SELECT 1 FROM pg_locks WHERE NOT granted"):
            assert time.monotonic() < deadline
        return rows_of(table, pks)

    def send():
        assert locked.wait(10)
        if request_of == "change":
            return api.patch(f"{URL}{incident.pk}/", {"status": "open"}, "application/json", headers=headers)
        return api.post(f"{URL}{incident.pk}/comments/", {"text": "x"}, "application/json", headers=headers)

    with monkeypatch.context() as patch:
        patch.setattr(archive, "_rows_of", slowly)
        _, response = at_once(lambda: write(path), send)
    assert response.status_code == 404, response.content
    assert not IncidentChange.objects.exists() and not IdempotencyKey.objects.exists()
    restore(path)
    assert IncidentChange.objects.count() == 2


CHILD = """
import os, signal, sys
import django
django.setup()
from django.core.management import call_command
from incidents import archive
from incidents.store import store
archive.BATCH = 2
place, left = sys.argv[3], int(sys.argv[4])
module = archive.os if place == "fsync" else archive.transaction if place == "atomic" else store
original = getattr(module, place)
def killed(*args):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*args)
setattr(module, place, killed)
call_command("archive", sys.argv[1], before=sys.argv[2])
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("place", "times"), [("fsync", 4), ("delete_rows", 6), ("delete_rows", 8), ("atomic", 3)])
def test_sigkill(path, place, times):
    """PostgreSQL: while the second batch is on its way, or between two."""
    if connection.vendor != "postgresql":
        return  # the others above are for both
    make_closed(5)
    before, moment = content(), timezone.now().isoformat()
    database = {f"POSTGRES_{name}": str(connection.settings_dict[key]) for name, key in NAMES.items()}
    arguments = [sys.executable, "-c", CHILD, str(path), moment, place, str(times)]
    assert subprocess.run(arguments, env=os.environ | database).returncode == -signal.SIGKILL
    assert 0 < Incident.objects.count() < 5
    write(path, before=moment)
    assert not Incident.objects.exists()
    restore(path)
    assert content() == before
    assert_exact()


def test_an_import_takes_no_number_of_an_archived_incident(path):
    make_closed(3)
    before = content()
    write(path)
    imported = [(new_incident(description="x", source="operator"), "a") for _ in range(FEW + 1)]
    import_incidents(imported, (), channel="command")
    restore(path)
    assert Incident.objects.count() == 3 + len(imported)
    assert [row for row in content()["incidents.Incident"] if row["status"] == "closed"] == before["incidents.Incident"]


@pytest.mark.django_db(transaction=True)
def test_the_migration_can_be_started_again_after_an_interruption(path, monkeypatch):
    """The index may take long: it is not built in the transaction that replaces the triggers."""
    migration = import_module("incidents.migrations.0021_archive")
    with connection.schema_editor(atomic=False) as editor:
        migration.backwards(apps, editor)
        with monkeypatch.context() as patch, pytest.raises(KilledError):
            patch.setattr(editor, "add_index", lambda *_, **__: (_ for _ in ()).throw(KilledError))
            migration.forwards(apps, editor)
        migration.forwards(apps, editor)
    (incident,) = make_closed()
    with pytest.raises(DatabaseError, match="append-only"):
        store.delete_rows(IncidentChange, "incident_id", [incident.pk])
    write(path)  # SQLite would not let the test delete it.
