"""What Prometheus is told of webhooks."""

from ipaddress import ip_network

import pytest
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from tests.helpers.incidents import make_incident
from tests.helpers.receiver import run, subscribe
from webhooks.models import Event, Subscription

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def samples(client, settings):
    settings.METRICS_NETWORKS = [ip_network("127.0.0.0/8")]

    def read():
        families = text_string_to_metric_families(client.get("/api/metrics").content.decode())
        return {
            "_".join((sample.name, *sample.labels.values())): sample.value
            for family in families
            for sample in family.samples
            if sample.name.startswith("webhook")
        }

    return read


def test_nothing_yet(db, samples):
    assert samples() == {
        "webhook_events_pending": 0,
        "webhook_events_failed": 0,
        "webhook_subscriptions_sending": 0,
        "webhook_subscriptions_failing": 0,
        "webhook_subscriptions_resting": 0,
        "webhook_subscriptions_inactive": 0,
        "webhook_oldest_unsent_seconds": 0,
    }


def test_events(hook, receiver, clock, samples):
    receiver.statuses = [204, 500]
    for _ in range(3):
        make_incident()
    run()
    Event.objects.filter(state="pending").update(state="failed")
    receiver.status = 500
    make_incident()
    run()
    clock.forward(minutes=2)
    told = samples()
    assert (told["webhook_events_pending"], told["webhook_events_failed"]) == (1, 1)
    assert told["webhook_oldest_unsent_seconds"] == 120


def test_subscriptions(hook, samples):
    now = timezone.now()
    subscribe(hook.url, is_active=False, failing_since=now)
    subscribe(hook.url, paused_since=now, failing_since=now)
    subscribe(hook.url, failing_since=now)
    subscribe(hook.url)
    told = samples()
    states = ("sending", "failing", "resting", "inactive")
    assert [told[f"webhook_subscriptions_{state}"] for state in states] == [2, 1, 1, 1]


def test_events_of_subscriptions_at_rest_are_not_late(hook, receiver, clock, samples):
    receiver.status = 410
    make_incident()
    run()
    clock.forward(hours=1)
    assert samples()["webhook_oldest_unsent_seconds"] == 0
    Subscription.objects.get().resume()
    assert samples()["webhook_oldest_unsent_seconds"] == 3600
