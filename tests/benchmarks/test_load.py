from contextlib import closing
from itertools import chain, repeat

import pytest
from PIL import Image
from rest_framework_simplejwt.tokens import AccessToken

from identity.tokens import issue
from incidents.models import Incident
from tests.benchmarks import load

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def token(user, monkeypatch):
    token = str(issue(AccessToken, user))
    monkeypatch.setenv("TOKEN", token)
    return token


@pytest.fixture
def arguments(live_server, token):
    return ["--url", live_server.url, "--seconds", "0.1", "--connections", "2"]


def test_every_operation_is_measured_without_an_error(arguments, capsys, tmp_path):
    load.main([*arguments, "--plot", str(tmp_path / "speed.png")])
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["requests/s", "p50,", "ms", "p99,", "ms", "errors"]
    assert [row[:16].strip() for row in rows] == ["create", "list", "list_open", "get", "change", "deep (page 1)"]
    for row in rows:
        rate, p50, p99, errors = row[16:].split()
        assert float(rate.replace(",", "")) > 0
        assert 0 < float(p50) <= float(p99)
        assert errors == "0"
    assert Incident.objects.count() >= 3  # the one that is checked, and one of each connection
    with Image.open(tmp_path / "speed.png") as image:
        assert image.format == "PNG"


def test_a_wrong_token_is_a_failure_and_no_speed(arguments, token, capsys, monkeypatch):
    monkeypatch.setenv("TOKEN", f"{token}x")
    with pytest.raises(SystemExit, match="Stopped: 401") as failure:
        load.main(arguments)
    assert token not in str(failure.value)
    assert "create" not in capsys.readouterr().out


def test_a_service_that_is_not_there_is_a_failure(arguments):
    arguments[1] = "http://127.0.0.1:1"
    with pytest.raises(SystemExit, match="Stopped: Failed to connect"):
        load.main(arguments)


def test_errors_under_load_do_not_count_as_speed(arguments, capsys, monkeypatch):
    incident = Incident.objects.create(description="Точка 205 не отвечает", source="operator")
    paths = chain([f"{incident.pk}/"], repeat("0/"))
    monkeypatch.setattr(load, "operations", lambda _: [("get", lambda: load.Request("GET", next(paths)))])
    with pytest.raises(SystemExit, match="counted as errors"):
        load.main(arguments)
    operation, rate, p50, p99, errors = capsys.readouterr().out.splitlines()[-1].split()
    assert (operation, rate, p50, p99) == ("get", "0", "nan", "nan")
    assert int(errors.replace(",", "")) >= 2


def test_another_answer_than_was_asked_for_is_wrong(live_server, token):
    incident = Incident.objects.create(description="Точка 205 не отвечает", source="operator")
    client = load.Client(live_server.url, token)
    with closing(client.curl):
        assert client.ask_and_check(load.Request("GET", f"{incident.pk}/"))["status"] == "open"
        with pytest.raises(ValueError, match="not what was asked for"):
            client.ask_and_check(load.Request("GET", f"{incident.pk}/", {"status": "closed"}))
