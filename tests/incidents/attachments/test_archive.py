"""Files go with their archived incidents, to a folder beside the archive, and come back."""

import gzip
import json
import os
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.management import CommandError
from django.db import connection
from django.utils import timezone

from incidents import archive
from incidents.actors import Named
from incidents.attachments import jobs, services
from incidents.attachments.archived import ArchivedFiles
from incidents.attachments.services import add_attachment, announce_attachment, fail_attachment, save_file
from incidents.models import Attachment, Incident, IncidentChange, attachment_storage
from incidents.store import store
from tests.helpers.archive import close, content, restore, write
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ANNA = Named("anna")


class KilledError(BaseException):
    """Nothing catches the end of a process."""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups" / "archive.jsonl.gz"


@pytest.fixture
def media(media):
    """The files of the storage."""
    return lambda: sorted(file.read_bytes() for file in media.glob("20??/??/??/*"))


def attach(incident, data=b"photo"):
    stored = save_file(ContentFile(data))
    return add_attachment(incident_id=incident.pk, stored=stored, name="a.jpg", actor=ANNA, channel="api")


def make_closed(*files):
    incident = make_incident()
    attachments = [attach(incident, data) for data in files]
    close(incident)
    return incident, *attachments


def copies(path):
    folder = path.with_name(f"{path.name}.attachments")
    return {file.name: file.read_bytes() for file in folder.iterdir()} if folder.exists() else {}


def by_digest(*files):
    return {sha256(data).hexdigest(): data for data in files}


def known():
    """All rows; the names of stored files are new after a restore."""
    rows = content()
    for row in rows["incidents.Attachment"]:
        row["file"] = bool(row["file"])
    return rows


def stored():
    return {each.pk: each.file.read() for each in Attachment.objects.exclude(file="")}


def test_there_and_back(path, media, capsys):
    make_closed(b"photo", b"a" * 200_000)
    make_closed(b"photo")
    open_one = make_incident()
    attach(open_one, b"other")
    before, files = known(), stored()
    write(path)
    assert capsys.readouterr().out == (
        f"{path} holds 2 incidents.incident, 7 incidents.incidentchange, 3 incidents.attachment, 3 files.\n"
    )
    assert Attachment.objects.get().incident == open_one and media() == [b"other"]
    assert copies(path) == by_digest(b"photo", b"a" * 200_000)
    for _ in range(2):
        restore(path)
        assert known() == before and stored() == files
        assert len(media()) == 4
    said = "2 incidents.incident, 7 incidents.incidentchange, 3 incidents.attachment, 3 files"
    assert capsys.readouterr().out == f"Restored: {said}.\nRestored: nothing.\n"


def test_a_thumbnail_is_made_anew(path, media):
    _, attachment = make_closed(b"photo")
    name = attachment_storage().save(f"{attachment.file.name}.webp", ContentFile(b"small"))
    Attachment.objects.update(thumbnail=name)
    write(path)
    assert media() == [] and copies(path) == by_digest(b"photo")
    restore(path)
    restored = Attachment.objects.get()
    assert (restored.thumbnail.name, restored.thumbnail_due) == ("", True)
    assert media() == [b"photo"]


def test_an_incident_whose_file_is_still_to_be_fetched_stays(path, capsys):
    incident = make_incident()
    pending = announce_attachment(incident_id=incident.pk, kind="photo", name="", actor=ANNA, channel="telegram")
    close(incident)
    make_closed(b"photo")
    write(path)
    assert Incident.objects.get() == incident
    said = capsys.readouterr().out.splitlines()
    assert said[1].startswith("1 closed incidents stay")
    assert said[2:] == ["1 of them wait for a file that is still to be fetched."]
    fail_attachment(pending, "gone")
    path.unlink()
    write(path)
    assert not Incident.objects.exists()
    restore(path)
    assert Attachment.objects.get(pk=pending.pk).error == "gone"


def test_a_deleted_file_is_not_copied(path, media):
    _, attachment = make_closed(b"photo")
    services.delete_attachment(attachment, actor=ANNA, channel="admin")
    write(path)
    assert Incident.objects.exists()  # until its file is deleted
    jobs.delete_files()
    before = known()
    path.unlink()
    write(path)
    assert not Incident.objects.exists() and copies(path) == {}
    restore(path)
    assert known() == before and media() == []


@pytest.mark.parametrize("lost", ["missing", "altered"])
def test_an_incident_whose_file_is_not_the_one_that_was_stored_stays(path, lost, capsys, caplog):
    incident, attachment = make_closed(b"photo")
    make_closed(b"photo")
    file = Path(attachment.file.path)
    file.unlink() if lost == "missing" else file.write_bytes(b"phot")
    write(path)
    # The other one has the same bytes.
    assert copies(path) == by_digest(b"photo")
    make_closed(b"other")
    other = Attachment.objects.get(incident__pk__gt=incident.pk)
    Path(other.file.path).unlink()
    path = path.with_name("second.gz")
    write(path)
    assert Incident.objects.get() == other.incident and copies(path) == {}
    assert "1 of them have a file that could not be copied" in capsys.readouterr().out
    assert f"the file of attachment {other.pk}" in caplog.text


def test_what_is_stored_while_files_are_copied_stays(path, monkeypatch):
    """A file that failed was fetched after all."""
    incident, attachment = make_closed(b"photo")

    def copy(files, attachments, original=ArchivedFiles.copy):
        return original(files, attachments.exclude(pk=attachment.pk))  # as it was a moment before

    monkeypatch.setattr(ArchivedFiles, "copy", copy)
    write(path)
    assert Incident.objects.get() == incident and stored() == {attachment.pk: b"photo"}


def test_what_the_second_pass_takes_along_is_not_told_of(path, monkeypatch, capsys):
    _, attachment = make_closed(b"photo")
    passes = iter([[attachment.pk], []])

    def copy(files, attachments, original=ArchivedFiles.copy):
        return original(files, attachments.exclude(pk__in=next(passes)))

    monkeypatch.setattr(ArchivedFiles, "copy", copy)
    write(path)
    assert not Incident.objects.exists()
    assert "could not be copied" not in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["missing", "altered"])
def test_a_damaged_copy_is_refused(path, damage, monkeypatch):
    monkeypatch.setattr(archive, "BATCH", 1)
    first, _ = make_closed(b"first")
    make_closed(b"second")
    before = known()
    write(path)
    (digest,) = by_digest(b"second")
    copy = path.with_name(f"{path.name}.attachments") / digest
    copy.unlink() if damage == "missing" else copy.write_bytes(b"secone")
    with pytest.raises(CommandError, match=f"{digest} is .*Restored until there: 1 incidents.incident"):
        restore(path)
    assert Incident.objects.get() == first
    copy.write_bytes(b"second")
    restore(path)
    assert known() == before


@pytest.mark.parametrize("call", ["open", "delete", "save"])
def test_an_outage_of_the_storage(path, monkeypatch, media, call):
    make_closed(b"photo")
    before, moment = known(), timezone.now().isoformat()
    if call == "save":
        write(path, before=moment)
    with monkeypatch.context() as patch, pytest.raises(CommandError, match="No route to host"):
        patch.setattr(FileSystemStorage, call, lambda *_, **__: (_ for _ in ()).throw(OSError("No route to host")))
        restore(path) if call == "save" else write(path, before=moment)
    assert Incident.objects.count() == (1 if call == "open" else 0)
    if call != "save":
        write(path, before=moment)
    assert media() == []
    restore(path)
    assert known() == before and media() == [b"photo"]


PLACES = {
    "synchronized": (os, "fsync"),
    "opened": (FileSystemStorage, "open"),
    "named": (Path, "replace"),
    "read back": (ArchivedFiles, "_is_whole"),
    "deleted rows": (store, "delete_rows"),
    "inserted rows": (store, "insert_rows"),
    "deleted files": (FileSystemStorage, "delete"),
}


def interrupt(patch, place, times):
    """Ends the process before the call of that number."""
    target, name = PLACES[place]
    original, left = getattr(target, name), times

    def interrupted(*args, **kwargs):
        nonlocal left
        left -= 1
        if left == 0:
            raise KilledError
        return original(*args, **kwargs)

    patch.setattr(target, name, interrupted)


@pytest.mark.parametrize("times", [1, 2, 3, 4])
@pytest.mark.parametrize("place", sorted(PLACES.keys() - {"inserted rows"}))
def test_an_interruption_anywhere_loses_no_file_and_leaves_none(path, media, monkeypatch, place, times):
    monkeypatch.setattr(archive, "BATCH", 2)
    files = [b"one", b"two", b"three", b"four", b"five", b"six"]
    for some in (files[:2], files[2:3], files[3:5], files[5:]):
        make_closed(*some)
    before, bytes_before, moment = known(), stored(), timezone.now().isoformat()
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        interrupt(patch, place, times)
        write(path, before=moment)
    # All that is not in the database is in the file, and has its copy.
    kept = set(Attachment.objects.values_list("sha256", flat=True))
    assert kept | copies(path).keys() >= by_digest(*files).keys()
    assert stored().items() <= bytes_before.items()
    write(path, before=moment)
    assert not Incident.objects.exists() and media() == []
    assert copies(path) == by_digest(*files)
    lines = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    assert (lines[-1]["totals"]["incidents.incident"], lines[-1]["totals"]["files"]) == (4, 6)
    restore(path)
    assert known() == before and stored() == bytes_before
    assert len(media()) == len(files)


@pytest.mark.parametrize("times", [2, 3])
def test_an_interrupted_restore_is_repeated(path, media, monkeypatch, times):
    monkeypatch.setattr(archive, "BATCH", 1)
    for data in (b"one", b"two", b"three"):
        make_closed(data)
    before, bytes_before = known(), stored()
    write(path)
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        interrupt(patch, "inserted rows", 3 * times)  # of incidents, histories, attachments
        restore(path)
    restore(path)
    assert known() == before and stored() == bytes_before
    # One was saved twice. A job deletes what no row names.
    assert len(media()) == 4
    later = timezone.now() + timedelta(days=2)
    monkeypatch.setattr(jobs.timezone, "now", lambda: later)
    jobs.Orphans().step()
    assert len(media()) == 3 and stored() == bytes_before


def test_files_that_a_restore_brought_back_outlive_the_continued_archive(path, monkeypatch):
    """The process died before it deleted the files of its last batch."""
    monkeypatch.setattr(archive, "BATCH", 1)
    make_closed(b"one")
    make_closed(b"two")
    before, bytes_before, moment = known(), stored(), timezone.now().isoformat()
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        interrupt(patch, "deleted files", 1)
        write(path, before=moment)
    with pytest.raises(CommandError, match="no end"):
        restore(path)
    assert known() == before and stored() == bytes_before
    write(path, before=moment)
    restore(path)
    assert known() == before and stored() == bytes_before


def test_a_full_disk(path, monkeypatch):
    make_closed(b"photo")
    before = known()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CommandError, match="No space left"):
        write(path)
    assert known() == before and stored()


def test_queries_do_not_grow_with_the_files(path, django_assert_max_num_queries):
    make_closed(*(bytes([each]) for each in range(5)))
    with django_assert_max_num_queries(100) as few:
        write(path)
    for _ in range(4):
        make_closed(*(bytes([each]) for each in range(20)))
    with django_assert_max_num_queries(100) as many:
        write(path.with_name("second.gz"))
    assert len(many) == len(few)
    if connection.vendor == "postgresql":
        assert IncidentChange.objects.count() == 0
