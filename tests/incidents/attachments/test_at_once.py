"""Uploads at the same time, on real connections: PostgreSQL alone, since SQLite lets one writer in at a time."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction

from incidents.models import Attachment, IdempotencyKey, IncidentChange
from tests.helpers.api import api_for, errors
from tests.helpers.concurrency import at_once
from tests.helpers.incidents import make_incident

pytestmark = pytest.mark.django_db(transaction=True)


def attach(api, pk, key="k1"):
    file = SimpleUploadedFile("a.txt", b"text")
    headers = {"idempotency-key": key} if key else {}
    return api.post(f"/api/v1/incidents/{pk}/attachments/", {"file": file}, headers=headers)


def files(media):
    return [path for path in media.rglob("*") if path.is_file()]


def test_the_same_key_at_the_same_moment_is_one_attachment(user, media):
    incident = make_incident()
    responses = at_once(*[lambda: attach(api_for(user), incident.pk)] * 8)
    assert {response.status_code for response in responses} == {201}
    assert len({response.content for response in responses}) == 1
    assert sum("Idempotency-Replayed" not in response for response in responses) == 1
    assert (Attachment.objects.count(), IncidentChange.objects.count(), len(files(media))) == (1, 2, 1)


def test_a_first_request_that_hangs_gets_the_second_409_and_leaves_no_file(api, user, media):
    incident = make_incident()
    with transaction.atomic():
        IdempotencyKey.objects.create(user=user, key="k1", request_hash=b"", response=b"", incident=incident)
        (response,) = at_once(lambda: attach(api, incident.pk))
    assert (response.status_code, errors(response)) == (409, [("409 idempotency_key_in_use", None)])
    assert (Attachment.objects.count(), files(media)) == (0, [])


@pytest.mark.parametrize("keyed", [True, False])
def test_uploads_at_the_same_moment_do_not_exceed_the_limit(user, media, settings, keyed):
    settings.ATTACHMENT_MAX_NUMBER = 2
    incident = make_incident()
    keys = [f"k{number}" if keyed else None for number in range(8)]
    responses = at_once(*[lambda key=key: attach(api_for(user), incident.pk, key) for key in keys])
    assert sorted(response.status_code for response in responses) == [201] * 2 + [400] * 6
    assert {error for response in responses if response.status_code == 400 for error in errors(response)} == {
        ("max_length", "file")
    }
    assert (Attachment.objects.count(), len(files(media))) == (2, 2)


def test_the_last_file_sent_twice_at_the_same_moment_is_replayed(user, media, settings):
    settings.ATTACHMENT_MAX_NUMBER = 1
    incident = make_incident()
    responses = at_once(*[lambda: attach(api_for(user), incident.pk)] * 4)
    assert {response.status_code for response in responses} == {201}
    assert len({response.content for response in responses}) == 1
    assert (Attachment.objects.count(), len(files(media))) == (1, 1)
