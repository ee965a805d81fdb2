import pytest

from intake.parsers.sentry import parse
from intake.parsers.types import Fault, Ignored, Notice, Reason, Report, Resolution

# From docs.sentry.io/organization/integrations/integration-platform/webhooks/, shortened.
ISSUE = {
    "url": "https://sentry.io/api/0/organizations/example-org/issues/1234567890/",
    "web_url": "https://example-org.sentry.io/issues/1234567890/",
    "id": "1234567890",
    "shortId": "PYTHON-Y",
    "title": "ReferenceError: heck is not defined",
    "culprit": "checkout in pay",
    "permalink": "https://example-org.sentry.io/issues/1234567890/",
    "level": "fatal",
    "status": "unresolved",
    "statusDetails": {},
    "substatus": "new",
    "project": {"id": "112313123123134", "name": "python", "slug": "python", "platform": "python"},
    "count": "3",
    "firstSeen": "2025-11-10T20:56:00.679000+00:00",
    "lastSeen": "2025-11-10T20:56:00.738000+00:00",
}
EVENT = {
    "event_id": "e4874d664c3540c1a32eab185f12c5ab",
    "issue_id": "1234567890",
    "title": "ReferenceError: heck is not defined",
    "culprit": "?(<anonymous>)",
    "datetime": "2019-08-19T21:06:17.677000Z",
    "web_url": "https://sentry.io/organizations/test-org/issues/1117540176/events/e4874d664c3540c1a32eab185f12c5ab/",
}
METRIC = {
    "description_text": "1000 events in the last 10 minutes\nFilter: level:error",
    "description_title": "Critical: Too many errors",
    "metric_alert": {"id": "4", "identifier": "1", "date_closed": None, "title": "Sacred Marmot", "status": 2},
    "web_url": "https://sentry.io/organizations/baz/alerts/1/",
}


def call(action, **data):
    return list(
        parse({"action": action, "installation": {"uuid": "a8e5d37a"}, "data": data, "actor": {"type": "user"}})
    )


@pytest.mark.parametrize("action", ["created", "unresolved", "triggered"])
def test_issue(action):
    lines = [ISSUE["title"], ISSUE["culprit"], "python · PYTHON-Y · fatal", ISSUE["web_url"]]
    assert call(action, issue=ISSUE) == [Report("1234567890", "\n".join(lines))]


def test_resolved():
    assert call("resolved", issue=ISSUE | {"status": "resolved"}) == [Resolution("1234567890")]


@pytest.mark.parametrize("action", ["triggered", "assigned"])
def test_resolved_by_its_status(action):
    assert call(action, issue=ISSUE | {"status": "resolved"}) == [Resolution("1234567890")]


@pytest.mark.parametrize("action", ["assigned", "archived", "ignored", "something new"])
def test_what_people_do_is_no_report(action):
    assert call(action, issue=ISSUE) == [Ignored(Reason.NO_REPORT)]


@pytest.mark.parametrize(("action", "field"), [("triggered", "event"), ("created", "error")])
def test_event_belongs_to_its_issue(action, field):
    (report,) = call(action, **{field: EVENT}, triggered_rule="Important!")
    assert report.fingerprint == ISSUE["id"]
    assert report.description.splitlines() == [EVENT["title"], EVENT["culprit"], "Important!", EVENT["web_url"]]


@pytest.mark.parametrize("action", ["critical", "warning"])
def test_metric_alert(action):
    (report,) = call(action, **METRIC)
    assert report.fingerprint == "metric_alert:4"
    assert report.description.startswith("Critical: Too many errors\n1000 events")


def test_metric_alert_resolved():
    assert call("resolved", **METRIC) == [Resolution("metric_alert:4")]


def test_long_id_of_a_metric_alert():
    (report,) = call("critical", **METRIC | {"metric_alert": {"id": "4" * 200}})
    assert len(report.fingerprint) <= 200


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("created", {"installation": {"status": "pending"}}),
        ("created", {"comment": "adding a comment", "issue_id": 100}),
        ("created", {}),
        ("created", {"issue": None}),
    ],
)
def test_other_resources(action, data):
    assert call(action, **data) == [Ignored(Reason.NO_REPORT)]


def test_issue_without_id():
    notice, report = call("created", issue={"title": "T"})
    assert (notice, report) == (Notice(Reason.NO_ID), Report(None, "T"))


def test_resolved_without_id():
    (fault,) = call("resolved", issue={"title": "T"})
    assert fault.error == Reason.RESOLVED_WITHOUT_ID


@pytest.mark.parametrize(
    "payload", [{}, {"action": "created"}, {"action": 7, "data": {}}, {"action": "created", "data": []}]
)
def test_other_calls(payload):
    assert list(parse(payload)) == [Fault(0, Reason.UNKNOWN_CALL)]
