"""Processes at the same instant, on real connections: PostgreSQL alone, since SQLite has one writer at a time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.db import connections

from core import jobs
from core.models import Heartbeat

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_of_many_processes_runs_a_job():
    steps = []
    job = jobs.Job("test", lambda: steps.append(1) or False, every=timedelta(hours=1))
    for number in range(1, 11):
        Heartbeat.objects.all().delete()
        Heartbeat.objects.create(job="test")
        barrier = Barrier(8)

        def run(barrier=barrier):
            try:
                barrier.wait()
                jobs.Runner().run_if_due(job)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(8) as pool:
            for future in [pool.submit(run) for _ in range(8)]:
                future.result()
        assert len(steps) == number
