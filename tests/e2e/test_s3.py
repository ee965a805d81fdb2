"""Attachments in a bucket, on a server that speaks the protocol of S3."""

import os
import re
from datetime import UTC, datetime, timedelta

import pytest
import requests

from tests.helpers.proxies import Server
from tests.helpers.s3 import KEY, S3, SECRET
from tests.helpers.servers import manage, service_environment

pytestmark = pytest.mark.e2e

LARGE = 20 * 2**20  # stored in several parts


class Bucket(S3):
    def __init__(self, home):
        super().__init__(home, "attachments")
        self.environment = {
            "ATTACHMENT_S3_BUCKET": self.bucket,
            "ATTACHMENT_S3_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "ATTACHMENT_S3_REGION": "eu-central-1",
            "ATTACHMENT_S3_ACCESS_KEY": KEY,
            "ATTACHMENT_S3_SECRET_KEY": SECRET,
        }

    def age(self, name, by):
        """The server reads when an object was stored from its file."""
        at = (datetime.now(UTC) - by).timestamp()
        os.utime(self.home / "s3" / self.bucket / f"{name}._S3rver_object", (at, at))


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    bucket = Bucket(tmp_path_factory.mktemp("bucket"))
    yield bucket
    bucket.close()


@pytest.fixture(scope="module")
def shell(bucket, tmp_path_factory):
    """Runs code in the service, and returns what it prints."""
    home = tmp_path_factory.mktemp("service")
    env = service_environment(f"sqlite:///{home}/db.sqlite3", home / "service") | bucket.environment
    manage(env, "migrate", "--noinput")
    return lambda code: manage(env, "shell", "--no-imports", "-c", SETUP + code)


@pytest.fixture(scope="module")
def server(bucket, tmp_path_factory):
    home = tmp_path_factory.mktemp("server")
    server = Server("gunicorn", "tcp", f"sqlite:///{home}/db.sqlite3", home, **bucket.environment)
    yield server
    server.close()


@pytest.fixture(scope="module")
def token(server):
    return {"Authorization": f"Bearer {server.token()}"}


SETUP = """
import hashlib
from datetime import UTC, datetime, timedelta
from django.core.files.base import ContentFile
from incidents.actors import Named
from incidents.attachments import jobs
from incidents.attachments.services import add_attachment, delete_attachment, save_file
from incidents.models import Attachment, Incident, attachment_storage
from incidents.services import create_incident
anna = Named("anna")
def attach(content):
    report = {"description": "x", "source": "operator", "actor": anna, "channel": "api"}
    incident = Incident.objects.first() or create_incident(**report)
    stored = save_file(ContentFile(content))
    return add_attachment(incident_id=incident.pk, stored=stored, name="a", actor=anna, channel="api")
"""


@pytest.mark.parametrize("size", [1, LARGE])
def test_a_file_comes_back_as_it_was_sent(shell, bucket, size):
    name, sent, received = shell(f"""
attachment = attach(bytes(range(256)) * ({size} // 256) or b"x")
digest = hashlib.sha256()
with attachment.file.open() as file:
    for chunk in file.chunks():
        digest.update(chunk)
print(attachment.file.name, attachment.sha256, digest.hexdigest())
""").split()
    assert sent == received and name in bucket.objects()


def test_the_file_of_a_deleted_attachment_is_deleted(shell, bucket):
    name, left = shell("""
attachment = attach(b"photo")
delete_attachment(attachment, actor=anna, channel="admin")
name = attachment.file.name
jobs.delete_files()
attachment.refresh_from_db()
print(name, repr(attachment.file.name))
""").split()
    assert left == "''" and name not in bucket.objects()


def test_orphans_are_found_by_their_days(shell, bucket):
    at = datetime.now(UTC) - timedelta(days=3)
    folder = f"{at:%Y/%m/%d}"
    kept = shell(f"""
attachment = attach(b"named")
name = attachment_storage().save("{folder}/named", ContentFile(b"named"))
Attachment.objects.filter(pk=attachment.pk).update(file=name)
for name in ("orphan", "young"):
    attachment_storage().save(f"{folder}/{{name}}", ContentFile(b"x"))
""")
    assert not kept
    for name in ("named", "orphan"):
        bucket.age(f"{folder}/{name}", timedelta(days=3))
    shell("""
orphans = jobs.Orphans()
while orphans.step():
    pass
""")
    assert {name for name in bucket.objects() if name.startswith(folder)} == {f"{folder}/named", f"{folder}/young"}


def test_files_are_archived_and_come_back(shell, bucket, tmp_path):
    path = tmp_path / "archive.gz"
    kept = bucket.objects()
    name, sent = shell("""
incident = create_incident(description="x", source="operator", status="closed", actor=anna, channel="api")
stored = save_file(ContentFile(bytes(range(256)) * 40_000))
attachment = add_attachment(incident_id=incident.pk, stored=stored, name="a", actor=anna, channel="api")
print(attachment.file.name, attachment.sha256)
""").split()
    archived = f"""
from django.core.management import call_command
from django.utils import timezone
call_command("archive", {str(path)!r}, before=timezone.now().isoformat())
"""
    assert "1 incidents.attachment, 1 files" in shell(archived)
    assert bucket.objects() == kept
    restored = f"""
from django.core.management import call_command
call_command("restore_archive", {str(path)!r})
with Attachment.objects.get(sha256={sent!r}).file.open() as file:
    print(hashlib.file_digest(file, "sha256").hexdigest())
"""
    assert shell(restored).splitlines()[-1] == sent
    assert len(bucket.objects()) == len(kept) + 1 and name not in bucket.objects()


def test_a_file_is_read_through_the_api(bucket, server, token):
    url = f"http://127.0.0.1:{server.address}/api/v1/incidents/"
    made = requests.post(url, json={"description": "x", "source": "operator"}, headers=token, timeout=30)
    files = f"{url}{made.json()['id']}/attachments/"
    content = os.urandom(LARGE)
    stored = requests.post(files, files={"file": ("a.bin", content)}, headers=token, timeout=60)
    assert stored.status_code == 201, stored.text
    one = f"{files}{stored.json()['id']}/"
    whole = requests.get(one, headers=token, timeout=60)
    assert (whole.status_code, whole.content) == (200, content)
    part = requests.get(one, headers=token | {"Range": "bytes=10000000-10000009"}, timeout=60)
    assert (part.status_code, part.content) == (206, content[10_000_000:10_000_010])
    # The server's log tells what it was asked for.
    assert re.search(r" 206 \d+ms 10b$", (bucket.home / "s3.log").read_text(), re.M)
    assert requests.get(one, headers=token | {"If-None-Match": whole.headers["ETag"]}).status_code == 304


def test_an_outage_is_an_error_within_half_a_minute(shell, bucket):
    bucket.close()
    said = shell("""
try:
    attach(b"x")
except Exception as exc:
    print(type(exc).__name__, Attachment.objects.filter(size=1, content_type="text/plain").count())
""")
    assert said.split()[0] == "EndpointConnectionError"
