"""
The webhooks of Sentry's integration platform: issues, errors, issue alerts and metric alerts.

https://docs.sentry.io/organization/integrations/integration-platform/webhooks/

Reports have no `starts_at`: the payloads do not say when a problem came back, `firstSeen` and `lastSeen` are older.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from intake.parsers.paths import NOWHERE, Paths
from intake.parsers.types import Fault, Ignored, Notice, Part, Reason, Report, Resolution
from intake.parsers.values import describe, fingerprint, link, text

# "unresolved" is an issue that came back. "assigned" and "archived" are actions of people in Sentry.
FIRING = ("created", "unresolved", "triggered", "critical", "warning")


def parse(payload: Mapping[str, Any], paths: Paths = NOWHERE) -> Iterator[Part]:
    action, data = payload.get("action"), payload.get("data")
    if not isinstance(action, str) or not isinstance(data, dict):
        yield Fault(0, Reason.UNKNOWN_CALL)
        return
    identity, lines, status, subject = _subject(data)
    if not lines:  # an installation, a comment
        yield Ignored(Reason.NO_REPORT)
    elif action == "resolved" or status == "resolved":
        yield Resolution(identity) if identity else Fault(0, Reason.RESOLVED_WITHOUT_ID)
    elif action in FIRING:
        if not identity:
            yield Notice(Reason.NO_ID)
        description = describe(lines, fallback=identity or "Sentry")
        yield Report(identity, description, urgent=paths.is_urgent(subject))
    else:
        yield Ignored(Reason.NO_REPORT)


def _subject(data: Mapping[str, Any]) -> tuple[str | None, list[str], Any, Mapping[str, Any]]:
    """
    Returns fingerprint, lines of the description and status of the problem, and the object that is about it.

    No lines if it is something else.
    """
    match data:
        case {"issue": dict(issue)}:
            project = issue.get("project")
            name = text(project.get("slug")) if isinstance(project, dict) else ""
            where = " · ".join(filter(None, (name, text(issue.get("shortId")), text(issue.get("level")))))
            url = link(issue.get("web_url")) or link(issue.get("permalink"))
            lines = [text(issue.get("title")), text(issue.get("culprit")), where, url]
            return fingerprint(issue.get("id")), lines, issue.get("status"), issue
        case {"event": dict(event)} | {"error": dict(event)}:
            # Its issue is the problem, whether an alert or the issue itself tells of it.
            rule, url = text(data.get("triggered_rule")), link(event.get("web_url"))
            lines = [text(event.get("title")), text(event.get("culprit")), rule, url]
            return fingerprint(event.get("issue_id")), lines, None, event
        case {"metric_alert": dict(alert)}:
            lines = [text(data.get("description_title")), text(data.get("description_text")), link(data.get("web_url"))]
            identity = fingerprint(alert.get("id"))
            return identity and fingerprint(f"metric_alert:{identity}"), lines, None, alert
    return None, [], None, {}
