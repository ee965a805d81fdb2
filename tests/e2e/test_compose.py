"""Deployments by both compose files."""

import json
import re
import shutil
import subprocess

import pytest
import requests

from tests.helpers.api import errors
from tests.helpers.production import Load, Production, Project, run, until
from tests.helpers.servers import free_port

pytestmark = pytest.mark.e2e


def test_the_api_through_nginx(production, client):
    report = {"description": "Не работает оплата", "source": "operator"}
    made = client.post(production.incidents, json=report)
    assert made.status_code == 201 and made.headers["Location"].endswith(f"/api/v1/incidents/{made.json()['id']}/")
    one = f"{production.incidents}{made.json()['id']}/"
    assert client.get(one).json() == made.json()
    assert client.get(production.incidents, params={"status": "open"}).json()["results"][0] == made.json()
    changed = client.patch(one, json={"status": "closed"}, headers={"If-Match": made.headers["ETag"]})
    assert (changed.status_code, changed.json()["status"]) == (200, "closed")
    missing = client.get(f"{production.incidents}999999999/")
    assert (missing.status_code, errors(missing)) == (404, [("404 not_found", None)])
    assert requests.get(production.incidents).status_code == 401


def test_static_files_are_kept_by_browsers(production):
    page = requests.get(f"{production.url}/api/v1/schema/swagger-ui/").text
    paths = re.findall(r'"(/static/[^"]+)"', page)
    assert len(paths) > 3
    for path in paths:
        assert "immutable" in requests.get(production.url + path).headers["Cache-Control"], path


def test_containers_have_no_more_rights_than_they_need(production):
    for container in production.containers():
        service = container["Config"]["Labels"]["com.docker.compose.service"]
        host = container["HostConfig"]
        assert host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["CapAdd"], service
        assert host["SecurityOpt"] == ["no-new-privileges:true"] and host["PidsLimit"] and host["Memory"], service
        assert host["RestartPolicy"]["Name"] == "unless-stopped", service
        assert host["LogConfig"]["Config"]["max-size"] == "10m", service
        assert container["Config"]["User"] not in ("", "0", "root"), service
        assert bool(host["PortBindings"]) == (service == "nginx"), service
        networks = {name.split("_")[-1] for name in container["NetworkSettings"]["Networks"]}
        inside = {"front", "back"}
        assert networks == {"db": {"back"}, "web": inside, "jobs": inside, "nginx": {"front"}}[service]
    assert json.loads(run("docker", "network", "inspect", f"{production.name}_back").stdout)[0]["Internal"]


def test_jobs_run(production):
    assert production.containers("jobs")
    until(lambda: production.sql("SELECT 1 FROM core_heartbeat WHERE ran_at IS NOT NULL LIMIT 1") == "1")


def test_image_has_no_secrets_and_no_build_tools(production):
    image = f"incidents:{production.name}"
    history = run("docker", "history", "--no-trunc", image).stdout + run("docker", "inspect", image).stdout
    assert production.password not in history
    found = run(
        "docker", "run", "--rm", "--entrypoint=sh", image, "-c", "ls -a /app; command -v gcc poetry || true"
    ).stdout.split()
    assert not {".git", ".env", ".env.prod", ".venv", "tests"} & set(found)
    assert not [name for name in found if name.startswith("/")]


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"SECRET_KEY": "change-me"}, "set SECRET_KEY to a long random string"),
        ({"SECRET_KEY": ""}, "set SECRET_KEY to a long random string"),
        ({"POSTGRES_PASSWORD": "change-me"}, "set POSTGRES_PASSWORD to a long random string"),
        ({"ALLOWED_HOSTS": ""}, "set ALLOWED_HOSTS to the host names"),
    ],
)
def test_missing_secrets_prevent_the_start(tmp_path, production, variables, sentence):
    refused = Production(tmp_path)
    refused.set(**variables)
    try:
        done = refused.compose("up", TAG=production.name, check=False)
        assert done.returncode and sentence in done.stdout and "Traceback" not in done.stdout
        assert not refused.compose("ps", "--quiet").stdout
    finally:
        refused.compose("down", "--volumes", TAG=production.name)


def test_first_start_by_make_deploy_reads_its_port_from_the_file(tmp_path):
    first = Production(tmp_path)
    del first.environment["HTTP_PORT"], first.environment["HTTPS_PORT"]
    first.set(HTTP_PORT=str(first.port))
    try:
        first.run("make", "deploy", "ARGS=--scale web=2")
        assert requests.get(f"{first.url}/api/health/").status_code == 200
        assert len(first.containers("web")) == 2
    finally:
        first.remove()


def test_concurrent_migrations(production):
    commands = [["docker", "compose", "-f", production.file, "run", "--rm", "-T", "--no-deps", "migrate"]] * 2
    started = [subprocess.Popen(c, cwd=production.path, env=production.environment) for c in commands]
    assert [process.wait() for process in started] == [0, 0]


def test_crash_of_the_database(production, client):
    made = client.post(production.incidents, json={"description": "before the crash", "source": "operator"}).json()
    db = production.containers("db")[0]
    run("docker", "stop", "--signal", "KILL", db["Id"])
    down = client.get(production.incidents)
    assert (down.status_code, errors(down)) == (503, [("503 service_unavailable", None)])
    assert down.headers["Retry-After"]
    run("docker", "start", db["Id"])
    one = f"{production.incidents}{made['id']}/"
    until(lambda: all(client.get(one).status_code == 200 for _ in range(20)))
    assert client.get(one).json() == made
    until(production.all_healthy)


PGBOUNCER = """
services:
  pgbouncer:
    build:
      context: .
      dockerfile_inline: |
        FROM postgres:17
        RUN apt-get update && apt-get install --yes --no-install-recommends pgbouncer
    user: postgres
    entrypoint: [sh, -c]
    command:
      - >-
        printf '[databases]\\n* = host=db\\n[pgbouncer]\\nlisten_addr=*\\nauth_type=plain\\nauth_file=/tmp/users\\n
        pool_mode=transaction\\ndefault_pool_size=5\\n' | sed 's/^ *//' >/tmp/ini;
        printf '"incidents" "%s"\\n' "$$PASSWORD" >/tmp/users; exec pgbouncer /tmp/ini
    environment: {PASSWORD: "${PASSWORD}"}
    networks: [back]
  web: &app
    environment:
      DATABASE_URL: "postgres://incidents:${PASSWORD}@pgbouncer:6432/incidents"
  jobs: *app
"""


def test_behind_pgbouncer_in_transaction_mode(production, client):
    (production.path / "pgbouncer.yml").write_text(PGBOUNCER)
    files = ("-f", "pgbouncer.yml", "up", "--detach", "--wait", "--no-deps")
    production.compose(*files, "--build", "--scale", "web=2", "pgbouncer", "web", "jobs", PASSWORD=production.password)
    with Load(production) as load:
        until(lambda: len(load.sent) > 200)
    assert load.failed == []
    assert set(load.sent) <= set(load.recorded())
    assert client.get(production.incidents, params={"search": load.name}).json()["count"] >= len(load.sent)
    assert (
        int(
            production.sql(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = 'incidents' AND pid <> pg_backend_pid()"
            )
        )
        <= 5
    )


@pytest.mark.parametrize("env_file", [True, False], ids=["with .env", "without .env"])
def test_development_server_reloads_changed_code(tmp_path, env_file):
    port = free_port()
    development = Project(tmp_path, PORT=str(port))
    development.file = "docker-compose.yml"
    if env_file:
        shutil.copy(tmp_path / ".env.template", tmp_path / ".env")
    try:
        development.compose("up", "--build", "--detach")
        url = f"http://127.0.0.1:{port}/api/health/"

        def has_status(status):
            def condition():
                try:
                    return requests.get(url, timeout=5).status_code == status
                except requests.ConnectionError:
                    return False

            return condition

        until(has_status(200))
        health = tmp_path / "core" / "health.py"
        health.write_text(health.read_text().replace("return ready(request)", "return HttpResponse(status=418)"))
        # The reloader misses a change before its first scan.
        until(lambda: has_status(418)() or health.touch())
    finally:
        print(development.compose("logs", "--tail", "20", check=False).stdout)
        development.remove()
