"""Deployments of the working tree in containers, under names and on ports of their own."""

import json
import os
import secrets
import shutil
import subprocess
from pathlib import Path
from time import sleep

import requests

from tests.e2e.servers import free_port

ROOT = Path(__file__).resolve().parents[2]


def run(*command, check=True, **options):
    """The finished process; an AssertionError with its output where it failed and should not have."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    assert not check or done.returncode == 0, f"{command}\n{done.stdout[-4000:]}"
    return done


class Project:
    """A copy of the working tree, and its containers."""

    file = "docker-compose.prod.yml"

    def __init__(self, path: Path, **environment: str) -> None:
        self.path = path
        self.name = f"incidents-e2e-{free_port()}"
        # `make e2e` runs this too: a make below it would print more than its own recipe does.
        outer = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
        self.environment = outer | {"COMPOSE_PROJECT_NAME": self.name, "TAG": self.name} | environment
        files = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", cwd=ROOT).stdout
        for file in files.splitlines():
            if (ROOT / file).is_file():
                (path / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / file, path / file)

    def run(self, *command, check=True, **environment):
        return run(*command, cwd=self.path, env=self.environment | environment, check=check)

    def compose(self, *arguments, check=True, **environment):
        return self.run("docker", "compose", "-f", self.file, *arguments, check=check, **environment)

    def containers(self, service=""):
        """What docker knows of each running container."""
        ids = self.compose("ps", "--quiet", *filter(None, [service])).stdout.split()
        return json.loads(run("docker", "inspect", *ids).stdout)

    def sql(self, query: str) -> str:
        command = ("psql", "-AtX", "-U", "incidents", "-c", query, "incidents")
        return self.compose("exec", "-T", "db", *command).stdout.strip()

    def remove(self) -> None:
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")
        ours = (f"--filter=reference={pattern}" for pattern in (f"incidents:{self.name}", f"{self.name}-*"))
        run(
            "docker",
            "image",
            "rm",
            "--force",
            *run("docker", "image", "ls", "--quiet", *ours).stdout.split(),
            check=False,
        )


class Production(Project):
    def __init__(self, path: Path) -> None:
        self.port, self.https_port = free_port(), free_port()
        super().__init__(path, HTTP_PORT=str(self.port), HTTPS_PORT=str(self.https_port))
        self.url = f"http://127.0.0.1:{self.port}"
        self.incidents = f"{self.url}/api/v1/incidents/"
        self.password = secrets.token_hex(16)
        self.set()

    def set(self, **variables: str) -> None:
        """Writes .env.prod: the template with what an operator must set, and `variables`."""
        variables = {
            "SECRET_KEY": secrets.token_hex(32),
            "POSTGRES_PASSWORD": self.password,
            "ALLOWED_HOSTS": "127.0.0.1",
            "DEBUG": "False",
        } | variables
        lines = (self.path / ".env.template").read_text().splitlines()
        lines = [line for line in lines if line.split("=")[0] not in variables]
        (self.path / ".env.prod").write_text("\n".join([*lines, *(f"{k}={v}" for k, v in variables.items()), ""]))

    def up(self, *arguments: str) -> None:
        self.compose("up", "--build", "--detach", "--wait", *arguments)

    def make_user(self) -> None:
        name = ("--env", "DJANGO_SUPERUSER_PASSWORD=only-for-the-tests", "-T", "web")
        create = ("python", "manage.py", "createsuperuser", "--noinput", "--username=operator", "--email=o@example.org")
        self.compose("exec", *name, *create)

    def log_in(self, session: requests.Session) -> requests.Session:
        """As a client does: a 503, such as for each connection that died with a database, is sent again."""
        url = f"{self.url}/api/identity/auth/jwt/create/"
        account = {"username": "operator", "password": "only-for-the-tests"}
        for _ in range(20):
            answer = session.post(url, json=account, timeout=30)
            if answer.status_code != 503:
                break
            sleep(0.2)
        assert answer.status_code == 200, answer.text
        session.headers["Authorization"] = f"Bearer {answer.json()['access']}"
        return session
