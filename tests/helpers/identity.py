"""Requests to the identity routes and to the admin."""

from typing import Any

from django.contrib.auth.models import Permission
from django.test import Client

from identity.models import User

AUTH = "/api/identity/auth/"
USERS = AUTH + "users/"
USER_ADMIN = "/api/admin/identity/user/"
PASSWORD = "correct horse battery"


def send(client: Client, method: str, path: str = "", body: Any = None) -> Any:
    """Sends JSON to a route below `users/`."""
    return getattr(client, method)(USERS + path, {} if body is None else body, content_type="application/json")


def grant(user: User, *codenames: str) -> None:
    """Replaces the user's own permissions."""
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))


def admin_for(user: User, **kwargs: Any) -> Client:
    """A client logged in to the admin."""
    User.objects.filter(pk=user.pk).update(is_staff=True)
    client = Client(**kwargs)
    client.force_login(user)
    return client


def log_in(password: str, username: str = "petrova", address: str = "10.0.0.1", **headers: str) -> Any:
    body = {"username": username, "password": password}
    return Client().post(AUTH + "jwt/create/", body, "application/json", headers=headers, REMOTE_ADDR=address)


def log_in_to_admin(password: str, username: str = "petrova", address: str = "10.0.0.1", **headers: str) -> Any:
    body = {"username": username, "password": password}
    return Client(headers=headers).post("/api/admin/login/", body, REMOTE_ADDR=address)
