"""Examples in the OpenAPI document. Those of requests may be sent as they are."""

from core.api.openapi import in_request, in_response

OFFLINE = {
    "id": 1,
    "description": "Самокат номер 875643 не в сети",
    "status": "open",
    "source": "operator",
    "created_at": "2024-01-15T10:30:00Z",
    "updated_at": "2024-01-15T10:30:00Z",
}
SILENT = {
    "id": 2,
    "description": "Точка не отвечает",
    "status": "in_progress",
    "source": "monitoring",
    "created_at": "2024-01-15T09:15:00Z",
    "updated_at": "2024-01-15T10:00:00Z",
}
INCIDENT = in_response("An incident", OFFLINE)
INCIDENTS = in_response("Two incidents", [OFFLINE, SILENT])
CREATE = [
    in_request("A scooter is offline", {name: OFFLINE[name] for name in ("description", "status", "source")}),
    INCIDENT,
]
CHANGE = [
    in_request("The status", {"status": "in_progress"}),
    in_request("Several fields", {"status": "in_progress", "description": "Обновлённое описание"}),
    in_response("The incident", OFFLINE | {"status": "in_progress", "updated_at": "2024-01-15T11:00:00Z"}),
]

_ENTRY = {"at": "2024-01-15T11:00:00Z", "actor": "petrova", "channel": "api"}
_CREATION = {name: [None, OFFLINE[name]] for name in ("description", "status", "source")}
HISTORY = in_response(
    "Creation and a change of status",
    [
        _ENTRY | {"at": OFFLINE["created_at"], "changes": _CREATION},
        _ENTRY | {"changes": {"status": ["open", "in_progress"]}},
    ],
)
URGENCY = in_response("Urgent", {"urgent": True})
SET_URGENCY = [in_request("It is urgent", {"urgent": True}), URGENCY]
COMMENT = [
    in_request("A comment", {"text": "Выехал механик"}),
    in_response("Its entry in the history", _ENTRY | {"changes": {"comment": [None, "Выехал механик"]}}),
]

_FILE = {
    "id": 1,
    "name": "самокат.jpg",
    "content_type": "image/jpeg",
    "size": 284_116,
    "sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
    "state": "stored",
    "created_at": "2024-01-15T11:00:00Z",
    "url": "https://incidents.example/api/v1/incidents/1/attachments/1/",
}
ATTACHMENT = in_response("A file", _FILE)
ATTACHMENTS = in_response("A file", [_FILE])
