from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from django.db import IntegrityError
from django.http import HttpResponse, HttpResponseNotModified
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import viewsets
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.exceptions import PreconditionFailed
from core.api.json import JSONRenderer
from core.api.pagination import PageNumbers
from core.api.preconditions import Preconditions
from core.api.serializers import StrictSerializer, validate_all
from core.db import replica
from identity.views import CheckedBearerView
from incidents import examples, idempotency
from incidents.exceptions import IdempotencyKeyInUse, IdempotencyKeyReused
from incidents.listing.filters import OPENAPI_PARAMETERS, parse_query
from incidents.models import Channel, Incident, IncidentChange, etag
from incidents.serializers import (
    CommentSerializer,
    IncidentChangeSerializer,
    IncidentSerializer,
    UrgencySerializer,
)
from incidents.services import add_comment, change_incident, create_incident
from incidents.store import store


def request_header(name: str, description: str, **schema: Any) -> OpenApiParameter:
    return OpenApiParameter(name, {"type": "string", **schema}, OpenApiParameter.HEADER, description=description)


def response_header(name: str, description: str, *statuses: int) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, description=description, response=list(statuses))


IF_MATCH = request_header("If-Match", "Entity tags, or `*`: 412 unless the incident has one of them.", example="*")
IF_NONE_MATCH = request_header(
    "If-None-Match", "Entity tags, or `*`: 304 if the incident has one of them.", example='"0"'
)
IF_NONE_MATCH_OF_A_CHANGE = request_header(
    "If-None-Match", "Entity tags, or `*`: 412 if the incident has one of them.", example='"0"'
)


def idempotency_key(example: str) -> OpenApiParameter:
    return request_header(
        idempotency.HEADER,
        "Visible ASCII characters. The same key and body again gives the first response again and records nothing.",
        pattern="^[!-~]+$",
        minLength=1,
        maxLength=255,
        example=example,
    )


LOCATION = response_header("Location", "The address of the incident.", 201)
REPLAYED = response_header("Idempotency-Replayed", "`true` where this is an earlier response.", 201)


def etag_header(*statuses: int) -> OpenApiParameter:
    return response_header("ETag", "The entity tag of the incident.", *statuses)


# Built once, since building costs more than checking. Threads share them: no field may use its serializer's `context`.
create_serializer, update_serializer = IncidentSerializer(), IncidentSerializer(partial=True)
comment_serializer = CommentSerializer()
urgency_serializer = UrgencySerializer()


class IncidentViewSet(CheckedBearerView, viewsets.GenericViewSet[Incident]):
    """There is no PUT and no DELETE of an incident: a record is never lost."""

    queryset = Incident.objects.newest_first()
    serializer_class = IncidentSerializer
    raises = {
        "create": (IdempotencyKeyInUse, IdempotencyKeyReused),
        "comment": (IdempotencyKeyInUse, IdempotencyKeyReused),
        "retrieve": (PreconditionFailed,),
        "partial_update": (PreconditionFailed,),
        "urgency": (PreconditionFailed,),
        "set_urgency": (PreconditionFailed,),
    }

    @extend_schema(
        summary="List incidents, newest first",
        description="Filters combine with AND. `count` is exact, always.",
        parameters=OPENAPI_PARAMETERS,
        examples=[examples.INCIDENTS],
    )
    def list(self, request: Request) -> HttpResponse:
        pages = PageNumbers()
        query, _size = validate_all(
            partial(parse_query, request.query_params),
            partial(pages.get_page_size, request),
        )
        read = partial(store.read_page, query, reader=self.bearer)
        rows = replica.read(partial(pages.paginate, read, request), self.bearer.fetch)
        return json_response(pages.body(rows))

    @extend_schema(
        summary="Record an incident",
        description="Without a status it is `open`. The response is sent after the incident is committed. Send an "
        "`Idempotency-Key` to retry safely.",
        parameters=[
            idempotency_key("5f1c0d6e-2b7a-4c3d-9e8f-0a1b2c3d4e5f"),
            LOCATION,
            etag_header(201),
            REPLAYED,
        ],
        examples=examples.CREATE,
        responses={201: IncidentSerializer},
    )
    def create(self, request: Request) -> HttpResponse:
        def create() -> idempotency.StoredResponse:
            incident = create_incident(**values, actor=self.bearer, channel=Channel.API)
            return idempotency.StoredResponse(incident.pk, incident.created_at, render(incident))

        key, values = validate_all(
            partial(idempotency.key_of, request),
            lambda: create_serializer.run_validation(request.data),
        )
        response = self._create_or_replay(key, request.data, create)
        location = f"{request.scheme}://{request.get_host()}{request.path.rstrip('/')}/{response.incident_id}/"
        headers = {"Location": location, "ETag": etag(response.created_at)}
        return created(response, headers)

    @extend_schema(
        summary="Read an incident",
        description="Its `ETag` is for `If-Match` of a change.",
        examples=[examples.INCIDENT],
        parameters=[IF_MATCH, IF_NONE_MATCH, etag_header(200, 304)],
        responses={200: IncidentSerializer, 304: None},
    )
    def retrieve(self, request: Request, pk: str) -> HttpResponse:
        return self._unless_unchanged(request, render)

    @extend_schema(
        summary="Change an incident's status, description or source",
        description="Any of the three fields; any status may follow any other. With `If-Match`, nothing that was "
        "changed in the meantime is overwritten.",
        examples=examples.CHANGE,
        parameters=[IF_MATCH, IF_NONE_MATCH_OF_A_CHANGE, etag_header(200)],
        responses=IncidentSerializer,
    )
    def partial_update(self, request: Request, pk: str) -> HttpResponse:
        return with_etag(self._change(request, update_serializer), render)

    @extend_schema(
        summary="Tell whether an incident is urgent",
        description="The `ETag` is the incident's.",
        examples=[examples.URGENCY],
        parameters=[IF_MATCH, IF_NONE_MATCH, etag_header(200, 304)],
        responses={200: UrgencySerializer, 304: None},
    )
    def urgency(self, request: Request, pk: str) -> HttpResponse:
        return self._unless_unchanged(request, render_urgency)

    @extend_schema(
        summary="Mark an incident as urgent, or take the mark away",
        description="The mark is a change of the incident, kept in the history: `updated_at` and the `ETag` move if it "
        "differs.",
        examples=examples.SET_URGENCY,
        parameters=[IF_MATCH, IF_NONE_MATCH_OF_A_CHANGE, etag_header(200)],
        request=UrgencySerializer,
        responses=UrgencySerializer,
    )
    def set_urgency(self, request: Request, pk: str) -> HttpResponse:
        return with_etag(self._change(request, urgency_serializer), render_urgency)

    @extend_schema(
        summary="Who changed what, oldest first",
        description="`changes` has the old and the new value of each field that changed. The first entry is the "
        "creation, comments are entries too.",
        examples=[examples.HISTORY],
        responses=IncidentChangeSerializer(many=True),
    )
    def history(self, request: Request, pk: str) -> Response:
        changes = self._get_incident().changes.order_by("id").values(*IncidentChangeSerializer.Meta.fields)
        return self.get_paginated_response(self.paginate_queryset(changes))

    @extend_schema(
        summary="Comment on an incident",
        description="A comment is an entry of the history. It changes neither the incident nor its `ETag`, and is "
        "never edited or deleted.",
        examples=examples.COMMENT,
        parameters=[idempotency_key("8d2e4f60-7c1b-4a5e-b3d9-6f0e1a2b3c4d"), REPLAYED],
        request=CommentSerializer,
        responses={201: IncidentChangeSerializer},
    )
    def comment(self, request: Request, pk: str) -> HttpResponse:
        def create() -> idempotency.StoredResponse:
            entry = add_comment(incident_id=incident.pk, **values, actor=self.bearer, channel=Channel.API)
            return idempotency.StoredResponse(incident.pk, incident.created_at, render_change(entry))

        incident = self._get_incident()
        key, values = validate_all(
            partial(idempotency.key_of, request),
            lambda: comment_serializer.run_validation(request.data),
        )
        # The incident is part of the request: the same words about another one are another comment.
        try:
            return created(self._create_or_replay(key, {"incident": incident.pk, "comment": request.data}, create))
        except IntegrityError:
            self._get_incident()  # raises NotFound where it was archived meanwhile
            raise

    def _create_or_replay(
        self, key: str | None, request: Any, create: Callable[[], idempotency.StoredResponse]
    ) -> idempotency.StoredResponse:
        if key is None:
            return create()
        self.bearer.check()
        return idempotency.create_or_replay(user_id=self.bearer.user_id, key=key, request=request, create=create)

    def _unless_unchanged(self, request: Request, render: Callable[[Incident], bytes]) -> HttpResponse:
        incident = self._get_incident()
        preconditions = Preconditions.of(request.META)
        if preconditions.if_match_fails(incident.etag):
            raise PreconditionFailed
        if preconditions.if_none_match_fails(incident.etag):
            return HttpResponseNotModified(headers={"ETag": incident.etag})
        return with_etag(incident, render)

    def _change(self, request: Request, serializer: StrictSerializer) -> Incident:
        return change_incident(
            self._get_incident(),
            values=serializer.run_validation(request.data),
            actor=self.bearer,
            channel=Channel.API,
            preconditions=Preconditions.of(request.META),
        )

    def _get_incident(self) -> Incident:
        """Raises InvalidToken, NotFound."""
        incident = store.read_incident(int(self.kwargs["pk"]), self.bearer)
        if incident is None:
            raise NotFound
        return incident


def render(incident: Incident) -> bytes:
    return JSONRenderer().render({field: getattr(incident, field) for field in IncidentSerializer.Meta.fields})


def render_urgency(incident: Incident) -> bytes:
    return JSONRenderer().render({"urgent": incident.urgent})


def render_change(entry: IncidentChange) -> bytes:
    return JSONRenderer().render({field: getattr(entry, field) for field in IncidentChangeSerializer.Meta.fields})


def json_response(data: Any) -> HttpResponse:
    return HttpResponse(JSONRenderer().render(data), content_type=JSONRenderer.media_type)


def with_etag(incident: Incident, render: Callable[[Incident], bytes]) -> HttpResponse:
    return HttpResponse(render(incident), content_type=JSONRenderer.media_type, headers={"ETag": incident.etag})


def created(response: idempotency.StoredResponse, headers: Mapping[str, str] = MappingProxyType({})) -> HttpResponse:
    replayed = {"Idempotency-Replayed": "true"} if response.replayed else {}
    headers = {**headers, **replayed}
    return HttpResponse(response.body, content_type=JSONRenderer.media_type, status=201, headers=headers)
