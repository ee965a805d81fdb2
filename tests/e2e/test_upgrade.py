"""Zero-downtime deployment: replicas are replaced, scaled and killed under load, and no request fails."""

import re

import pytest
import requests

from tests.helpers.api import errors
from tests.helpers.production import Load, kill, run, until

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize("server", ["gunicorn", "granian", "granian again", "gunicorn again"])
def test_deployment_under_load_fails_no_request(production, server):
    """Each server replaces each of the two."""
    before = {container["Id"] for container in production.containers("web")}
    with (production.path / "config" / "wsgi.py").open("a") as code:
        code.write(f"\n# {server}\n")
    production.set(WEB_SERVER=server.split()[0])
    with Load(production) as load:
        output = production.run("make", "deploy").stdout
        print(output, f"{len(load.sent)} reports while it was replaced")
    after = production.containers("web")
    assert len(after) == 2 and not before & {container["Id"] for container in after}
    assert server in production.compose("exec", "-T", "web", "tail", "-1", "config/wsgi.py").stdout
    assert load.failed == []
    assert sorted(load.sent) == load.recorded()


def test_scaling_under_load_fails_no_request(production):
    with Load(production) as load:
        for container in production.containers("web"):
            run("docker", "stop", container["Id"])
            run("docker", "start", container["Id"])
            until(production.all_healthy)
        for replicas in (1, 3, 2):
            production.compose(
                "up", "--detach", "--wait", "--no-deps", "--no-recreate", "--scale", f"web={replicas}", "web"
            )
    assert load.failed == []
    assert sorted(load.sent) == load.recorded()


def test_nginx_starts_without_replicas_and_finds_new_ones(production, client):
    production.compose("stop", "web")
    production.compose("restart", "nginx")
    until(lambda: production.compose("ps", "--status", "running", "--quiet", "nginx").stdout)
    response = requests.get(production.incidents)
    assert (response.status_code, errors(response)) == (503, [("503 service_unavailable", None)])
    production.compose("start", "web")
    until(lambda: client.get(production.incidents).status_code == 200)
    assert {client.get(production.incidents).status_code for _ in range(50)} == {200}


def test_restart_of_the_host_loses_nothing(production, client):
    made = client.post(production.incidents, json={"description": "before the restart", "source": "operator"}).json()
    production.compose("kill")
    production.compose("start")
    until(production.all_healthy)
    assert client.get(f"{production.incidents}{made['id']}/").json() == made


def test_broken_image_leaves_the_old_one_serving(production):
    before = {container["Id"] for container in production.containers("web")}
    wsgi = production.path / "config" / "wsgi.py"
    good = wsgi.read_text()
    wsgi.write_text(good + "raise SystemExit('broken')\n")
    try:
        assert production.run("make", "deploy", check=False).returncode
    finally:
        wsgi.write_text(good)
    assert {container["Id"] for container in production.containers("web")} == before
    assert requests.get(f"{production.url}/api/health/").status_code == 200


def test_crash_of_a_replica_fails_no_request(production, client):
    kill(production.containers("web")[0])
    assert {client.get(production.incidents).status_code for _ in range(50)} == {200}
    until(production.all_healthy)


def test_counters_are_those_of_all_replicas_and_survive_their_restart(production, client):
    def counted():
        text = client.get(f"{production.url}/api/metrics").text
        return re.findall(r'http_requests_total\{method="GET",route="incident-list",status="200"\} (\S+)', text)

    for _ in range(20):
        client.get(production.incidents)
    before = counted()
    assert float(*before) >= 20
    assert all(counted() == before for _ in range(20))
    for container in production.containers("web"):
        run("docker", "restart", container["Id"])
        until(production.all_healthy)
        assert counted() == before
