"""The log file: concurrent writers, rotation, a full disk; and where LOG_FILE sends the lines."""

import json
import logging
import os
import stat
import subprocess
import sys
from itertools import chain

import pytest
from django.conf import settings

from core.log.handlers import JSONLinesHandler
from tests.helpers.servers import wait_until

WRITER = """
import itertools, logging, os, sys
import django; django.setup()
for number in itertools.count():
    logging.getLogger("x").warning("%s %s", number, "ж" * (number * 7 % 3000))
    if os.path.exists("{stop}"):
        break
print(number + 1)
"""


def start(code, **environment):
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output(code, **environment):
    process = start(code, **environment)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out, err


@pytest.mark.slow
def test_rotation_under_concurrent_writers_loses_and_tears_no_line(tmp_path):
    path, stop = tmp_path / "logs" / "incidents.log", tmp_path / "stop"
    writers = [start(WRITER.format(stop=stop), LOG_FILE=str(path)) for _ in range(3)]
    for rotation in range(100):
        wait_until(path.exists)
        path.rename(path.with_suffix(f".{rotation}"))
    stop.touch()
    written = [range(int(writer.communicate()[0])) for writer in writers]
    lines = [json.loads(line) for file in path.parent.iterdir() for line in file.read_text().splitlines()]
    assert sorted(int(line["message"].split()[0]) for line in lines) == sorted(chain(*written))


def test_file_is_not_world_readable(tmp_path):
    path = tmp_path / "logs" / "incidents.log"
    old = os.umask(0)
    try:
        handler = JSONLinesHandler(str(path))
        handler.emit(logging.makeLogRecord({"msg": "x"}))
        handler.close()
    finally:
        os.umask(old)
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o640, 0o750)


@pytest.fixture
def log_to(monkeypatch):
    """Replaces the service's log with a file at a given path."""

    def use(path):
        handler = JSONLinesHandler(path)
        for name in ("", "request"):
            monkeypatch.setattr(logging.getLogger(name), "handlers", [handler])
        return handler

    return use


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "reason"), [("/dev/full", "No space left"), ("/dev/null/incidents.log", "File exists")]
)
def test_unwritable_log_fails_no_request_and_is_reported_once(api, log_to, capsys, path, reason):
    log_to(path)
    for _ in range(3):
        assert api.get("/api/v1/incidents/").status_code == 200
    reported = capsys.readouterr().err.splitlines()
    assert len(reported) == 1 and reason in reported[0]


def test_log_is_reopened_once_its_folder_is_back(log_to, tmp_path, capsys):
    folder = tmp_path / "logs"
    log_to(str(folder / "incidents.log"))
    for occupied in (False, True, False):
        if occupied:
            (folder / "incidents.log").unlink()
            folder.rmdir()
            folder.touch()
        elif folder.is_file():
            folder.unlink()
        logging.getLogger("x").warning("writable: %s", not occupied)
    assert len((folder / "incidents.log").read_text().splitlines()) == 1
    assert "Cannot write the log" in capsys.readouterr().err


SETUP = "import logging, django; django.setup(); "
WARN = SETUP + "logging.getLogger('x').warning('here')"
WHERE = SETUP + "print(logging.getLogger().handlers[0].baseFilename)"


def test_development_logs_readable_text_on_the_console():
    out, err = output(WARN, DEBUG="True", LOG_FILE="")
    assert (out, err[8:]) == ("", " WARNING x: here\n")


def test_container_logs_json_on_standard_output():
    out, err = output(WARN, LOG_FILE="-")
    assert (json.loads(out)["message"], err) == ("here", "")


def test_production_logs_into_a_file():
    assert output(WHERE, LOG_FILE="")[0] == f"{settings.BASE_DIR}/logs/incidents.log\n"
    assert output(WHERE, LOG_FILE="/var/log/x.log")[0] == "/var/log/x.log\n"
