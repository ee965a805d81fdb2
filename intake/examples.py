"""Examples in the OpenAPI document."""

from core.api.openapi import in_request, in_response

REPORT = [
    in_request(
        "A call of Alertmanager",
        {
            "version": "4",
            "status": "firing",
            "alerts": [
                {
                    "status": "firing",
                    "labels": {"alertname": "ScooterOffline", "scooter": "875643"},
                    "annotations": {"summary": "Самокат номер 875643 не в сети"},
                    "startsAt": "2024-01-15T10:30:00Z",
                    "endsAt": "0001-01-01T00:00:00Z",
                    "fingerprint": "c5a8e6fbd1b3f2a0",
                }
            ],
        },
    ),
    in_response("A receipt", {"delivery": 1}),
]
