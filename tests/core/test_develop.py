import os
import subprocess
import sys

import pytest
import requests

from tests.helpers.servers import free_port, wait_until


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")])
def test_develop_migrates_creates_a_superuser_and_serves(tmp_path, host, shown):
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "DEBUG": "True",
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
        "PYTHONUNBUFFERED": "1",
    }
    command = [sys.executable, "manage.py", "develop", f"{host}:{port}"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        try:
            url = f"http://{shown}:{port}/api"
            wait_until(lambda: is_up(f"{url}/health/live/"))
            assert requests.get(f"{url}/health/ready/", timeout=10).status_code == 200
            assert requests.get(f"{url}/admin/", timeout=10).status_code == 200
        finally:
            subprocess.run(["pkill", "-TERM", "-P", str(server.pid)])
            server.terminate()
        output = server.stdout.read() if server.stdout else ""
    assert output.count("First superuser: admin, password ") == 1
    before, _, after = output.partition("First superuser: ")
    assert f"{url}/v1/schema/swagger-ui/" in before and f"{url}/admin/" in before
    # Seen on a terminal of 24 lines after the log-in page with its files and the first page with its own.
    assert len(after.splitlines()) < 10


def is_up(url):
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False
