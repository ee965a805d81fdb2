"""On any input a parser yields parts that can be stored, and raises nothing."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intake.parsers import Format, parse
from intake.parsers.paths import Paths
from intake.parsers.preview import preview
from intake.parsers.reading import UnreadableError, read
from intake.parsers.types import Fault, Report, Resolution

# What leads into the branches of a parser.
FIELDS = ["status", "labels", "annotations", "alerts", "fingerprint", "startsAt", "summary", "values", "generatorURL"]
OTHERS = ["action", "data", "issue", "event", "metric_alert", "id", "title", "heartbeat", "monitor", "monitorID", "msg"]
KNOWN = ["firing", "resolved", "created", "0", "1", "2001-01-01T00:00:00.123456789Z", "javascript:x", "{EVENT.ID}"]
TEXTS = st.sampled_from([*FIELDS, *OTHERS, *KNOWN]) | st.text(st.characters(), max_size=8)
SCALARS = TEXTS | st.none() | st.booleans() | st.floats() | st.integers()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=6))
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=6)
ALERTS = st.fixed_dictionaries(
    {},
    optional={
        "status": SCALARS | st.just("firing") | st.just("resolved"),
        "labels": VALUES | st.dictionaries(TEXTS, SCALARS),
        "annotations": VALUES | st.dictionaries(TEXTS, SCALARS),
        "startsAt": VALUES | st.datetimes(timezones=st.timezones()).map(str),
        "endsAt": VALUES,
        "fingerprint": VALUES,
        "generatorURL": VALUES,
        "values": VALUES,
    },
)
many = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
PATHS = Paths("msg", "data.0.id", "status=resolved")


def check(parts):
    """That the parts keep what their types promise."""
    parts = list(parts)
    assert parts
    for part in parts:
        if isinstance(part, Report):
            assert part.description.strip()
            assert len(part.description) <= 20_000
            assert "\0" not in part.description
            assert part.description.encode()  # no lone surrogates
        if isinstance(part, Report | Resolution) and part.fingerprint is not None:
            assert 0 < len(part.fingerprint.encode()) <= 800
            assert len(part.fingerprint) <= 200
            assert "\0" not in part.fingerprint
        at = getattr(part, "starts_at", None) or getattr(part, "ends_at", None)
        assert at is None or (at.tzinfo is UTC and at > datetime(1970, 1, 1, tzinfo=UTC))
    assert len(preview(parts)) == len(parts)
    return parts


@pytest.mark.slow
@many
@given(OBJECTS)
def test_any_object_in_any_format(payload):
    for kind in Format:
        check(parse(kind, payload, PATHS))


@pytest.mark.slow
@many
@given(st.lists(ALERTS | VALUES, max_size=5))
def test_alerts(alerts):
    parts = check(parse(Format.ALERTMANAGER, {"alerts": alerts}))
    decided = [part.index for part in parts if isinstance(part, Report | Resolution | Fault)]
    assert decided == list(range(len(alerts)))


@pytest.mark.slow
@many
@given(VALUES, VALUES, SCALARS)
def test_sentry_and_kuma(first, second, third):
    check(parse(Format.SENTRY, {"action": third, "data": {"issue": first, "event": second, "error": first}}))
    check(parse(Format.UPTIME_KUMA, {"heartbeat": first, "monitor": second, "msg": third}))


@pytest.mark.slow
@many
@given(st.binary() | OBJECTS.map(json.dumps).map(str.encode))
def test_any_body(body):
    try:
        payload, _notices = read(body)
    except UnreadableError as error:
        assert error.reason
    else:
        check(parse(Format.GENERIC, payload))


@pytest.mark.slow
@many
@given(OBJECTS)
def test_valid_json_is_not_repaired(payload):
    body = json.dumps(payload).encode()
    assert repr(read(body)) == repr((json.loads(body), []))


def test_depth_that_can_be_read_but_hardly_shown():
    payload, _notices = read(b'{"alerts": [{"labels": {"a": ' + b"[" * 900 + b"]" * 900 + b"}}]}")
    for kind in Format:
        check(parse(kind, payload))
