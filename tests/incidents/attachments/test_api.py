"""/api/v1/incidents/{id}/attachments/"""

import hashlib
import re
from io import BytesIO

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from core.api.exceptions import ServiceUnavailable
from incidents.actors import Named
from incidents.attachments import services
from incidents.models import Attachment, Channel, IncidentChange
from tests.helpers.api import errors
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/v1/incidents/"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + bytes(1000)
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"'


@pytest.fixture
def incident(db):
    return make_incident(description="Самокат не в сети")


def attach(api, pk, content=PNG, name="самокат.png", **headers):
    return api.post(f"{URL}{pk}/attachments/", {"file": SimpleUploadedFile(name, content)}, headers=headers)


def stored(api, pk):
    """The address of a stored file."""
    return attach(api, pk).json()["url"]


def files(media):
    return [path for path in media.rglob("*") if path.is_file()]


def test_a_file_is_attached_and_listed(api, incident, media):
    response = attach(api, incident.pk)
    assert response.status_code == 201
    entry = response.json()
    assert response["Location"] == entry["url"]
    row = Attachment.objects.get()
    assert entry == {
        "id": row.pk,
        "name": "самокат.png",
        "content_type": "image/png",
        "size": len(PNG),
        "sha256": hashlib.sha256(PNG).hexdigest(),
        "state": "stored",
        "created_at": entry["created_at"],
        "url": f"http://testserver{URL}{incident.pk}/attachments/{row.pk}/",
    }
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", entry["created_at"])
    attach(api, incident.pk, b"%PDF-1.7", "b.pdf")
    page = api.get(f"{URL}{incident.pk}/attachments/").json()
    assert (page["count"], page["next"], page["results"][0]) == (2, None, entry)
    assert [each["name"] for each in page["results"]] == ["самокат.png", "b.pdf"]
    assert api.get(f"{URL}{incident.pk}/attachments/?page_size=1&page=2").json()["results"][0]["name"] == "b.pdf"


def test_the_history_has_it_and_the_incident_does_not_change(api, incident):
    before = api.get(f"{URL}{incident.pk}/")
    attach(api, incident.pk)
    after = api.get(f"{URL}{incident.pk}/")
    assert (after.json(), after["ETag"]) == (before.json(), before["ETag"])
    entry = api.get(f"{URL}{incident.pk}/history/").json()["results"][-1]
    assert (entry["actor"], entry["channel"]) == ("operator", "api")
    assert entry["changes"] == {"attachment": [None, "самокат.png"]}


def test_what_is_pending_or_failed_has_no_bytes(api, incident):
    for _ in range(2):
        attachment = services.announce_attachment(
            incident_id=incident.pk, kind="voice", name="", size=9, actor=Named("anna"), channel=Channel.TELEGRAM
        )
    services.fail_attachment(attachment, "gone")
    rows = api.get(f"{URL}{incident.pk}/attachments/").json()["results"]
    assert [(row["state"], row["content_type"], row["sha256"]) for row in rows] == [
        ("pending", None, None),
        ("failed", None, None),
    ]
    for row in rows:
        response = api.get(row["url"])
        assert (response.status_code, errors(response)) == (404, [("404 not_found", None)])


def test_the_bytes_are_a_download_without_rights(api, incident):
    response = api.get(stored(api, incident.pk))
    assert (response.status_code, response.getvalue()) == (200, PNG)
    assert response["Content-Type"] == "image/png"
    assert response["Content-Length"] == str(len(PNG))
    assert response["Content-Disposition"].startswith("attachment; filename*=utf-8''%D1%81")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]
    assert "private" in response["Cache-Control"]


@pytest.mark.parametrize(
    "content", [b"<svg onload='alert(1)'/>", b"<html><script>alert(1)</script>", "Привет".encode()]
)
def test_the_type_is_told_by_the_content(api, incident, content):
    entry = attach(api, incident.pk, content, "photo.png").json()
    assert entry["content_type"] == "text/plain"
    assert api.get(entry["url"])["Content-Type"] == "text/plain"


def test_etag(api, incident):
    url = stored(api, incident.pk)
    tag = api.get(url)["ETag"]
    assert tag == f'"{hashlib.sha256(PNG).hexdigest()}"'
    response = api.get(url, headers={"if-none-match": tag})
    assert (response.status_code, response["ETag"], response.content) == (304, tag, b"")
    assert api.get(url, headers={"if-none-match": '"x"'}).status_code == 200
    assert errors(api.get(url, headers={"if-match": '"x"'})) == [("412 precondition_failed", None)]


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=1000-", slice(1000, None)),
        ("bytes=-5", slice(-5, None)),
        ("bytes=-999999", slice(0, None)),
        ("bytes=10-999999999", slice(10, None)),
        ("Bytes=0-0", slice(0, 1)),
    ],
)
def test_a_range_is_206(api, incident, wanted, part):
    response = api.get(stored(api, incident.pk), headers={"range": wanted})
    assert (response.status_code, response.getvalue()) == (206, PNG[part])
    first, last = range(len(PNG))[part][0], range(len(PNG))[part][-1]
    assert response["Content-Range"] == f"bytes {first}-{last}/{len(PNG)}"
    assert response["Content-Length"] == str(last - first + 1)


@pytest.mark.parametrize("wanted", ["bytes=5-2", "bytes=0-1,4-5", "lines=0-1", "bytes=-", "bytes=x", "0-1", "bytes=٣-"])
def test_another_range_is_the_whole(api, incident, wanted):
    response = api.get(stored(api, incident.pk), headers={"range": wanted})
    assert (response.status_code, response.getvalue()) == (200, PNG)


@pytest.mark.parametrize("wanted", [f"bytes={len(PNG)}-", "bytes=-0", "bytes=99999999999999999-"])
def test_a_range_behind_the_end_is_416(api, incident, wanted):
    response = api.get(stored(api, incident.pk), headers={"range": wanted})
    assert (response.status_code, errors(response)) == (416, [("416 range_not_satisfiable", None)])
    assert response["Content-Range"] == f"bytes */{len(PNG)}"


def test_a_range_of_another_version_is_the_whole(api, incident):
    url = stored(api, incident.pk)
    tag = api.get(url)["ETag"]
    assert api.get(url, headers={"range": "bytes=0-1", "if-range": tag}).status_code == 206
    for other in ('"x"', f"W/{tag}", "Wed, 21 Oct 2015 07:28:00 GMT"):
        assert api.get(url, headers={"range": "bytes=0-1", "if-range": other}).status_code == 200


def test_head(api, incident):
    response = api.head(stored(api, incident.pk), headers={"range": "bytes=0-1"})
    assert (response.status_code, response["Content-Length"]) == (200, str(len(PNG)))


def test_behind_nginx_it_sends_the_bytes(api, incident, settings):
    url = stored(api, incident.pk)
    settings.ATTACHMENT_X_ACCEL = "/attachments/"
    response = api.get(url, headers={"range": "bytes=0-1"})
    assert (response.status_code, response.getvalue()) == (200, b"")
    assert response["X-Accel-Redirect"] == f"/attachments/{Attachment.objects.get().file.name}"
    assert response["Content-Type"] == "image/png"


def test_a_file_that_the_storage_has_lost_is_503(api, incident, media):
    url = stored(api, incident.pk)
    for path in files(media):
        path.unlink()
    api.raise_request_exception = False
    response = api.get(url)
    assert (response.status_code, errors(response)) == (503, [("503 service_unavailable", None)])


def test_the_session_of_the_admin_reads_bytes_and_nothing_else(api, site, incident):
    url = stored(api, incident.pk)
    assert site.get(url).getvalue() == PNG
    assert site.get(f"{URL}{incident.pk}/attachments/").status_code == 401
    assert attach(site, incident.pk).status_code == 401
    assert site.post(url).status_code == 401


def test_a_session_without_the_permission_reads_nothing(api, incident, django_user_model):
    url = stored(api, incident.pk)
    for fields in ({"is_staff": True}, {"is_staff": False, "is_superuser": True}):
        client = Client()
        client.force_login(django_user_model.objects.create_user(f"x{len(fields)}", **fields))
        assert client.get(url).status_code == 401
    client.cookies["sessionid"] = "a\0b"
    assert client.get(url).status_code == 401


def test_of_another_incident_or_none_is_404(api, incident):
    url = stored(api, incident.pk)
    other = make_incident()
    number = Attachment.objects.get().pk
    for path in (
        f"{other.pk}/attachments/{number}",
        f"{incident.pk}/attachments/{'9' * 18}",
        f"{'9' * 18}/attachments",
    ):
        assert errors(api.get(f"{URL}{path}/")) == [("404 not_found", None)]
    assert api.get(f"{URL}{incident.pk}/attachments/{'9' * 19}/").status_code == 404
    assert attach(api, 10**17).status_code == 404
    assert api.get(url).status_code == 200


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, [("required", "file")]),
        ({"file": "text"}, [("invalid", "file")]),
        ({"file": SimpleUploadedFile("a.png", b"")}, [("empty", "file")]),
        ({"file": [SimpleUploadedFile("a", b"a"), SimpleUploadedFile("b", b"b")]}, [("invalid", "file")]),
        ({"file": SimpleUploadedFile("a", b"a"), "text": "x"}, [("unknown_field", "text")]),
        ({"photo": SimpleUploadedFile("a", b"a")}, [("required", "file"), ("unknown_field", "photo")]),
    ],
)
def test_faults_are_named_and_record_nothing(api, incident, media, body, found):
    for each in (part for part in body.values() if not isinstance(part, str)):
        for file in each if isinstance(each, list) else [each]:
            file.seek(0)
    response = api.post(f"{URL}{incident.pk}/attachments/", body)
    assert (response.status_code, errors(response)) == (400, found)
    assert (IncidentChange.objects.count(), files(media)) == (1, [])


def test_a_name_that_is_not_utf_8_loses_its_letters_and_not_the_file(api, incident):
    # As curl sends it on a Russian Windows
    head = PART.replace(b'"a"', '"фото.png"'.encode("cp1251")) + b"\r\nContent-Type: image/png\r\n\r\n"
    url, body = f"{URL}{incident.pk}/attachments/", head + PNG + b"\r\n--b--\r\n"
    response = api.post(url, body, "multipart/form-data; boundary=b")
    assert (response.status_code, response.json()["name"]) == (201, "\ufffd\ufffd\ufffd\ufffd.png")
    assert api.get(response.json()["url"]).getvalue() == PNG


def test_another_media_type_is_415(api, incident):
    url = f"{URL}{incident.pk}/attachments/"
    for content_type in ("application/json", "image/png", "application/x-www-form-urlencoded"):
        response = api.post(url, b"{}", content_type)
        assert (response.status_code, errors(response)) == (415, [("415 unsupported_media_type", None)])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"x",
        PART + b"\r\n\r\n",
        PART + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n!\r\n--b--",
    ],
)
def test_a_malformed_body_is_400(api, incident, media, body):
    response = api.post(f"{URL}{incident.pk}/attachments/", body, "multipart/form-data; boundary=b")
    assert response.status_code == 400
    assert files(media) == []


def test_the_media_type_has_no_case(api, incident):
    body = PART + b"\r\n\r\nabc\r\n--b--\r\n"
    response = api.post(f"{URL}{incident.pk}/attachments/", body, "Multipart/Form-Data; boundary=b")
    assert (response.status_code, response.json()["size"]) == (201, 3)


@pytest.mark.parametrize("charset", ["idna", "utf-16", "unknown"])
def test_a_charset_of_the_body_is_not_used(api, incident, charset):
    body = PART.replace(b'"a"', '"самокат"'.encode()) + b"\r\n\r\nabc\r\n--b--\r\n"
    response = api.generic(
        "POST", f"{URL}{incident.pk}/attachments/", body, f"multipart/form-data; boundary=b; charset={charset}"
    )
    assert (response.status_code, response.json()["name"]) == (201, "самокат")


def test_a_missing_boundary_is_400(api, incident):
    response = api.post(f"{URL}{incident.pk}/attachments/", b"x", "multipart/form-data")
    assert (response.status_code, errors(response)) == (400, [("400 parse_error", None)])


def test_a_body_that_was_cut_off_is_not_taken_for_a_file(api, incident, media):
    body = PART + b"\r\n\r\nhalf of it"
    response = api.post(
        f"{URL}{incident.pk}/attachments/",
        content_type="multipart/form-data; boundary=b",
        **{"CONTENT_LENGTH": str(len(body) + 100), "wsgi.input": BytesIO(body)},
    )
    assert (response.status_code, errors(response)) == (400, [("400 parse_error", None)])
    assert (Attachment.objects.count(), files(media)) == (0, [])


def test_a_field_that_is_too_large_is_413(api, incident):
    response = api.post(f"{URL}{incident.pk}/attachments/", {"file": "x" * 3_000_000})
    assert (response.status_code, errors(response)) == (413, [("413 request_too_large", None)])


@pytest.mark.parametrize("more", [1, 100_000])
def test_too_large_is_413(api, incident, settings, media, more):
    settings.ATTACHMENT_MAX_BYTES = 1000
    assert attach(api, incident.pk, b"x" * 1000).status_code == 201
    response = attach(api, incident.pk, b"x" * (1000 + more))
    assert (response.status_code, errors(response)) == (413, [("413 request_too_large", None)])
    assert len(files(media)) == 1


def test_no_more_than_allowed(api, incident, settings, media):
    settings.ATTACHMENT_MAX_NUMBER = 1
    first = attach(api, incident.pk, idempotency_key="k1")
    assert errors(attach(api, incident.pk)) == [("max_length", "file")]
    assert attach(api, incident.pk, idempotency_key="k1").content == first.content
    assert len(files(media)) == 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\a.png", "a.png"),
        ("a\u202egpj.exe", "agpj.exe"),
        ("a\x01b.png", "ab.png"),
        ("x" * 300 + ".png", "x" * 251 + ".png"),
    ],
)
def test_names_are_cleaned(api, incident, media, given, kept):
    assert attach(api, incident.pk, name=given).json()["name"] == kept
    assert not any("png" in path.name for path in files(media))


def test_the_same_key_and_file_is_one_attachment(api, incident, media):
    first, again = (attach(api, incident.pk, idempotency_key="k1") for _ in range(2))
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    assert again["Location"] == first["Location"]
    assert ("Idempotency-Replayed" in first, again["Idempotency-Replayed"]) == (False, "true")
    assert (Attachment.objects.count(), len(files(media))) == (1, 1)


def test_the_same_key_for_other_bytes_is_refused(api, incident, media):
    other = make_incident()
    report = {"description": "x", "source": "operator"}
    attach(api, incident.pk, idempotency_key="k1")
    for response in (
        attach(api, incident.pk, b"other", idempotency_key="k1"),
        attach(api, incident.pk, name="b.png", idempotency_key="k1"),
        attach(api, other.pk, idempotency_key="k1"),
        api.post(URL, report, "application/json", headers={"idempotency-key": "k1"}),
    ):
        assert (response.status_code, errors(response)) == (422, [("422 idempotency_key_reused", None)])
    assert (Attachment.objects.count(), len(files(media))) == (1, 1)


def test_a_malformed_key_is_named(api, incident, media):
    assert errors(attach(api, incident.pk, idempotency_key="é")) == [("invalid", "Idempotency-Key")]
    assert files(media) == []


def test_lists_take_the_same_queries_for_one_and_for_fifty(api, incident, django_assert_num_queries):
    def announce(count):
        for _ in range(count):
            services.announce_attachment(
                incident_id=incident.pk, kind="file", name="a", actor=Named("anna"), channel=Channel.TELEGRAM
            )

    announce(1)
    with django_assert_num_queries(4):
        assert api.get(f"{URL}{incident.pk}/attachments/").json()["count"] == 1
    announce(49)
    with django_assert_num_queries(4):
        assert api.get(f"{URL}{incident.pk}/attachments/").json()["count"] == 50


def test_bytes_are_found_by_two_queries(api, incident, django_assert_num_queries):
    url = stored(api, incident.pk)
    with django_assert_num_queries(2):
        api.get(url)


def test_a_row_that_cannot_be_written_leaves_no_file(incident, media, api, monkeypatch):
    def refuse(**kwargs):
        raise ServiceUnavailable

    monkeypatch.setattr("incidents.attachments.views.add_attachment", refuse)
    api.raise_request_exception = False
    assert attach(api, incident.pk).status_code == 503
    assert files(media) == []


def test_a_storage_that_takes_no_file_is_503(incident, api, monkeypatch):
    def fail(*args):
        raise OSError(28, "No space left on device")

    api.raise_request_exception = False
    with monkeypatch.context() as patch:
        patch.setattr("incidents.attachments.views.save_file", fail)
        response = attach(api, incident.pk, idempotency_key="k1")
    assert (response.status_code, errors(response)) == (503, [("503 service_unavailable", None)])
    assert response["Retry-After"]
    assert Attachment.objects.count() == 0
    assert attach(api, incident.pk, idempotency_key="k1").status_code == 201


def test_the_storage_is_not_waited_for_in_a_transaction(incident, api, monkeypatch):
    depths = []

    def save(*args):
        depths.append(len(connection.savepoint_ids) + len(connection.atomic_blocks))
        return services.save_file(*args)

    before = len(connection.savepoint_ids) + len(connection.atomic_blocks)
    monkeypatch.setattr("incidents.attachments.views.save_file", save)
    assert attach(api, incident.pk, idempotency_key="k1").status_code == 201
    assert depths == [before]


def test_content_file_names_are_not_used(incident):
    assert services.save_file(ContentFile(b"x", name="../x")).name.count("/") == 3
