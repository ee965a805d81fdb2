"""manage.py run_jobs, as a process of its own on a database of its own."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from time import monotonic, sleep

import pytest
from django.conf import settings


@pytest.fixture
def environment(tmp_path):
    return os.environ | {"DATABASE_URL": f"sqlite:///{tmp_path}/jobs.sqlite3", "LOG_FILE": "-"}


def manage(environment, *arguments):
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, text=True)


def test_jobs_run_and_stop_on_sigterm(environment, tmp_path):
    assert manage(environment, "migrate", "--verbosity=0").wait(120) == 0
    process = manage(environment, "run_jobs")
    try:
        deadline = monotonic() + 60
        with closing(sqlite3.connect(tmp_path / "jobs.sqlite3", timeout=20)) as database:
            while not database.execute("SELECT 1 FROM core_heartbeat WHERE ran_at IS NOT NULL").fetchall():
                assert monotonic() < deadline and process.poll() is None
                sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
    assert "purge_expired_keys" in process.stdout.read()
