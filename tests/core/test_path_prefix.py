"""FORCE_SCRIPT_NAME: the service under a path of its host, whether the proxy takes that path off or not."""

import re

import pytest
from django.urls import clear_script_prefix
from rest_framework_simplejwt.tokens import AccessToken

from identity.models import User
from identity.tokens import issue
from tests.helpers.wsgi import wsgi_request

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

LIST = "/api/v1/incidents/"


@pytest.fixture(params=["", "/svc"], ids=["taken off", "left"])
def ask(request, settings, user):
    settings.FORCE_SCRIPT_NAME = "/svc"
    settings.STATIC_URL = "/svc/static/"
    settings.SESSION_COOKIE_PATH = settings.CSRF_COOKIE_PATH = "/svc/"
    token = f"Bearer {issue(AccessToken, user)}"

    def ask(method, path, body=b"", **environ):
        headers = {"HTTP_AUTHORIZATION": token, "CONTENT_TYPE": "application/json", "HTTP_ACCEPT": "text/html"}
        return wsgi_request(method, request.param + path, body, **headers | environ)

    yield ask
    clear_script_prefix()


def test_api(ask):
    made = [ask("POST", LIST, b'{"description": "x", "source": "operator"}') for _ in range(2)][-1]
    location = made.headers["Location"]
    assert location == f"http://testserver/svc{LIST}{made.json()['id']}/"
    assert ask("GET", location.removeprefix("http://testserver/svc")).json() == made.json()
    page = ask("GET", LIST, QUERY_STRING="page_size=1").json()
    assert page["next"] == f"http://testserver/svc{LIST}?page_size=1&page=2"
    assert (
        ask("GET", LIST, QUERY_STRING="page_size=1&page=2").json()["previous"].startswith("http://testserver/svc/api")
    )


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/", "/svc/api/admin/"),
        ("/api/admin", "/svc/api/admin/"),
        ("/api/admin/", "/svc/api/admin/login/?next=/svc/api/admin/"),
    ],
)
def test_redirects(ask, path, target):
    response = ask("GET", path)
    assert (response.status_code, response.headers["Location"]) == (302, target)


@pytest.mark.parametrize("path", ["/api/admin/login/", "/api/v1/schema/swagger-ui/", "/api/schema/redoc/"])
def test_pages_link_under_the_prefix(ask, path):
    page = ask("GET", path)
    links = re.findall(r'(?:href|src|action|data-document)="(/[^"]*)"', page.content.decode())
    assert len(links) > 3 and all(link.startswith("/svc/") for link in links)
    for link in links:
        assert ask("GET", link.removeprefix("/svc")).status_code in (200, 302, 405), link


def test_links_of_the_desk(client, ask):
    client.force_login(User.objects.create_superuser("chief"))
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    page = ask("GET", "/api/admin/", HTTP_COOKIE=cookie).content.decode()
    links = re.findall(r'(?:href|src|action|data-url)="(/[^"]*)"', page)
    assert len(links) > 10 and all(link.startswith("/svc/") for link in links)


def test_cookies_are_for_the_prefix(ask):
    assert "; Path=/svc/" in ask("GET", "/api/admin/login/").headers["Set-Cookie"]


def test_static_files_and_health(ask):
    assert ask("GET", "/static/admin/css/base.css").status_code == 200
    assert ask("GET", "/favicon.ico").status_code == 200
    assert ask("GET", "/api/health/").status_code == 200


@pytest.mark.parametrize(
    "name", ["SCRIPT_NAME", "SCRIPT_URL", "REDIRECT_URL", "HTTP_X_FORWARDED_PREFIX", "HTTP_SCRIPT_NAME"]
)
def test_no_header_sets_the_prefix(name):
    response = wsgi_request("GET", "/", HTTP_ACCEPT="text/html", **{name: "/evil"})
    assert response.headers["Location"] == "/api/admin/"


@pytest.mark.parametrize("path", ["/svcs/api/health/", "/svc2", "/other/svc/api/health/"])
def test_other_paths_are_404(settings, path):
    settings.FORCE_SCRIPT_NAME = "/svc"
    assert wsgi_request("GET", path).status_code == 404
    clear_script_prefix()
