"""Answers are sent beside the work that gave rise to them, a bounded number at a time."""

import threading

import pytest

from telegram.sending import answers
from tests.helpers.telegram_messages import ANNA
from tests.helpers.updates import wait_for_answers


@pytest.fixture
def slow(telegram_api, monkeypatch):
    """Telegram takes no message until the event is set."""
    telegram_api.add_chat({"id": ANNA["id"], "type": "private"})
    released = threading.Event()
    monkeypatch.setattr(telegram_api, "_send_message", lambda params: released.wait(10))
    yield released
    released.set()
    wait_for_answers()


def send(recipient, text):
    answers.send(recipient, "sendMessage", {"chat_id": recipient, "text": text})


def texts(api):
    return [call["text"] for call in api.called("sendMessage")]


def test_of_several_answers_to_one_recipient_the_last_counts(telegram_api, slow):
    send(1, "a")
    telegram_api.wait_for(lambda: telegram_api.called("sendMessage"))
    for text in "bcd":
        send(1, text)
    slow.set()
    wait_for_answers()
    assert texts(telegram_api) == ["a", "d"]


def test_no_more_than_a_number_are_under_way(telegram_api, slow, monkeypatch, caplog):
    monkeypatch.setattr(answers, "MAX_THREADS", 3)
    for recipient in range(5):
        send(recipient, "x")
    slow.set()
    wait_for_answers()
    assert len(texts(telegram_api)) == 3
    assert len(caplog.messages) == 2
    send(9, "y")
    wait_for_answers()
    assert texts(telegram_api)[-1] == "y"


def test_a_failure_is_logged_and_keeps_nothing_back(telegram_api, slow, caplog):
    slow.set()
    telegram_api.fail("sendMessage", 403, "bot was blocked by the user")
    for text in "ab":
        send(1, text)
        wait_for_answers()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert texts(telegram_api) == ["a", "b"]
