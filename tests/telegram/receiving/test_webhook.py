"""The webhook takes what Telegram sends, and nothing else."""

import json

import pytest
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import OperationalError
from django.test import Client

from intake import inbox
from intake.models import Delivery
from telegram.receiving import updates
from tests.helpers.api import errors
from tests.helpers.telegram_messages import message
from tests.helpers.updates import descriptions

SECRET = "s3cr3t_-A"
PATH = "/api/v1/intake/telegram/"
UPDATE = {"update_id": 5, "message": message(text="x")}

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def webhook(group, settings):
    settings.TELEGRAM_WEBHOOK_URL = "https://incidents.example.org" + PATH
    settings.TELEGRAM_WEBHOOK_SECRET = SECRET


def post(body=UPDATE, path=PATH):
    data = body if isinstance(body, bytes) else json.dumps(body)
    headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
    return Client(raise_request_exception=False).post(path, data, "application/json", headers=headers)


@pytest.mark.parametrize("path", [PATH, PATH.rstrip("/")])
def test_an_update_is_recorded(path):
    assert post(path=path).status_code == 200
    assert descriptions() == ["x"]


@pytest.mark.parametrize("secret", [None, "", "wrong", "s3cr3t_-a", f"{SECRET},{SECRET}", "ключ", "\udcff"])
def test_a_wrong_secret_is_refused(secret):
    environ = {} if secret is None else {"HTTP_X_TELEGRAM_BOT_API_SECRET_TOKEN": secret}
    response = Client().post(PATH, json.dumps(UPDATE), "application/json", **environ)
    assert response.status_code == 401
    assert errors(response) == [("401 not_authenticated", None)]
    assert not Delivery.objects.exists()


def test_without_a_secret_nothing_is_taken_and_the_checks_fail(settings):
    settings.TELEGRAM_WEBHOOK_SECRET = ""
    assert Client(headers={"X-Telegram-Bot-Api-Secret-Token": ""}).post(PATH).status_code == 401
    assert not Delivery.objects.exists()
    with pytest.raises(SystemCheckError, match=r"telegram\.E001"):
        call_command("check")


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", {"update_id": 5, "something_new": {}}])
def test_whatever_it_is_is_stored(body):
    assert post(body).status_code == 200
    assert Delivery.objects.get().state == "faulty"
    assert post().status_code == 200 and descriptions() == ["x"]


def test_what_cannot_be_stored_is_503(monkeypatch):
    monkeypatch.setattr(updates, "receive", _raise)
    response = post()
    assert (response.status_code, response["Retry-After"]) == (503, "2")


def test_what_was_stored_is_200_whatever_happens_then(monkeypatch):
    monkeypatch.setattr(updates, "process", _raise)
    assert post().status_code == 200
    monkeypatch.undo()
    inbox.process_pending()
    assert descriptions() == ["x"]


def _raise(*args, **kwargs):
    raise OperationalError("gone")


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_other_methods_are_405(method):
    response = getattr(Client(headers={"X-Telegram-Bot-Api-Secret-Token": SECRET}), method)(PATH)
    assert response.status_code == 405
