"""Restores of the production database to a moment, by pgBackRest."""

import json

import pytest
import requests

from tests.helpers.production import Operated, run, until
from tests.helpers.s3 import KEY, S3, SECRET

pytestmark = pytest.mark.e2e

# Of an authority of one's own
AUTHORITY = """
x-authority: &authority
  environment: {PGBACKREST_REPO1_STORAGE_CA_FILE: /etc/authority.pem}
  volumes: ["./authority.pem:/etc/authority.pem:ro"]
services:
  db: *authority
  pgbackrest: *authority
"""
NOW = "SELECT to_char(now() AT TIME ZONE 'Europe/Moscow', 'YYYY-MM-DD HH24:MI:SS.US') || '+03'"


@pytest.fixture(scope="module")
def production(tmp_path_factory):
    files = "docker-compose.prod.yml:docker-compose.pitr.yml"
    production = Operated(tmp_path_factory.mktemp("production"), COMPOSE_FILE=files)
    try:
        production.run("make", "deploy")
        production.make_user()
        yield production
    finally:
        print(production.compose("logs", "--tail", "30", check=False).stdout)
        production.remove()


@pytest.fixture(scope="module")
def bucket(production, host, tmp_path_factory):
    """On a server with TLS, whose certificate the containers know."""
    home = tmp_path_factory.mktemp("bucket")
    key, certificate = home / "key.pem", production.path / "authority.pem"
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={host}")
    run(*made, "-keyout", key, "-out", certificate)
    certificate.chmod(0o644)
    (production.path / "authority.yml").write_text(AUTHORITY)
    bucket = S3(home, "backups", "--key", key, "--cert", certificate, host=host)
    yield bucket
    bucket.close()


def move_repository(production, bucket, host):
    """From the volume to the bucket, by settings of pgBackRest."""
    settings = {
        "COMPOSE_FILE": f"{production.settings['COMPOSE_FILE']}:authority.yml",
        "PGBACKREST_REPO1_TYPE": "s3",
        "PGBACKREST_REPO1_PATH": "/incidents",
        "PGBACKREST_REPO1_S3_BUCKET": bucket.bucket,
        "PGBACKREST_REPO1_S3_ENDPOINT": f"{host}:{bucket.port}",
        "PGBACKREST_REPO1_S3_REGION": "us-east-1",
        "PGBACKREST_REPO1_S3_KEY": KEY,
        "PGBACKREST_REPO1_S3_KEY_SECRET": SECRET,
        "PGBACKREST_REPO1_S3_URI_STYLE": "path",
        "PGBACKREST_REPO1_CIPHER_TYPE": "aes-256-cbc",
        "PGBACKREST_REPO1_CIPHER_PASS": "only-for-the-tests",
    }
    production.set(**settings)
    production.compose("up", "--detach", "--wait")


def backups(production, service="pgbackrest"):
    command = ("exec", "-T", service, "pgbackrest", "info", "--output=json")
    (stanza,) = json.loads(production.compose(*command).stdout)
    return [backup["type"] for backup in stanza["backup"]]


def report(production, client, description):
    """The moment after which it is recorded, with a second before and after it."""
    made = client.post(production.incidents, json={"description": description, "source": "operator"})
    assert made.status_code == 201, made.text
    moment = production.sql(NOW)
    until(lambda: production.sql(f"SELECT clock_timestamp() > '{moment}'::timestamptz + interval '1 second'") == "t")
    return moment


def recorded(production, client):
    """The descriptions, which the list, its count, the search and the table must agree on."""
    listed = client.get(production.incidents).json()
    descriptions = [incident["description"] for incident in listed["results"]]
    assert listed["count"] == len(descriptions) == int(production.sql("SELECT count(*) FROM incidents_incident"))
    for word in ("первая", "вторая", "третья", "четвёртая", "пятая"):
        found = client.get(production.incidents, params={"search": word.upper()}).json()
        assert [found["count"], *(incident["description"] for incident in found["results"])] in ([0], [1, word])
        assert (word in descriptions) == found["count"]
    return sorted(descriptions)


def test_restore_between_two_incidents(production, client, bucket, host):
    until(lambda: backups(production) == ["full"])
    report(production, client, "первая")
    report(production, client, "вторая")

    move_repository(production, bucket, host)
    before = production.sql("SELECT to_char(now() - interval '1 day', 'YYYY-MM-DD HH24:MI:SS') || '+00'")
    until(lambda: backups(production) == ["full"])
    production.compose("exec", "-T", "pgbackrest", "pgbackrest", "backup", "--type=incr")
    between = report(production, client, "третья")
    after = report(production, client, "четвёртая")
    assert backups(production) == ["full", "incr"]
    assert bucket.objects() and all(name.startswith("incidents/") for name in bucket.objects())

    done = production.run("make", "restore", f"AT={between}")
    assert recorded(production, client) == ["вторая", "первая", "третья"]
    assert f"in the volume {production.name}_db" in done.stdout
    report(production, client, "пятая")
    assert recorded(production, client) == ["вторая", "первая", "пятая", "третья"]
    # Since a restore the database has another timeline, and another backup.
    until(lambda: len(backups(production)) == 3)

    # A moment before the restore is one of the timeline that was in use then.
    production.run("make", "restore", f"AT={after}")
    everything = ["вторая", "первая", "третья", "четвёртая"]
    assert recorded(production, client) == everything
    assert production.sql("SHOW random_page_cost") == "1.1"

    refused = production.run("make", "restore", f"AT={before}", check=False)
    assert refused.returncode and "There is no backup from before" in refused.stdout
    assert recorded(production, client) == everything
    assert requests.get(f"{production.url}/api/health/").status_code == 200


@pytest.mark.parametrize(
    ("at", "sentence"),
    [
        ("2026-11-29 12:00:00", "AT takes a date, a time and its zone, such as '2026-11-29 12:00:00+03'"),
        ("2026-11-29 12:00:00 MSK", "AT takes a date, a time and its zone"),
        ("2026-02-30 12:00:00+03", "There is no such moment"),
        ("2999-11-29 12:00:00+03", "is not over yet"),
    ],
)
def test_what_is_no_moment_is_refused(production, at, sentence):
    before = [container["Id"] for container in production.containers()]
    refused = production.run("make", "restore", f"AT={at}", check=False)
    assert refused.returncode and sentence in refused.stdout
    assert [container["Id"] for container in production.containers()] == before


def test_compose_without_the_settings_does_not_start_another_database(production):
    """An upgrade or a restore has written another volume into .env.prod."""
    name = production.containers("db")[0]["Name"]
    production.set(POSTGRES_VOLUME="another")
    refused = production.run(
        "docker", "compose", "-f", "docker-compose.prod.yml", "run", "--rm", "-T", "--no-deps", "db", check=False
    )
    assert refused.returncode == 78 and "The database does not start: use docker/compose" in refused.stdout, name


def test_restore_into_a_new_cluster(production):
    """From the volume, whose database has the service's role as its superuser."""
    moment = production.sql(
        "SELECT to_char(created_at AT TIME ZONE 'UTC' + interval '0.5 s', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'"
        " FROM incidents_incident WHERE description = 'первая'"
    )
    production.compose("down")
    production.set(
        COMPOSE_FILE="docker-compose.prod.yml:docker-compose.ha.yml:docker-compose.ha-pitr.yml",
        REPLICATION_PASSWORD=production.password[::-1],
        PATRONI_SUPERUSER_USERNAME="incidents",
        RESTORE_AT=moment,
    )
    production.run("make", "deploy")
    with requests.Session() as session:
        client = production.log_in(session)
        assert recorded(production, client) == ["первая"]
        refused = production.run("make", "restore", f"AT={moment}", check=False)
        assert refused.returncode and "a moment is restored into a new cluster" in refused.stdout
        report(production, client, "вторая")
    listed = production.compose("exec", "-T", "postgres1", "patronictl", "list", "--format", "json").stdout
    roles = [member["Role"] for member in json.loads(listed[listed.index("[") :])]
    assert roles.count("Leader") == 1 and len(roles) == 3
    until(lambda: len(backups(production, "postgres1")) == 2)
