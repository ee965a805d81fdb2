"""Senders prove themselves by secrets of their own, which are accepted nowhere else, and users' tokens not here."""

import base64
import binascii
from collections.abc import Iterator
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.core.validators import slug_re
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import InvalidToken

from core.log.context import set_path
from core.log.redaction import redact_path
from intake.models import Sender

SIGNATURES = ("Sentry-Hook-Signature", "Sentry-App-Signature")


class SenderAuthentication(BaseAuthentication):
    """`request.auth` is the sender that the path names."""

    def authenticate(self, request: Request) -> tuple[Any, Sender] | None:
        """
        Raises InvalidToken for a wrong secret and an unknown or inactive sender alike, and what `Body.read` raises.

        The body is read for a signature alone, and then for any name in the path: an answer does not tell who is known.
        """
        path = request.parser_context["kwargs"]
        secrets = [*_secrets(request.META.get("HTTP_AUTHORIZATION", ""), path.get("secret", ""))]
        signatures = [header.encode() for name in SIGNATURES if (header := request.headers.get(name))]
        if not secrets and not signatures:
            return None
        known = slug_re.match(path["sender"])
        sender = Sender.objects.filter(name=path["sender"], is_active=True).first() if known else None
        if sender:
            set_path(redact_path(request.path, known=sender.name))
        if sender and any(sender.accepts_secret(secret) for secret in secrets):
            return AnonymousUser(), sender
        if signatures:
            body, signer = request.parser_context["view"].body, sender or Sender()
            accepted = [signer.accepts_signature(signature, body.read()) for signature in signatures]
            if sender and any(accepted):
                return AnonymousUser(), sender
        raise InvalidToken

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


def _secrets(authorization: str, in_path: str) -> Iterator[bytes]:
    if in_path:
        yield in_path.encode("utf-8", "surrogatepass")
    scheme, _space, credentials = authorization.partition(" ")
    match scheme.lower():
        case "":
            return
        case "bearer":
            yield credentials.strip().encode("utf-8", "surrogatepass")
        case "basic":
            try:
                yield base64.b64decode(credentials, validate=True).partition(b":")[2]
            except (binascii.Error, ValueError):
                yield b""
        case _:
            yield b""


class IsSender(BasePermission):
    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.auth, Sender)


class SenderScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = SenderAuthentication
    name = ["senderBearer", "senderBasic"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        description = "Only for systems that report to /api/v1/intake/: the secret of a sender, "
        return [
            {"type": "http", "scheme": "bearer", "description": description + "as a token."},
            {"type": "http", "scheme": "basic", "description": description + "as the password; any user name will do."},
        ]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        return [{name: []} for name in self.name]  # one of them, not both
