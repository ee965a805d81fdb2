"""Large bodies are read piece by piece, with the same outcome."""

import json
import tracemalloc
from collections.abc import Iterator

import pytest

from intake.parsers import Format, parse, reading, streaming
from intake.parsers.paths import Paths
from intake.parsers.reading import UnreadableError, check, read
from intake.parsers.types import Fault, Notice, Reason, Report
from tests.helpers.intake import alert

LABELS = [
    {"a": "я", "b": None, "c": True, "d": 7, "e": -1.5e3, "f": 10**30, "g": 1e300, "h": "NaN"},
    {"nested": {"a": [1, [2, {"b": []}], {}], "b": {}}, "": "", "\\u0000\n": "😀"},
]
CALL = {"status": "firing", "alerts": [alert("A", labels=LABELS[0]), "bad", alert("B", labels=LABELS[1]), [], 7, None]}


@pytest.fixture
def pieces(monkeypatch):
    """Everything is read piece by piece."""
    monkeypatch.setattr(reading, "MAX_WHOLE_SIZE", -1)


def parts(body, kind=Format.ALERTMANAGER):
    payload, notices = read(body, kind=kind)
    return [*notices, *parse(kind, payload, Paths("status", "alerts.0.fingerprint"))]


@pytest.mark.parametrize("kind", list(Format))
@pytest.mark.parametrize(
    "payload",
    [
        CALL,
        {"alerts": [], "status": "firing"},
        {"alerts": [alert("A")], "truncatedAlerts": 250, "x": [{}, {"alerts": [1]}]},
        {"alerts": {"alerts": [1]}},
        {"alerts": None},
        {"x": {"alerts": [alert("A")]}},
        {},
        {"alerts": [alert(str(number)) for number in range(100)]},
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_the_parts_are_the_same(payload, kind, encoding, monkeypatch):
    body = json.dumps(payload, ensure_ascii=False).encode(encoding, "surrogatepass")
    whole = parts(body, kind)
    monkeypatch.setattr(reading, "MAX_WHOLE_SIZE", -1)
    assert parts(body, kind) == whole
    check(body, "", kind)


@pytest.mark.parametrize(
    ("body", "payload"),
    [
        (b'{"a": "two\nlines\x01", "b": "C:\\Disk"}', {"a": "two\nlines\x01", "b": "C:\\Disk"}),
        (b'{"tags": {EVENT.TAGSJSON}}', {"tags": "{EVENT.TAGSJSON}"}),
        (b'{"a": NaN, "b": -Infinity}', {"a": "NaN", "b": "-Infinity"}),
        (b'{"a": "\xff"}', {"a": "\ufffd"}),
    ],
)
def test_repaired(pieces, body, payload):
    assert read(body) == (payload, [Notice(Reason.REPAIRED)])
    check(body, "", Format.GENERIC)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        *((body, Reason.UNREADABLE) for body in (b"", b" ", b"{", b'{"a": [1, 2}', b'{"a": 1} x', b"<xml/>", b"a=1")),
        *((body, Reason.NOT_AN_OBJECT) for body in (b"7", b"[]", b"null", b'"text"')),
        (b'{"a": 1e99999999999999999999}', Reason.UNREADABLE),
        (b'{"alerts": [{"status": "firing", "fingerprint": "A"}', Reason.UNREADABLE),
        (b'{"a": ' * 100_000, Reason.UNREADABLE),
        (b'{"alerts": ' + b"[" * 2_000 + b"]" * 2_000 + b"}", Reason.UNREADABLE),
    ],
)
@pytest.mark.parametrize("kind", [Format.GENERIC, Format.ALERTMANAGER])
def test_unreadable(pieces, body, reason, kind):
    for function in (lambda: read(body, kind=kind), lambda: check(body, "", kind)):
        with pytest.raises(UnreadableError) as raised:
            function()
        assert raised.value.reason == reason


@pytest.mark.parametrize("before", [b'{"a":', b'{"a": [1, -', b'{"a": "' + b"x" * 4_290 + b'", "b":'])
def test_a_number_with_too_many_digits_is_unreadable(pieces, before):
    after = b"]}" if b"[" in before else b"}"
    assert read(before + b"1" * 4_299 + after)
    for digits in (4_301, 20_000):
        with pytest.raises(UnreadableError):
            read(before + b"1" * digits + after, kind=Format.ALERTMANAGER)


@pytest.mark.parametrize("after", ["", "x", "}", '{"alerts": []}'])
def test_white_space_hides_nothing_behind_the_object(pieces, after):
    body = b'{"alerts": [{"fingerprint": "A"}]}' + b" " * 3 * streaming.WINDOW_SIZE + after.encode()
    if after:
        with pytest.raises(UnreadableError):
            read(body, kind=Format.ALERTMANAGER)
    else:
        assert parts(body) == [Report("A", "A")]


def test_a_large_call_of_alertmanager_is_never_built_whole():
    body = b'{"alerts": [' + b"{}," * 500_000 + b"{}]}"
    payload, _notices = read(body, kind=Format.ALERTMANAGER)
    assert isinstance(payload["alerts"], Iterator)
    faults = parse(Format.ALERTMANAGER, payload)
    assert next(faults) == Fault(0, Reason.EMPTY)
    assert sum(1 for _ in faults) == 500_000


def test_alerts_that_are_faults_do_not_stay_in_memory():
    one = b'{"values": [' + b"{}," * 1_000 + b"{}]}"
    payload, _notices = read(b'{"alerts": [' + (one + b",") * 200 + one + b"]}", kind=Format.ALERTMANAGER)
    tracemalloc.start()
    try:
        faults = list(parse(Format.ALERTMANAGER, payload))
        kept, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(faults) == 201
    assert kept < 1_000_000


def test_of_an_object_with_too_many_values_the_first_are_read(monkeypatch):
    monkeypatch.setattr(reading, "MAX_WHOLE_SIZE", -1)
    monkeypatch.setattr(streaming, "MAX_VALUES", 5)
    body = json.dumps({"id": 7, "text": "Печь", "list": [[1], [2], [3]], "late": {"a": 1}}).encode()
    payload, notices = read(body)
    assert payload == {"id": 7, "text": "Печь", "list": [[1]]}
    assert notices == [Notice(Reason.CUT, "5")]
    assert list(parse(Format.GENERIC, payload, Paths("text", "id"))) == [Report("7", "Печь")]


def test_an_alert_with_too_many_values_affects_no_other(pieces, monkeypatch):
    monkeypatch.setattr(streaming, "MAX_VALUES", 8)
    huge = {"fingerprint": "A", "annotations": {"summary": "Печь", "list": [0] * 100}}
    reports = parts(json.dumps({"alerts": [huge, {"fingerprint": "B", "labels": {"a": "b"}}]}).encode())
    assert [report.fingerprint for report in reports] == ["A", "B"]


def test_a_request_does_not_repair_what_is_very_large():
    body = b'{"a": "' + b"\n" * 3_000_000 + b'"}'
    assert read(body)[1] == [Notice(Reason.REPAIRED)]
    with pytest.raises(UnreadableError):
        check(body, "", Format.GENERIC)
