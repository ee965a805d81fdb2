"""GET /api/metrics: permissions and values."""

import json
import re
import subprocess
import sys
from datetime import timedelta
from ipaddress import ip_network
from math import isnan
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from core.models import Heartbeat
from identity.models import User
from incidents.models import Attachment
from intake import inbox
from telegram import chats
from telegram.models import Card
from tests.helpers.api import errors
from tests.helpers.bot_api import BOT, TOKEN
from tests.helpers.incidents import make_incident
from tests.helpers.intake import alert, make_caller
from tests.helpers.telegram_messages import GROUP
from tests.helpers.updates import write

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/metrics"
INCIDENTS = "/api/v1/incidents/"


@pytest.fixture
def staff(user, api):
    User.objects.filter(pk=user.pk).update(is_staff=True)
    return api


def read(client):
    """The samples by metric name and label values, in the order of the label names."""
    response = client.get(URL)
    assert (response.status_code, response["Content-Type"][:10]) == (200, "text/plain")
    families = text_string_to_metric_families(response.content.decode())
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_bucket")
    }


def test_metrics_require_staff(client, api):
    response = client.get(URL)
    assert (response.status_code, errors(response)) == (401, [("401 not_authenticated", None)])
    response = api.get(URL)
    assert (response.status_code, errors(response)) == (403, [("403 permission_denied", None)])


def test_secret_of_a_sender_cannot_read_metrics(db):
    caller = make_caller()
    assert Client(headers={"authorization": f"Bearer {caller.secret}"}).get(URL).status_code == 401


@pytest.mark.parametrize(
    ("address", "status"),
    [("10.1.2.3", 200), ("11.1.2.3", 401), ("fd00::1", 200), ("::ffff:10.1.2.3", 200), ("", 401), ("odd", 401)],
)
def test_networks_need_no_token(client, settings, address, status):
    settings.METRICS_NETWORKS = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]
    assert client.get(URL, REMOTE_ADDR=address, headers={"x-forwarded-for": "10.1.2.3"}).status_code == status


def test_incidents_by_status_and_source(staff):
    for source in ("operator", "operator", "partner"):
        staff.post(INCIDENTS, {"description": "Самокат", "source": source}, "application/json")
    samples = read(staff)
    assert (samples["incidents", "operator", "open"], samples["incidents", "partner", "open"]) == (2, 1)
    assert samples["incidents", "monitoring", "closed"] == 0


def test_requests_are_counted_by_route_name(staff):
    def count(*labels):
        return read(staff).get(("http_requests_total", *labels), 0)

    for labels, request in {
        ("GET", "incident-list", "200"): lambda: staff.get(INCIDENTS),
        ("GET", "incident-detail", "404"): lambda: staff.get(f"{INCIDENTS}7/"),
        ("POST", "intake-with-secret", "401"): lambda: staff.post("/api/v1/intake/a/s3cr3t/"),
        ("GET", "unresolved", "404"): lambda: staff.get("/api/no/such/path/"),
        ("GET", "unresolved", "200"): lambda: staff.get("/api/health/live/"),
        ("other", "incident-list", "405"): lambda: staff.generic("BREW", INCIDENTS),
    }.items():
        before = count(*labels)
        request()
        assert count(*labels) == before + 1, labels
    assert read(staff)["http_request_duration_seconds_count", "GET", "incident-list"] >= 1
    assert b"s3cr3t" not in staff.get(URL).content


def test_deliveries_by_channel_and_state(staff):
    assert read(staff)["delivery_oldest_pending_seconds",] == 0
    caller = make_caller()
    caller.alerts(alert())
    caller.alerts("bad")
    inbox.replay([caller.alerts(alert("B")).pk])
    samples = read(staff)
    states = ("processed", "faulty", "pending")
    assert [samples["deliveries", "alertmanager", state] for state in states] == [1, 1, 1]
    assert samples["delivery_oldest_pending_seconds",] > 0
    caller.alerts(alert(), truncatedAlerts=250)
    assert read(staff)["deliveries_with_warnings", "alertmanager"] == 1


def test_jobs(staff):
    ago = timezone.now() - timedelta(minutes=2)
    Heartbeat.objects.create(job="process_deliveries", ran_at=ago, failures=3)
    Heartbeat.objects.create(job="purge_old_deliveries")
    samples = read(staff)
    assert samples["job_failures", "process_deliveries"] == 3
    assert 119 < samples["job_last_run_seconds", "process_deliveries"] < 180
    assert ("job_last_run_seconds", "purge_old_deliveries") not in samples


def test_job_that_was_turned_off_is_not_late(staff):
    Heartbeat.objects.create(job="telegram_send", ran_at=timezone.now() - timedelta(days=9), failures=7)
    assert not [labels for labels in read(staff) if "telegram_send" in labels]


def test_telegram(staff, settings):
    settings.TELEGRAM_BOT_TOKEN = TOKEN
    assert isnan(read(staff)["telegram_last_poll_seconds",])
    assert read(staff)["telegram_oldest_unsent_seconds",] == 0
    assert read(staff)["telegram_unfetched_files",] == read(staff)["telegram_oldest_unfetched_seconds",] == 0
    ago = timezone.now() - timedelta(minutes=2)
    Heartbeat.objects.create(job="telegram_poll", ran_at=ago)
    Card.objects.create(incident=make_incident(), chat=chats.add(BOT["id"], GROUP["id"]).chat, due_at=ago)
    samples = read(staff)
    assert 119 < samples["telegram_last_poll_seconds",] < 180
    assert 119 < samples["telegram_oldest_unsent_seconds",] < 180


def test_files_of_messages_that_wait(staff, settings):
    settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_INTAKE_CHATS = TOKEN, [str(GROUP["id"])]
    write(document={"file_id": "id1", "file_unique_id": "unique1"})
    Attachment.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    samples = read(staff)
    assert samples["telegram_unfetched_files",] == 1
    assert 119 < samples["telegram_oldest_unfetched_seconds",] < 180


def test_telegram_that_was_turned_off_is_not_late(staff):
    Heartbeat.objects.create(job="telegram_poll", ran_at=timezone.now() - timedelta(days=9))
    assert isnan(read(staff)["telegram_last_poll_seconds",])


# They are there where a replica is: tests/e2e/test_replica.py reads them.
OF_A_REPLICA: dict[str, Any] = dict.fromkeys(["database_replica_up", "database_replica_lag_seconds"], ())


@pytest.mark.parametrize("file", ["alerts.yml", "dashboard.json"])
def test_alerts_and_dashboard_use_metrics_and_labels_that_exist(staff, file):
    Heartbeat.objects.create(job="process_deliveries", ran_at=timezone.now())
    staff.get(INCIDENTS)
    families = text_string_to_metric_families(staff.get(URL).content.decode())
    labels = OF_A_REPLICA | {sample.name: sample.labels.keys() for family in families for sample in family.samples}
    text = Path("docker/monitoring", file).read_text()
    if file == "dashboard.json":
        text = "\n".join(target["expr"] for panel in json.loads(text)["panels"] for target in panel["targets"])
    used = re.findall(r"(\w+)\{job=\"incidents\"(?:, (\w+)=[^}]*)?\}", text)
    assert len(used) > 5
    for name, label in used:
        assert name == "up" or (name in labels and (not label or label in labels[name])), (name, label)
    for by in re.findall(r"by \(([^)]*)\)", text):
        assert set(by.split(", ")) <= {label for one in labels.values() for label in one}, by


COUNT = """
from prometheus_client import Counter
Counter("http_requests_total", "", ["route", "method", "status"]).labels("replicas", "GET", "200").inc({})
"""


def test_counters_of_replicas_whose_processes_have_the_same_ids(staff, tmp_path, monkeypatch):
    for slot, requests in (("1.metrics", 2), ("2.metrics", 3)):
        (tmp_path / slot).mkdir()
        monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / slot))
        subprocess.run([sys.executable, "-c", COUNT.format(requests)], check=True)
        for file in (tmp_path / slot).iterdir():
            file.rename(file.with_name("counter_7.db"))
    monkeypatch.setenv("SOCKETS", str(tmp_path))
    assert read(staff)["http_requests_total", "GET", "replicas", "200"] == 5
