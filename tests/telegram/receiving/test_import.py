"""import_telegram: history from an export, once, beside what the bot records."""

import json
from datetime import UTC, datetime
from errno import EIO
from itertools import islice
from os import strerror

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from identity.models import User
from incidents.models import Incident, IncidentChange
from telegram import chats
from telegram.history import export, importer
from telegram.models import Account, Card, Chat, Message
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
