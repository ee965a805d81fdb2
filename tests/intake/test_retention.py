"""Deliveries without faults are deleted after DELIVERY_RETENTION_DAYS; what was made of them stays."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from intake import inbox
from intake.models import Delivery, Episode
from tests.helpers.intake import alert, resolved, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def age(days):
    Delivery.objects.update(received_at=timezone.now() - timedelta(days=days))


def test_old_deliveries_without_faults_are_deleted(alertmanager, settings):
    settings.DELIVERY_RETENTION_DAYS = 7
    alertmanager.alerts(alert())
    faulty = alertmanager.alerts("bad")
    alertmanager.alerts(resolved("unknown"))
    age(6)
    assert inbox.purge_old_deliveries() is False
    assert Delivery.objects.count() == 3
    age(8)
    inbox.purge_old_deliveries()
    assert Delivery.objects.get() == faulty


def test_a_pending_delivery_is_never_deleted(alertmanager):
    inbox.replay([alertmanager.alerts(alert()).pk])
    age(1000)
    inbox.purge_old_deliveries()
    assert Delivery.objects.exists()


def test_episodes_go_on_without_their_deliveries(alertmanager):
    alertmanager.alerts(alert("A"), alert("B"))
    alertmanager.alerts(resolved("B"))
    age(1000)
    inbox.purge_old_deliveries()
    alertmanager.alerts(alert("A"), resolved("A"), alert("B", "11:00:00"))
    assert (statuses(), Episode.objects.count()) == (["resolved", "resolved", "open"], 3)


def test_batches_are_bounded_and_read_no_bodies(alertmanager, monkeypatch):
    monkeypatch.setattr(inbox, "PURGE_BATCH", 2)
    for _ in range(3):
        alertmanager.alerts(alert())
    age(1000)
    with CaptureQueriesContext(connection) as context:
        assert [inbox.purge_old_deliveries(), inbox.purge_old_deliveries()] == [True, False]
    assert not any('"body"' in query["sql"] for query in context)
    assert not Delivery.objects.exists()
