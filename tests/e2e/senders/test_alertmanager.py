"""Alertmanager (Debian) by the recipe as it stands; outages are in tests/e2e/test_alertmanager.py."""

from datetime import UTC, datetime

import pytest
import requests

from tests.helpers.servers import free_port

pytestmark = pytest.mark.e2e

ROUTE = "route: {receiver: incidents, group_wait: 1s, group_interval: 1s, repeat_interval: 1s}\n"


def test_alert(recipe, home):
    alertmanager = recipe("Alertmanager")
    secret, config, port = home / "secret", home / "config.yml", free_port()
    secret.write_text(alertmanager.secret)
    config.write_text(ROUTE + alertmanager.block("yaml").replace("/etc/alertmanager/incidents.secret", str(secret)))

    def tell(**times):
        alert = {"labels": {"alertname": "DiskFull"}, "annotations": {"summary": 'Диск "sda" полон'}, **times}
        try:
            return requests.post(f"http://127.0.0.1:{port}/api/v2/alerts", json=[alert], timeout=10).ok
        except requests.RequestException:
            return False

    options = [f"--config.file={config}", f"--storage.path={home}", f"--web.listen-address=127.0.0.1:{port}"]
    with alertmanager.running(home, "prometheus-alertmanager", *options, "--cluster.listen-address="):
        alertmanager.wait(tell)
        (description,) = alertmanager.wait_for("open")
        assert 'Диск "sda" полон' in description
        alertmanager.wait_for_calls(2)
        assert tell(endsAt=datetime.now(UTC).isoformat())
        alertmanager.wait_for("resolved")
        assert tell()
        alertmanager.wait_for("resolved", "open")
