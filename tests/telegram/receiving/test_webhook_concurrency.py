"""Posts to the webhook at the same time."""

import json
from threading import Thread
from time import monotonic, sleep

import pytest
from django.db import connection, connections, transaction
from django.test import Client

from intake import inbox
from telegram import chats
from telegram.models import Chat
from tests.helpers.concurrency import at_once
from tests.helpers.telegram_messages import GROUP, message
from tests.helpers.updates import descriptions

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def webhook(group, settings):
    settings.TELEGRAM_WEBHOOK_SECRET = "s3cr3t"


def post(update):
    client = Client(headers={"X-Telegram-Bot-Api-Secret-Token": "s3cr3t"})
    return client.post("/api/v1/intake/telegram/", json.dumps(update), "application/json").status_code


def test_the_same_post_is_one_incident():
    update = {"update_id": 5, "message": message(text="x")}
    assert at_once(*[lambda: post(update)] * 3) == [200, 200, 200]
    assert descriptions() == ["x"]


def test_the_parts_of_an_album_are_one_incident():
    parts = [
        {"update_id": number, "message": message(message_id=number, photo=[{}], media_group_id="a")}
        for number in range(1, 5)
    ]
    assert at_once(*(lambda part=part: post(part) for part in parts)) == [200] * 4
    inbox.process_pending()
    assert len(descriptions()) == 1


def _wait_for_a_lock():
    end = monotonic() + 10
    while monotonic() < end:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
        sleep(0.05)
    pytest.fail("nothing waits")


def test_a_message_that_waits_while_its_chat_is_merged_into_another(group):
    old = chats.add(group.bot_id, -4001).chat
    Chat.objects.filter(pk=old.pk).update(allowed=True, language="en")

    post({"update_id": 5, "message": message(text="first")})

    def write():
        try:
            post({"update_id": 6, "message": message(message_id=11, text="second")})
        finally:
            connections.close_all()

    thread = Thread(target=write)
    with transaction.atomic():
        chats.migrate(group.bot_id, -4001, GROUP["id"])
        thread.start()
        _wait_for_a_lock()
    thread.join(10)
    assert descriptions() == ["first", "second"]
    assert not Chat.objects.filter(pk=group.pk).exists()
