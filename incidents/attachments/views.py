import logging
from typing import Any, cast

import orjson
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.http import HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.exceptions import APIException, NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.exception_handler import error_response
from core.api.exceptions import PreconditionFailed, ServiceUnavailable
from core.api.json import JSONRenderer
from core.api.openapi import ID_SCHEMA
from core.api.preconditions import Preconditions
from core.api.ranges import RangeNotSatisfiable, requested_range
from core.api.serializers import validate_all
from core.api.uploads import UploadParser
from identity.authentication import AdminSession, JWTAuthentication
from identity.tokens import Bearer
from incidents import examples, idempotency
from incidents.attachments import serving
from incidents.attachments.content import Content, read_content
from incidents.attachments.serializers import AttachmentSerializer, UploadSerializer
from incidents.attachments.services import StoredFile, add_attachment, discard_file, ensure_room, save_file
from incidents.exceptions import IdempotencyKeyInUse, IdempotencyKeyReused
from incidents.models import Attachment, Channel, Incident
from incidents.views import REPLAYED, created, idempotency_key, request_header, response_header

logger = logging.getLogger(__name__)

NUMBER = OpenApiParameter(
    "number", ID_SCHEMA | {"example": 1}, OpenApiParameter.PATH, description="The id of the attachment."
)
RANGE = request_header("Range", "One range of bytes.", example="bytes=0-1023")
IF_NONE_MATCH = request_header("If-None-Match", "Entity tags, or `*`: 304 if the file has one of them.", example='"0"')
ETAG = response_header("ETag", "The digest of the bytes.", 200, 206, 304)


class AttachmentViewSet(viewsets.GenericViewSet[Attachment]):
    """Files of incidents. None is changed, and none deleted here."""

    queryset = Attachment.objects.order_by("id")
    serializer_class = AttachmentSerializer
    parser_classes = (UploadParser,)
    raises = {
        "create": (IdempotencyKeyInUse, IdempotencyKeyReused),
        "retrieve": (PreconditionFailed, RangeNotSatisfiable),
    }

    def get_authenticators(self) -> list[Any]:
        # <img> and links of the desk send no token.
        reads_bytes = self.request and "number" in self.kwargs and self.request.method in ("GET", "HEAD")
        return [JWTAuthentication(), *([AdminSession("incidents.view_incident")] if reads_bytes else [])]

    @extend_schema(
        summary="List the files of an incident, oldest first",
        description="A file that was sent to Telegram is `pending` until it is fetched, and `failed` if that is "
        "refused for good.",
        examples=[examples.ATTACHMENTS],
        responses=AttachmentSerializer(many=True),
    )
    def list(self, request: Request, pk: str) -> Response:
        attachments = self.get_queryset().filter(incident=self._get_incident())
        page = self.paginate_queryset(attachments)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(
        summary="Attach a file to an incident",
        description="The history gets an entry; the incident and its `ETag` stay as they are.",
        parameters=[
            idempotency_key("1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed"),
            response_header("Location", "The address of the bytes.", 201),
            REPLAYED,
        ],
        examples=[examples.ATTACHMENT],
        request=UploadSerializer,
        responses={201: AttachmentSerializer},
    )
    def create(self, request: Request, pk: str) -> HttpResponse:
        incident = self._get_incident()
        key, values = validate_all(
            lambda: idempotency.key_of(request),
            lambda: UploadSerializer().run_validation(request.data),
        )
        file = values["file"]
        content = read_content(file)
        # Before the transaction, which must not wait for a storage that is slow.
        stored = self._save(file, content)

        @transaction.atomic
        def create() -> idempotency.StoredResponse:
            ensure_room(incident.pk)
            attachment = add_attachment(
                incident_id=incident.pk, stored=stored, name=file.name, actor=self.bearer, channel=Channel.API
            )
            body = JSONRenderer().render(self.get_serializer(attachment).data)
            return idempotency.StoredResponse(incident.pk, incident.created_at, body)

        try:
            response = self._create_or_replay(key, [incident.pk, file.name, content.sha256], create)
        except (APIException, IntegrityError) as exc:
            # Certain to be rolled back. After another error it may have been committed.
            discard_file(stored)
            if isinstance(exc, IntegrityError):
                self._get_incident()  # raises NotFound where it was archived meanwhile
            raise
        if response.replayed:
            discard_file(stored)
        return created(response, {"Location": orjson.loads(response.body)["url"]})

    @extend_schema(
        summary="Download a file",
        description="Its bytes, as they were sent, with `Range` and `ETag`, and with its own `Content-Type`. A browser "
        "that is logged in to the admin may read them too. 404 until the file is stored.",
        parameters=[NUMBER, RANGE, IF_NONE_MATCH, ETAG],
        responses={
            (200, "application/octet-stream"): OpenApiTypes.BINARY,
            (206, "application/octet-stream"): OpenApiTypes.BINARY,
            304: None,
        },
    )
    def retrieve(self, request: Request, pk: str, number: str) -> HttpResponseBase:
        attachment = self.get_queryset().filter(pk=int(number), incident=int(pk)).first()
        if attachment is None:
            raise NotFound
        if attachment.state != Attachment.State.STORED or attachment.size is None:
            raise NotFound(_("There is no file: %(state)s.") % {"state": attachment.get_state_display()})
        etag = f'"{attachment.sha256}"'
        preconditions = Preconditions.of(request.META)
        if preconditions.if_match_fails(etag):
            raise PreconditionFailed
        if preconditions.if_none_match_fails(etag):
            return HttpResponseNotModified(headers={"ETag": etag})
        wanted = None
        if request.method == "GET":
            try:
                wanted = requested_range(request.META, attachment.size, etag)
            except RangeNotSatisfiable as exc:
                refusal = error_response(exc)
                refusal["Content-Range"] = f"bytes */{attachment.size}"
                return refusal
        response = serving.response(
            attachment.file.name or "",
            size=attachment.size,
            content_type=attachment.content_type,
            filename=attachment.name,
            wanted=wanted,
        )
        response["ETag"] = etag
        return response

    @property
    def bearer(self) -> Bearer:
        return cast(Bearer, self.request.auth)  # reading bytes by a session does not need it

    def _get_incident(self) -> Incident:
        incident = Incident.objects.filter(pk=int(self.kwargs["pk"])).first()
        if incident is None:
            raise NotFound
        return incident

    def _save(self, file: UploadedFile, content: Content) -> StoredFile:
        """Raises ServiceUnavailable if the storage does not take the file."""
        try:
            return save_file(file, content)
        except Exception:  # each storage has its own
            logger.exception("A file cannot be stored")
            raise ServiceUnavailable from None

    def _create_or_replay(self, key: str | None, request: Any, create: Any) -> idempotency.StoredResponse:
        if key is None:
            response: idempotency.StoredResponse = create()
            return response
        return idempotency.create_or_replay(user_id=self.bearer.user_id, key=key, request=request, create=create)
