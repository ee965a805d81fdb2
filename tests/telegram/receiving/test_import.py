"""import_telegram: history from an export, once, beside what the bot records."""

import json
import os
from datetime import UTC, datetime
from errno import EIO
from itertools import islice
from os import strerror

import pytest
from django.core.files.storage import FileSystemStorage
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from identity.models import User
from incidents.attachments import services
from incidents.models import Attachment, Incident, IncidentChange, attachment_storage
from telegram import chats
from telegram.history import export, importer
from telegram.models import Account, Card, Chat, File, Message
from telegram.receiving import fetching
from tests.helpers.telegram_messages import ANNA, DATE, GROUP
from tests.helpers.updates import descriptions, edit, everything, write
from tests.helpers.updates import history as changes

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def entry(number, text="x", **fields):
    author = {"from": "Анна", "from_id": "user7000000001"}
    return {"id": number, "type": "message", "date_unixtime": str(DATE), "text": text, **author, **fields}


@pytest.fixture
def run(group, tmp_path, capsys):
    def run(*entries, arguments=(), **chat):
        header = {"name": "Ops", "type": "private_supergroup", "id": 1234567890} | chat
        path = tmp_path / "result.json"
        path.write_text(json.dumps(header | {"messages": entries}))
        call_command("import_telegram", str(path), *arguments)
        return capsys.readouterr().out

    return run


def test_messages_become_incidents_with_their_dates_and_without_cards(run):
    told = run(entry(1, "Насос"), entry(2, ["Течь ", {"type": "bold", "text": "сильная"}]), entry(3, type="service"))
    assert descriptions() == ["Насос", "Течь сильная"]
    assert "2 incidents, 0 comments, 0 recorded before, 1 skipped" in told
    incident, change = Incident.objects.first(), IncidentChange.objects.first()
    assert incident.created_at == change.at == datetime.fromtimestamp(DATE, UTC)
    assert (change.actor, change.channel) == ("Анна", "telegram")
    assert not Card.objects.exists()


def test_replies_become_comments_across_batches(run, monkeypatch):
    monkeypatch.setattr(importer, "BATCH", 2)
    run(entry(1), entry(2, "да", reply_to_message_id=1), entry(3, "нет", reply_to_message_id=2))
    assert descriptions() == ["x"]
    assert changes() == [{"comment": [None, "да"]}, {"comment": [None, "нет"]}]


def test_the_number_of_statements_does_not_grow_with_a_batch(run):
    counts = []
    for first, size in ((1, 2), (1000, 200)):
        entries = [entry(first + n, reply_to_message_id=first + n - n % 2) for n in range(size)]
        with CaptureQueriesContext(connection) as queries:
            run(*entries, arguments=["--dry-run"])
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_batch_whose_ids_are_in_no_order(run):
    run(entry(50), entry(7), entry(30, "да", reply_to_message_id=7))
    told = run(entry(60), entry(7), entry(5), entry(30), entry(6, "нет", reply_to_message_id=50))
    assert "2 incidents, 1 comments, 2 recorded before" in told
    assert changes()[-1] == {"comment": [None, "нет"]}


def test_the_words_are_in_the_language_of_the_chats(run):
    run(entry(1, "", photo="a.jpg"), entry(2, "", photo="b.jpg"))
    assert [line.split("\n")[0] for line in descriptions()] == ["[фото, без текста]"] * 2


def test_a_repetition_records_nothing(run):
    entries = [entry(1), entry(2, "да", reply_to_message_id=1)]
    run(*entries)
    before = everything()
    assert "0 incidents, 0 comments, 2 recorded before" in run(*entries)
    assert everything() == before


def test_what_the_bot_recorded_is_left_alone_and_goes_on(run):
    write(message_id=1, text="Насос")
    Card.objects.update(message_id=2)
    run(entry(1, "Насос"), entry(2, "№ 1 · Открыт"), entry(3, "Едем", reply_to_message_id=2), entry(4, "Течь"))
    write(message_id=4, text="Течь")
    edit(message_id=4, text="Течь 2")
    assert descriptions() == ["Насос", "Течь 2"]
    assert changes()[0] == {"comment": [None, "Едем"]}


def test_a_dry_run_writes_nothing(run):
    assert "Nothing was written. 1 incidents" in run(entry(1), arguments=["--dry-run"])
    assert not Incident.objects.exists() and not Message.objects.exists()


def test_one_chat_of_a_whole_account(run):
    run(entry(1), arguments=["--chat", "-100999"])
    assert not Incident.objects.exists()
    run(entry(1), arguments=["--chat", str(GROUP["id"])])
    assert len(descriptions()) == 1


def test_the_users_own_reports(run):
    Account.objects.create(telegram_id=ANNA["id"], user=User.objects.create_user("petrova"))
    run(entry(1))
    assert IncidentChange.objects.get().actor == "petrova"


def test_an_author_who_is_called_like_a_user(run):
    User.objects.create_user("operator1")
    run(entry(1, **{"from": "operator1"}), entry(2, "да", reply_to_message_id=1, **{"from": "Operator1"}))
    actors = [change.actor for change in IncidentChange.objects.order_by("pk")]
    assert actors == ["operator1 (Telegram)", "Operator1 (Telegram)"]


def test_commands_and_the_bots_own_messages(run):
    run(entry(1, "/incident Течь"), entry(2, "/open"), entry(3, "№ 1", from_id="user110201543"))
    assert descriptions() == ["Течь"]


def test_a_chat_of_commands(run, group):
    Chat.objects.update(mode="command")
    run(entry(1, "Привет"), entry(2, "/incident Течь"))
    assert descriptions() == ["Течь"]


def test_a_chat_that_was_not_known_is_not_allowed_by_an_import(run):
    run(entry(1), id=555)
    assert not Chat.objects.get(telegram_id=-1000000000555).allowed


def test_an_import_before_the_bot_was_set_up_is_the_bots_later(run, settings):
    settings.TELEGRAM_BOT_TOKEN = ""
    run(entry(1))
    settings.TELEGRAM_BOT_TOKEN = "110201544:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw1"
    write(message_id=1, text="x")
    assert len(descriptions()) == 1
    assert chats.add(110201544, GROUP["id"]).chat.bot_id == 110201544


def test_a_file_that_ends_early_keeps_what_came_before(run, tmp_path):
    path = tmp_path / "result.json"
    run(entry(1))
    path.write_text(path.read_text().replace('"id": 1,', '"id": 2,')[:-1] + ", 5")
    with pytest.raises(CommandError, match="1 incidents"):
        call_command("import_telegram", str(path))
    assert len(descriptions()) == 2


def test_a_file_that_fails_keeps_what_came_before(run, monkeypatch):
    monkeypatch.setattr(importer, "BATCH", 2)

    def failing(*args, **options):
        yield from islice(read(*args, **options), 3)
        raise OSError(EIO, strerror(EIO))

    read = export.read
    monkeypatch.setattr(export, "read", failing)
    with pytest.raises(CommandError, match=r"cannot be read: .+ Until there: 3 incidents"):
        run(*map(entry, range(1, 8)))
    assert descriptions() == ["x"] * 3


def test_a_database_that_fails_keeps_the_batches_before(run, monkeypatch):
    monkeypatch.setattr(importer, "BATCH", 2)
    write_rows = importer.store.insert_rows

    def failing(model, *args):
        if model is Message and Message.objects.exists():
            raise DatabaseError
        write_rows(model, *args)

    monkeypatch.setattr(importer.store, "insert_rows", failing)
    with pytest.raises(DatabaseError):
        run(*map(entry, range(1, 8)))
    assert descriptions() == ["x"] * 2 and Message.objects.count() == 2


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_a_file_that_cannot_be_read(name, tmp_path, group):
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_telegram", str(tmp_path / name))


# Files beside result.json


@pytest.fixture
def export_folder(tmp_path, settings):
    """Its files; what is stored goes elsewhere."""
    options = settings.STORAGES["attachments"]["OPTIONS"] | {"location": tmp_path / "media"}
    entry = settings.STORAGES["attachments"] | {"OPTIONS": options}
    settings.STORAGES = settings.STORAGES | {"attachments": entry}
    return tmp_path


def put(folder, name, data=b"\xff\xd8\xff\xe0 jpeg"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def stored():
    with_bytes = Attachment.objects.order_by("id").exclude(file="")
    return [
        (each.name, each.kind, each.content_type, attachment_storage().open(each.file.name).read())
        for each in with_bytes
    ]


def kept(folder):
    return [path for path in (folder / "media").rglob("*") if path.is_file()]


PHOTO = "photos/photo_1@15-01-2024_13-30-00.jpg"


def test_files_become_attachments_of_the_words_they_came_with(run, export_folder):
    put(export_folder, PHOTO)
    put(export_folder, "files/отчёт.txt", "Течь".encode())
    put(export_folder, "voice_messages/audio_1@x.ogg", b"OggS" + b"\0" * 60)
    told = run(
        entry(1, "Насос", photo=PHOTO, photo_file_size=9, width=5, height=5),
        entry(2, "", file="files/отчёт.txt", file_name="отчёт.txt", mime_type="image/png", reply_to_message_id=1),
        entry(3, "да", reply_to_message_id=1),
        entry(4, "", file="voice_messages/audio_1@x.ogg", media_type="voice_message", duration_seconds=2),
    )
    assert "2 incidents, 2 comments" in told and "3 files, 0 missing files" in told
    assert stored() == [
        ("photo-1.jpg", "photo", "image/jpeg", b"\xff\xd8\xff\xe0 jpeg"),
        ("отчёт.txt", "file", "text/plain", "Течь".encode()),
        ("audio_1@x.ogg", "voice", "audio/ogg", b"OggS" + b"\0" * 60),
    ]
    first = Incident.objects.earliest("id")
    assert [set(change.changes) for change in first.changes.order_by("id")] == [
        {"description", "status", "source"}, {"attachment"}, {"comment"}, {"attachment"}, {"comment"}
    ]  # fmt: skip
    for attachment in Attachment.objects.select_related("change", "telegram_file__message"):
        at = datetime.fromtimestamp(DATE, UTC)
        assert (attachment.change.at, attachment.created_at, attachment.change.actor) == (at, at, "Анна")
        assert attachment.telegram_file.message.incident_id == attachment.incident_id
    assert Attachment.objects.get(kind="photo").thumbnail_due


def test_a_repetition_imports_no_file_twice(run, export_folder):
    put(export_folder, PHOTO)
    entries = [entry(1, photo=PHOTO), entry(2, "", file="(File not included.)", file_name="a.zip")]
    run(*entries)
    before = everything()
    assert "2 recorded before" in (told := run(*entries)) and "0 files, 0 missing files" in told
    assert everything() == before and len(kept(export_folder)) == 1


@pytest.mark.parametrize(
    "words",
    [
        "(File not included. Change data exporting settings to download.)",
        "(File exceeds maximum size. Change data exporting settings to download.)",
        "(File unavailable, please try again later)",
        "files/lost.pdf",
    ],
)
def test_a_file_that_is_not_in_the_export_is_shown_with_its_link_and_comes_with_another_one(run, export_folder, words):
    assert "0 files, 1 missing files" in run(entry(1, "", file=words, file_name="a.pdf", file_size=4))
    attachment = Attachment.objects.get()
    assert (attachment.state, attachment.name, attachment.size) == ("failed", "a.pdf", 4)
    assert attachment.error == "Файла нет в экспорте: он остался в Telegram. https://t.me/c/1234567890/1"
    assert not File.objects.filter(fetching.FAILED).exists(), "the board has nothing to fetch"
    put(export_folder, "files/a.pdf", b"%PDF-1.7")
    run(entry(1, "", file="files/a.pdf", file_name="a.pdf"))
    assert stored() == [("a.pdf", "file", "application/pdf", b"%PDF-1.7")]
    assert Attachment.objects.get().error == ""


def test_what_was_imported_without_its_file_gets_it(run, export_folder, monkeypatch):
    """By the release before, or by the bot when it took no files."""
    with monkeypatch.context() as patch:
        patch.setattr(importer, "file_of", lambda report: None)
        run(entry(1, "Насос", photo=PHOTO), entry(2, "", reply_to_message_id=1, photo="photos/2.jpg"))
    put(export_folder, PHOTO)
    run(entry(1, "Насос", photo=PHOTO), entry(2, "", reply_to_message_id=1, photo="photos/2.jpg"))
    assert [(each.incident_id, each.state) for each in Attachment.objects.order_by("id")] == [
        (Incident.objects.get().pk, "stored"),
        (Incident.objects.get().pk, "failed"),
    ]


def test_files_that_the_bot_recorded_are_left_alone(run, export_folder):
    photo = {"file_id": "1", "file_unique_id": "2", "file_size": 3, "width": 4, "height": 5}
    write(message_id=1, caption="Насос", photo=[photo])
    put(export_folder, PHOTO)
    assert "0 files" in run(entry(1, "Насос", photo=PHOTO))
    assert Attachment.objects.get().state == "pending" and kept(export_folder) == []


def test_a_file_over_the_limit_is_not_stored(run, export_folder, settings):
    settings.ATTACHMENT_MAX_BYTES = 1 << 20
    put(export_folder, "files/a.bin", b"\xff" * (1 << 20))
    put(export_folder, "files/b.bin", b"\xff" * ((1 << 20) + 1))
    run(entry(1, "", file="files/a.bin"), entry(2, "", file="files/b.bin"))
    assert [name for name, *_ in stored()] == ["a.bin"]
    error = Attachment.objects.get(name="b.bin").error
    assert error == "Файл больше 1 МБ: он остался в Telegram. https://t.me/c/1234567890/2"


@pytest.mark.parametrize(
    "name",
    [
        "../secret.txt", "files/../../secret.txt", "{outside}/secret.txt", "files/link.txt", "folder/secret.txt",
        "files", "files/pipe", "files/loop", ".", "", "a\0b", "x" * 5000, "\ud800", "~/secret.txt",
    ],
)  # fmt: skip
def test_nothing_outside_of_the_folder_is_read(run, tmp_path, export_folder, name):
    outside = tmp_path.with_name(f"{tmp_path.name}-outside")
    outside.mkdir()
    for folder in (outside, tmp_path.parent):
        (folder / "secret.txt").write_bytes(b"secret")
    (tmp_path / "files").mkdir()
    (tmp_path / "files/link.txt").symlink_to(outside / "secret.txt")
    (tmp_path / "files/loop").symlink_to(tmp_path / "files/loop")
    (tmp_path / "folder").symlink_to(outside)
    os.mkfifo(tmp_path / "files/pipe")
    told = run(entry(1, "Насос", file=name.format(outside=outside), file_name="a.txt"))
    assert "1 incidents" in told and "0 files" in told
    assert stored() == [] and kept(export_folder) == []


def test_a_process_that_dies_before_a_file_is_stored(run, export_folder, monkeypatch):
    put(export_folder, PHOTO)
    put(export_folder, "photos/2.jpg", b"\xff\xd8\xff\xe0 2")
    entries = [entry(1, photo=PHOTO), entry(2, photo="photos/2.jpg")]
    save, left = FileSystemStorage.save, 2

    def killed(self, *args, **options):
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt
        return save(self, *args, **options)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(FileSystemStorage, "save", killed)
        run(*entries)
    assert sorted(Attachment.objects.values_list("state", flat=True)) == ["pending", "stored"]
    assert not fetching.pending().exists(), "the job is not to ask Telegram for it"
    run(*entries)
    assert [data for *_, data in stored()] == [b"\xff\xd8\xff\xe0 jpeg", b"\xff\xd8\xff\xe0 2"]
    assert (IncidentChange.objects.count(), len(kept(export_folder))) == (4, 2)


def test_fetching_it_again_says_that_it_is_not_in_the_export(run, export_folder):
    run(entry(1, "", file="(File not included.)", file_name="a.zip"))
    attachment = Attachment.objects.get()
    services.retry_attachment(attachment)
    File.objects.update(due_at=timezone.now())
    fetching.Fetcher().step()
    attachment.refresh_from_db()
    error = "The file is not in the export: see it in Telegram. https://t.me/c/1234567890/1"
    assert (attachment.state, attachment.error) == ("failed", error)


def test_a_dry_run_stores_no_file(run, export_folder):
    put(export_folder, PHOTO)
    assert "1 files, 0 missing files" in run(entry(1, photo=PHOTO), arguments=["--dry-run"])
    assert kept(export_folder) == [] and not Attachment.objects.exists()


def test_the_number_of_statements_does_not_grow_with_the_files_that_are_missing(run, export_folder):
    counts = []
    for first, size in ((1, 2), (1000, 30)):
        entries = [entry(first + n, photo=f"photos/{n}.jpg") for n in range(size)]
        with CaptureQueriesContext(connection) as queries:
            run(*entries)
        counts.append(len(queries))
    assert counts[0] == counts[1]
