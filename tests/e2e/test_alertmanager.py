"""A pair of Alertmanagers reports to the production deployment while its service and then its database are away."""

import re
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import requests

from tests.helpers.servers import free_port, wait_until

pytestmark = pytest.mark.e2e

ENDED = re.compile(r"msg=flushing alerts=\[EndsDuringTheOutage\[\w+\]\[resolved\]\]")
CONFIG = """
route:
  receiver: incidents
  group_by: [alertname]
  group_wait: 1s
  group_interval: 3s
  repeat_interval: 3s
receivers:
  - name: incidents
    webhook_configs:
      - url: {url}
        send_resolved: true
        http_config:
          authorization:
            credentials_file: {secret}
"""


class Alertmanager:
    def __init__(self, home, config, cluster, peer=None):
        home.mkdir()
        self.url = f"http://127.0.0.1:{free_port()}"
        self.log = home / "log"
        command = [
            *("prometheus-alertmanager", f"--config.file={config}", f"--storage.path={home}"),
            *(f"--web.listen-address={self.url.removeprefix('http://')}", f"--cluster.listen-address={cluster}"),
            *("--cluster.peer-timeout=1s", "--cluster.settle-timeout=2s", "--log.level=debug"),
            *([f"--cluster.peer={peer}"] if peer else []),
        ]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(self.is_ready)

    def is_ready(self):
        try:
            return requests.get(f"{self.url}/-/ready", timeout=2).ok
        except requests.RequestException:
            return False

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture(scope="module")
def pair(production, tmp_path_factory):
    home = tmp_path_factory.mktemp("alertmanagers")
    secret, config = home / "secret", home / "config.yml"
    command = ("python", "manage.py", "add_sender", "pair", "--format", "alertmanager")
    secret.write_text(production.compose("exec", "-T", "web", *command).stdout)
    config.write_text(CONFIG.format(url=f"{production.url}/api/v1/intake/pair/", secret=secret))
    first = f"127.0.0.1:{free_port()}"
    both = [
        Alertmanager(home / "one", config, first),
        Alertmanager(home / "two", config, f"127.0.0.1:{free_port()}", peer=first),
    ]
    yield both
    for alertmanager in both:
        alertmanager.stop()


@pytest.fixture
def statuses(production, client):
    """The statuses of the incidents of an alert."""

    def statuses(name):
        response = client.get(production.incidents, params={"search": name}, timeout=10)
        return [incident["status"] for incident in response.json()["results"]] if response.ok else None

    return statuses


def tell(pair, name, **times):
    """Sends an alert to every Alertmanager, as Prometheus does."""
    alert = {"labels": {"alertname": name, "severity": "critical"}, "annotations": {"summary": "Диск полон"}, **times}
    for alertmanager in pair:
        requests.post(f"{alertmanager.url}/api/v2/alerts", json=[alert], timeout=10).raise_for_status()


def end(pair, name):
    tell(pair, name, endsAt=datetime.now(UTC).isoformat())


def deliveries(production, name):
    return int(production.sql(f"SELECT count(*) FROM intake_delivery WHERE convert_from(body, 'UTF8') LIKE '%{name}%'"))


@contextmanager
def stopped(production, *services):
    production.compose("stop", *services)
    try:
        yield
    finally:
        production.compose("start", *services)
        wait_until(production.all_healthy, 90)


def failures(alertmanager):
    """How often Alertmanager could not deliver, since nginx or the service said 5xx."""
    return alertmanager.log.read_text().count("unexpected status code 50")


def test_each_alert_is_one_incident_despite_outages(pair, production, statuses):
    tell(pair, "FiresAndRepeats")
    wait_until(lambda: deliveries(production, "FiresAndRepeats") >= 4, 60)
    assert statuses("FiresAndRepeats") == ["open"]

    with stopped(production, "web", "jobs"):  # nginx responds with 503
        before = [failures(alertmanager) for alertmanager in pair]
        tell(pair, "WhileServiceIsDown")
        tell(pair, "EndsDuringTheOutage")
        wait_until(lambda: all(failures(one) > then for one, then in zip(pair, before, strict=True)), 60)
        end(pair, "EndsDuringTheOutage")
        for alertmanager in pair:  # both have given up: they would send only the resolved alert
            wait_until(lambda log=alertmanager.log: ENDED.search(log.read_text()), 60)
    wait_until(lambda: statuses("WhileServiceIsDown") == ["open"], 60)

    with stopped(production, "db"):
        before = [failures(alertmanager) for alertmanager in pair]
        tell(pair, "WhileDatabaseIsDown")
        wait_until(lambda: all(failures(one) > then for one, then in zip(pair, before, strict=True)), 60)
    wait_until(lambda: statuses("WhileDatabaseIsDown") == ["open"], 60)

    names = ("FiresAndRepeats", "WhileServiceIsDown", "WhileDatabaseIsDown")
    for name in names:
        end(pair, name)
    for name in names:
        wait_until(lambda name=name: statuses(name) == ["resolved"], 60)
    # Known limit (docs/senders.md): Alertmanager does not send an alert that ended before it was delivered.
    assert statuses("EndsDuringTheOutage") == []
    show(pair, production)


def show(pair, production):
    """Prints, for pytest -s, what the Alertmanagers say of their calls beside the incidents that came of them."""
    called = re.compile(r'T([\d:]+).*msg="(Notify [^"]*)" attempts=(\d+)(?:.*(unexpected status code \d+))?')
    for number, alertmanager in enumerate(pair, 1):
        for time, *said in called.findall(alertmanager.log.read_text()):
            print(f"{number} {time}", *filter(None, said))
    print(production.sql("SELECT id, status, replace(description, chr(10), ' / ') FROM incidents_incident ORDER BY id"))
