"""Monit (Debian) watches the age of a file."""

import os
import time

import pytest

pytestmark = pytest.mark.e2e

SETTINGS = """
set daemon 1
set pidfile {home}/pid
set idfile {home}/id
set statefile {home}/state
"""


def test_old_file(recipe, home):
    monit = recipe("Monit")
    script, config, backup = home / "incident", home / "monitrc", home / "latest.dump"
    script.write_text(monit.block("sh", 1).replace("/etc/incidents.header", str(monit.header(home))))
    script.chmod(0o755)
    checks = monit.block("monit").replace("/usr/local/bin/incident", str(script)).replace("60 cycles", "1 cycles")
    config.write_text(SETTINGS.format(home=home) + checks.replace("/var/backups/latest.dump", str(backup)))
    config.chmod(0o600)
    backup.touch()
    os.utime(backup, (time.time() - 26 * 3600,) * 2)
    with monit.running(home, "monit", "-I", "-c", config):
        (description,) = monit.wait_for("open")
        assert "backup: modify time for" in description
        monit.wait_for_calls(3)
        backup.touch()
        assert monit.wait_for("resolved") == [description]
        os.utime(backup, (time.time() - 26 * 3600,) * 2)
        monit.wait_for("resolved", "open")
