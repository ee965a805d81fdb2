"""POST /api/v1/intake/{sender}/: who may call, what is stored, and the response."""

import base64
import hmac
import io
import json
import logging
from hashlib import sha256

import pytest
from django.db import OperationalError
from django.test import Client

from core.log.formatters import JSONFormatter
from core.log.handlers import JSONLinesHandler
from incidents.models import Incident
from intake import inbox
from intake.models import Delivery, Sender
from tests.helpers.api import errors
from tests.helpers.intake import alert, make_caller
from tests.helpers.wsgi import wsgi_request

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

BODY = json.dumps({"alerts": [alert()]}, indent=3).encode() + b"\n"


def post(path, body=BODY, **headers):
    return Client().post(path, body, content_type="application/json", headers=headers)


def basic(credentials):
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"


def sign(secret, body=BODY):
    return hmac.new(secret.encode(), body, sha256).hexdigest()


WAYS = {
    "bearer": lambda secret: {"authorization": f"Bearer {secret}"},
    "bearer in lower case": lambda secret: {"authorization": f"bearer {secret}"},
    "basic": lambda secret: {"authorization": basic(f"anyone:{secret}")},
}
SIGNATURES = {
    "Sentry-Hook-Signature": lambda secret: {"sentry-hook-signature": sign(secret)},
    "Sentry-App-Signature": lambda secret: {"sentry-app-signature": sign(secret)},
}


@pytest.mark.parametrize("way", WAYS)
def test_the_secret_comes_in_a_header(alertmanager, way):
    response = post(alertmanager.path, **WAYS[way](alertmanager.secret))
    assert (response.status_code, response.json()) == (200, {"delivery": Delivery.objects.get().pk})


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_secret_comes_in_the_path(alertmanager, slash):
    assert post(f"{alertmanager.path}{alertmanager.secret}{slash}").status_code == 200
    assert post(alertmanager.path.rstrip("/") + slash, **WAYS["bearer"](alertmanager.secret)).status_code == 200


@pytest.mark.parametrize("way", SIGNATURES)
def test_sentry_signs_with_the_secret_or_its_own(db, way):
    sentry = make_caller("sentry", "sentry", sentry_client_secret="a" * 64)
    assert post(sentry.path, **SIGNATURES[way](sentry.secret)).status_code == 200
    assert post(sentry.path, **SIGNATURES[way]("a" * 64)).status_code == 200
    # Sentry signs each call, also where the secret is in the path.
    assert post(f"{sentry.path}{sentry.secret}/", sentry_hook_signature=sign("b" * 64)).status_code == 200


@pytest.mark.parametrize("kind", ["alertmanager", "generic", "uptime_kuma"])
def test_no_other_format_is_signed(db, kind):
    caller = make_caller("probe", kind, sentry_client_secret="a" * 64)
    keys = (caller.secret.encode(), bytes(caller.sender.secret_hash), b"a" * 64, b"")
    for signature in (hmac.new(key, BODY, sha256).hexdigest() for key in keys):
        for name in SIGNATURES:
            assert post(caller.path, **{name: signature}).status_code == 401
    assert not Delivery.objects.exists()


def test_an_empty_secret_signs_nothing(db):
    sentry = make_caller("sentry", "sentry")
    Sender.objects.update(secret_hash=b"")
    assert post(sentry.path, sentry_hook_signature=hmac.new(b"", BODY, sha256).hexdigest()).status_code == 401


@pytest.mark.django_db(transaction=True)  # a server closes its connections
@pytest.mark.parametrize(
    ("length", "status"), [("", 401), ("0", 401), ("10", 400), (str(21 * 1024 * 1024), 413), ("-1", 400)]
)
def test_a_signature_does_not_tell_who_is_known(alertmanager, length, status):
    make_caller("sentry", "sentry")
    answers = [
        wsgi_request("POST", f"/api/v1/intake/{name}/", HTTP_SENTRY_HOOK_SIGNATURE="0" * 64, CONTENT_LENGTH=length)
        for name in ("alertmanager", "sentry", "unknown", "\0", "alertmanager/wrong", "unknown/wrong")
    ]
    assert {answer.status_code for answer in answers} == {status}
    assert len({answer.content for answer in answers}) == 1


@pytest.mark.django_db(transaction=True)
def test_a_wrong_secret_is_refused_before_the_body_is_read(alertmanager):
    class Unread(io.BytesIO):
        def read(self, size=-1):
            raise AssertionError

    for path in (alertmanager.path, f"{alertmanager.path}wrong/", "/api/v1/intake/unknown/"):
        headers = {"HTTP_AUTHORIZATION": "Bearer wrong", "CONTENT_LENGTH": "1000", "wsgi.input": Unread()}
        assert wsgi_request("POST", path, **headers).status_code == 401


@pytest.mark.parametrize("way", [*WAYS, *SIGNATURES, "digest", "no base64", "not ASCII"])
@pytest.mark.parametrize("path", ["alertmanager", "unknown", "неизвестный", "%00", "alertmanager/wrong"])
def test_a_wrong_secret_and_an_unknown_sender_are_401(alertmanager, way, path):
    odd = {
        "digest": {"authorization": "Digest x"},
        "no base64": {"authorization": "Basic ё"},
        "not ASCII": {"sentry-hook-signature": "ё"},
    }
    response = post(f"/api/v1/intake/{path}/", **(odd.get(way) or (WAYS | SIGNATURES)[way]("wrong")))
    assert (response.status_code, errors(response)) == (401, [("401 token_not_valid", None)])
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("path", ["alertmanager", "unknown"])
def test_no_secret_is_401(alertmanager, path):
    response = post(f"/api/v1/intake/{path}/")
    assert (response.status_code, errors(response)) == (401, [("401 not_authenticated", None)])


def test_neither_a_user_nor_another_sender_is_accepted(alertmanager, api):
    other = make_caller("other")
    assert api.post(alertmanager.path, BODY, content_type="application/json").status_code == 401
    assert post(alertmanager.path, **WAYS["bearer"](other.secret)).status_code == 401


@pytest.mark.parametrize("change", [{"is_active": False}, {"secret_hash": b""}])
def test_an_inactive_sender_and_a_revoked_secret_are_401(change, db):
    sentry = make_caller("sentry", "sentry")
    Sender.objects.update(**change)
    for way in (WAYS | SIGNATURES).values():
        assert post(sentry.path, **way(sentry.secret)).status_code == 401


def test_a_secret_opens_nothing_else(alertmanager):
    response = Client().get("/api/v1/incidents/", headers=WAYS["bearer"](alertmanager.secret))
    assert response.status_code == 401


def test_the_body_is_stored_as_it_came(alertmanager):
    response = post(alertmanager.path, **WAYS["bearer"](alertmanager.secret), x_request_id="order-66")
    delivery = Delivery.objects.get()
    assert (bytes(delivery.body), delivery.request_id, delivery.channel) == (BODY, "order-66", "alertmanager")
    assert delivery.content_type == "application/json"
    assert response["X-Request-ID"] == "order-66"


def test_each_call_is_a_delivery_of_its_own(alertmanager):
    assert alertmanager.alerts(alert()).pk != alertmanager.alerts(alert()).pk


@pytest.mark.django_db(transaction=True)  # a server closes its connections
def test_a_body_over_20_megabytes_is_413(alertmanager):
    headers = {"HTTP_AUTHORIZATION": f"Bearer {alertmanager.secret}"}
    for extra, status in ((0, 200), (1, 413)):
        body = b'{"alerts":[]}'.ljust(20 * 1024 * 1024 + extra)
        assert wsgi_request("POST", alertmanager.path, body, **headers).status_code == status
    assert Delivery.objects.count() == 1


@pytest.mark.django_db(transaction=True)  # a server closes its connections
def test_a_body_that_broke_off_is_not_stored(alertmanager):
    headers = {"HTTP_AUTHORIZATION": f"Bearer {alertmanager.secret}", "CONTENT_LENGTH": "100"}
    assert wsgi_request("POST", alertmanager.path, b'{"alerts":[', **headers).status_code == 400
    assert not Delivery.objects.exists()


def test_a_chunked_body_is_411(alertmanager):
    headers = {"HTTP_AUTHORIZATION": f"Bearer {alertmanager.secret}", "CONTENT_LENGTH": ""}
    response = wsgi_request("POST", alertmanager.path, BODY, HTTP_TRANSFER_ENCODING="chunked", **headers)
    assert response.status_code == 411


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_only_post_is_allowed(alertmanager, method):
    response = getattr(Client(), method)(alertmanager.path, headers=WAYS["bearer"](alertmanager.secret))
    assert (response.status_code, response["Allow"]) == (405, "POST")


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"null", b"{", b"alert=1", b"\xff\x00", b'{"a":' * 10_000])
def test_what_is_no_object_is_400_and_kept(alertmanager, body):
    response = alertmanager.post(body)
    assert (response.status_code, errors(response)) == (400, [("400 parse_error", None)])
    delivery = Delivery.objects.get()
    assert (bytes(delivery.body), delivery.state, delivery.faults) == (body, "faulty", 1)


def test_the_content_type_does_not_matter(alertmanager):
    for content_type in ("", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ";"):
        headers = WAYS["bearer"](alertmanager.secret)
        assert Client().generic("POST", alertmanager.path, BODY, content_type, headers=headers).status_code == 200
    assert {bytes(body) for body in Delivery.objects.values_list("body", flat=True)} == {BODY}


def test_what_cannot_be_stored_is_503(alertmanager, monkeypatch):
    def fail(**kwargs):
        raise OperationalError("disk full")

    monkeypatch.setattr(inbox, "receive", fail)
    response = alertmanager.post(BODY)
    assert (response.status_code, errors(response)) == (503, [("503 service_unavailable", None)])
    assert response["Retry-After"]


@pytest.mark.parametrize("fault", [OperationalError("gone"), ValueError("a bug")])
def test_a_call_that_was_stored_is_never_an_error(alertmanager, monkeypatch, fault):
    def fail(delivery):
        raise fault

    monkeypatch.setitem(inbox.handlers, "alertmanager", fail)
    assert alertmanager.post(BODY).status_code == 200
    monkeypatch.undo()
    inbox.replay([Delivery.objects.get().pk])
    inbox.process_pending()
    assert Incident.objects.count() == 1


def test_a_large_call_is_left_to_the_jobs(alertmanager):
    delivery = alertmanager.alerts(*(alert(str(number), padding="x" * 1000) for number in range(700)))
    later = alertmanager.alerts(alert("0"))
    assert (delivery.state, later.state) == ("pending", "pending")  # one sender's calls are processed in their order
    while inbox.process_pending():
        pass
    assert Incident.objects.count() == 700
    assert set(Delivery.objects.values_list("state", flat=True)) == {"processed"}


def test_the_secret_is_never_logged(alertmanager, tmp_path, monkeypatch):
    handler = JSONLinesHandler(str(tmp_path / "log"))
    handler.setFormatter(JSONFormatter())
    monkeypatch.setattr(logging.getLogger("request"), "handlers", [handler])
    logging.getLogger().addHandler(handler)
    try:
        monkeypatch.setattr(inbox, "receive", lambda **kwargs: 1 / 0)
        for path in (f"{alertmanager.path}{alertmanager.secret}/", f"{alertmanager.path}{alertmanager.secret}/x/y/"):
            Client(raise_request_exception=False).post(path, BODY, content_type="application/json")
    finally:
        logging.getLogger().removeHandler(handler)
    lines = (tmp_path / "log").read_text()
    assert "ZeroDivisionError" in lines and f'"{alertmanager.path}***"' in lines
    assert alertmanager.secret not in lines


def test_the_openapi_document_has_the_route_without_the_secret(client):
    document = client.get("/api/schema/").json()
    assert [path for path in document["paths"] if "intake" in path] == ["/api/v1/intake/{sender}/"]
    operation = document["paths"]["/api/v1/intake/{sender}/"]["post"]
    assert operation["security"] == [{"senderBearer": []}, {"senderBasic": []}]
    assert operation["responses"].keys() == {"200", "400", "401", "411", "413", "500", "503"}
