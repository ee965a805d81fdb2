"""The response to the press of a button."""

import pytest

from telegram.sending import sender
from tests.helpers.updates import wait_for_answers


def answer_callback_query(callback_id, text):
    sender.answer_callback_query(callback_id, text)
    wait_for_answers()


@pytest.fixture
def query(telegram_api):
    return telegram_api.press({"message_id": 1}, "1:5:open:closed", {"id": 7})


def test_the_presser_is_told_at_once(telegram_api, query):
    answer_callback_query(query, "😀" * 300)
    (answer,) = telegram_api.answers
    assert answer["callback_query_id"] == query
    assert 90 < len(answer["text"]) <= 200


def test_too_late_is_no_fault(telegram_api, query, caplog):
    telegram_api.queries.clear()
    answer_callback_query(query, "Closed")
    assert caplog.records == []


def test_a_fault_is_logged_and_raises_nothing(telegram_api, query, caplog):
    telegram_api.fail("answerCallbackQuery", 502)
    answer_callback_query(query, "Closed")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
