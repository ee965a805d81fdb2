"""The production compose file, run for real: needs a Docker engine with Compose, and make."""

import json
import shutil
import subprocess
import threading
from time import monotonic, sleep

import pytest
import requests

from tests.conftest import errors
from tests.e2e.production import Production, Project, run
from tests.e2e.servers import free_port

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def production(tmp_path_factory):
    production = Production(tmp_path_factory.mktemp("production"))
    try:
        production.up("--scale", "web=2")
        production.make_user()
        yield production
    finally:
        print(production.compose("logs", "--tail", "30", check=False).stdout)
        production.remove()


@pytest.fixture
def client(production):
    with requests.Session() as session:
        yield production.log_in(session)


def until(condition, seconds=60):
    """Waits for `condition` to hold."""
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, f"not within {seconds} s"
        sleep(0.2)


def all_healthy(production):
    return lambda: all(c["State"]["Health"]["Status"] == "healthy" for c in production.containers())


def kill(container):
    """A crash: what Docker itself stops or kills is not started anew."""
    pid = str(container["State"]["Pid"])
    run("docker", "run", "--rm", "--privileged", "--pid=host", "--entrypoint=kill", "postgres:17", "-9", pid)
    until(lambda: json.loads(run("docker", "inspect", container["Id"]).stdout)[0]["RestartCount"] > 0)


def test_acceptance(production, client):
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


def test_a_compressed_answer_keeps_its_etag(production, client):
    long = client.post(production.incidents, json={"description": "я" * 2000, "source": "operator"})
    one = f"{production.incidents}{long.json()['id']}/"
    answer = client.get(one)
    assert answer.headers["Content-Encoding"] == "gzip" and answer.headers["ETag"].startswith("W/")
    assert client.patch(one, json={"status": "closed"}, headers={"If-Match": answer.headers["ETag"]}).status_code == 200


def test_a_request_id_goes_through(production, client):
    assert client.get(production.incidents, headers={"X-Request-ID": "abc-1"}).headers["X-Request-ID"] == "abc-1"
    assert '"request_id":"abc-1"' in production.compose("logs", "nginx").stdout


def test_static_files_are_kept_by_browsers(production):
    page = requests.get(f"{production.url}/api/v1/schema/swagger-ui/").text
    path = page.split('href="', 1)[1].split('"')[0]
    assert "immutable" in requests.get(production.url + path).headers["Cache-Control"]


def test_nginx_refuses_in_the_error_format(production, client):
    large = client.post(production.incidents, data=b" " * 2_700_000)
    assert (large.status_code, errors(large)) == (413, [("413 request_too_large", None)])
    cookies = client.get(production.incidents, headers={"Cookie": "x" * 20_000})
    assert (cookies.status_code, errors(cookies)) == (431, [("431 headers_too_large", None)])


def test_logins_are_limited(production):
    url = f"{production.url}/api/identity/auth/jwt/create/"
    with requests.Session() as session:
        answers = [session.post(url, data="{", headers={"Content-Type": "application/json"}) for _ in range(150)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused and errors(refused[0]) == [("429 throttled", None)] and refused[0].headers["Retry-After"]
    sleep(2)


def test_maintenance(production):
    production.compose("exec", "-T", "nginx", "touch", "/tmp/maintenance")
    answer = requests.get(production.incidents, headers={"Accept-Language": "ru"})
    page = requests.get(f"{production.url}/api/admin/")
    production.compose("exec", "-T", "nginx", "rm", "/tmp/maintenance")
    assert (answer.status_code, errors(answer)) == (503, [("503 service_unavailable", None)])
    assert "временно" in answer.text and answer.headers["Retry-After"]
    assert page.status_code == 503 and page.headers["Content-Type"].startswith("text/html")


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
        assert networks == {"db": {"back"}, "web": {"front", "back"}, "nginx": {"front"}}[service]
    assert json.loads(run("docker", "network", "inspect", f"{production.name}_back").stdout)[0]["Internal"]


def test_the_image_holds_no_secret_and_no_tools(production):
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
def test_it_does_not_start_on_missing_secrets(tmp_path, production, variables, sentence):
    refused = Production(tmp_path)
    refused.set(**variables)
    try:
        done = refused.compose("up", TAG=production.name, check=False)
        assert done.returncode and sentence in done.stdout and "Traceback" not in done.stdout
        assert not refused.compose("ps", "--quiet").stdout
    finally:
        refused.compose("down", "--volumes", TAG=production.name)


def test_migrations_at_the_same_time(production):
    commands = [["docker", "compose", "-f", production.file, "run", "--rm", "-T", "--no-deps", "migrate"]] * 2
    started = [subprocess.Popen(c, cwd=production.path, env=production.environment) for c in commands]
    assert [process.wait() for process in started] == [0, 0]


class Load:
    """Requests without a pause until the block ends: each report is to be there once, and no request may fail."""

    def __init__(self, production):
        self.production, self.sent, self.failed, self.ends = production, [], [], threading.Event()
        self.threads = [threading.Thread(target=self.work, args=[number]) for number in range(4)]

    def work(self, number):
        with requests.Session() as session:
            self.production.log_in(session)
            while not self.ends.is_set():
                report = {"description": f"load {number} {len(self.sent)} {monotonic()}", "source": "monitoring"}
                try:
                    made = session.post(self.production.incidents, json=report, timeout=40)
                    assert made.status_code == 201, made.text
                    self.sent.append(report["description"])
                    one = f"{self.production.incidents}{made.json()['id']}/"
                    assert session.patch(one, json={"status": "closed"}, timeout=40).status_code == 200
                    assert session.get(one, timeout=40).json()["status"] == "closed"
                except (OSError, AssertionError, LookupError) as exc:
                    self.failed.append(repr(exc))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        try:
            until(lambda: len(self.sent) > 20)
        except AssertionError:
            self.__exit__()
            pytest.fail(f"only {len(self.sent)} reports were sent: {self.failed[:3]}")
        return self

    def __exit__(self, *args):
        self.ends.set()
        for thread in self.threads:
            thread.join()

    def recorded(self):
        return sorted(
            self.production.sql("SELECT description FROM incidents_incident WHERE description LIKE 'load %'").split(
                "\n"
            )
        )


def test_an_upgrade_under_load_fails_no_request(production):
    before = {container["Id"] for container in production.containers("web")}
    with (production.path / "config" / "wsgi.py").open("a") as code:
        code.write("\n# a new version\n")
    with Load(production) as load:
        output = production.run("make", "deploy").stdout
        print(output, f"{len(load.sent)} reports while it was replaced")
    after = production.containers("web")
    assert len(after) == 2 and not before & {container["Id"] for container in after}
    assert "new version" in production.compose("exec", "-T", "web", "tail", "-1", "config/wsgi.py").stdout
    assert load.failed == []
    assert sorted(load.sent) == load.recorded()


def test_a_broken_image_leaves_the_old_one_serving(production):
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


def test_a_replica_dies(production, client):
    kill(production.containers("web")[0])
    assert {client.get(production.incidents).status_code for _ in range(50)} == {200}
    until(all_healthy(production))


def test_the_database_dies(production, client):
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
    until(all_healthy(production))


def everything(production):
    """Every row of every table."""
    tables = production.sql("SELECT relname FROM pg_stat_user_tables ORDER BY 1").split()
    return {table: sorted(production.sql(f'SELECT t FROM "{table}" t').split("\n")) for table in tables}


def test_a_backup_brings_everything_back(production):
    file = production.run("make", "backup").stdout.split()[-1]
    before = everything(production)
    assert before["incidents_incident"] != [""]
    refused = production.run("make", "restore", f"FILE={file}", check=False)
    assert refused.returncode and "FORCE=1 replaces them" in refused.stdout

    production.compose("rm", "--stop", "--force", "db")
    run("docker", "volume", "rm", f"{production.name}_db")
    production.run("make", "restore", f"FILE={file}")
    assert everything(production) == before

    production.sql("DELETE FROM django_session; DROP TABLE django_session")
    production.run("make", "restore", f"FILE={file}", "FORCE=1")
    assert everything(production) == before
    damaged = production.run("make", "restore", "FILE=nothing.dump", "FORCE=1", check=False)
    assert damaged.returncode and file in damaged.stdout
    until(lambda: requests.get(f"{production.url}/api/health/").status_code == 200)


def test_tls(production, tmp_path):
    key, certificate = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
    made = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1")
    run(*made, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate))
    key.chmod(0o644)
    tmp_path.chmod(0o755)
    production.compose("up", "--detach", "--wait", "--no-deps", "nginx", TLS_CERTIFICATES=str(tmp_path))
    url = f"https://127.0.0.1:{production.https_port}/api/health/"
    assert requests.get(url, verify=certificate).status_code == 200
    http2 = run("curl", "-s", "-o", "/dev/null", "-w", "%{http_version}", "--cacert", str(certificate), url)
    assert http2.stdout == "2"
    old = run(
        "curl",
        "-s",
        "--tls-max",
        "1.1",
        "--ciphers",
        "DEFAULT@SECLEVEL=0",
        "--cacert",
        str(certificate),
        url,
        check=False,
    )
    assert old.returncode == 35
    production.compose("up", "--detach", "--wait", "--no-deps", "nginx")


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
  web:
    environment:
      DATABASE_URL: "postgres://incidents:${PASSWORD}@pgbouncer:6432/incidents?disable_server_side_cursors=True"
"""


def test_behind_pgbouncer_in_transaction_mode(production, client):
    (production.path / "pgbouncer.yml").write_text(PGBOUNCER)
    files = ("-f", "pgbouncer.yml", "up", "--detach", "--wait", "--no-deps")
    production.compose(*files, "--build", "--scale", "web=2", "pgbouncer", "web", PASSWORD=production.password)
    with Load(production) as load:
        until(lambda: len(load.sent) > 200)
    assert load.failed == []
    assert set(load.sent) <= set(load.recorded())
    assert client.get(production.incidents, params={"search": "load"}).json()["count"] >= len(load.sent)
    assert (
        int(
            production.sql(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = 'incidents' AND pid <> pg_backend_pid()"
            )
        )
        <= 5
    )


DEAF = """
services:
  web:
    healthcheck: {disable: true}
    entrypoint:
      - python
      - -uc
      - |
        from socketserver import BaseRequestHandler, ThreadingTCPServer
        class Deaf(BaseRequestHandler):
            def handle(self):
                print(self.request.recv(65536).split(b" HTTP")[0].decode())
        ThreadingTCPServer(("", 8000), Deaf).serve_forever()
"""


def test_another_replica_is_asked_only_where_a_request_may_be_repeated(production):
    (production.path / "deaf.yml").write_text(DEAF)
    production.compose("-f", "deaf.yml", "up", "--detach", "--no-deps", "--scale", "web=2", "web")

    def both_are_asked():
        requests.options(production.incidents)
        log = production.compose("logs", "--no-color", "web").stdout.splitlines()
        return len({line.split("|")[0] for line in log if "OPTIONS" in line}) == 2

    until(both_are_asked)
    for method in ("GET", "POST", "PATCH"):
        answer = requests.request(method, production.incidents)
        assert (answer.status_code, errors(answer)) == (503, [("503 service_unavailable", None)])
    requests.post(production.incidents, headers={"Idempotency-Key": "1"})

    def asked():
        log = production.compose("logs", "web").stdout
        return [log.count(f"{method} /api/v1") for method in ("GET", "PATCH", "POST")]

    until(lambda: sum(asked()) >= 6, seconds=10)
    assert asked() == [2, 1, 1 + 2]


@pytest.mark.parametrize("env_file", [True, False], ids=["with .env", "without .env"])
def test_development(tmp_path, env_file):
    port = free_port()
    development = Project(tmp_path, PORT=str(port))
    development.file = "docker-compose.yml"
    if env_file:
        shutil.copy(tmp_path / ".env.template", tmp_path / ".env")
    try:
        development.compose("up", "--build", "--detach")
        url = f"http://127.0.0.1:{port}/api/health/"

        def answers(status):
            def condition():
                try:
                    return requests.get(url, timeout=5).status_code == status
                except requests.ConnectionError:
                    return False

            return condition

        until(answers(200))
        health = tmp_path / "core" / "health.py"
        health.write_text(health.read_text().replace("return ready()", "return HttpResponse(status=418)"))
        # What changes before the reloader's first look is no change to it.
        until(lambda: answers(418)() or health.touch())
    finally:
        print(development.compose("logs", "--tail", "20", check=False).stdout)
        development.remove()
