import pytest
from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction

from incidents.actors import Named
from incidents.attachments import jobs, services
from incidents.attachments.content import clean_name, content_type
from incidents.models import Attachment, Channel, Incident, IncidentChange
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ANNA = Named("anna")
PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + bytes(50)


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


def announce(incident):
    return services.announce_attachment(
        incident_id=incident.pk, kind="voice", name="", size=9, actor=ANNA, channel=Channel.TELEGRAM
    )


def test_a_file_at_hand_is_stored_with_its_entry_of_the_history(media):
    incident = make_incident()
    stored = services.save_file(ContentFile(PNG))
    added = services.add_attachment(
        incident_id=incident.pk, stored=stored, name="../a.html", actor=ANNA, channel=Channel.API
    )
    row = Attachment.objects.get()
    assert (row.name, row.content_type, row.size, row.kind) == ("a.html", "image/png", len(PNG), "photo")
    assert row.file.read() == PNG
    entry = IncidentChange.objects.get(pk=row.change_id)
    assert (entry.changes, entry.actor) == ({"attachment": [None, "a.html"]}, "anna")
    assert row.created_at == entry.at == added.created_at
    assert Incident.objects.get().updated_at == incident.updated_at


def test_an_announced_one_is_stored_exactly_once(media):
    attachment = announce(make_incident())
    assert (attachment.state, attachment.name) == ("pending", "voice")
    assert services.store_attachment(attachment, services.save_file(ContentFile(b"OggS")))
    assert not services.store_attachment(attachment, services.save_file(ContentFile(b"other")))
    row = Attachment.objects.get()
    assert (row.state, row.file.read(), len(files(media))) == ("stored", b"OggS", 1)
    assert not services.fail_attachment(attachment, "late")


def test_a_failed_one_can_be_fetched_again(media):
    attachment = announce(make_incident())
    assert services.fail_attachment(attachment, "Telegram: file is too big")
    assert not services.store_attachment(attachment, services.save_file(ContentFile(b"x")))
    assert files(media) == []
    assert services.retry_attachment(attachment)
    assert not services.retry_attachment(attachment)
    assert services.store_attachment(attachment, services.save_file(ContentFile(b"x")))


def test_a_transaction_that_is_rolled_back_announces_nothing():
    incident = make_incident()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        announce(incident)
        raise ZeroDivisionError
    assert not Attachment.objects.exists()
    assert incident.changes.count() == 1


def test_the_database_refuses_a_stored_row_without_a_file():
    attachment = announce(make_incident())
    with pytest.raises(IntegrityError), transaction.atomic():
        Attachment.objects.filter(pk=attachment.pk).update(state="stored")


def test_a_deleted_file_is_removed_and_its_row_stays(media):
    attachment = announce(make_incident())
    services.store_attachment(attachment, services.save_file(ContentFile(b"x")))
    assert services.delete_attachment(attachment, actor=ANNA, channel=Channel.ADMIN)
    assert not services.delete_attachment(attachment, actor=ANNA, channel=Channel.ADMIN)
    assert not services.retry_attachment(attachment)
    assert not jobs.delete_files()
    row = Attachment.objects.get()
    assert (row.state, row.file.name, files(media)) == ("failed", "", [])
    assert IncidentChange.objects.latest("pk").changes == {"attachment": ["voice", None]}


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("photo.jpg", "photo.jpg"),
        ("C:\\tmp\\отчёт.pdf", "отчёт.pdf"),
        ("a\0b\ud800\u202egpj.exe", "abgpj.exe"),
        ("..", "file"),
        (" \u200b", "file"),
        ("x" * 300 + ".jpeg", "x" * 250 + ".jpeg"),
    ],
)
def test_names_are_cleaned(name, clean):
    assert clean_name(name) == clean


@pytest.mark.parametrize(
    ("head", "found"),
    [
        (PNG, "image/png"),
        (b"%PDF-1.7\n", "application/pdf"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>", "text/plain"),
        (b"<!DOCTYPE html><script>", "text/plain"),
        ("Самокат".encode()[:-1], "text/plain"),
        (b"a\0b", "application/octet-stream"),
        (b"\xff\x00\xc8" * 9, "application/octet-stream"),
    ],
)
def test_the_type_is_told_by_the_content(head, found):
    assert content_type(head) == found
