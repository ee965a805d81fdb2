"""The jobs that delete files, killed between their steps."""

import os
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage

from incidents.actors import Named
from incidents.attachments import jobs
from incidents.attachments.content import read_content
from incidents.attachments.services import StoredFile, add_attachment, delete_attachment, save_file
from incidents.models import Attachment, attachment_storage
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.both_databases, pytest.mark.django_db]

ANNA = Named("anna")
DAY = timedelta(days=1)


class KilledError(BaseException):
    """Nothing catches the end of a process."""


class Mortal(FileSystemStorage):
    """A storage that ends the process before or after its Nth deletion."""

    kills: set[tuple[str, int]] = set()
    deletions = 0

    def delete(self, name):
        Mortal.deletions += 1
        self._die("before")
        super().delete(name)
        self._die("after")

    def _die(self, when):
        if (point := (when, Mortal.deletions)) in Mortal.kills:
            Mortal.kills.remove(point)
            raise KilledError


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    options = settings.STORAGES["attachments"]["OPTIONS"] | {"location": tmp_path / "media"}
    entry = {"BACKEND": f"{__name__}.Mortal", "OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"attachments": entry}
    Mortal.kills, Mortal.deletions = set(), 0
    return tmp_path / "media"


@pytest.fixture
def incident():
    return make_incident()


def attach(incident, content=b"photo"):
    stored = save_file(ContentFile(content))
    return add_attachment(incident_id=incident.pk, stored=stored, name="a.jpg", actor=ANNA, channel="api")


def delete(attachment):
    assert delete_attachment(attachment, actor=ANNA, channel="admin")


def files(folder):
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def save_at(folder, age, content=b"orphan"):
    """A file that was saved so long ago."""
    at = datetime.now(UTC) - age
    name = attachment_storage().save(f"{at:%Y/%m/%d}/{os.urandom(16).hex()}", ContentFile(content))
    os.utime(folder / name, (at.timestamp(), at.timestamp()))
    return name


def name_it(incident, name):
    with attachment_storage().open(name) as file:
        stored = StoredFile(name, read_content(file))
    return add_attachment(incident_id=incident.pk, stored=stored, name="a.bin", actor=ANNA, channel="api")


def step_to_the_end(orphans):
    while orphans.step():
        pass


def test_files_are_for_the_service_and_its_group(folder, incident):
    name = attach(incident).file.name
    assert (folder / name).stat().st_mode & 0o777 == 0o640
    assert {path.stat().st_mode & 0o777 for path in (folder / name).parents[:3]} == {0o750}


def test_the_file_of_a_deleted_attachment_goes_and_its_row_stays(folder, incident):
    kept, deleted = attach(incident), attach(incident)
    thumbnail = save_file(ContentFile(b"small")).name
    Attachment.objects.filter(pk=deleted.pk).update(thumbnail=thumbnail)
    delete(deleted)
    assert jobs.delete_files() is False
    assert files(folder) == {kept.file.name}
    deleted.refresh_from_db()
    assert (deleted.file.name, deleted.thumbnail.name, deleted.name, deleted.size) == ("", "", "a.jpg", 5)
    assert deleted.sha256 and deleted.deleted_at


@pytest.mark.parametrize("point", [("before", 1), ("after", 1), ("before", 2), ("after", 2)], ids=str)
def test_a_killed_deletion_is_finished_by_the_next_process(folder, incident, point):
    kept, deleted = attach(incident), attach(incident)
    Attachment.objects.filter(pk=deleted.pk).update(thumbnail=save_file(ContentFile(b"small")).name)
    delete(deleted)
    Mortal.kills = {point}
    with pytest.raises(KilledError):
        jobs.delete_files()
    deleted.refresh_from_db()
    assert deleted.file, "the name was lost before its file was deleted"
    jobs.delete_files()
    deleted.refresh_from_db()
    assert (files(folder), deleted.file.name, deleted.thumbnail.name) == ({kept.file.name}, "", "")


def test_deletions_are_bounded(folder, incident, monkeypatch):
    monkeypatch.setattr(jobs, "FILES_PER_STEP", 2)
    for _ in range(3):
        delete(attach(incident))
    assert (jobs.delete_files(), len(files(folder))) == (True, 1)
    assert (jobs.delete_files(), len(files(folder))) == (False, 0)


def test_orphans_go(folder, incident):
    named = name_it(incident, save_at(folder, 3 * DAY)).file.name
    thumbnail = save_at(folder, 3 * DAY)
    Attachment.objects.update(thumbnail=thumbnail)
    young = save_at(folder, DAY / 2)
    save_at(folder, DAY + timedelta(minutes=5))
    save_at(folder, 3 * DAY)
    save_at(folder, 30 * DAY)
    step_to_the_end(jobs.Orphans())
    assert files(folder) == {named, thumbnail, young}


def test_a_file_that_is_new_in_the_folder_of_an_old_day_is_no_orphan_yet(folder, incident):
    attach(incident)
    name = save_at(folder, 3 * DAY)
    os.utime(folder / name)
    step_to_the_end(jobs.Orphans())
    assert name in files(folder)


def test_an_empty_database_orphans_no_file(folder):
    name = save_at(folder, 3 * DAY)
    assert jobs.Orphans().step() is False
    assert files(folder) == {name}


def test_other_files_and_months_are_left_alone(folder, incident):
    attach(incident)
    attachment_storage().save("lost+found", ContentFile(b""))
    old = save_at(folder, 40 * DAY)
    step_to_the_end(jobs.Orphans())
    assert {"lost+found", old} < files(folder)


def test_each_step_looks_at_some_files(folder, incident, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(jobs, "NAMES_PER_STEP", 2)
    attach(incident)
    for _ in range(5):
        save_at(folder, 3 * DAY)
    orphans, before = jobs.Orphans(), len(files(folder))
    for more, left in ((True, 2), (True, 4), (False, 5)):
        with django_assert_num_queries(3):
            assert orphans.step() is more
        assert before - len(files(folder)) == left
    # The next round begins anew.
    save_at(folder, 3 * DAY)
    step_to_the_end(orphans)
    assert len(files(folder)) == 1


@pytest.mark.parametrize("point", [("before", 1), ("after", 1), ("before", 2)], ids=str)
def test_a_killed_search_for_orphans_begins_anew(folder, incident, point):
    named = name_it(incident, save_at(folder, 3 * DAY)).file.name
    for _ in range(2):
        save_at(folder, 3 * DAY)
    orphans = jobs.Orphans()
    Mortal.kills = {point}
    with pytest.raises(KilledError):
        orphans.step()
    step_to_the_end(orphans)
    assert files(folder) == {named}


def test_a_process_that_dies_between_the_file_and_its_row_leaves_an_orphan(folder, incident, monkeypatch):
    attach(incident)
    stored = save_file(ContentFile(b"x"))  # and no row
    before = files(folder)
    step_to_the_end(jobs.Orphans())
    assert files(folder) == before, "the row may be written yet"
    at = datetime.now(UTC) + 2 * DAY
    monkeypatch.setattr(jobs.timezone, "now", lambda: at)
    step_to_the_end(jobs.Orphans())
    assert files(folder) == before - {stored.name}
