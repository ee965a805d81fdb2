"""The files of messages are announced as attachments with the message: each once, whatever comes again."""

import pytest
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from incidents.models import Attachment, Incident, IncidentChange
from intake.inbox import process_pending, replay
from telegram import chats
from telegram.models import File, Message
from tests.helpers.telegram_messages import BOT, CHANNEL, GROUP, message
from tests.helpers.updates import again, descriptions, edit, history, take, write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
TELEGRAM = {"id": 777000, "is_bot": False, "first_name": "Telegram"}


def medium(number, **fields):
    return {"file_id": f"id{number}", "file_unique_id": f"unique{number}", "file_size": 1_000 + number} | fields


def photo(number):
    return [medium(0, width=90, height=60), medium(number, width=1280, height=853)]


def attachments():
    """The incident, kind and name of each, and the message that it came with."""
    rows = Attachment.objects.order_by("id")
    values = rows.values_list("incident__description", "kind", "name", "telegram_file__message__message_id")
    return [(description.split("\n")[0], *rest) for description, *rest in values]


def test_a_photo_with_a_caption(group):
    write(photo=photo(1), caption="Течь")
    assert attachments() == [("Течь", "photo", "photo-10.jpg", 10)]
    assert history() == [{"attachment": [None, "photo-10.jpg"]}]
    attachment = Attachment.objects.get()
    assert (attachment.state, attachment.size) == ("pending", 1_001)
    assert (attachment.change.actor, attachment.change.channel) == ("Анна", "telegram")
    assert File.objects.values_list("file_id", "unique_id", "failures").get() == ("id1", "unique1", 0)


def test_a_photo_alone(group):
    write(photo=photo(1))
    assert attachments() == [("[photo, no text]", "photo", "photo-10.jpg", 10)]


@pytest.mark.parametrize(
    ("fields", "kind", "name"),
    [
        ({"video": medium(1)}, "video", "video-10.mp4"),
        ({"video_note": medium(1)}, "video", "video_note-10.mp4"),
        ({"animation": medium(1), "document": medium(1)}, "video", "animation-10.mp4"),
        ({"voice": medium(1)}, "voice", "voice-10.ogg"),
        ({"audio": medium(1, file_name="a.mp3")}, "audio", "a.mp3"),
        ({"document": medium(1, file_name="../../log\u202efdp.txt")}, "file", "logfdp.txt"),
        ({"document": medium(1, file_name="..")}, "file", "file"),
    ],
)
def test_kinds_and_names(group, fields, kind, name):
    write(**fields)
    assert [each[1:3] for each in attachments()] == [(kind, name)]


@pytest.mark.parametrize("fields", [{"sticker": medium(1)}, {"photo": [{}]}, {"document": {"file_name": "a"}}])
def test_what_cannot_be_fetched_is_none(group, fields):
    write(**fields)
    assert attachments() == []


def test_a_reply(group):
    write(text="Насос")
    write(message_id=11, photo=photo(1), caption="Вот", reply_to_message={"message_id": 10})
    assert attachments() == [("Насос", "photo", "photo-11.jpg", 11)]
    assert [list(change) for change in history()] == [["comment"], ["attachment"]]


def test_an_album_of_ten(group):
    for number in range(10):
        write(
            message_id=10 + number, photo=photo(1 + number), media_group_id="a", caption="Течь" if not number else None
        )
    assert attachments() == [("Течь", "photo", f"photo-{10 + number}.jpg", 10 + number) for number in range(10)]
    assert Incident.objects.count() == 1


def test_an_album_as_a_reply(group):
    write(text="Насос")
    for number in (11, 12):
        write(message_id=number, photo=photo(number), media_group_id="a", reply_to_message={"message_id": 10})
    assert [each[3] for each in attachments()] == [11, 12]


def test_an_edit_that_replaces_the_medium_adds_the_new_one(group):
    write(photo=photo(1), caption="Течь")
    edit(photo=photo(2), caption="Течь")
    edit(photo=photo(1), caption="Течь", edit_date=1705314800)
    assert [name for _, _, name, _ in attachments()] == ["photo-10.jpg"] * 2
    assert list(File.objects.order_by("attachment").values_list("unique_id", flat=True)) == ["unique1", "unique2"]


def test_an_edit_of_the_caption_adds_nothing(group):
    write(photo=photo(1), caption="Течь")
    edit(photo=photo(1), caption="Течь!")
    assert (len(attachments()), len(history())) == (1, 2)


def test_a_medium_that_is_added_to_a_text(group):
    write(text="Течь")
    edit(photo=photo(1), caption="Течь")
    assert len(attachments()) == 1


def test_an_edit_of_a_comment(group):
    write(text="Насос")
    write(message_id=11, photo=photo(1), reply_to_message={"message_id": 10})
    edit(message_id=11, photo=photo(2), reply_to_message={"message_id": 10})
    assert [each[3] for each in attachments()] == [11, 11]


def test_an_edit_that_comes_before_its_message(group):
    edit(photo=photo(2), caption="Течь")
    write(photo=photo(1), caption="Протечка")
    assert sorted(File.objects.values_list("unique_id", flat=True)) == ["unique1", "unique2"]


def test_repeats_and_replays_add_nothing(group):
    update = write(photo=photo(1), caption="Течь")
    again(update)
    replay([Message.objects.get().delivery_id])
    process_pending()
    assert len(attachments()) == 1


def test_a_replay_adds_the_files_of_a_message_that_was_recorded_without_them(group):
    write(photo=photo(1), caption="Течь")
    File.objects.all().delete()
    Attachment.objects.all().delete()
    replay([Message.objects.get().delivery_id])
    process_pending()
    assert (len(attachments()), descriptions()[0].split("\n")[0]) == (1, "Течь")


def test_a_forwarded_message(group):
    origin = {"type": "hidden_user", "sender_user_name": "Пётр", "date": 1705314000}
    write(photo=photo(1), caption="Течь", forward_origin=origin)
    assert len(attachments()) == 1
    assert Attachment.objects.get().change.actor == "Анна"


def test_the_same_file_in_two_messages_is_of_both(group):
    write(photo=photo(1), caption="Течь")
    write(message_id=11, photo=photo(1), caption="Течь снова")
    assert [each[3] for each in attachments()] == [10, 11]


@pytest.mark.parametrize("text", ["/incident", "/incident второй раз"])
def test_a_command_takes_the_files_of_the_message_that_it_replies_to(group, text):
    group.mode = "command"
    group.save()
    older = {"message_id": 5, "chat": GROUP, "date": 1705314000, "from": {"id": 7, "first_name": "Пётр"}}
    write(text=text, reply_to_message=older | {"photo": photo(1), "caption": "Насос стоит"})
    write(message_id=11, text="/incident", reply_to_message=older | {"photo": photo(1), "caption": "Насос стоит"})
    assert attachments() == [("Насос стоит", "photo", "photo-5.jpg", 5)]
    assert Attachment.objects.get().change.actor == "Пётр"


def test_the_photo_of_a_command(group):
    write(photo=photo(1), caption="/incident Течь")
    assert attachments() == [("Течь", "photo", "photo-10.jpg", 10)]


def test_a_report_of_another_bot(group):
    write(photo=photo(1), caption="Авария", **{"from": BOT | {"id": 42}})
    assert len(attachments()) == 1


@pytest.mark.parametrize("order", ["post copy", "copy post", "copy copy post post"])
def test_a_post_of_a_channel_and_its_copy(group, settings, order):
    settings.TELEGRAM_INTAKE_CHATS += [str(CHANNEL["id"])]
    chats.add_configured()
    origin = {"type": "channel", "chat": CHANNEL, "message_id": 7, "date": 1705314600}
    copied = {"sender_chat": CHANNEL, "from": TELEGRAM, "is_automatic_forward": True, "forward_origin": origin}
    media = {"photo": photo(1), "caption": "Авария"}
    for which in order.split():
        if which == "post":
            take("channel_post", message(**media | {"chat": CHANNEL, "message_id": 7, "from": None}))
        else:
            write(**media | copied | {"message_id": 30})
    assert attachments() == [("Авария", "photo", "photo-7.jpg", 7)]


@pytest.mark.parametrize("fields", [{"message_id": 0}, {"ephemeral_message_id": 7}])
def test_a_message_without_an_id(group, fields):
    update = write(photo=photo(1), **fields)
    again(update)
    assert len(attachments()) == 1


def test_a_database_that_fails_in_between_leaves_nothing(group, monkeypatch):
    def fail(**fields):
        raise IntegrityError

    with monkeypatch.context() as patched:
        patched.setattr(File.objects, "create", fail)
        write(photo=photo(1), caption="Течь")
    assert (Attachment.objects.count(), Incident.objects.count(), IncidentChange.objects.count()) == (0, 0, 0)


def test_the_number_of_statements_is_the_same_for_each_file(group):
    write(text="Насос")  # the chat is known
    counts = []
    for number in (1, 2, 3):
        blocks = [{"type": "photo", "photo": [medium(10 * number + each)]} for each in range(number)]
        with CaptureQueriesContext(connection) as queries:
            write(message_id=20 + number, rich_message={"blocks": blocks})
        counts.append(len(queries))
    assert counts[2] - counts[1] == counts[1] - counts[0] > 0
