"""Systems that report much at once, through nginx."""

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
import requests

from tests.helpers.api import errors
from tests.helpers.production import until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def sender(production):
    """The URL of a sender, with its secret."""
    command = ("python", "manage.py", "add_sender", "load", "--format", "alertmanager")
    secret = production.compose("exec", "-T", "web", *command).stdout.strip()
    return f"{production.url}/api/v1/intake/load/{secret}/"


@pytest.fixture
def name():
    return uuid4().hex


def alerts(name, count, size=0):
    """A call of Alertmanager with `count` problems, each with a description of `size` characters."""
    labels = {"alertname": name, "severity": "critical"}
    made = [
        {
            "status": "firing",
            "labels": labels | {"instance": str(number)},
            "annotations": {"summary": "x" * size},
            "startsAt": "2026-01-15T10:00:00Z",
            "fingerprint": f"{name}{number}",
        }
        for number in range(count)
    ]
    return {"version": "4", "status": "firing", "alerts": made}


def recorded(production, name):
    return int(production.sql(f"SELECT count(*) FROM incidents_incident WHERE description LIKE '%{name}%'"))


def test_12_megabytes_of_3000_alerts(production, sender, name):
    response = requests.post(sender, json=alerts(name, 3_000, 3_850), timeout=60)
    print(f"12 MB: {response.elapsed}")
    assert len(response.request.body) > 12_000_000
    assert (response.status_code, list(response.json())) == (200, ["delivery"])
    until(lambda: recorded(production, name) == 3_000, 120)


def test_50_callers_at_once(production, sender, name):
    with ThreadPoolExecutor(50) as pool:
        call = alerts(name, 1)
        responses = list(pool.map(lambda _: requests.post(sender, json=call, timeout=60), range(50)))
    print(f"50 callers: {max(response.elapsed for response in responses)} at most")
    assert {response.status_code for response in responses} == {200}
    assert len({response.json()["delivery"] for response in responses}) == 50
    until(lambda: production.sql("SELECT count(*) FROM intake_delivery WHERE state = 'pending'") == "0")
    assert recorded(production, name) == 1


def test_more_than_20_megabytes_are_413(sender):
    response = requests.post(sender, b"[" + b" " * 20 * 2**20, timeout=60)
    assert (response.status_code, errors(response)) == (413, [("413 request_too_large", None)])


def test_secret_in_the_path_is_in_no_log(production, sender, name):
    secret = sender.split("/")[-2]
    for body in (b"{}", b"{", b"\xff", b"[" + b" " * 20 * 2**20):
        requests.post(sender, body, headers={"X-Request-ID": name}, timeout=60)
    requests.get(f"{sender}?secret={secret}", headers={"Referer": sender, "User-Agent": secret}, timeout=60)
    requests.post(sender[:-1], json={}, headers={"X-Request-ID": f"{name}-last"}, timeout=60)
    until(lambda: f"{name}-last" in production.compose("logs", "nginx").stdout)
    logs = production.compose("logs", "nginx", "web", "jobs", "db").stdout
    assert name in logs and secret not in logs
