"""The metrics of several processes, read by promtool and Prometheus."""

import subprocess

import pytest
import requests

from tests.helpers.servers import ROOT, free_port, wait_until

pytestmark = pytest.mark.e2e

CONFIG = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: incidents
    metrics_path: /api/metrics
    static_configs: [{{targets: ["{target}"]}}]
"""


@pytest.fixture(scope="module")
def environment():
    return {"METRICS_NETWORKS": "127.0.0.0/8"}


@pytest.fixture
def prometheus(service, tmp_path):
    (tmp_path / "prometheus.yml").write_text(CONFIG.format(target=service.url.removeprefix("http://")))
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        *("prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"),
        f"--web.listen-address={url.removeprefix('http://')}",
    ]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    yield url
    process.terminate()
    process.wait(30)


def ask(service):
    """A request on a new connection, so that any worker may accept it."""
    assert requests.get(f"{service.url}/api/v1/incidents/", timeout=10).status_code == 401


def test_promtool_finds_nothing(service):
    ask(service)
    text = requests.get(f"{service.url}/api/metrics", timeout=10).text
    verdict = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True)
    assert (verdict.returncode, verdict.stdout + verdict.stderr) == (0, "")


def test_alert_rules():
    subprocess.run(["promtool", "test", "rules", "docker/monitoring/alerts_test.yml"], cwd=ROOT, check=True)


def test_prometheus_reads_the_counters_of_all_workers(service, prometheus):
    def query(expression):
        try:
            response = requests.get(f"{prometheus}/api/v1/query", params={"query": expression}, timeout=5)
            return [float(series["value"][1]) for series in response.json()["data"]["result"]]
        except (requests.RequestException, ValueError):
            return []

    counter = 'http_requests_total{route="incident-list",status="401"}'
    wait_until(lambda: query("up") == [1], 30)
    before = sum(query(counter))
    for _ in range(40):
        ask(service)
    wait_until(lambda: query(counter) == [before + 40], 30)
    assert query('sum(incidents{status="open"})') == [0]
