"""A channel's post and the copy that Telegram puts into its discussion group are one report."""

import pytest

from telegram import chats
from telegram.models import Card
from tests.helpers.telegram_messages import CHANNEL, message
from tests.helpers.updates import descriptions, history, take, write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
TELEGRAM = {"id": 777000, "is_bot": False, "first_name": "Telegram"}
ORIGIN = {"type": "channel", "chat": CHANNEL, "message_id": 7, "date": 1705314600}


@pytest.fixture
def channel(group, settings):
    settings.TELEGRAM_INTAKE_CHATS += [str(CHANNEL["id"])]
    chats.add_configured()


def post(**fields):
    take("channel_post", message(**{"chat": CHANNEL, "message_id": 7, "text": "Авария", "from": None} | fields))


def copy(**fields):
    copied = {"message_id": 30, "text": "Авария", "from": TELEGRAM, "sender_chat": CHANNEL, "forward_origin": ORIGIN}
    write(**copied | {"is_automatic_forward": True} | fields)


@pytest.mark.parametrize("order", [(post, copy), (copy, post)])
def test_one_report_in_any_order(channel, order):
    for each in order:
        each()
    assert descriptions() == ["Авария"]
    assert Card.objects.get().reply_to == 7


def test_a_reply_to_the_copy_is_a_comment(channel):
    post()
    copy()
    write(message_id=31, text="Едем", reply_to_message={"message_id": 30})
    assert history() == [{"comment": [None, "Едем"]}]


def test_the_copy_of_a_card_is_no_report(channel):
    post()
    Card.objects.update(message_id=8)
    copy(text="№ 1 · Open", forward_origin=ORIGIN | {"message_id": 8})
    assert descriptions() == ["Авария"]


def test_the_copy_of_a_channel_that_is_not_allowed_is_a_report(group):
    copy()
    assert descriptions() == ["Авария"]


@pytest.mark.parametrize("order", [(post, copy), (copy, post)])
def test_albums(channel, order):
    for number in (7, 8):
        for each in order:
            ids = {"message_id": number + 30} if each is copy else {"message_id": number}
            origin = {"forward_origin": ORIGIN | {"message_id": number}} if each is copy else {}
            each(**ids, **origin, text=None, photo=[{}], caption="Авария", media_group_id="a")
    assert descriptions() == ["Авария"]
