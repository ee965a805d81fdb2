"""Forms are read like objects by the format for anything, and stored as they came."""

import json
from urllib.parse import urlencode

import pytest
from django.test import Client

from incidents.models import Incident
from intake import inbox
from intake.models import Delivery
from tests.helpers.api import errors
from tests.helpers.intake import alert, make_caller, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

FORM = "application/x-www-form-urlencoded"


def multipart(*fields, boundary="xyz", end="--xyz--\r\n"):
    """The body and the content type of a form; a field is a name, a value or (file name, value), further headers."""
    body = b""
    for name, value, *headers in fields:
        file_name, value = value if isinstance(value, tuple) else (None, value)
        file = f'; filename="{file_name}"' if file_name else ""
        head = [f'Content-Disposition: form-data; name="{name}"{file}', *headers]
        raw = value if isinstance(value, bytes) else value.encode()
        body += b"--xyz\r\n" + "\r\n".join(head).encode() + b"\r\n\r\n" + raw + b"\r\n"
    return body + end.encode(), f"multipart/form-data; boundary={boundary}"


@pytest.fixture
def generic(db):
    return make_caller("generic", "generic", description_path="text", dedup_path="id", resolved="state=ok")


def send(caller, body, content_type=FORM):
    headers = {"authorization": f"Bearer {caller.secret}"}
    response = Client().generic("POST", caller.path, body, content_type, headers=headers)
    while inbox.process_pending():
        pass
    return response, Delivery.objects.last()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"text=%D0%9F%D0%B5%D1%87%D1%8C+1%262&id=7", FORM),
        ("text=Печь+1%262&id=7".encode(), FORM),
        (b"text=%D0%9F%D0%B5%D1%87%D1%8C+1%262&id=7", "Application/X-WWW-Form-URLEncoded ; charset=UTF-8"),
        (b"text=%CF%E5%F7%FC+1%262&id=7", f"{FORM}; charset=windows-1251"),
        (b"text=%D0%9F%D0%B5%D1%87%D1%8C+1%262&id=7", f"{FORM}; charset=windows-1251"),
        multipart(("text", "Печь 1&2"), ("id", "7")),
        multipart(("id", "7"), ("text", "Печь 1&2", "Content-Type: text/plain; charset=utf-8")),
        multipart(("id", "7"), ("text", "0J/QtdGH0YwgMSYy", "Content-Transfer-Encoding: base64")),
    ],
)
def test_a_form_begins_and_ends_a_problem_and_is_kept_as_it_came(generic, body, content_type):
    response, delivery = send(generic, body, content_type)
    assert (response.status_code, Incident.objects.get().description) == (200, "Печь 1&2")
    assert (bytes(delivery.body), delivery.content_type) == (body, content_type)
    end = multipart(("id", "7"), ("state", "OK")) if "multipart" in content_type else (b"state=OK&id=7", FORM)
    send(generic, *end)
    assert statuses() == ["resolved"]


def test_without_a_path_all_fields_are_shown(db):
    send(make_caller("any", "generic"), b"host=web-1&tag=a&tag=b&empty=")
    assert json.loads(Incident.objects.get().description) == {"host": "web-1", "tag": ["a", "b"], "empty": ""}


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("payload.alert.id", {"payload": json.dumps({"alert": {"id": 7}})}),
        ("event.id", {"event.id": "7"}),
        ("event[id]", {"event[id]": "7"}),
        ("events[0][id]", {"events[0][id]": "7"}),
        ("id.1", [("id", "6"), ("id", "7")]),
    ],
)
def test_paths_in_forms(db, path, fields):
    caller = make_caller("any", "generic", dedup_path=path)
    for _ in range(2):
        _, delivery = send(caller, urlencode(fields).encode())
    assert (statuses(), delivery.notes) == (["open"], "")


def test_files_are_left_out_and_said(generic):
    files = [("attach", ("a.png", b"\x89PNG\0" * 200_000)), ("attach", ("b.txt", "x"))]
    body, content_type = multipart(("text", "Печь"), *files, ("id", "7"))
    response, delivery = send(generic, body, content_type)
    assert (response.status_code, Incident.objects.get().description) == (200, "Печь")
    assert (delivery.notes, delivery.warnings, bytes(delivery.body)) == ("files: 2", 1, body)


def test_a_replay_reads_the_form_again(generic):
    for body, content_type in ((b"text=A", FORM), multipart(("text", "B"))):
        _, delivery = send(generic, body, content_type)
        Delivery.objects.filter(pk=delivery.pk).update(state="faulty")
    inbox.replay(list(Delivery.objects.values_list("pk", flat=True)))
    assert inbox.process_pending() is False
    assert set(Delivery.objects.values_list("state", flat=True)) == {"processed"}
    assert len(statuses()) == 2


FIELDS = [(f"a{number}", "x") for number in range(10_000)]
BAD = {
    "empty": (b"", FORM),
    "blank": (b" \r\n", FORM),
    "no field": (b"hello", FORM),
    "only separators": (b"&&&", FORM),
    "10,000 fields": (urlencode(FIELDS).encode(), FORM),
    "3 MB": (b"text=" + b"x" * 3_000_000, FORM),
    "multipart, empty": (b"", "multipart/form-data; boundary=xyz"),
    "multipart, no fields": multipart(),
    "multipart, only a file": multipart(("file", ("a.txt", "x"))),
    "multipart, 10,000 fields": multipart(*FIELDS),
    "multipart, no boundary": (multipart(("text", "x"))[0], "multipart/form-data"),
    "multipart, an odd boundary": multipart(("text", "x"), boundary="я" * 300),
    "multipart, 3 MB": multipart(("text", "x" * 3_000_000)),
    "multipart, many files": multipart(*[("file", ("a.txt", "x"))] * 200),
    "multipart, garbage": (b"\0\xff--xyz\r\n\r\n--xyz" * 100, "multipart/form-data; boundary=xyz"),
    "broken JSON": (b'{"text": "a=b&c=d', FORM),
    "XML": (b"<?xml version='1.0'?><alert a='1'>&amp;x=1</alert>", "application/xml"),
    "a form that is called JSON": (b"text=x&id=7", "application/json"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_form_that_cannot_be_read_is_400_and_kept(generic, name):
    body, content_type = BAD[name]
    response, delivery = send(generic, body, content_type)
    assert (response.status_code, errors(response)) == (400, [("400 parse_error", None)])
    assert (bytes(delivery.body), delivery.state, delivery.faults) == (body, "faulty", 1)
    assert statuses() == []


def test_a_form_that_broke_off_is_read_as_far_as_it_came(generic):
    body, content_type = multipart(("text", "Печь"), ("id", "7"), end="--xyz\r\nContent-Disp")
    assert send(generic, body, content_type)[0].status_code == 200
    assert statuses() == ["open"]


@pytest.mark.parametrize(
    "content_type", [FORM, f"{FORM}; charset=utf-8", "multipart/form-data; boundary=x", "text/plain"]
)
def test_json_is_json_whatever_its_type_says(generic, content_type):
    send(generic, b' \n{"text": "a=b&c=d", "id": 7}', content_type)
    send(generic, b'{"text": "two\nlines", "id": 8}', content_type)
    assert list(Incident.objects.order_by("id").values_list("description", flat=True)) == ["a=b&c=d", "two\nlines"]


def test_other_formats_take_json_in_the_only_field(db):
    kuma, alertmanager = make_caller("kuma", "uptime_kuma"), make_caller("alertmanager")
    beat = {"heartbeat": {"monitorID": 7, "status": 0}, "monitor": {"id": 7}, "msg": "[Склад] timeout"}
    assert send(kuma, *multipart(("data", json.dumps(beat))))[0].status_code == 200
    payload = urlencode({"payload": json.dumps({"alerts": [alert("A")]})}).encode()
    assert send(alertmanager, payload)[0].status_code == 200
    assert statuses() == ["open", "open"]
    assert send(alertmanager, b"alerts=1")[0].status_code == 400
    assert send(alertmanager, b"a=1&b=2")[0].status_code == 400


@pytest.mark.parametrize("kind", ["generic", "alertmanager", "sentry", "uptime_kuma"])
@pytest.mark.parametrize(
    "content_type", ["application/json", FORM, "multipart/form-data; boundary=x", "", "text/plain"]
)
@pytest.mark.parametrize("body", [b"", b" ", b"\r\n", b"\xef\xbb\xbf"])
def test_an_empty_body_is_never_200(kind, content_type, body):
    response, delivery = send(make_caller("probe", kind), body, content_type)
    assert (response.status_code, delivery.state, bytes(delivery.body)) == (400, "faulty", body)
