"""Concurrent job runners. PostgreSQL only: SQLite has one writer at a time."""

from datetime import timedelta

import pytest

from core import jobs
from core.models import Heartbeat
from tests.helpers.concurrency import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_of_eight_runners_runs_a_due_job():
    steps = []
    job = jobs.Job("test", lambda: steps.append(1) or False, every=timedelta(hours=1))
    for number in range(1, 11):
        Heartbeat.objects.all().delete()
        Heartbeat.objects.create(job="test")
        at_once(*[lambda: jobs.Runner().run_if_due(job)] * 8)
        assert len(steps) == number
