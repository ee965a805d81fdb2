import pytest

from incidents.models import Incident
from tests.helpers.archive import close, content, restore, write
from tests.helpers.incidents import make_incident
from tests.helpers.receiver import run
from webhooks.models import Event, Subscription

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "archive.jsonl.gz"


def test_there_and_back_without_a_second_event(hook, receiver, path):
    close(make_incident())
    run()
    before = content()
    write(path)
    assert not Incident.objects.exists() and not Event.objects.exists()
    run()
    restore(path)
    run()
    assert content() == before
    assert [kind for kind, _ in receiver.events] == ["created", "changed"]


def test_what_is_not_collected_or_not_delivered_yet_holds_its_incident(hook, receiver, path):
    close(make_incident())
    write(path)
    assert Incident.objects.exists()
    run()
    Event.objects.update(state="pending")
    path.unlink()
    write(path)
    assert Incident.objects.exists()


def test_a_paused_subscription_holds_it_too(hook, path):
    Subscription.objects.update(is_active=False)
    close(make_incident())
    write(path)
    assert Incident.objects.exists()


def test_events_of_a_subscription_that_was_deleted_are_skipped(hook, receiver, path, capsys):
    close(make_incident())
    run()
    write(path)
    Subscription.objects.all().delete()
    restore(path)
    assert Incident.objects.exists() and not Event.objects.exists()
    assert "2 skipped" in capsys.readouterr().out
