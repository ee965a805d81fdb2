"""schemathesis tests the running service against its OpenAPI document: all checks, all phases."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.helpers.servers import BIN, ROOT

pytestmark = pytest.mark.e2e

CONFIG = Path(__file__).with_name("schemathesis.toml")
HOOKS = {"SCHEMATHESIS_HOOKS": str(CONFIG.with_name("schemathesis_hooks.py")), "PYTHONPATH": str(ROOT)}


def test_schemathesis_finds_nothing(service, tmp_path):
    command = [BIN / "st", "--config-file", CONFIG, "run", f"{service.url}/api/schema/"]
    options = ["--header", f"Authorization: Bearer {service.token()}", "--max-examples", "50", "--no-color"]
    run = subprocess.run([*command, *options], cwd=tmp_path, env=os.environ | HOOKS, capture_output=True, text=True)
    summary = re.search(r"Test cases:\n\s*(.*)", run.stdout)
    print(f"\nschemathesis: {summary and summary[1]}")
    assert run.returncode == 0, run.stdout
    assert "ERROR" not in service.log.read_text()
