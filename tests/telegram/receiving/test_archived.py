"""Messages stay known while their incident is archived: nothing is recorded twice, and nothing is passed over."""

import json

import pytest
from django.core.management import call_command
from django.utils import timezone

from incidents.models import Attachment, Incident
from intake.inbox import process_pending
from intake.models import Delivery
from telegram.models import Card, Chat, File, Message
from telegram.receiving.fetching import retry
from tests.helpers.archive import close, content, restore, write
from tests.helpers.telegram_messages import CHANNEL, GROUP, message
from tests.helpers.updates import again, deliveries, descriptions, edit, history, press, take
from tests.helpers.updates import write as send

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases, pytest.mark.usefixtures("group")]

FAULT = "NotUnderstoodError: Its incident is archived."


@pytest.fixture
def path(tmp_path):
    return tmp_path / "archive.jsonl.gz"


def archive_all(path):
    Card.objects.update(state="shown", due_at=None, message_id=900, shows=timezone.now())
    close(*Incident.objects.all())
    before = content()
    write(path)
    assert not Incident.objects.exists()
    return before


def test_there_and_back(path):
    send(text="Насос 3 стоит", message_id=10)
    send(text="Выехали", message_id=11, reply_to_message={"message_id": 10, "chat": GROUP, "date": 1705314600})
    before = archive_all(path)
    assert not Card.objects.exists()
    assert list(Message.objects.values_list("message_id", "incident", "words")) == [(10, None, ""), (11, None, "")]
    restore(path)
    assert content() == before


def test_a_card_that_is_still_to_be_sent_holds_it(path):
    send(text="Насос 3 стоит")
    close(Incident.objects.get())
    write(path)
    assert Incident.objects.exists()


def test_the_same_message_again_is_no_new_report(path):
    update = send(text="Насос 3 стоит", message_id=10)
    archive_all(path)
    Delivery.objects.all().delete()
    again(update)
    assert not Incident.objects.exists()


def test_an_edit_is_a_fault_which_can_be_replayed_after_the_restore(path):
    send(text="Насос 3 стоит", message_id=10)
    archive_all(path)
    edit(text="Насос 4 стоит", message_id=10)
    assert deliveries()[-1] == ("faulty", FAULT)
    restore(path)
    Delivery.objects.filter(state="faulty").update(state="pending")
    process_pending()
    assert descriptions() == ["Насос 4 стоит"]


def test_a_reply_is_a_new_report(path):
    send(text="Насос 3 стоит", message_id=10)
    archive_all(path)
    answered = {"message_id": 10, "chat": GROUP, "date": 1705314600, "text": "Насос 3 стоит"}
    send(text="Опять стоит", message_id=12, reply_to_message=answered)
    (description,) = descriptions()
    assert "Опять стоит" in description and "Насос 3 стоит" in description


def test_a_command_under_it_is_a_fault(path):
    send(text="Насос 3 стоит", message_id=10)
    archive_all(path)
    answered = {"message_id": 10, "chat": GROUP, "date": 1705314600, "text": "Насос 3 стоит"}
    entities = [{"type": "bot_command", "offset": 0, "length": 9}]
    send(text="/incident", entities=entities, message_id=12, reply_to_message=answered)
    assert descriptions() == []
    assert deliveries()[-1] == ("faulty", FAULT)


def test_a_late_part_of_an_album_is_a_fault(path):
    send(caption="Течь", photo=[], media_group_id="A", message_id=10)
    archive_all(path)
    send(photo=[], media_group_id="A", message_id=11)
    assert descriptions() == []
    assert deliveries()[-1] == ("faulty", FAULT)


@pytest.mark.parametrize("mode", ["all", "command"])
def test_a_late_copy_of_a_channel_post_is_a_fault(path, settings, mode):
    settings.TELEGRAM_INTAKE_CHATS += [str(CHANNEL["id"])]
    take("channel_post", message(**{"chat": CHANNEL, "message_id": 7, "text": "Авария", "from": None}))
    Chat.objects.filter(telegram_id=CHANNEL["id"]).update(mode=mode)
    archive_all(path)
    origin = {"type": "channel", "chat": CHANNEL, "message_id": 7, "date": 1705314600}
    copied = {"sender_chat": CHANNEL, "forward_origin": origin, "is_automatic_forward": True}
    send(**copied, text="Авария", message_id=30)
    assert descriptions() == []
    assert deliveries()[-1] == ("faulty", FAULT)


def test_a_file_that_the_previous_release_passed_over_is_a_fault(path):
    update = send(text="Насос 3 стоит", message_id=10)
    archive_all(path)
    Delivery.objects.all().delete()
    del update["message"]["text"]
    photo = {"file_id": "1", "file_unique_id": "2", "file_size": 3, "width": 4, "height": 5}
    again(update | {"message": update["message"] | {"caption": "Насос 3 стоит", "photo": [photo]}})
    assert descriptions() == []
    assert deliveries()[-1] == ("faulty", FAULT)


def test_a_file_goes_along_and_is_announced_no_second_time(path):
    photo = {"file_id": "1", "file_unique_id": "2", "file_size": 3, "width": 4, "height": 5}
    update = send(caption="Насос 3 стоит", photo=[photo], message_id=10)
    close(*Incident.objects.all())
    Card.objects.update(state="shown", due_at=None, message_id=900, shows=timezone.now())
    write(path)
    assert Incident.objects.exists()  # It is still to be fetched.
    Attachment.objects.update(state="failed", error="gone")
    path.unlink()
    before = archive_all(path)
    assert not Attachment.objects.exists() and not File.objects.exists()
    restore(path)
    assert content() == before
    Delivery.objects.all().delete()
    again(update)
    assert File.objects.get().unique_id == "2"
    retry(File.objects.all())
    assert Attachment.objects.get().state == "pending"


def test_a_press_changes_nothing(path):
    send(text="Насос 3 стоит", message_id=10)
    pk = Incident.objects.get().pk
    archive_all(path)
    press(f"set:{pk}:closed:open", chat=GROUP, message_id=900)
    assert not Incident.objects.exists()
    assert deliveries()[-1][0] == "skipped"
    restore(path)
    assert len(history()) == 1


def test_an_import_records_it_no_second_time(path, tmp_path):
    entry = {"id": 10, "type": "message", "date": "2024-01-15T13:30:00", "date_unixtime": "1705314600", "from": "Анна"}
    entry |= {"from_id": "user7000000001", "text": "Насос 3 стоит", "text_entities": []}
    entries = [entry, entry | {"id": 11, "text": "Стоит", "reply_to_message_id": 10}]
    chat = {"name": "Ops", "type": "private_supergroup", "id": int(str(GROUP["id"])[4:])}
    export = tmp_path / "result.json"
    export.write_text(json.dumps(chat | {"messages": entries[:1]}))
    call_command("import_telegram", str(export))
    archive_all(path)
    export.write_text(json.dumps(chat | {"messages": entries}))
    call_command("import_telegram", str(export))
    (description,) = descriptions()
    assert description.startswith("Стоит")


def test_a_card_whose_message_number_was_given_again_is_left_out(path, capsys):
    """As in a group that became a supergroup meanwhile, which numbers its messages anew."""
    send(text="Насос 3 стоит", message_id=10)
    archive_all(path)
    send(text="Насос 5 стоит", message_id=11)
    Card.objects.update(state="shown", due_at=None, message_id=900, shows=timezone.now())
    restore(path)
    assert "1 skipped" in capsys.readouterr().out
    assert descriptions() == ["Насос 3 стоит", "Насос 5 стоит"]
    assert Card.objects.get().incident.description == "Насос 5 стоит"
