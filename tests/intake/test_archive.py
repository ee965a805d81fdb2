"""Episodes stay while their incident is archived, so that no call is recorded twice."""

import pytest

from incidents.models import Incident
from intake.inbox import process_pending
from intake.models import Delivery, Episode
from tests.helpers.archive import close, content, restore, write
from tests.helpers.intake import alert, make_caller, resolved, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "archive.jsonl.gz"


def test_there_and_back(path):
    caller = make_caller("kuma", "generic", dedup_path="id", resolved="up=1")
    caller.deliver({"id": 1})
    caller.deliver({"id": 1, "up": 1})
    close(Incident.objects.get())
    before = content()
    write(path)
    assert [episode.incident for episode in Episode.objects.all()] == [None]
    restore(path)
    assert content() == before


def test_an_open_episode_holds_its_incident(path):
    make_caller().alerts(alert())
    close(Incident.objects.get())
    write(path)
    assert Incident.objects.exists()


def test_late_calls_and_replays_make_nothing(path):
    caller = make_caller(reopen_within_minutes=60)
    first = caller.alerts(alert())
    caller.alerts(resolved())
    close(Incident.objects.get())
    write(path)
    caller.alerts(alert())
    Delivery.objects.filter(pk=first.pk).update(state="pending", parts_done=0)
    process_pending()
    assert statuses() == []


def test_the_same_problem_later_is_a_new_incident(path):
    caller = make_caller(reopen_within_minutes=600_000)
    caller.alerts(alert())
    caller.alerts(resolved())
    close(Incident.objects.get())
    write(path)
    caller.alerts(alert(starts="11:00:00"))
    assert statuses() == ["open"]


def test_an_episode_that_was_deleted_comes_back(path):
    caller = make_caller()
    caller.alerts(alert(), alert("G"))
    caller.alerts(resolved(), resolved("G"))
    close(*Incident.objects.all())
    before = content()
    write(path)
    Episode.objects.first().delete()
    restore(path)
    assert content() == before
    assert before["intake.Episode"][0]["description_hash"] is None
