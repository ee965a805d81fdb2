"""The request id of a call stands in its delivery, in what is made of it, and in the log, whenever it is processed."""

import json

import pytest

from core.log.context import LogContext, log_context
from core.log.formatters import JSONFormatter
from incidents.models import IncidentChange
from intake import inbox
from intake.models import Delivery
from tests.helpers.intake import alert, resolved

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def call(alertmanager, request_id, *alerts):
    response = alertmanager.post({"alerts": alerts}, **{"x-request-id": request_id})
    assert (response.status_code, response["X-Request-ID"]) == (200, request_id)


def request_ids():
    return list(IncidentChange.objects.order_by("pk").values_list("request_id", flat=True))


def test_of_calls_that_are_processed_at_once(alertmanager):
    call(alertmanager, "fired", alert())
    call(alertmanager, "ended", resolved())
    assert list(Delivery.objects.order_by("pk").values_list("request_id", flat=True)) == ["fired", "ended"]
    assert request_ids() == ["fired", "ended"]


def test_of_calls_that_the_jobs_process_later(alertmanager, monkeypatch):
    monkeypatch.setattr(inbox, "MAX_SOON_SIZE", 0)
    call(alertmanager, "fired", alert())
    call(alertmanager, "ended", resolved())
    with log_context(LogContext("of the job", job="process_deliveries")):
        inbox.process_pending()
    assert request_ids() == ["fired", "ended"]


def test_in_the_log_of_a_fault(alertmanager, caplog):
    caplog.handler.setFormatter(JSONFormatter())
    call(alertmanager, "faulty", {"labels": "x"})
    lines = [json.loads(line) for line in caplog.text.splitlines()]
    assert [line["request_id"] for line in lines if line["logger"] == "intake.inbox"] == ["faulty"]


def test_in_the_log_of_a_defect(alertmanager, caplog, monkeypatch):
    monkeypatch.setitem(inbox.handlers, "alertmanager", lambda delivery: 1 / 0)
    monkeypatch.setattr(inbox, "MAX_SOON_SIZE", 0)
    call(alertmanager, "defect", alert())
    caplog.handler.setFormatter(JSONFormatter())
    inbox.process_pending()
    lines = [json.loads(line) for line in caplog.text.splitlines()]
    assert {line["request_id"] for line in lines if line["level"] == "ERROR"} == {"defect"}
