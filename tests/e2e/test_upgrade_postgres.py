"""Moving the production database to another major version of PostgreSQL."""

import pytest
import requests

from tests.helpers.production import Operated, run

pytestmark = pytest.mark.e2e

SETTINGS = "SELECT setconfig FROM pg_db_role_setting ORDER BY setrole::regrole::text"
TRIGGERS = "SELECT tgrelid::regclass::text, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2"


@pytest.fixture(scope="module")
def production(tmp_path_factory):
    production = Operated(tmp_path_factory.mktemp("production"), POSTGRES_VERSION="15")
    try:
        production.run("make", "deploy")
        production.make_user()
        yield production
    finally:
        print(production.compose("logs", "--tail", "30", check=False).stdout)
        production.remove()


def answers(production, client):
    """What a client sees of what is there: the counts, a search by its index, and an incident with its history."""
    found = [
        client.get(production.incidents, params=query).json()
        for query in ({}, {"status": "open"}, {"search": "самокат"})
    ]
    one = f"{production.incidents}{found[0]['results'][-1]['id']}/"
    return [*found, client.get(one).json(), client.get(f"{one}history/").json()]


def version(production):
    return production.sql("SELECT current_setting('server_version_num')::int / 10000")


def test_from_15_to_17_to_18(production, client):
    production.compose("exec", "-T", "web", "python", "manage.py", "load_sample", "--count", "3000")
    production.sql("CREATE ROLE reader LOGIN PASSWORD 'only-for-the-tests'")
    production.sql("ALTER ROLE reader IN DATABASE incidents SET statement_timeout = '5min'")
    production.sql("GRANT SELECT ON incidents_incident TO reader")
    before, triggers, settings = answers(production, client), production.sql(TRIGGERS), production.sql(SETTINGS)
    assert (version(production), before[0]["count"]) == ("15", 3000)
    assert settings.split("\n") == ["{random_page_cost=1.1,jit=off}", "{statement_timeout=5min}"]

    production.sql("CREATE DATABASE another")
    refused = production.run("make", "upgrade-postgres", "VERSION=17", check=False)
    assert refused.returncode and "Only the database incidents would be copied: drop another" in refused.stdout
    assert "Nothing has changed: the database is the one of PostgreSQL 15." in refused.stdout
    assert answers(production, client) == before
    production.sql("DROP DATABASE another")

    for new in ("17", "18"):
        done = production.run("make", "upgrade-postgres", f"VERSION={new}")
        assert f"PostgreSQL {new} has the database" in done.stdout
        assert version(production) == new
        assert answers(production, client) == before
        assert (production.sql(TRIGGERS), production.sql(SETTINGS)) == (triggers, settings)
        assert production.sql("SELECT has_table_privilege('reader', 'incidents_incident', 'SELECT')") == "t"
        analyzed = "SELECT count(DISTINCT attname) > 3 FROM pg_stats WHERE tablename = 'incidents_incident'"
        assert production.sql(analyzed) == "t"
        description = f"Самокат после перехода на {new}"
        made = client.post(production.incidents, json={"description": description, "source": "operator"})
        assert made.status_code == 201
        assert client.get(production.incidents, params={"search": description}).json()["count"] == 1
        before = answers(production, client)
        assert before[0]["count"] == 3000 + ("17", "18").index(new) + 1
    assert requests.get(f"{production.url}/api/health/").status_code == 200
    # Each old database is kept.
    volumes = run("docker", "volume", "ls", "--quiet", "--filter", f"name={production.name}_db").stdout.split()
    assert sorted(volumes) == [f"{production.name}_db{suffix}" for suffix in ("", "_postgres17", "_postgres18")]


def test_what_does_not_fit_is_refused(production):
    before, now = [container["Id"] for container in production.containers()], int(version(production))
    for new, sentence in (
        (now, f"The database is one of PostgreSQL {now} already."),
        (now - 1, f"A database of PostgreSQL {now} cannot go back to {now - 1}."),
        ("", "VERSION takes a major version of PostgreSQL, such as 18."),
    ):
        refused = production.run("make", "upgrade-postgres", f"VERSION={new}", check=False)
        assert refused.returncode and sentence in refused.stdout
    assert [container["Id"] for container in production.containers()] == before
