"""manage.py add_sender"""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from incidents.models import Incident
from intake.models import Sender
from tests.helpers.intake import Caller, alert, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def add_sender(*arguments):
    output = StringIO()
    call_command("add_sender", *arguments, stdout=output)
    name, secret = arguments[0], output.getvalue()
    assert len(secret.split()) == 1  # a single word, as a script takes it
    return Caller(Sender.objects.get(name=name), secret.strip())


def test_it_prints_the_secret_alone():
    caller = add_sender("pair", "--format", "alertmanager")
    caller.alerts(alert())
    assert Incident.objects.get().source == "monitoring"


def test_paths():
    paths = ["--description", "data.text", "--dedup", "data.id", "--resolved", "data.state=ok"]
    caller = add_sender("stove", "--format", "generic", "--source", "partner", *paths)
    caller.deliver({"data": {"text": "Печь погасла", "id": 7}})
    incident = Incident.objects.get()
    assert (incident.description, incident.source) == ("Печь погасла", "partner")
    caller.deliver({"data": {"id": "7", "state": "OK"}})
    assert statuses() == ["resolved"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("two words", "--format", "alertmanager"),
        ("печь", "--format", "alertmanager"),
        ("x" * 65, "--format", "alertmanager"),
        ("telegram", "--format", "alertmanager"),
        ("taken", "--format", "alertmanager"),
        ("new",),
        ("new", "--format", "xml"),
        ("new", "--format", "alertmanager", "--source", "moon"),
        ("new", "--format", "alertmanager", "--dedup", "id"),
        ("new", "--format", "generic", "--dedup", "a..b"),
        ("new", "--format", "generic", "--dedup", "a" * 201),
        ("new", "--format", "generic", "--resolved", "state"),
    ],
)
def test_what_is_wrong_is_said(arguments):
    add_sender("taken", "--format", "sentry")
    with pytest.raises(CommandError):
        call_command("add_sender", *arguments)
    assert Sender.objects.count() == 1
