"""How many messages Telegram takes."""

import pytest

from telegram.bot_api import client


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1000.0

    monkeypatch.setattr(client, "monotonic", lambda: Clock.now)
    return Clock


def sent_in(seconds, chats, clock):
    """How many messages are let through, the clock moving on by tenths of a second."""
    limiter, sent = client.Limiter(), []
    for _ in range(seconds * 10):
        for chat in chats:
            if limiter.free_at(chat) <= clock.now:
                limiter.note(chat)
                sent.append(chat)
        clock.now = round(clock.now + 0.1, 1)
    return len(sent)


@pytest.mark.parametrize(("chat", "number"), [(7000000001, 59), (-1001234567890, 20), ("-5", 20), ("@incidents", 20)])
def test_of_a_chat_and_of_a_group(clock, chat, number):
    assert sent_in(59, [chat], clock) == number


def test_of_all_chats(clock):
    assert sent_in(2, range(1, 100), clock) == 60
