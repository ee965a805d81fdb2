"""A client that asks for what was updated since its last question misses no report, however late that came."""

from datetime import timedelta

import pytest
from django.utils import timezone

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.mark.parametrize("hours", [2, -2], ids=["two hours ago", "in two hours, by the sender's clock"])
def test_alert_is_listed_whenever_it_began(api, alertmanager, hours):
    asked, starts = timezone.now(), timezone.now() - timedelta(hours=hours)
    alertmanager.alerts({"status": "firing", "labels": {"alertname": "A"}, "startsAt": starts.isoformat()})
    (listed,) = api.get("/api/v1/incidents/", {"updated_after": asked.isoformat()}).json()["results"]
    assert (listed["created_at"] < f"{asked:%Y-%m-%dT%H:%M:%SZ}") == (hours > 0)
    assert listed["created_at"] <= listed["updated_at"] <= f"{timezone.now():%Y-%m-%dT%H:%M:%SZ}"
