"""Each address of the admin passes its middleware: a policy, sessions, CSRF, users, messages."""

import pytest
from django.contrib import admin
from django.core.checks import Error, run_checks
from django.test import Client
from django.urls import URLResolver, get_resolver

from tests.helpers.routes import routes

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

(RESOLVER,) = (
    each for each in get_resolver().url_patterns if isinstance(each, URLResolver) and each.app_name == admin.site.name
)
# The last one stands for any other address.
PATHS = sorted({f"{path}/" for path, _ in routes(RESOLVER, "/api/admin/")} - {"/api/admin/(P1000.*)$/"})
OPEN = {"/api/admin/login/"}


def test_addresses_are_found():
    assert set(PATHS) >= {*OPEN, "/api/admin/", "/api/admin/jsi18n/", "/api/admin/incidents/incident/1000/change/"}


@pytest.mark.parametrize("path", PATHS)
def test_stranger_gets_no_page_but_the_log_in(client, path):
    response = client.get(path)
    assert response["Content-Security-Policy"].startswith("default-src 'none'")
    assert {"user", "session", "_messages"} <= set(vars(response.wsgi_request))
    assert path in OPEN or response.status_code in (302, 405)


@pytest.mark.parametrize("path", PATHS)
def test_form_of_another_site_is_refused(path):
    response = Client(enforce_csrf_checks=True).post(path, {"username": "chief"})
    assert (response.status_code, response["Content-Security-Policy"][:18]) == (403, "default-src 'none'")


def test_checks_that_look_for_it_in_middleware_are_the_only_silenced_ones(settings):
    settings.SILENCED_SYSTEM_CHECKS = []
    errors = [message.id for message in run_checks() if isinstance(message, Error)]
    assert errors == ["admin.E408", "admin.E409", "admin.E410"]
