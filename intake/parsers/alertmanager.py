"""
Alertmanager's webhook, version 4, and Grafana's, which has the same shape and a few more fields.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/
"""

from collections.abc import Iterator, Mapping
from typing import Any

from intake.parsers.paths import NOWHERE, Paths
from intake.parsers.types import Fault, Ignored, Notice, Part, Reason, Report, Resolution
from intake.parsers.values import describe, fingerprint, fingerprint_of_labels, link, text, timestamp

LINKS = ("generatorURL", "dashboardURL", "panelURL", "silenceURL", "imageURL")
# Shown in the first lines of a description, so not repeated below.
HEADING = ("alertname", "rulename", "summary", "description", "message")


def parse(payload: Mapping[str, Any], paths: Paths = NOWHERE) -> Iterator[Part]:
    """Yields the parts of a call in the order of its alerts; an invalid alert is a fault, and the others stay."""
    alerts = payload.get("alerts")
    if not isinstance(alerts, (list, Iterator)):
        yield Fault(None, Reason.NO_ALERTS)
        return
    if not alerts:
        yield Ignored(Reason.NOTHING_IN_IT)
    truncated = text(payload.get("truncatedAlerts"))
    if truncated.isdecimal() and truncated.strip("0"):
        yield Notice(Reason.TRUNCATED, truncated[:20])
    for index, alert in enumerate(alerts):
        yield from _parse_alert(index, alert, payload.get("status"), paths)


def _parse_alert(index: int, alert: Any, group_status: Any, paths: Paths) -> Iterator[Part]:
    if not isinstance(alert, dict):
        yield Fault(index, Reason.NOT_AN_OBJECT)
        return
    labels = {} if alert.get("labels") is None else alert["labels"]
    if not isinstance(labels, dict):
        yield Fault(index, Reason.LABELS)
        return
    annotations = alert.get("annotations")
    if not isinstance(annotations, dict):
        annotations = {}
    identity = fingerprint(alert.get("fingerprint")) or fingerprint_of_labels(labels)
    # Without a status the group's applies; without either it counts as firing, so that no report is lost.
    match text(alert.get("status") or group_status or "firing").strip().lower():
        case "firing" if identity or annotations:
            if not identity:
                yield Notice(Reason.NO_ID, index=index)
            description = describe(_lines(alert, labels, annotations), fallback=identity or "?")
            yield Report(identity, description, timestamp(alert.get("startsAt")), index, paths.is_urgent(alert))
        case "resolved" if identity:
            yield Resolution(identity, timestamp(alert.get("endsAt")), index)
        case "firing":
            yield Fault(index, Reason.EMPTY)
        case "resolved":
            yield Fault(index, Reason.RESOLVED_WITHOUT_ID)
        case _:
            yield Fault(index, Reason.UNKNOWN_STATUS)


def _lines(alert: Mapping[str, Any], labels: Mapping[str, Any], annotations: Mapping[str, Any]) -> Iterator[str]:
    """Returns the lines of the description. Fields keep the names they were sent with, which need no translation."""
    # Grafana's DatasourceNoData and DatasourceError name their rule in another label.
    name, rule = text(labels.get("alertname")), text(labels.get("rulename"))
    heading = f"{name} ({rule})" if rule else name
    yield ": ".join(filter(None, (heading, text(annotations.get("summary")).strip())))
    yield text(annotations.get("description")).strip()
    yield text(annotations.get("message")).strip()
    values = alert.get("values")
    if isinstance(values, dict) and values:
        yield "values: " + ", ".join(f"{key}={text(value)}" for key, value in values.items())
    for key in LINKS:
        if url := link(alert.get(key)):
            yield f"{key}: {url}"
    for key, value in (*annotations.items(), *labels.items()):
        if key in HEADING or key.startswith("__"):  # internal to Grafana, such as __alert_rule_uid__
            continue
        shown = link(value) if key.lower().endswith("url") and key in annotations else text(value).strip()
        if shown:
            yield f"{key}: {shown}"
