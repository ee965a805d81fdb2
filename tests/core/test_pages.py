"""The root, and paths without their last slash, in a browser."""

import pytest
from django.test import Client

from identity.models import User
from tests.helpers.api import errors

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize("method", ["get", "head"])
def test_browser_is_redirected_to_the_admin(client, method):
    response = getattr(client, method)("/", headers=BROWSER)
    assert (response.status_code, response["Location"]) == (302, "/api/admin/")
    assert "Accept" in response["Vary"]


@pytest.mark.parametrize("accept", ["", "*/*", "application/json"])
def test_program_gets_404_at_the_root(client, accept):
    response = client.get("/", headers={"accept": accept})
    assert (response.status_code, errors(response)) == (404, [("404 not_found", None)])
    assert client.post("/", headers=BROWSER).status_code == 404


@pytest.mark.parametrize("path", ["/api/v1/schema/swagger-ui", "/api/schema/redoc", "/api/schema"])
def test_documentation_without_slash_is_served(client, path):
    response = client.get(path, headers=BROWSER)
    assert (response.status_code, response["Content-Type"]) == (200, client.get(path + "/")["Content-Type"])


@pytest.mark.parametrize("path", ["/api/admin", "/api/admin/incidents/incident", "/api/admin/password_change"])
def test_admin_page_without_slash_is_redirected(path):
    client = Client()
    client.force_login(User.objects.create_superuser("chief"))
    response = client.get(path + "?a=b")
    assert (response.status_code, response["Location"]) == (302, path + "/?a=b")
    assert client.post(path).status_code == 404
    assert client.get("/api/admin/nothing").status_code == client.get("/api/admin/nothing/").status_code == 404


def test_favicon(client):
    response = client.get("/favicon.ico")
    assert (response.status_code, response["Content-Type"]) == (200, "image/x-icon")
    assert b"".join(response).startswith(b"\0\0\1\0")


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("", "Open now"),
        ("telegram/", "Telegram administration"),
        ("identity/user/", "Users"),
        ("identity/user/add/", "Add user"),
        ("identity/user/{pk}/change/", "chief"),
        ("identity/user/{pk}/history/", "Change history: chief"),
    ],
)
def test_a_page_of_the_admin_is_titled_by_what_it_shows(path, title):
    chief = User.objects.create_superuser("chief")
    client = Client()
    client.force_login(chief)
    page = client.get("/api/admin/" + path.format(pk=chief.pk)).content.decode()
    assert f"<h1>{title}</h1>" in page
    assert f"<title>{title} | " in page
