from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from identity.models import User
from identity.throttling import throttle


class ThrottledBackend(ModelBackend):
    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        """Raises Throttled, whatever the password."""
        authenticate = super().authenticate
        if request is None or username is None:
            return authenticate(request, username=username, password=password, **kwargs)
        return throttle(request, username, lambda: authenticate(request, username, password, **kwargs))
