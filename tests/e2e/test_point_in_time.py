"""Restores of the production database to a moment, by pgBackRest."""

import json

import pytest
import requests

from tests.helpers.production import Operated, until

pytestmark = pytest.mark.e2e

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


def backups(production):
    command = ("exec", "-T", "pgbackrest", "pgbackrest", "info", "--output=json")
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
    for word in ("первая", "вторая", "третья"):
        found = client.get(production.incidents, params={"search": word.upper()}).json()
        assert [found["count"], *(incident["description"] for incident in found["results"])] in ([0], [1, word])
        assert (word in descriptions) == found["count"]
    return sorted(descriptions)


def test_restore_between_two_incidents(production, client):
    until(lambda: backups(production) == ["full"])
    before_first = production.sql("SELECT to_char(now() - interval '1 day', 'YYYY-MM-DD HH24:MI:SS') || '+00'")
    between = report(production, client, "первая")
    after = report(production, client, "вторая")
    assert recorded(production, client) == ["вторая", "первая"]

    done = production.run("make", "restore", f"AT={between}")
    assert recorded(production, client) == ["первая"]
    first_volume = f"{production.name}_db"
    assert f"in the volume {first_volume}" in done.stdout
    report(production, client, "третья")
    assert recorded(production, client) == ["первая", "третья"]
    # Since a restore the database has another timeline, and another backup.
    until(lambda: backups(production) == ["full", "incr"])

    # A moment before the restore is one of the timeline that was in use then.
    production.run("make", "restore", f"AT={after}")
    assert recorded(production, client) == ["вторая", "первая"]
    assert production.sql("SHOW random_page_cost") == "1.1"

    refused = production.run("make", "restore", f"AT={before_first}", check=False)
    assert refused.returncode and "There is no backup from before" in refused.stdout
    assert recorded(production, client) == ["вторая", "первая"]
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
