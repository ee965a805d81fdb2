import logging
from typing import Any, cast

from django.db import DatabaseError, InterfaceError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import APIException, NotAuthenticated, ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework_simplejwt.exceptions import InvalidToken

from core.api.exceptions import LengthRequired, RequestTooLarge, ServiceUnavailable
from core.api.openapi import AutoSchema
from intake import examples, inbox
from intake.authentication import IsSender, SenderAuthentication
from intake.body import Body
from intake.models import Sender
from intake.parsers.reading import UnreadableError, check

logger = logging.getLogger(__name__)

CONTENT_TYPES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data")


class IntakeSchema(AutoSchema):
    def _raised(self) -> list[APIException]:
        errors = (
            ParseError,
            NotAuthenticated,
            InvalidToken,
            LengthRequired,
            RequestTooLarge,
            ServiceUnavailable,
            APIException,
        )
        return [error() for error in errors]


class IntakeView(APIView):
    """
    Stores a call before anything is made of it.

    Systems that report do not send again after a 4xx, so a call that was stored gets no error, but for a body that is
    neither a JSON object nor a form: it is stored too, and the author of its template should learn of it.
    """

    authentication_classes = [SenderAuthentication]
    permission_classes = [IsSender]
    parser_classes = []
    schema = IntakeSchema()
    body: Body

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        with Body(request) as self.body:
            return super().dispatch(request, *args, **kwargs)

    @extend_schema(
        summary="Report what a system found",
        description="For senders, each with a format and a secret of its own. Sentry may sign the body instead. What "
        "came is stored as it came; then incidents are made of it. The format for anything takes forms too, whose "
        "fields are read as those of an object.",
        examples=examples.REPORT,
        operation_id="intake",
        parameters=[OpenApiParameter("sender", {"type": "string", "example": "alertmanager"}, OpenApiParameter.PATH)],
        request=dict.fromkeys(CONTENT_TYPES, OpenApiTypes.OBJECT),
        responses={200: inline_serializer("Receipt", {"delivery": serializers.IntegerField()})},
    )
    def post(self, request: Request, sender: str, secret: str = "") -> Response:
        caller = cast("Sender", request.auth)
        content_type = request.META.get("CONTENT_TYPE", "")
        try:
            delivery = inbox.receive(
                channel=caller.channel, body=self.body.read(), content_type=content_type, sender=caller
            )
        except (DatabaseError, InterfaceError) as exc:
            logger.error("A call of %s was not stored: %s", sender, exc)
            raise ServiceUnavailable from exc
        try:
            inbox.process_soon(delivery)
        except Exception:  # it is stored: the jobs process it
            logger.exception("Delivery %d waits", delivery.pk)
        try:
            check(self.body.read(), content_type, caller.format)
        except UnreadableError as exc:
            raise ParseError(exc.reason.label) from None
        return Response({"delivery": delivery.pk})
