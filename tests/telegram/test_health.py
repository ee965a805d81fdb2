"""`ready/` tells when Telegram was last asked for updates, where it is."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core.models import Heartbeat

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def ready(client):
    response = client.get("/api/health/ready/")
    assert response.status_code == 200
    return response.json()["details"]


@pytest.fixture
def polled(settings):
    """A function that sets the age of the last poll."""
    settings.TELEGRAM_BOT_TOKEN = "1:x"

    def poll(**age):
        ran_at = timezone.now() - timedelta(**age)
        Heartbeat.objects.update_or_create(job="telegram_poll", defaults={"ran_at": ran_at})
        return ran_at.strftime("%Y-%m-%dT%H:%M:%SZ")

    return poll


@pytest.mark.parametrize(("minutes", "state"), [(0, "ok"), (4.9, "ok"), (5.1, "late"), (60 * 24, "late")])
def test_polls(client, polled, minutes, state):
    at = polled(minutes=minutes)
    assert ready(client) == {"telegram": {"state": state, "last_poll_at": at}}


def test_before_the_first_poll(client, polled):
    assert ready(client) == {"telegram": {"state": "late", "last_poll_at": None}}


def test_without_a_bot_or_with_a_webhook(client, polled, settings):
    polled()
    settings.TELEGRAM_WEBHOOK_URL = "https://example.org/api/v1/intake/telegram/"
    assert ready(client) == {}
    settings.TELEGRAM_BOT_TOKEN = settings.TELEGRAM_WEBHOOK_URL = ""
    assert ready(client) == {}
