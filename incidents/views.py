from functools import partial

from django.http import HttpResponse, HttpResponseNotModified
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.exceptions import PreconditionFailed
from core.api.json import JSONRenderer
from core.api.pagination import PageNumbers
from core.api.preconditions import Preconditions
from identity.authentication import JWTAuthentication
from identity.tokens import Bearer
from incidents import idempotency
from incidents.listing.filters import IncidentFilter, clean
from incidents.listing.pages import read_page
from incidents.models import Channel, Incident
from incidents.serializers import IncidentChangeSerializer, IncidentSerializer
from incidents.services import change_incident, create_incident


def request_header(name: str, description: str, **schema: str) -> OpenApiParameter:
    return OpenApiParameter(name, {"type": "string", **schema}, OpenApiParameter.HEADER, description=description)


def response_header(name: str, description: str, *statuses: int) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, description=description, response=list(statuses))


IF_MATCH = request_header("If-Match", "Entity tags, or `*`: 412 unless the incident has one of them.")
IF_NONE_MATCH = request_header("If-None-Match", "Entity tags, or `*`: 304 if the incident has one of them.")
IDEMPOTENCY_KEY = request_header(
    idempotency.HEADER,
    "1 to 255 visible characters. The same key and body again gives the first answer again and records nothing.",
    pattern=r"^[\x21-\x7e]{1,255}$",
)


# Built once: their fields cost more than all that they check.
NEW, CHANGED = IncidentSerializer(), IncidentSerializer(partial=True)


class IncidentViewSet(viewsets.GenericViewSet[Incident]):
    """Record, list, read and change incidents. There is no PUT and no DELETE: a record is never lost."""

    queryset = Incident.objects.newest_first()
    serializer_class = IncidentSerializer
    # For the schema alone: read_page() filters.
    filter_backends = (DjangoFilterBackend,)
    filterset_class = IncidentFilter
    raises = {
        "create": ("409 idempotency_key_in_use", "422 idempotency_key_reused"),
        "retrieve": ("412 precondition_failed",),
        "partial_update": ("412 precondition_failed",),
    }

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [JWTAuthentication(confirmed=False)]

    @extend_schema(summary="List incidents, newest first")
    def list(self, request: Request) -> HttpResponse:
        pages = PageNumbers()
        with self.bearer.confirmed_first():
            rows = pages.paginate(partial(read_page, self.bearer, clean(request.query_params)), request)
        return HttpResponse(JSONRenderer().render(pages.body(rows)), content_type=JSONRenderer.media_type)

    @extend_schema(
        summary="Record an incident",
        parameters=[
            IDEMPOTENCY_KEY,
            response_header("Location", "The address of the incident.", 201),
            response_header("ETag", "The entity tag of the incident.", 201),
            response_header("Idempotency-Replayed", "`true` where this is an earlier answer.", 201),
        ],
        responses={201: IncidentSerializer},
    )
    def create(self, request: Request) -> HttpResponse:
        with self.bearer.confirmed_first():
            answer = self._record(request)
        location = f"{request.scheme}://{request.get_host()}{request.path.rstrip('/')}/{answer.incident_id}/"
        headers = {"Location": location, "ETag": answer.etag} | (
            {"Idempotency-Replayed": "true"} if answer.replayed else {}
        )
        return HttpResponse(answer.body, content_type=JSONRenderer.media_type, status=201, headers=headers)

    def _record(self, request: Request) -> idempotency.Answer:
        key = request.META.get("HTTP_IDEMPOTENCY_KEY")
        if key is not None:
            idempotency.check_key(key)
        values = NEW.run_validation(request.data)

        def record() -> Incident:
            return create_incident(**values, actor=self.bearer, channel=Channel.API)

        if key is None:
            incident = record()
            return idempotency.Answer(incident.pk, rendered(incident), incident.etag)
        self.bearer.confirm()
        return idempotency.once(
            user_id=self.bearer.user_id, key=key, request=request.data, create=record, render=rendered
        )

    @extend_schema(
        summary="Read an incident",
        parameters=[IF_MATCH, IF_NONE_MATCH, response_header("ETag", "The entity tag of the incident.", 200, 304)],
        responses={200: IncidentSerializer, 304: None},
    )
    def retrieve(self, request: Request, pk: str) -> HttpResponse:
        _, incident = self._incident()
        preconditions = Preconditions.of(request.META)
        if preconditions.if_match_fails(incident.etag):
            raise PreconditionFailed
        if preconditions.if_none_match_fails(incident.etag):
            return HttpResponseNotModified(headers={"ETag": incident.etag})
        return one(incident)

    @extend_schema(
        summary="Change an incident's status, description or source",
        parameters=[IF_MATCH, IF_NONE_MATCH, response_header("ETag", "The entity tag of the incident.", 200)],
        responses=IncidentSerializer,
    )
    def partial_update(self, request: Request, pk: str) -> HttpResponse:
        username, incident = self._incident()
        incident = change_incident(
            incident,
            values=CHANGED.run_validation(request.data),
            actor=username,
            channel=Channel.API,
            preconditions=Preconditions.of(request.META),
        )
        return one(incident)

    @extend_schema(
        summary="Who changed what, oldest first",
        filters=False,
        responses=IncidentChangeSerializer(many=True),
    )
    def history(self, request: Request, pk: str) -> Response:
        _, incident = self._incident()
        changes = incident.changes.order_by("id").values(*IncidentChangeSerializer.Meta.fields)
        return self.get_paginated_response(self.paginate_queryset(changes))

    @property
    def bearer(self) -> Bearer:
        return self.request.user  # type: ignore[return-value]  # by get_authenticators()

    def _incident(self) -> tuple[str, Incident]:
        """Together with the bearer's username. Raises InvalidToken, NotFound."""
        username, incident = self.bearer.confirm_and_get(Incident, int(self.kwargs["pk"]))
        if incident is None:
            raise NotFound
        return username, incident


def rendered(incident: Incident) -> bytes:
    return JSONRenderer().render({field: getattr(incident, field) for field in IncidentSerializer.Meta.fields})


def one(incident: Incident) -> HttpResponse:
    return HttpResponse(rendered(incident), content_type=JSONRenderer.media_type, headers={"ETag": incident.etag})
