from datetime import UTC, datetime

import pytest

from intake.parsers.types import Fault, Ignored, Notice, Reason, Report, Resolution
from intake.parsers.uptime_kuma import parse

AT = datetime(2023, 9, 16, 10, 41, 24, 905000, UTC)
MONITOR = {
    "id": 7,
    "name": "Shop",
    "description": None,
    "url": "https://shop.example",
    "hostname": None,
    "type": "http",
}


def call(status, monitor=MONITOR, **heartbeat):
    """As Uptime Kuma 2 sends it, shortened."""
    heartbeat = {
        "monitorID": 7,
        "status": status,
        "time": "2023-09-16 10:41:24.905",
        "msg": "timeout of 48000ms exceeded",
        "important": True,
        "duration": 60,
        "timezone": "Europe/Moscow",
        "timezoneOffset": "+03:00",
        "localDateTime": "2023-09-16 13:41:24",
    } | heartbeat
    message = f"[Shop] [{'✅ Up' if status == 1 else '🔴 Down'}] {heartbeat['msg']}"
    return list(parse({"heartbeat": heartbeat, "monitor": monitor, "msg": message}))


def test_down():  # the time is in UTC, whatever timezoneOffset says
    description = "[Shop] [🔴 Down] timeout of 48000ms exceeded\nhttps://shop.example"
    assert call(0) == [Report("7", description, AT)]


def test_up():
    assert call(1) == [Resolution("7", AT)]


def test_id_of_the_monitor_will_do():
    assert call(1, monitorID=None) == [Resolution("7", AT)]


@pytest.mark.parametrize("status", [2, 3])
def test_pending_and_maintenance(status):
    assert call(status) == [Ignored(Reason.NO_REPORT)]


@pytest.mark.parametrize("status", [None, 4, "down", [0]])
def test_unknown_status(status):
    (fault,) = call(status)
    assert fault.error == Reason.UNKNOWN_STATUS


def test_url_of_a_monitor_without_one_is_left_out():
    (report,) = call(0, monitor=MONITOR | {"url": "https://"})
    assert "https" not in report.description


def test_test_message():
    assert list(parse({"heartbeat": None, "monitor": None, "msg": "My webhook Testing"})) == [
        Ignored(Reason.TEST_MESSAGE)
    ]


def test_certificate_looks_like_a_test_message():
    message = "[Shop][https://shop.example] server certificate shop.example will expire in 7 days"
    assert list(parse({"heartbeat": None, "monitor": None, "msg": message})) == [
        Notice(Reason.NO_ID),
        Report(None, message),
    ]


def test_down_without_any_id():
    assert [type(part) for part in call(0, monitor=None, monitorID=None)] == [Notice, Report]


def test_up_without_any_id():
    (fault,) = call(1, monitor=None, monitorID=None)
    assert fault.error == Reason.RESOLVED_WITHOUT_ID


@pytest.mark.parametrize("payload", [{}, {"heartbeat": [], "monitor": {}, "msg": "x"}, {"monitor": "x", "msg": "x"}])
def test_other_calls(payload):
    assert list(parse(payload)) == [Fault(0, Reason.UNKNOWN_CALL)]
