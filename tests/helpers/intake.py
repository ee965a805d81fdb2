"""Senders: systems that report incidents."""

import json
from dataclasses import dataclass
from typing import Any

from django.test import Client

from incidents.models import Incident
from intake.models import Delivery, Sender


@dataclass
class Caller:
    sender: Sender
    secret: str

    @property
    def path(self) -> str:
        return f"/api/v1/intake/{self.sender.name}/"

    def post(self, payload: Any, **headers: str) -> Any:
        """Sends a payload as JSON, or bytes unchanged."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        headers = {"authorization": f"Bearer {self.secret}"} | headers
        client = Client(raise_request_exception=False)
        return client.post(self.path, body, content_type="application/json", headers=headers)

    def alerts(self, *alerts: Any, **group: Any) -> Delivery:
        """The delivery of an accepted call of Alertmanager."""
        response = self.post({"version": "4", "status": "firing", "alerts": alerts, **group})
        assert response.status_code == 200, response.content
        return Delivery.objects.get(pk=response.json()["delivery"])

    def deliver(self, payload: Any) -> Delivery:
        response = self.post(payload)
        assert response.status_code == 200, response.content
        return Delivery.objects.get(pk=response.json()["delivery"])


def make_caller(name: str = "probe", format: str = "alertmanager", **fields: Any) -> Caller:  # noqa: A002
    sender = Sender(name=name, format=format, **fields)
    secret = sender.make_secret()
    sender.full_clean()
    sender.save()
    return Caller(sender, secret)


def alert(fingerprint: str = "F", starts: str = "10:00:00", status: str = "firing", **fields: Any) -> dict[str, Any]:
    """An alert of 15 January 2024; `ends` is its time of day."""
    ends = fields.pop("ends", None)
    return {
        "status": status,
        "labels": {"alertname": "DiskFull", "instance": "db1"},
        "annotations": {"summary": f"Диск полон {fingerprint}"},
        "startsAt": f"2024-01-15T{starts}Z",
        "endsAt": f"2024-01-15T{ends}Z" if ends else "0001-01-01T00:00:00Z",
        "fingerprint": fingerprint,
        **fields,
    }


def resolved(fingerprint: str = "F", ends: str = "10:05:00", **fields: Any) -> dict[str, Any]:
    return alert(fingerprint, status="resolved", ends=ends, **fields)


def statuses() -> list[str]:
    """The statuses of all incidents, oldest first."""
    return list(Incident.objects.order_by("id").values_list("status", flat=True))
