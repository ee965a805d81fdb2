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
