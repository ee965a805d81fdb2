"""A reply to a report, its card or a comment is a comment."""

import pytest

from incidents.models import Incident
from telegram.models import Card
from tests.helpers.telegram_messages import ANNA, BOT, CHANNEL, GROUP
from tests.helpers.updates import descriptions, edit, history, write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.mark.parametrize("target", [10, 11, 500])
def test_a_reply_is_a_comment(group, target):
    write(text="Насос")
    write(message_id=11, text="Едем", reply_to_message={"message_id": 10, "chat": GROUP})
    Card.objects.update(message_id=500)
    updated_at = Incident.objects.get().updated_at
    write(message_id=12, text="Приехали", reply_to_message={"message_id": target, "chat": GROUP})
    assert descriptions() == ["Насос"]
    assert history()[-1] == {"comment": [None, "Приехали"]}
    assert Incident.objects.get().updated_at == updated_at


def test_a_reply_to_another_message_is_a_report(group):
    write(text="Насос", reply_to_message={"message_id": 3, "chat": GROUP})
    assert descriptions() == ["Насос"]


def test_a_reply_with_a_photo_is_a_comment(group):
    write(text="Насос")
    write(message_id=11, photo=[{}], caption="Вот", reply_to_message={"message_id": 10})
    assert history() == [{"comment": [None, "Вот\n[photo] https://t.me/c/1234567890/11"]}]


def test_each_part_of_an_album_as_a_reply_is_named_and_linked(group):
    write(text="Насос")
    part = {"photo": [{}], "media_group_id": "a", "reply_to_message": {"message_id": 10}}
    write(message_id=11, caption="Вот", **part)
    write(message_id=12, **part)
    edit(message_id=11, caption="Вот!", **part)
    link = "https://t.me/c/1234567890"
    first, second, edited = (change["comment"] for change in history())
    assert first == [None, f"Вот\n[photo] {link}/11"]
    assert second == [None, f"[photo, no text]\n{link}/12"]
    assert edited == [first[1], f"Вот!\n[photo] {link}/11"]


ALERT = {
    "message_id": 3,
    "chat": GROUP,
    "from": BOT | {"first_name": "Grafana"},
    "date": 1705314000,
    "text": "Диск\nполон",
}


def test_what_was_not_recorded_is_quoted_by_the_reply_to_it(group):
    write(text="Разберитесь", reply_to_message=ALERT)
    assert descriptions() == ["[reply to Grafana]\n> Диск\n> полон\nРазберитесь"]


def test_of_a_chosen_quote_that_part_alone(group):
    write(text="Разберитесь", reply_to_message=ALERT, quote={"text": "полон", "is_manual": True})
    assert descriptions() == ["[reply to Grafana]\n> полон\nРазберитесь"]


def test_a_photo_that_was_not_recorded_is_named(group):
    photo = ALERT | {"text": None, "photo": [{}], "caption": "Течь", "from": ANNA}
    write(text="Кто?", reply_to_message=photo)
    assert descriptions() == ["[reply to Анна]\n> Течь\n> [photo]\nКто?"]


def test_a_long_quote_leaves_room_for_the_words(group):
    write(text="Разберитесь", reply_to_message=ALERT | {"text": "x" * 30_000})
    (description,) = descriptions()
    assert description.endswith("…\nРазберитесь") and len(description) < 4_100


def test_an_edit_of_such_a_reply_keeps_the_quote(group):
    write(text="Разберитесь", reply_to_message=ALERT)
    edit(text="Разберитесь!", reply_to_message=ALERT)
    assert descriptions() == ["[reply to Grafana]\n> Диск\n> полон\nРазберитесь!"]
    assert len(history()) == 1


def test_a_recorded_message_is_not_quoted(group):
    write(message_id=3, text="Насос")
    write(text="Едем", reply_to_message=ALERT)
    assert history() == [{"comment": [None, "Едем"]}]


@pytest.mark.parametrize("target", [10, 500])
def test_a_reply_from_another_topic_is_a_comment(group, target):
    write(text="Насос", is_topic_message=True, message_thread_id=5)
    Card.objects.update(message_id=500)
    external = {"origin": {"type": "user", "sender_user": ANNA}, "chat": GROUP, "message_id": target}
    write(message_id=11, text="Едем", external_reply=external, is_topic_message=True, message_thread_id=6)
    write(message_id=12, text="/incident ещё", external_reply=external)
    assert descriptions() == ["Насос"]
    assert history() == [{"comment": [None, "Едем"]}, {"comment": [None, "ещё"]}]


def test_a_reply_from_another_topic_to_what_was_not_recorded_is_a_report(group):
    external = {"origin": {"type": "user", "sender_user": ANNA}, "chat": GROUP, "message_id": 3, "photo": [{}]}
    write(text="Где это?", external_reply=external, quote={"text": "Течь"})
    assert descriptions() == ["[reply to Анна, Ops] [photo]\n> Течь\nГде это?"]


def test_a_reply_to_another_chat_with_the_same_message_id_is_a_report(group):
    write(text="Насос")
    external = {"origin": {"type": "channel", "chat": CHANNEL}, "chat": CHANNEL, "message_id": 10}
    write(message_id=11, text="Едем", external_reply=external)
    assert descriptions() == ["Насос", "[reply to News]\nЕдем"]


CHECKLIST = {"title": "Смена", "tasks": [{"id": 1, "text": "Насос"}, {"id": 2, "text": "Бак"}]}
POLL = {"question": "Кто?", "options": [{"persistent_id": "1", "text": "Анна"}, {"persistent_id": "a", "text": "Пётр"}]}


@pytest.mark.parametrize(
    ("medium", "part", "words"),
    [
        ({"checklist": CHECKLIST}, {"reply_to_checklist_task_id": 2}, "> Бак"),
        ({"checklist": CHECKLIST}, {"reply_to_checklist_task_id": 9}, "[task 9]"),
        ({}, {"reply_to_checklist_task_id": 2}, "[task 2]"),
        ({"poll": POLL}, {"reply_to_poll_option_id": "a"}, "> Пётр"),
        ({"poll": POLL}, {"reply_to_poll_option_id": "z"}, "[option z]"),
    ],
)
def test_which_task_or_option_a_reply_is_about(group, medium, part, words):
    write(**({"text": "x"} | medium))
    write(message_id=11, text="Готово", reply_to_message={"message_id": 10, "chat": GROUP} | medium, **part)
    assert history() == [{"comment": [None, f"{words}\nГотово"]}]


def test_a_mention_with_a_photo_is_not_lost_with_the_message_that_it_replies_to(group):
    type(group).objects.update(mode="command")
    entities = [{"type": "mention", "offset": 0, "length": 8}]
    write(photo=[{}], caption="@our_bot", caption_entities=entities, reply_to_message=ALERT)
    assert descriptions() == ["Диск\nполон"]
    assert history() == [{"comment": [None, "@our_bot\n[photo] https://t.me/c/1234567890/10"]}]
