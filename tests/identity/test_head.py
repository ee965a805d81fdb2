"""HEAD has the same status as GET on every route: RFC 9110, 9.3.2."""

import re

import pytest
from django.urls import URLPattern, get_resolver

from identity.models import User
from tests.helpers.identity import admin_for

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def paths(patterns, prefix="/"):
    """Each path of the URL configuration, the admin's pages aside, with 1000 for every variable."""
    for entry in patterns:
        path = prefix + re.sub(r"\(\?P<\w+>.*?\)|<.+?>", "1000", str(entry.pattern).strip("^$").removesuffix("/?"))
        if isinstance(entry, URLPattern):
            yield path
        elif "admin" not in path:
            yield from paths(entry.url_patterns, path)


PATHS = sorted(set(paths(get_resolver().url_patterns)))


def test_paths_are_found():
    assert {"/api/v1/incidents/1000/history/", "/api/identity/auth/users/1000", "/api/schema/"} <= {
        *PATHS,
        *(f"{path}/" for path in PATHS),
    }


@pytest.mark.parametrize("path", PATHS)
def test_head_has_the_status_of_get(client, api, path):
    User.objects.create_user("other", pk=1_000)
    for sender in (client, api):
        get, head = sender.get(path), sender.head(path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.get("Content-Type") == get.get("Content-Type")


@pytest.mark.parametrize("path", ["", "identity/user/", "identity/user/1000/change/", "auth/group/"])
def test_head_in_the_admin(user, path):
    admin = admin_for(user)
    assert admin.head(f"/api/admin/{path}").status_code == admin.get(f"/api/admin/{path}").status_code
