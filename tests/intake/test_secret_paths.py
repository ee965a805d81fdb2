"""What stands behind intake in a path is masked in the log, unless it is the name of a sender."""

import logging

import pytest
from django.db import OperationalError

from core.log.formatters import JSONFormatter
from core.log.redaction import redact
from intake.models import Sender
from tests.helpers.wsgi import wsgi_request

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

PATHS = [  # percent-decoded once by the server
    "/api/v1/intake/s3cr3t",
    "/api/v1/intake/s3cr3t/",
    "/api/v1/intake/probe/s3cr3t",
    "/api/v1/intake/probe/s3cr3t/more/s3cr3t",
    "/api/v1/intake/unknown/s3cr3t/",
    "/api/v1/intake/telegram/s3cr3t",
    "/api/v1/intake//s3cr3t/",
    "/api/v1/intake//probe//s3cr3t/",
    "//api//v1//intake/probe/s3cr3t",
    "/api/v1/INTAKE/probe/s3cr3t/",
    "/api/v1/Intake/s3cr3t",
    "/API/V1/INTAKE/s3cr3t",
    "/api/v1/%69ntake/probe/s3cr3t",
    "/api/v1/%2549NTAKE/probe/s3cr3t",
    "/api/v1/intake%2Fprobe%2Fs3cr3t",
    "/api/v1/intake/probe%2Fs3cr3t",
    "/api/v1/intake/a name/s3cr3t",
    "/api/v1/intake/a\nname/s3cr3t",
    '/api/v1/intake/a"name/s3cr3t',
    "/api/v1/intake s3cr3t",
    "/api/v1/intake;s3cr3t",
    "/api/v1/intakes3cr3t",
    "/intake/probe/s3cr3t",
    "/api/intake/s3cr3t",
]


@pytest.fixture
def log(caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("request"), "propagate", True)
    monkeypatch.setattr(logging.getLogger("django.security"), "propagate", True)
    caplog.handler.setFormatter(JSONFormatter())
    return caplog


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_secret_is_masked(alertmanager, log, method, path):
    assert wsgi_request(method, path.replace("probe", alertmanager.sender.name)).status_code in (401, 404, 405)
    assert "***" in log.text and "s3cr3t" not in log.text


@pytest.mark.parametrize("rest", ["", "/s3cr3t", "/s3cr3t/"])
@pytest.mark.parametrize("right", [True, False])
def test_name_of_a_sender_is_logged(alertmanager, log, right, rest):
    name, secret = alertmanager.sender.name, alertmanager.secret if right else "s3cr3t"
    authorization = {} if rest else {"HTTP_AUTHORIZATION": f"Bearer {secret}"}
    response = wsgi_request("POST", f"/api/v1/intake/{name}{rest.replace('s3cr3t', secret)}", b"{}", **authorization)
    assert response.status_code == (200 if right else 401)
    assert f'"/api/v1/intake/{name}{"/***" if rest else ""}"' in log.text
    assert secret not in log.text


@pytest.mark.parametrize("path", ["/api/v1/intake/telegram", "/api/v1/intake/telegram/", "/api/admin/intake/sender/1/"])
def test_other_paths_are_logged_whole(log, path):
    wsgi_request("GET", path)
    assert f'"{path}"' in log.text


def test_secret_in_a_referrer_is_masked(log):
    referrer = "https://evil.example/api/v1/intake/probe/s3cr3t"
    environ = {"HTTP_REFERER": referrer, "wsgi.url_scheme": "https", "HTTP_COOKIE": f"csrftoken={'a' * 32}"}
    assert wsgi_request("POST", "/api/admin/login/", b"", **environ).status_code == 403
    assert "Referer" in log.text and "s3cr3t" not in log.text


def test_secret_is_masked_while_the_database_is_away(alertmanager, log, monkeypatch):

    def away(*args, **kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(Sender.objects, "filter", away)
    for path in ("/api/v1/intake/probe/s3cr3t", "/api/v1/intake/s3cr3t"):
        wsgi_request("POST", path, b"{}", HTTP_AUTHORIZATION="Bearer s3cr3t")
    assert "s3cr3t" not in log.text


@pytest.mark.parametrize(
    "line",
    [
        '  File "/app/intake/views.py", line 60, in post',
        '  File "/app/intake/parsers/reading.py", line 6, in read',
        "intake/templates/admin/intake/sender.html",
        "intake.inbox: 3 deliveries",
    ],
)
def test_files_of_a_traceback_are_shown(line):
    assert redact(line) == line
