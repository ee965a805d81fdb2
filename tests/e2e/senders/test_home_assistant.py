"""Home Assistant (PyPI) watches a file by its command line integration."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e

SETTINGS = """
homeassistant:
  time_zone: UTC
command_line:
  - binary_sensor:
      name: cellar water
      command: cat {home}/water
      scan_interval: 1
"""


def test_sensor(recipe, tmp_path, programs):
    home_assistant = recipe("Home Assistant")
    water = tmp_path / "water"
    water.write_text("OFF")
    (tmp_path / "configuration.yaml").write_text(SETTINGS.format(home=tmp_path) + home_assistant.block("yaml"))
    script = Path(__file__).parent / "hass.py"
    with home_assistant.running(tmp_path, programs / "python", script, tmp_path):
        home_assistant.wait(lambda: "has started" in (tmp_path / "log").read_text())
        water.write_text("ON")
        assert home_assistant.wait_for("open") == ["Water in the cellar"]
        water.write_text("OFF")
        home_assistant.wait_for("resolved")
        water.write_text("ON")
        home_assistant.wait_for("resolved", "open")
