"""The file: several processes write it, logrotate moves it, a disk is full; and where lines go by which setting."""

import json
import logging
import os
import stat
import subprocess
import sys

import pytest
from django.conf import settings

from core.log.handlers import JSONLinesHandler

WRITER = """
import logging, sys
import django; django.setup()
for number in range(1000):
    logging.getLogger("x").warning("%s %s", number, "ж" * (number * 7 % 3000))
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


def test_no_line_is_lost_or_torn_while_processes_write_and_the_file_is_rotated(tmp_path):
    path = tmp_path / "logs" / "incidents.log"
    writers = [start(WRITER, LOG_FILE=str(path)) for _ in range(3)]
    rotations = 0
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            rotations += 1
            path.rename(path.with_suffix(f".{rotations}"))
    for writer in writers:
        assert writer.communicate() == ("", "")
    written = [json.loads(line) for file in path.parent.iterdir() for line in file.read_text().splitlines()]
    numbers = [int(line["message"].split()[0]) for line in written]
    assert sorted(numbers) == sorted([*range(1000)] * 3)
    assert rotations > 1


def test_the_file_is_not_for_every_account_of_the_machine(tmp_path):
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
def broken(monkeypatch):
    """Puts a log that cannot be written in the place of the service's own."""

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
def test_a_log_that_cannot_be_written_breaks_no_request_and_is_told_once(api, broken, capsys, path, reason):
    broken(path)
    for _ in range(3):
        assert api.get("/api/v1/incidents/").status_code == 200
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1 and reason in told[0]


def test_a_log_that_was_lost_is_found_again(broken, tmp_path, capsys):
    folder = tmp_path / "logs"
    broken(str(folder / "incidents.log"))
    for occupied in (False, True, False):
        if occupied:
            (folder / "incidents.log").unlink()
            folder.rmdir()
            folder.touch()
        elif folder.is_file():
            folder.unlink()
        logging.getLogger("x").warning("is it there: %s", not occupied)
    assert len((folder / "incidents.log").read_text().splitlines()) == 1
    assert "Cannot write the log" in capsys.readouterr().err


SETUP = "import logging, django; django.setup(); "
WARN = SETUP + "logging.getLogger('x').warning('here')"
WHERE = SETUP + "print(logging.getLogger().handlers[0].baseFilename)"


def test_development_logs_readable_text_on_the_console():
    out, err = output(WARN, DEBUG="True", LOG_FILE="")
    assert (out, err[8:]) == ("", " WARNING x: here\n")


def test_a_container_logs_json_on_standard_output():
    out, err = output(WARN, LOG_FILE="-")
    assert (json.loads(out)["message"], err) == ("here", "")


def test_production_logs_into_a_file():
    assert output(WHERE, LOG_FILE="")[0] == f"{settings.BASE_DIR}/logs/incidents.log\n"
    assert output(WHERE, LOG_FILE="/var/log/x.log")[0] == "/var/log/x.log\n"
