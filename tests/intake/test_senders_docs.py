"""The recipes of docs/senders.md work as they stand there."""

import json
import re
import shlex
from pathlib import Path

import pytest

from intake.parsers import Format, parse
from intake.parsers.paths import Paths
from intake.parsers.types import Report, Resolution

DOCS = [Path("docs/senders.md"), Path("docs/senders.ru.md")]
COMMANDS = re.findall(r"^manage\.py add_sender .*", DOCS[0].read_text(), re.M)


def options(name):
    """The options that the recipe of this sender gives to add_sender."""
    (command,) = (shlex.split(command) for command in COMMANDS if f" {name} " in command)
    return dict(zip(command[3::2], command[4::2], strict=True))


def test_both_languages_have_the_same_recipes():
    english, russian = (sorted(re.findall(r"^```.*?^```|`[^`\n]+`", path.read_text(), re.M | re.S)) for path in DOCS)
    assert len(english) > 50
    assert english == russian


def test_formats():
    assert {shlex.split(command)[4] for command in COMMANDS} == set(Format.values)


def test_json():
    for block in re.findall(r"^```json\n(.*?)^```", DOCS[0].read_text(), re.M | re.S):
        assert json.loads(block)


@pytest.mark.parametrize(
    ("name", "down", "up"),
    [
        ("zabbix", {"event_id": "9", "event_value": "1"}, {"event_id": "9", "event_value": "0"}),
        ("uptimerobot", {"monitorID": "9", "alertType": "1"}, {"monitorID": 9, "alertType": 2}),
        ("healthchecks", {"code": "9", "status": "down"}, {"code": "9", "status": "up"}),
    ],
)
def test_generic_recipes(name, down, up):
    chosen = options(name)
    paths = Paths(chosen["--description"], chosen["--dedup"], chosen["--resolved"])
    text = {paths.description: "Диск полон"}
    assert list(parse(chosen["--format"], down | text, paths)) == [Report("9", "Диск полон")]
    assert list(parse(chosen["--format"], up | text, paths)) == [Resolution("9")]
