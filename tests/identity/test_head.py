"""HEAD has the same status as GET on every route: RFC 9110, 9.3.2."""

import pytest

from identity.models import User
from tests.helpers.identity import admin_for
from tests.helpers.routes import ID, routes

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


PATHS = sorted({path if path == "/" else f"{path}/" for path, _ in routes()})


@pytest.mark.parametrize("path", PATHS)
def test_head_has_the_status_of_get(client, api, path):
    User.objects.create_user("other", pk=ID)
    for sender in (client, api):
        get, head = sender.get(path), sender.head(path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.get("Content-Type") == get.get("Content-Type")


@pytest.mark.parametrize("path", ["", "identity/user/", "identity/user/1000/change/", "auth/group/"])
def test_head_in_the_admin(user, path):
    admin = admin_for(user)
    assert admin.head(f"/api/admin/{path}").status_code == admin.get(f"/api/admin/{path}").status_code
