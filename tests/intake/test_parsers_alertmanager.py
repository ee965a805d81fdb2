import json
from datetime import UTC, datetime

import pytest

from intake.parsers.alertmanager import parse
from intake.parsers.types import Fault, Ignored, Notice, Reason, Report, Resolution

# As Alertmanager 0.34 sends it: template/template.go and notify/webhook/webhook.go.
ALERTMANAGER = json.loads(r"""
{"version": "4", "groupKey": "{}:{alertname=\"InstanceDown\"}", "truncatedAlerts": 0, "status": "firing",
 "receiver": "incidents", "notification_reason": "new alerts", "routeLabels": {},
 "groupLabels": {"alertname": "InstanceDown"},
 "commonLabels": {"alertname": "InstanceDown", "severity": "critical"}, "commonAnnotations": {},
 "externalURL": "http://alertmanager:9093",
 "alerts": [
  {"status": "firing", "labels": {"alertname": "InstanceDown", "instance": "web-1:9100", "severity": "critical"},
   "annotations": {"summary": "web-1 is down", "description": "Нет ответа более 5 минут.", "runbook_url": "https://wiki.example/down"},
   "startsAt": "2025-11-20T10:00:00.123456789+03:00", "endsAt": "0001-01-01T00:00:00Z",
   "generatorURL": "http://prometheus:9090/graph?g0.expr=up+%3D%3D+0", "fingerprint": "a1b2c3d4e5f60718"},
  {"status": "resolved", "labels": {"alertname": "InstanceDown", "instance": "web-2:9100"}, "annotations": {},
   "startsAt": "2025-11-20T06:00:00Z", "endsAt": "2025-11-20T07:05:00Z", "generatorURL": "",
   "fingerprint": "ffeeddccbbaa9988"}]}
""")
DESCRIPTION = """\
InstanceDown: web-1 is down
Нет ответа более 5 минут.
generatorURL: http://prometheus:9090/graph?g0.expr=up+%3D%3D+0
runbook_url: https://wiki.example/down
instance: web-1:9100
severity: critical"""

# As Grafana 12 sends it, with what its documentation leaves out: nulls.
GRAFANA = {
    "status": "firing",
    "labels": {"alertname": "High memory usage", "team": "blue", "__alert_rule_uid__": "d1rdpdv7k"},
    "annotations": None,
    "startsAt": "2021-10-12T09:51:03.157076+02:00",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "https://play.grafana.org/alerting/1afz29v7z/edit",
    "fingerprint": "c6eadffa33fcdf37",
    "silenceURL": "https://play.grafana.org/alerting/silence/new?alertmanager=grafana",
    "dashboardURL": "",
    "panelURL": "",
    "values": None,
    "valueString": "",
    "orgId": 1,
}


def only(**alert):
    """What a call with this one alert says."""
    return list(parse({"alerts": [alert]}))


def described(**alert):
    return only(**{"fingerprint": "F"} | alert)[-1].description


def test_alertmanager():
    report, resolution = parse(ALERTMANAGER)
    assert report == Report("a1b2c3d4e5f60718", DESCRIPTION, datetime(2025, 11, 20, 7, 0, 0, 123456, UTC), 0)
    assert resolution == Resolution("ffeeddccbbaa9988", datetime(2025, 11, 20, 7, 5, tzinfo=UTC), 1)


def test_grafana_with_nulls():
    (report,) = only(**GRAFANA)
    assert report.fingerprint == "c6eadffa33fcdf37"
    assert report.description.splitlines() == [
        "High memory usage",
        f"generatorURL: {GRAFANA['generatorURL']}",
        f"silenceURL: {GRAFANA['silenceURL']}",
        "team: blue",
    ]


def test_grafana_values():
    assert "values: B=44.5, C=1" in described(**GRAFANA | {"values": {"B": 44.5, "C": 1.0}})


@pytest.mark.parametrize("name", ["DatasourceNoData", "DatasourceError"])
def test_rule_without_data_is_named(name):
    labels = {"alertname": name, "rulename": "CPU usage", "datasource_uid": "P1"}
    assert described(labels=labels).startswith(f"{name} (CPU usage)\n")


def test_start_at_the_end_still_resolves():  # Grafana 12 overwrites startsAt
    at = "2025-11-20T10:05:00Z"
    assert only(status="resolved", fingerprint="F", startsAt=at, endsAt=at) == [
        Resolution("F", datetime(2025, 11, 20, 10, 5, tzinfo=UTC))
    ]


def test_one_bad_of_fifty():
    alerts = [{"labels": {"alertname": "A", "n": str(n)}, "status": "firing"} for n in range(50)]
    alerts[7] = {"labels": "x"}
    parts = list(parse({"alerts": alerts}))
    assert parts.pop(7) == Fault(7, Reason.LABELS)
    assert len({part.fingerprint for part in parts if isinstance(part, Report)}) == 49


@pytest.mark.parametrize(
    ("alert", "error"),
    [
        (None, Reason.NOT_AN_OBJECT),
        ("x", Reason.NOT_AN_OBJECT),
        ([], Reason.NOT_AN_OBJECT),
        ({"labels": ["x"]}, Reason.LABELS),
        ({}, Reason.EMPTY),
        ({"labels": {}, "annotations": {}, "fingerprint": ""}, Reason.EMPTY),
        ({"labels": {}, "status": "resolved"}, Reason.RESOLVED_WITHOUT_ID),
        ({"labels": {"a": "b"}, "status": "pending"}, Reason.UNKNOWN_STATUS),
    ],
)
def test_faults(alert, error):
    assert list(parse({"alerts": [alert]})) == [Fault(0, error)]


@pytest.mark.parametrize("payload", [{}, {"alerts": None}, {"alerts": {}}, {"alerts": "x"}])
def test_no_list_of_alerts(payload):
    assert list(parse(payload)) == [Fault(None, Reason.NO_ALERTS)]


def test_empty_list():
    assert list(parse({"alerts": []})) == [Ignored(Reason.NOTHING_IN_IT)]


@pytest.mark.parametrize(("count", "detail"), [(250, "250"), ("250", "250"), (250.0, "250")])
def test_truncated(count, detail):
    first, second = parse({"alerts": [GRAFANA], "truncatedAlerts": count})
    assert first == Notice(Reason.TRUNCATED, detail)
    assert isinstance(second, Report)


@pytest.mark.parametrize("count", [0, "0", None, -1, "many", True, [250], 0.0])
def test_not_truncated(count):
    assert [type(part) for part in parse({"alerts": [GRAFANA], "truncatedAlerts": count})] == [Report]


@pytest.mark.parametrize(("own", "group", "kind"), [("resolved", "firing", Resolution), ("firing", "resolved", Report)])
def test_status_of_the_alert_counts(own, group, kind):
    (part,) = parse({"status": group, "alerts": [{"status": own, "labels": {"a": "b"}}]})
    assert isinstance(part, kind)


@pytest.mark.parametrize(
    ("group", "kind"), [("resolved", Resolution), ("firing", Report), (None, Report), ({}, Report)]
)
def test_status_of_the_group_is_a_fallback(group, kind):
    (part,) = parse({"status": group, "alerts": [{"labels": {"a": "b"}}]})
    assert isinstance(part, kind)


def test_without_a_fingerprint_the_labels_identify():
    (first,), (second,) = only(labels={"a": "1", "b": 2}), only(labels={"b": "2", "a": 1}, status="resolved")
    (other,) = only(labels={"a": "1", "b": "3"})
    assert first.fingerprint == second.fingerprint != other.fingerprint


def test_nothing_identifies():
    notice, report = only(annotations={"summary": "Something"})
    assert (notice, report.fingerprint) == (Notice(Reason.NO_ID, index=0), None)


@pytest.mark.parametrize("labels", [{"alertname": "x" * 1_000_000}, {"blob": "x" * 1_000_000}])
def test_huge_label(labels):
    description = described(labels={"alertname": "Big"} | labels)
    assert (len(description), description[-3:]) == (20_000, "[…]")


def test_javascript_is_no_link():
    alert = {
        "generatorURL": "javascript:alert(1)",
        "annotations": {"runbook_url": "javascript:alert(2)", "summary": "S"},
    }
    assert described(**alert) == "S"


def test_overlong_link_is_dropped():
    assert described(imageURL="https://example.org/" + "x" * 3000, labels={"alertname": "A"}) == "A"


def test_annotation_named_url_is_a_link_or_left_out():
    assert "dashboard_url" not in described(annotations={"summary": "S", "dashboard_url": "ftp://x"})


def test_unreadable_annotations_cost_no_incident():
    assert described(labels={"alertname": "A"}, annotations="x") == "A"


def test_unstorable_characters_are_replaced():
    assert described(annotations={"summary": "a\0b\ud800c"}) == "a\ufffdb\ufffdc"


def test_description_is_never_blank():
    assert described(annotations={"summary": " \n "}) == "F"
