"""Attachments in a bucket, on a server that speaks the protocol of S3 and checks its signatures."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.helpers.proxies import Process
from tests.helpers.servers import free_port, manage, service_environment

pytestmark = pytest.mark.e2e

S3RVER = Path(__file__).parent / "node_modules/.bin/s3rver"
LARGE = 20 * 2**20  # stored in several parts


class Bucket:
    def __init__(self, home):
        self.home, port = home, free_port()
        options = ["--directory", home / "s3", "--address", "127.0.0.1", "--port", str(port)]
        (home / "s3").mkdir()
        command = [S3RVER, *options, "--configure-bucket", "attachments"]
        self.process = Process(command, port, home / "s3.log")
        self.environment = {
            "ATTACHMENT_S3_BUCKET": "attachments",
            "ATTACHMENT_S3_ENDPOINT": f"http://127.0.0.1:{port}",
            "ATTACHMENT_S3_REGION": "eu-central-1",
            "ATTACHMENT_S3_ACCESS_KEY": "S3RVER",
            "ATTACHMENT_S3_SECRET_KEY": "S3RVER",
        }

    def objects(self):
        found = (self.home / "s3" / "attachments").rglob("*._S3rver_object")
        return {
            str(file.relative_to(self.home / "s3" / "attachments")).removesuffix("._S3rver_object") for file in found
        }

    def age(self, name, by):
        """The server reads when an object was stored from its file."""
        at = (datetime.now(UTC) - by).timestamp()
        os.utime(self.home / "s3" / "attachments" / f"{name}._S3rver_object", (at, at))


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    bucket = Bucket(tmp_path_factory.mktemp("bucket"))
    yield bucket
    bucket.process.close()


@pytest.fixture(scope="module")
def shell(bucket, tmp_path_factory):
    """Runs code in the service, and returns what it prints."""
    home = tmp_path_factory.mktemp("service")
    env = service_environment(f"sqlite:///{home}/db.sqlite3", home / "service") | bucket.environment
    manage(env, "migrate", "--noinput")
    return lambda code: manage(env, "shell", "--no-imports", "-c", SETUP + code)


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
    incident = Incident.objects.first() or create_incident(description="x", source="operator", actor=anna, channel="api")
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


def test_an_outage_is_an_error_within_half_a_minute(shell, bucket):
    bucket.process.close()
    said = shell("""
try:
    attach(b"x")
except Exception as exc:
    print(type(exc).__name__, Attachment.objects.filter(size=1, content_type="text/plain").count())
""")
    assert said.split()[0] == "EndpointConnectionError"
