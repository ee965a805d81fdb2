"""Every route requires a valid token, except those in OPEN."""

import pytest
from django.utils import timezone

from identity.models import User
from tests.helpers.api import errors
from tests.helpers.routes import ID, routes

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

METHODS = ("get", "head", "post", "put", "patch", "delete")
# Log-in, documentation, and redirects to it and to the admin
OPEN = {
    "/",
    "/api/admin",
    "/api/identity/auth/jwt/create",
    "/api/identity/auth/jwt/refresh",
    "/api/identity/auth/jwt/verify",
    "/api/schema",
    "/api/v1/schema/swagger-ui",
    "/api/schema/redoc",
}
# What asks for a secret of its own, and takes no user's token
SECRET = {"/api/v1/intake/telegram"}
REVOKED = {
    "deactivated": lambda: User.objects.update(is_active=False),
    "deleted": lambda: User.objects.all().delete(),
    "another password": lambda: User.objects.update(password_changed_at=timezone.now()),
}


PATHS = sorted({path for path, _ in routes()})


def test_routes_are_found():
    assert set(PATHS) >= OPEN | SECRET | {"/api/v1/incidents", f"/api/v1/incidents/{ID}/comments"}


@pytest.mark.parametrize("revoke", REVOKED)
@pytest.mark.parametrize("path", [path for path in PATHS if path not in OPEN | SECRET])
def test_revoked_token_is_401(api, path, revoke):
    REVOKED[revoke]()
    for method in METHODS:
        response = getattr(api, method)(path, {} if method == "post" else None)
        assert response.status_code == 401, (method, path)
        if method != "head":
            assert errors(response) == [("401 token_not_valid", None)], (method, path)


@pytest.mark.parametrize("path", [path for path in PATHS if path not in OPEN])
def test_no_token_is_401(client, db, path):
    for method in METHODS:
        assert getattr(client, method)(path).status_code == 401, (method, path)
