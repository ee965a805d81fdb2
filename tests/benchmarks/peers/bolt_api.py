"""django-bolt: HTTP and JWT in Rust, msgspec, the ORM; request.user loads the user's row."""

from datetime import datetime
from typing import Annotated

from django.conf import settings
from django_bolt import BoltAPI, Request
from django_bolt.auth import IsAuthenticated, JWTAuthentication
from django_bolt.exceptions import HTTPException
from msgspec import Meta, Struct

from tests.benchmarks.peers.models import Incident
from tests.benchmarks.peers.shapes import Source, Status


class Patch(Struct):
    status: Status


class In(Struct):
    description: Annotated[str, Meta(min_length=1, max_length=5000)]
    source: Source
    status: Status = "open"


class Out(Struct):
    id: int
    description: str
    status: str
    source: str
    created_at: datetime
    updated_at: datetime


class Page(Struct):
    count: int
    next: str | None
    previous: str | None
    results: list[Out]


def out(incident):
    return Out(
        incident.id,
        incident.description,
        incident.status,
        incident.source,
        incident.created_at,
        incident.updated_at,
    )


def check(request):
    if not request.user or not request.user.is_active:
        raise HTTPException(401, "User is inactive")


def find(pk):
    try:
        return Incident.objects.get(pk=pk)
    except Incident.DoesNotExist:
        raise HTTPException(404, "Not found") from None


urlpatterns = []
api = BoltAPI(trailing_slash="append")
protected = {"auth": [JWTAuthentication(secret=settings.SECRET_KEY)], "guards": [IsAuthenticated()]}


@api.get("/api/v1/incidents/", **protected)
def list_incidents(request: Request, status: Status | None = None, page: int = 1) -> Page:
    check(request)
    queryset = Incident.objects.order_by("-created_at", "-id")
    if status:
        queryset = queryset.filter(status=status)
    count = queryset.count()
    url = f"http://{request.headers.get('host')}/api/v1/incidents/?" + (f"status={status}&page=" if status else "page=")
    return Page(
        count,
        f"{url}{page + 1}" if page * 100 < count else None,
        f"{url}{page - 1}" if page > 1 else None,
        [out(incident) for incident in queryset[(page - 1) * 100 : page * 100]],
    )


@api.post("/api/v1/incidents/", status_code=201, **protected)
def create_incident(request: Request, body: In) -> Out:
    check(request)
    return out(Incident.objects.create(description=body.description, status=body.status, source=body.source))


@api.get("/api/v1/incidents/{pk}/", **protected)
def get_incident(request: Request, pk: int) -> Out:
    check(request)
    return out(find(pk))


@api.patch("/api/v1/incidents/{pk}/", **protected)
def change_incident(request: Request, pk: int, body: Patch) -> Out:
    check(request)
    incident = find(pk)
    incident.status = body.status
    incident.save(update_fields=["status", "updated_at"])
    return out(incident)
