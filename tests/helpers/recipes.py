"""The recipes of docs/senders.md, filled in for a running service, and the programs that they set up."""

import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import requests

from tests.helpers.production import until
from tests.helpers.servers import Gunicorn

PAGE = Path("docs/senders.md")
SECONDS = 120  # for a program to notice a change, on a busy machine


class Recipe:
    """A section of the page. Its command is run; the address and the secret are filled in."""

    def __init__(self, service: Gunicorn, api: requests.Session, heading: str) -> None:
        self.service, self.api = service, api
        section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.M | re.S)
        command = section and re.search(r"^manage\.py (add_sender \S+.*)", section[1], re.M)
        assert section and command, heading
        self.sender = shlex.split(command[1])[1]
        self.secret = service.manage(*shlex.split(command[1]))
        self.text = section[1].replace("https://incidents.example.org", service.url).replace("SECRET", self.secret)
        self.program: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Leaves out what was recorded until now."""
        incidents = self.api.get(f"{self.service.url}/api/v1/incidents/?page_size=1", timeout=30).json()["results"]
        self.before = incidents[0]["id"] if incidents else 0

    def block(self, language: str, number: int = 0) -> str:
        blocks = re.findall(r"^```(.*?)\n(.*?)^```", self.text, re.M | re.S)
        return [text for marked, text in blocks if marked == language][number]

    def table(self) -> dict[str, str]:
        """The rows of two columns, both in backticks."""
        return dict(re.findall(r"^\| `(.+?)` \| `(.+?)` \|$", self.text, re.M))

    def header(self, home: Path) -> Path:
        """The file that the page calls /etc/incidents.header."""
        path = home / "incidents.header"
        path.write_text(f"Authorization: Bearer {self.secret}\n")
        return path

    def incidents(self) -> list[tuple[str, str]]:
        """Status and description of the incidents recorded since begin(), oldest first."""
        response = self.api.get(f"{self.service.url}/api/v1/incidents/", timeout=30).json()
        new = [incident for incident in reversed(response["results"]) if incident["id"] > self.before]
        return [(incident["status"], incident["description"]) for incident in new]

    def wait(self, done: Callable[[], bool]) -> None:
        """Waits for what the program causes. Raises AssertionError if it has ended or does not cause it in time."""
        until(lambda: done() or self.program is None or self.program.poll() is not None, SECONDS)
        assert done(), (self.incidents(), self.calls())

    def wait_for(self, *statuses: str) -> list[str]:
        """Waits for incidents with exactly these statuses and returns their descriptions."""
        self.wait(lambda: [status for status, _ in self.incidents()] == list(statuses))
        return [description for _, description in self.incidents()]

    def calls(self) -> list[bytes]:
        """The bodies of the calls, oldest first."""
        query = (
            "SELECT body FROM intake_delivery d JOIN intake_sender s ON s.id = sender_id WHERE name = %s ORDER BY d.id"
        )
        with psycopg.connect(self.service.env["DATABASE_URL"]) as connection:
            return [bytes(body) for (body,) in connection.execute(query, [self.sender])]

    def wait_for_calls(self, count: int) -> None:
        self.wait(lambda: len(self.calls()) >= count)

    @contextmanager
    def running(self, home: Path, *command: Any, **environment: str) -> Iterator[None]:
        """The program in the foreground, as the owner of `home`. Its output is in home/log."""
        environment = {"PATH": f"{os.environ['PATH']}:/usr/sbin", "LANG": "C.UTF-8", "HOME": str(home)} | environment
        user: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = {"user": home.owner(), "group": home.group(), "extra_groups": []}
            for path in home.rglob("*"):
                shutil.chown(path, home.owner(), home.group())
        with (home / "log").open("a") as log:
            self.program = subprocess.Popen(
                list(map(str, command)),
                **user,
                cwd=home,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.program.pid, signal.SIGKILL)
            self.program.wait(30)
            print(*self.calls(), (home / "log").read_text(errors="replace")[-8000:], sep="\n")
