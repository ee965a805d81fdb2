"""The webhook, to which Telegram posts updates."""

import hmac

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from core.api.exceptions import RequestTooLarge
from telegram.receiving import updates

HEADER = "X-Telegram-Bot-Api-Secret-Token"


class WebhookSecret(BaseAuthentication):
    """Of TELEGRAM_WEBHOOK_SECRET; while none is set, nothing is let in."""

    def authenticate(self, request: Request) -> None:
        given, secret = request.headers.get(HEADER, ""), settings.TELEGRAM_WEBHOOK_SECRET
        if not secret or not hmac.compare_digest(given.encode("utf-8", "replace"), secret.encode()):
            raise NotAuthenticated
        return

    def authenticate_header(self, request: Request) -> str:
        return HEADER


@extend_schema(exclude=True)
class WebhookView(APIView):
    """200 for whatever was stored: Telegram repeats an update until then."""

    authentication_classes = [WebhookSecret]
    permission_classes = []

    def post(self, request: Request) -> HttpResponse:
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise RequestTooLarge
        updates.take(request._request.body)
        return JsonResponse({"ok": True})
