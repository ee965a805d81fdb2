"""
Uptime Kuma's webhook, read from its source: server/notification-providers/webhook.js and server/model/monitor.js.

Only the id of the monitor connects DOWN with UP.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from intake.parsers.paths import NOWHERE, Paths
from intake.parsers.types import Fault, Ignored, Notice, Part, Reason, Report, Resolution
from intake.parsers.values import describe, fingerprint, link, text, timestamp

DOWN, UP, PENDING, MAINTENANCE = "0", "1", "2", "3"


def is_test(payload: Mapping[str, Any]) -> bool:
    """
    Returns whether the button "Test" sent this: both the heartbeat and the monitor are null.

    They are null as well in the message that a certificate will expire, which is a report.
    """
    nulls = all(field in payload and payload[field] is None for field in ("heartbeat", "monitor"))
    return nulls and "expire" not in text(payload.get("msg"))


def parse(payload: Mapping[str, Any], paths: Paths = NOWHERE) -> Iterator[Part]:
    heartbeat, monitor = ({} if payload.get(field) is None else payload[field] for field in ("heartbeat", "monitor"))
    message = text(payload.get("msg")).strip()
    if not isinstance(heartbeat, dict) or not isinstance(monitor, dict) or not (heartbeat or message):
        yield Fault(0, Reason.UNKNOWN_CALL)
        return
    if is_test(payload):
        yield Ignored(Reason.TEST_MESSAGE)
        return
    identity = fingerprint(heartbeat.get("monitorID")) or fingerprint(monitor.get("id"))
    # In UTC, though it does not say so: `timezoneOffset` belongs to `localDateTime`.
    at = timestamp(heartbeat.get("time"))
    status = text(heartbeat.get("status")) if heartbeat else DOWN
    if status == DOWN:
        if not identity:
            yield Notice(Reason.NO_ID)
        lines = (message or text(monitor.get("name")), text(monitor.get("description")), link(monitor.get("url")))
        description = describe(lines, fallback=identity or "DOWN")
        yield Report(identity, description, at, urgent=paths.is_urgent(payload))
    elif status == UP:
        yield Resolution(identity, at) if identity else Fault(0, Reason.RESOLVED_WITHOUT_ID)
    elif status in (PENDING, MAINTENANCE):
        yield Ignored(Reason.NO_REPORT)
    else:
        yield Fault(0, Reason.UNKNOWN_STATUS)
