"""Sessions of the admin: cookies, log-in and log-out."""

from urllib.parse import quote

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from identity.models import User
from tests.helpers.identity import PASSWORD, log_in_to_admin

pytestmark = [pytest.mark.both_databases, pytest.mark.usefixtures("petrova")]


def log_in(path="/api/admin/login/", **body):
    client = Client(raise_request_exception=False)
    client.get(path)
    response = client.post(path, {"username": "petrova", "password": PASSWORD, **body})
    return client, response


def with_session(key):
    client = Client()
    client.cookies["sessionid"] = key
    return client.get("/api/admin/")


@pytest.mark.parametrize("https", [True, False])
def test_cookies(settings, https):
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = https
    client, _ = log_in()
    assert client.cookies.keys() == {"sessionid", "csrftoken"}
    for cookie in client.cookies.values():
        assert (cookie["httponly"], cookie["samesite"], bool(cookie["secure"])) == (True, "Lax", https)


def test_a_session_lasts_two_weeks():
    log_in()
    assert round((Session.objects.get().expire_date - timezone.now()).total_seconds() / 86_400) == 14


def test_log_in_leads_to_the_page_that_was_asked_for():
    page = "/api/admin/incidents/incident/?status__exact=open"
    asked = Client().get(page)
    assert (asked.status_code, asked["Location"]) == (302, f"/api/admin/login/?next={quote(page)}")
    assert log_in(asked["Location"], next=page)[1]["Location"] == page


@pytest.mark.parametrize(
    "page", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "\\\\evil.example"]
)
def test_log_in_leads_to_no_other_host(page):
    for _, response in (log_in(next=page), log_in("/api/admin/login/?next=" + page)):
        assert (response.status_code, response["Location"]) == (302, "/api/admin/")


def test_a_new_session_begins_at_log_in():
    client = Client()
    client.get("/api/admin/login/")
    client.cookies["sessionid"] = "chosenbyanattackerchosenbyanatta"
    client.post("/api/admin/login/", {"username": "petrova", "password": PASSWORD})
    assert client.cookies["sessionid"].value != "chosenbyanattackerchosenbyanatta"


def test_a_session_ends_at_log_out():
    client, _ = log_in()
    key = client.cookies["sessionid"].value
    assert with_session(key).status_code == 200
    client.post("/api/admin/logout/")
    assert with_session(key).status_code == 302


def test_log_out_is_no_link():
    client, _ = log_in()
    assert client.get("/api/admin/logout/").status_code == 405
    assert client.get("/api/admin/").status_code == 200


@pytest.mark.parametrize("change", ["is_active", "is_staff"])
def test_a_session_ends_with_the_rights_of_its_user(change):
    client, _ = log_in()
    User.objects.update(**{change: False})
    assert client.get("/api/admin/").status_code == 302


def test_a_session_ends_when_the_password_changes(petrova):
    client, _ = log_in()
    petrova.set_password("another horse")
    petrova.save()
    assert client.get("/api/admin/").status_code == 302


def test_users_of_the_api_alone_cannot_log_in():
    User.objects.update(is_staff=False)
    assert log_in_to_admin(PASSWORD).status_code == 200
    assert not Session.objects.exists()
