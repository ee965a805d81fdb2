"""Posts to the webhook at the same time."""

import json

import pytest
from django.test import Client

from intake import inbox
from tests.helpers.concurrency import at_once
from tests.helpers.telegram_messages import message
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
