"""Log lines: one for each request, and those of errors and jobs."""

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
    """A function that returns the lines written so far."""
    path = tmp_path / "incidents.log"
    handler = JSONLinesHandler(str(path))
    handler.setFormatter(JSONFormatter())
    for name in ("", "request"):
        monkeypatch.setattr(logging.getLogger(name), "handlers", [handler])
    yield lambda: [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    handler.close()


def test_request_is_one_line(api, lines):
    response = api.get(LIST + "?search=password", headers={"x-request-id": "order-66"})
    (line,) = lines()
    assert line.pop("time").endswith("Z")
    assert line.pop("duration_ms") > 0
    assert line == {
        "level": "INFO",
        "logger": "request",
        "message": f"GET {LIST} 200",
        "request_id": response["X-Request-ID"],
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


def test_line_names_the_user_of_the_admin(client, lines):
    client.force_login(User.objects.create_superuser("chief"))
    client.get("/api/admin/")
    assert [line["user"] for line in lines()] == ["chief"]


@pytest.mark.parametrize("path", ["/api/nothing/", LIST, "/api/v1/incidents/%0aforged/"])
def test_client_error_is_one_info_line(client, lines, path):
    client.get(path)
    assert [line["level"] for line in lines()] == ["INFO"]


def test_crash_is_logged_once_with_its_request(api, lines, monkeypatch):
    monkeypatch.setattr(views, "create_incident", lambda **values: int("password=s3cr3t"))
    api.raise_request_exception = False
    api.post(LIST, {"description": "x", "source": "operator"}, "application/json", headers={"x-request-id": "a1"})
    crash, request = lines()
    assert (crash["level"], request["level"], request["status"]) == ("ERROR", "INFO", 500)
    assert "incidents/views.py" in crash["traceback"] and "ValueError" in crash["traceback"]
    assert (crash["request_id"], crash["user"], crash["path"]) == ("a1", "operator", LIST)
    assert 0 < crash["duration_ms"] <= request["duration_ms"]
    assert "s3cr3t" not in str(crash)


def test_lost_database_is_logged_with_its_traceback_in_the_admin(client, lines, monkeypatch):
    def fail(*args, **kwargs):
        raise OperationalError("connection refused")

    monkeypatch.setattr("django.contrib.auth.views.LoginView.dispatch", fail)
    assert client.get("/api/admin/login/").status_code == 503
    crash, _ = lines()
    assert (crash["level"], "connection refused" in crash["traceback"]) == ("ERROR", True)


def record(message, *args, exc_info=None):
    return logging.LogRecord("x", logging.WARNING, __file__, 1, message, args, exc_info)


def test_line_outside_a_request():
    assert json.loads(JSONFormatter().format(record("%s is %d", "ответ", 42)))["message"] == "ответ is 42"
    assert "ответ" in JSONFormatter().format(record("ответ"))


def test_line_of_a_job():
    with log_context(LogContext("a1", job="purge")):
        line = json.loads(JSONFormatter().format(record("x")))
    assert (line["job"], line["request_id"], "path" in line) == ("purge", "a1", False)


def test_lone_surrogate_is_logged():
    assert json.loads(JSONFormatter().format(record("broken \ud83d name")))["message"] == "broken \ud83d name"


@pytest.mark.parametrize("sent", ["a\n12:00:00 ERROR", "a\r12:00:00", "a\x1b[31m", "a\x85b", "a\u2028b"])
def test_input_cannot_forge_a_console_line(sent):
    with log_context(LogContext("a1", method="GET", path="/")):
        line = ConsoleFormatter().format(record("path %s", sent))
    assert line.isprintable() and len(line.splitlines()) == 1
    assert line.endswith("a1]")


def test_input_cannot_forge_a_line_in_a_traceback():
    try:
        raise ValueError("a\n12:00:00 ERROR forged\x1b[31m")
    except ValueError as exc:
        text = ConsoleFormatter().format(record("x", exc_info=(ValueError, exc, exc.__traceback__)))
    rest = text.splitlines()[1:]
    assert rest[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") and line.isprintable() for line in rest)
