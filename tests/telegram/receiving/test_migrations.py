"""A group and the supergroup that it became are one chat."""

import pytest

from telegram import chats
from telegram.models import Card, Chat
from tests.helpers.telegram_messages import BOT, GROUP
from tests.helpers.updates import again, descriptions, press, take, write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
OLD = {"id": -4001, "type": "group", "title": "Ops"}
BOT_ID = 110201543


@pytest.fixture(params=["configured", "allowed in the admin"])
def old_group(request, group, settings):
    """An allowed group that has no supergroup yet, with one report and its card."""
    Chat.objects.all().delete()
    settings.TELEGRAM_INTAKE_CHATS = ["-4001"] if request.param == "configured" else []
    chat = chats.add(BOT_ID, OLD["id"]).chat
    Chat.objects.update(allowed=request.param != "configured", language="en")
    first = write(chat=OLD, text="Насос", message_id=10)
    Card.objects.update(message_id=11, due_at=None, state="shown")
    chat.refresh_from_db()
    return chat, first


def in_old():
    write(chat=OLD, message_id=12, migrate_to_chat_id=GROUP["id"])


def in_new():
    write(message_id=1, migrate_from_chat_id=OLD["id"])


@pytest.mark.parametrize("signs", [[in_old], [in_new], [in_old, in_new], [in_new, in_old]])
def test_each_sign_is_enough_in_any_order(old_group, signs):
    chat, first = old_group
    for sign in signs:
        sign()
    write(message_id=10, text="Течь")  # the supergroup's own number 10
    again(first)
    assert descriptions() == ["Насос", "Течь"]
    assert set(Card.objects.values_list("chat", flat=True)) == {chat.pk}
    assert Chat.objects.get().telegram_id == GROUP["id"]


def test_the_refusal_of_a_call_is_a_sign_too(old_group):
    chats.migrate(BOT_ID, OLD["id"], GROUP["id"])
    chats.migrate(BOT_ID, OLD["id"], GROUP["id"])
    write(message_id=2, text="Течь")
    assert descriptions() == ["Насос", "Течь"]


def test_a_supergroup_that_was_seen_before_its_origin_is_joined(old_group):
    added = {"chat": GROUP, "date": 1705314600, "new_chat_member": {"status": "administrator"}}
    take("my_chat_member", added)
    assert Chat.objects.count() == 2
    in_new()
    chat = Chat.objects.get()
    assert (chat.telegram_id, chat.membership, chats.is_allowed(chat)) == (GROUP["id"], "administrator", True)


def test_cards_of_the_group_are_out_of_reach_and_work_still(old_group):
    in_old()
    assert Card.objects.get().message_id == -11
    press(f"1:{Card.objects.get().incident_id}:open:closed", chat=OLD)
    assert Card.objects.get().incident.status == "closed"


def test_a_supergroups_message_is_no_reply_to_the_groups(old_group):
    in_old()
    write(message_id=20, text="x", reply_to_message={"message_id": 11, "chat": GROUP})
    assert descriptions() == ["Насос", "x"]


def test_a_group_that_is_not_known_stays_so(group):
    Chat.objects.all().delete()
    chats.migrate(BOT_ID, -4001, -4002)
    assert not Chat.objects.exists()


def test_bots_are_kept_apart(old_group):
    chats.migrate(BOT["id"], OLD["id"], GROUP["id"])
    assert Chat.objects.get(bot_id=BOT_ID).telegram_id == OLD["id"]
