"""Node-RED (npm) with the recipe's flow behind an entrance of the test's own."""

import json
from pathlib import Path

import pytest
import requests

from tests.helpers.servers import free_port

pytestmark = pytest.mark.e2e

NODE_RED = Path(__file__).parent / "node_modules/.bin/node-red"
TEXT = """Насос "1" стоит: C:\\temp, 100% & 'всё' {{ mustache }}"""


def test_flow(recipe, tmp_path):
    red = recipe("Node-RED")
    port = free_port()
    entrance = [
        {"id": "flow", "type": "tab"},
        {"id": "in", "z": "flow", "type": "http in", "url": "/say", "method": "post", "wires": [["incident", "out"]]},
        {"id": "out", "z": "flow", "type": "http response"},
    ]
    flow = [node | {"z": "flow"} for node in json.loads(red.block("json"))]
    (tmp_path / "flows.json").write_text(json.dumps(entrance + flow))
    (tmp_path / "settings.js").write_text("module.exports = {flowFile: 'flows.json', uiHost: '127.0.0.1'}")

    def say(**payload):
        try:
            return requests.post(f"http://127.0.0.1:{port}/say", json={"problem": "pump", **payload}, timeout=10).ok
        except requests.RequestException:
            return False

    with red.running(tmp_path, NODE_RED, "--userDir", tmp_path, "--port", port):
        red.wait(lambda: say(state="problem", message=TEXT))
        assert red.wait_for("open") == [TEXT]
        say(state="problem", message="again")
        red.wait_for_calls(2)
        say(state="over", message="")
        red.wait_for("resolved")
        say(state="problem", message=TEXT)
        red.wait_for("resolved", "open")
