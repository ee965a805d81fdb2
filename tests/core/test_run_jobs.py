"""manage.py run_jobs in its own process, on its own SQLite database."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
from django.conf import settings

from tests.helpers.servers import wait_until


@pytest.fixture
def environment(tmp_path):
    return os.environ | {"DATABASE_URL": f"sqlite:///{tmp_path}/jobs.sqlite3", "LOG_FILE": "-"}


def start(environment, *arguments):
    command = [sys.executable, *arguments]
    return subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_jobs_run_and_stop_on_sigterm(environment, tmp_path):
    assert start(environment, "manage.py", "migrate", "--verbosity=0").wait(120) == 0
    process = start(environment, "manage.py", "run_jobs")
    try:
        with closing(sqlite3.connect(tmp_path / "jobs.sqlite3", timeout=20)) as database:
            ran = "SELECT 1 FROM core_heartbeat WHERE ran_at IS NOT NULL"
            wait_until(lambda: database.execute(ran).fetchall() or process.poll() is not None, seconds=60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
    assert "purge_expired_keys" in process.stdout.read()


DYING = """
import sys, django
django.setup()
from datetime import timedelta
from django.core.management import ManagementUtility
from core import jobs
from core.models import Heartbeat
Heartbeat.objects.get_or_create(job="dies")
jobs.registered = {"dies": jobs.Job("dies", lambda: sys.exit(), every=timedelta(hours=1))} | jobs.registered
ManagementUtility(["manage.py", "run_jobs"]).execute()
"""


@pytest.mark.slow
def test_process_ends_with_a_failure_if_the_thread_of_a_job_ends(environment):
    assert start(environment, "manage.py", "migrate", "--verbosity=0").wait(120) == 0
    process = start(environment, "-c", DYING)
    assert process.wait(60) == 1
    assert "The thread of the job dies ends" in process.stdout.read()


@pytest.mark.slow
def test_heartbeat_goes_on_while_the_database_is_away(environment, tmp_path):
    environment["DATABASE_URL"] = "postgres://operator@127.0.0.1:1/none"
    file = tmp_path / "heartbeat"
    process = start(environment, "manage.py", "run_jobs", "--heartbeat", file)
    try:
        for _ in range(2):
            wait_until(file.exists, seconds=60)
            file.unlink()
    finally:
        process.kill()
