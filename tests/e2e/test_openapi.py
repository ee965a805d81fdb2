"""schemathesis tests the running service against its OpenAPI document: all checks, all phases."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.helpers.servers import BIN, ROOT, Gunicorn, Postgres

pytestmark = pytest.mark.e2e

CONFIG = Path(__file__).with_name("schemathesis.toml")
HOOKS = {"SCHEMATHESIS_HOOKS": str(CONFIG.with_name("schemathesis_hooks.py")), "PYTHONPATH": str(ROOT)}


def test_schemathesis_finds_nothing(tmp_path):
    postgres = Postgres(tmp_path / "data")
    gunicorn = Gunicorn(postgres.port, tmp_path / "gunicorn.log")
    try:
        command = [BIN / "st", "--config-file", CONFIG, "run", f"{gunicorn.url}/api/schema/"]
        options = ["--header", f"Authorization: Bearer {gunicorn.token()}", "--max-examples", "50", "--no-color"]
        run = subprocess.run([*command, *options], cwd=tmp_path, env=os.environ | HOOKS, capture_output=True, text=True)
        summary = re.search(r"Test cases:\n\s*(.*)", run.stdout)
        print(f"\nschemathesis: {summary and summary[1]}")
        assert run.returncode == 0, run.stdout
        assert "ERROR" not in gunicorn.log.read_text()
    finally:
        gunicorn.kill()
        postgres.kill()
