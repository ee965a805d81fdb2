"""django-ninja, as its docs write it: schemas in and out, HttpBearer, the ORM, their orjson renderer."""

from datetime import datetime

import jwt
import orjson
from django.conf import settings
from django.contrib.auth.models import User
from django.shortcuts import get_object_or_404
from django.urls import path
from ninja import NinjaAPI, Query, Schema
from ninja.renderers import BaseRenderer
from ninja.security import HttpBearer
from pydantic import Field

from tests.benchmarks.peers.models import Incident
from tests.benchmarks.peers.shapes import Source, Status


class Auth(HttpBearer):
    def authenticate(self, request, token):
        try:
            payload = jwt.decode(token, settings.SECRET_KEY, algorithms=["HS256"])
        except jwt.InvalidTokenError:
            return None
        return User.objects.filter(pk=payload["user_id"], is_active=True).first()


class Renderer(BaseRenderer):
    media_type = "application/json"

    def render(self, request, data, *, response_status):
        return orjson.dumps(data)


class Patch(Schema):
    status: Status


class In(Schema):
    description: str = Field(min_length=1, max_length=5000)
    status: Status = "open"
    source: Source


class Out(Schema):
    id: int
    description: str
    status: str
    source: str
    created_at: datetime
    updated_at: datetime


class Page(Schema):
    count: int
    next: str | None
    previous: str | None
    results: list[Out]


api = NinjaAPI(auth=Auth(), renderer=Renderer())


@api.get("/incidents/", response=Page)
def list_incidents(request, status: Status | None = None, page: int = Query(1, ge=1)):
    queryset = Incident.objects.order_by("-created_at", "-id")
    if status:
        queryset = queryset.filter(status=status)
    count = queryset.count()
    url = request.build_absolute_uri(request.path) + "?" + (f"status={status}&page=" if status else "page=")
    return {
        "count": count,
        "next": f"{url}{page + 1}" if page * 100 < count else None,
        "previous": f"{url}{page - 1}" if page > 1 else None,
        "results": list(queryset[(page - 1) * 100 : page * 100]),
    }


@api.post("/incidents/", response={201: Out})
def create_incident(request, body: In):
    return 201, Incident.objects.create(**body.dict())


@api.get("/incidents/{pk}/", response=Out)
def get_incident(request, pk: int):
    return get_object_or_404(Incident, pk=pk)


@api.patch("/incidents/{pk}/", response=Out)
def change_incident(request, pk: int, body: Patch):
    incident = get_object_or_404(Incident, pk=pk)
    incident.status = body.status
    incident.save(update_fields=["status", "updated_at"])
    return incident


urlpatterns = [path("api/v1/", api.urls)]
