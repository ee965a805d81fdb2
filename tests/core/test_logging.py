"""What a line says of its request, over HTTP."""

import json
import logging

import pytest
from django.db import OperationalError

from core.log.context import LogContext, log_context
from core.log.formatters import ConsoleFormatter, JSONFormatter
from core.log.handlers import JSONLinesHandler
from identity.models import User
from incidents import views

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

LIST = "/api/v1/incidents/"


@pytest.fixture
def lines(tmp_path, monkeypatch):
    """Gives the lines that were written so far."""
    path = tmp_path / "incidents.log"
    handler = JSONLinesHandler(str(path))
    handler.setFormatter(JSONFormatter())
    for name in ("", "request"):
        monkeypatch.setattr(logging.getLogger(name), "handlers", [handler])
    yield lambda: [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    handler.close()


def test_the_line_of_a_request(api, lines):
    answer = api.get(LIST + "?search=password", headers={"x-request-id": "order-66"})
    (line,) = lines()
    assert line.pop("time").endswith("Z")
    assert line.pop("duration_ms") > 0
    assert line == {
        "level": "INFO",
        "logger": "request",
        "message": f"GET {LIST} 200",
        "request_id": answer["X-Request-ID"],
        "user": "operator",
        "method": "GET",
        "path": LIST,
        "status": 200,
    }


def test_secrets_of_a_request_are_not_logged(api, lines):
    api.post("/api/identity/auth/jwt/create/?token=s3cr3t", {"username": "x", "password": "s3cr3t"}, "application/json")
    api.get(LIST, headers={"authorization": "Bearer s3cr3t", "cookie": "sessionid=s3cr3t"})
    assert [line["status"] for line in lines()] == [401, 401]
    assert "s3cr3t" not in str(lines())


def test_who_uses_the_admin_is_named(client, lines):
    client.force_login(User.objects.create_superuser("chief"))
    client.get("/api/admin/")
    assert [line["user"] for line in lines()] == ["chief"]


@pytest.mark.parametrize("path", ["/api/nothing/", LIST, "/api/v1/incidents/%0aforged/"])
def test_a_fault_of_the_client_is_one_quiet_line(client, lines, path):
    client.get(path)
    assert [line["level"] for line in lines()] == ["INFO"]


def test_a_crash_is_logged_once_with_its_request(api, lines, monkeypatch):
    monkeypatch.setattr(views, "create_incident", lambda **values: int("password=s3cr3t"))
    api.raise_request_exception = False
    api.post(LIST, {"description": "x", "source": "operator"}, "application/json", headers={"x-request-id": "a1"})
    crash, request = lines()
    assert (crash["level"], request["level"], request["status"]) == ("ERROR", "INFO", 500)
    assert "incidents/views.py" in crash["traceback"] and "ValueError" in crash["traceback"]
    assert (crash["request_id"], crash["user"], crash["path"]) == ("a1", "operator", LIST)
    assert 0 < crash["duration_ms"] <= request["duration_ms"]
    assert "s3cr3t" not in str(crash)


def test_a_lost_database_is_logged_with_its_traceback_in_the_admin_too(client, lines, monkeypatch):
    def fail(*args, **kwargs):
        raise OperationalError("connection refused")

    monkeypatch.setattr("django.contrib.auth.views.LoginView.dispatch", fail)
    assert client.get("/api/admin/login/").status_code == 503
    crash, _ = lines()
    assert (crash["level"], "connection refused" in crash["traceback"]) == ("ERROR", True)


def record(message, *args, exc_info=None):
    return logging.LogRecord("x", logging.WARNING, __file__, 1, message, args, exc_info)


def test_a_line_outside_a_request():
    assert json.loads(JSONFormatter().format(record("%s is %d", "ответ", 42)))["message"] == "ответ is 42"
    assert "ответ" in JSONFormatter().format(record("ответ"))


def test_a_line_of_a_job():
    with log_context(LogContext("a1", job="purge")):
        line = json.loads(JSONFormatter().format(record("x")))
    assert (line["job"], line["request_id"], "path" in line) == ("purge", "a1", False)


def test_what_is_no_unicode_is_logged_all_the_same():
    assert json.loads(JSONFormatter().format(record("broken \ud83d name")))["message"] == "broken \ud83d name"


@pytest.mark.parametrize("sent", ["a\n12:00:00 ERROR", "a\r12:00:00", "a\x1b[31m", "a\x85b", "a\u2028b"])
def test_what_is_sent_cannot_forge_a_line_on_the_console(sent):
    with log_context(LogContext("a1", method="GET", path="/")):
        line = ConsoleFormatter().format(record("path %s", sent))
    assert line.isprintable() and len(line.splitlines()) == 1
    assert line.endswith("a1]")


def test_nor_in_a_traceback():
    try:
        raise ValueError("a\n12:00:00 ERROR forged\x1b[31m")
    except ValueError as exc:
        text = ConsoleFormatter().format(record("x", exc_info=(ValueError, exc, exc.__traceback__)))
    rest = text.splitlines()[1:]
    assert rest[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") and line.isprintable() for line in rest)
