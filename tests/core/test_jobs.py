"""Jobs: leases, retries with backoff, heartbeats."""

import threading
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.db.models.functions import Now

from core import jobs
from core.models import Heartbeat
from tests.helpers.servers import wait_until

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def steps(monkeypatch):
    """Results of the steps of the job "test" so far. The next step returns or raises the first of `steps.results`."""

    class Steps(list):
        results = ()

    steps = Steps()

    def step():
        result, *steps.results = steps.results or [False]
        steps.append(result)
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(jobs, "registered", {"test": jobs.Job("test", step, every=timedelta(hours=1))})
    Heartbeat.objects.create(job="test")
    return steps


def run(runner=None):
    (runner or jobs.Runner()).run_if_due(jobs.registered["test"])


def due(**changes):
    return Heartbeat.objects.filter(job="test").update(due_at=Now() - timedelta(minutes=10), **changes)


def test_job_runs_until_no_work_is_left_and_again_when_due(steps):
    steps.results = [True, True, False]
    run()
    run()
    assert steps == [True, True, False]
    due()
    run()
    assert len(steps) == 4


def test_new_job_gets_a_heartbeat_row(steps):
    Heartbeat.objects.all().delete()
    run()
    run()
    assert (steps, Heartbeat.objects.get().ran_at is not None) == ([False], True)


def test_leased_job_is_skipped_until_the_lease_expires(steps):
    due(holder="another", expires_at=Now() + timedelta(seconds=30))
    run()
    assert steps == []
    due(expires_at=Now() - timedelta(seconds=1))  # the other process was killed
    run()
    assert steps == [False]


def test_process_that_lost_its_lease_stops(steps, caplog):
    runner = jobs.Runner()
    runner.holder = "slow"
    job = jobs.registered["test"]

    def step():
        steps.append(True)
        Heartbeat.objects.update(holder="another")
        return True

    jobs.registered["test"] = jobs.Job("test", step, job.every)
    run(runner)
    assert steps == [True]
    assert "The lease was lost" in caplog.text
    assert Heartbeat.objects.get().holder == "another"


def test_failure_is_logged_and_retried_with_backoff(steps, caplog):
    steps.results = [ValueError("broken"), ValueError("broken")]
    run()
    run()
    assert len(steps) == 1 and "broken" in caplog.text
    assert Heartbeat.objects.filter(failures=1, due_at__gt=Now(), due_at__lt=Now() + timedelta(seconds=11)).exists()
    due()
    run()
    assert Heartbeat.objects.filter(failures=2, due_at__gt=Now() + timedelta(seconds=5)).exists()
    due()
    run()
    assert Heartbeat.objects.get().failures == 0


def test_a_step_that_another_system_keeps_from_its_work_is_a_warning(steps, caplog):
    steps.results = [jobs.NotNowError("Telegram is away")]
    run()
    (record,) = caplog.records
    assert (record.levelname, record.exc_info) == ("WARNING", None) and "Telegram is away" in record.message
    assert Heartbeat.objects.filter(failures=1, due_at__gt=Now(), ran_at=None).exists()


def test_lost_database_is_not_counted_as_a_failure_of_the_job(steps):
    steps.results = [OperationalError("gone")]
    with pytest.raises(OperationalError):
        run()
    assert Heartbeat.objects.get().failures == 0


def test_stopping_process_releases_its_lease_after_the_step(steps):
    steps.results = [True, True]
    runner = jobs.Runner()
    runner.stopping.set()
    run(runner)
    assert steps == [True]
    run()
    assert steps == [True, True, False]


def test_a_job_that_keeps_failing_is_late(steps):
    Heartbeat.objects.update(failures=5)
    assert jobs.late() == []
    steps.results = [RuntimeError("x")]
    run()
    assert jobs.late() == ["test"]
    due()
    run()
    assert jobs.late() == []


def test_late_jobs_are_named(steps):
    assert jobs.late() == []
    due()
    assert jobs.late() == ["test"]
    due(expires_at=Now() + timedelta(seconds=30))
    assert jobs.late() == []
    Heartbeat.objects.all().delete()
    assert jobs.late() == ["test"]


def test_thread_that_hangs_stops_the_heartbeat(monkeypatch):
    hangs = threading.Event()
    job = jobs.Job("hangs", hangs.wait, every=timedelta(hours=1))
    monkeypatch.setattr(jobs, "registered", {"hangs": job})
    monkeypatch.setattr(jobs, "STUCK_SECONDS", 0.2)
    monkeypatch.setattr(jobs.Runner, "run_if_due", lambda runner, job: job.step())
    runner = jobs.Runner()
    assert runner.is_turning()
    runner.start()
    wait_until(lambda: not runner.is_turning())
    runner.stopping.set()
    hangs.set()
    runner.stop()
    assert runner.failed == []


@pytest.mark.parametrize("error", [SystemExit, MemoryError, KeyboardInterrupt, AttributeError])
def test_end_of_a_thread_ends_the_others(monkeypatch, caplog, error):
    def run_if_due(runner, job):
        raise error

    monkeypatch.setattr(jobs.Runner, "run_if_due", run_if_due)
    runner = jobs.Runner()
    runner.start()
    assert runner.stopping.wait(20)
    runner.stop()
    assert runner.failed and not any(thread.is_alive() for thread in runner.threads)
    assert f"The thread of the job {runner.failed[0]} ends" in caplog.text
