import pytest

from intake.parsers import Format, parse
from intake.parsers.paths import Paths, find
from intake.parsers.types import Fault, Ignored, Notice, Reason, Report, Resolution

PATHS = Paths(description="event.text", dedup="event.id", resolved="event.state=ok")


def call(paths=PATHS, **event):
    return list(parse(Format.GENERIC, {"event": event}, paths))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a", [{"b-c": 1}, 2]),
        ("a.0.b-c", 1),
        ("a[0].b-c", 1),
        ("a.1", 2),
        ("a[1]", 2),
        ("a.2", None),
        ("a.x", None),
        ("a.-1", None),
        ("a.0.b-c.d", None),
        ("b", None),
        ("", None),
        ("Текст", "да"),
        ("0", "key"),
    ],
)
def test_paths(path, value):
    assert find({"a": [{"b-c": 1}, 2], "Текст": "да", "0": "key", "": "no"}, path) == value


def test_index_at_the_root():
    assert find([{"a": 1}], "[0].a") == 1


@pytest.mark.parametrize(
    "paths",
    [
        {"description": "a..b"},
        {"dedup": "."},
        {"dedup": "a."},
        {"dedup": "x" * 201},
        {"resolved": "status"},
        {"resolved": "status="},
        {"resolved": "=ok"},
        {"resolved": "a..b=ok"},
    ],
)
def test_bad_paths(paths):
    with pytest.raises(ValueError, match="“"):
        Paths(**paths)


def test_report():
    assert call(id="7", text=" Диск полон ", state="problem") == [Report("7", "Диск полон")]


@pytest.mark.parametrize("identity", [7, "7", 7.0])
def test_resolved(identity):
    assert call(id=identity, state="ok") == [Resolution("7")]


@pytest.mark.parametrize(
    ("value", "state"), [("0", 0), ("0", "0"), ("true", True), ("True", True), ("up", "Up"), ("a=b", "a=b")]
)
def test_values_that_resolve(value, state):
    assert call(Paths(dedup="event.id", resolved=f"event.state={value}"), id=1, state=state) == [Resolution("1")]


@pytest.mark.parametrize("state", [None, "", "not ok", ["ok"], {"ok": "ok"}])
def test_values_that_do_not_resolve(state):
    assert isinstance(call(id=1, text="x", state=state)[-1], Report)


@pytest.mark.parametrize("identity", [None, "", "{EVENT.ID}"])
def test_no_id_never_merges(identity):
    assert call(id=identity, text="x") == [Notice(Reason.NO_ID), Report(None, "x")]


def test_no_path_for_ids_is_no_warning():
    assert call(Paths(description="event.text"), text="x") == [Report(None, "x")]


def test_resolved_without_id():
    assert call(state="ok") == [Fault(0, Reason.RESOLVED_WITHOUT_ID)]


@pytest.mark.parametrize("text", [None, "", "  ", "\u200b"])
def test_without_a_description_all_of_it_is_shown(text):
    (report,) = call(Paths(description="event.text"), text=text, host="web-1")
    assert '"host": "web-1"' in report.description


def test_description_that_is_no_text():
    assert call(text={"host": "веб"}, id=1) == [Report("1", '{"host": "веб"}')]


def test_empty_object():
    assert list(parse(Format.GENERIC, {})) == [Report(None, "{}")]


def test_test_message_of_uptime_kuma():
    payload = {"heartbeat": None, "monitor": None, "msg": "My webhook Testing"}
    assert list(parse(Format.GENERIC, payload, Paths("msg", "heartbeat.monitorID"))) == [Ignored(Reason.TEST_MESSAGE)]
