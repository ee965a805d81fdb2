from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count, Min
from django.utils import timezone

from incidents.management.commands import load_sample
from incidents.models import Incident, Source
from incidents.store import store
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_a_desk_that_looks_lived_in(capsys):
    call_command("load_sample", count=1_000)
    assert Incident.objects.count() == 1_000
    number = dict(Incident.objects.values_list("status").annotate(Count("pk")))
    assert 3 <= number["open"] <= 40 and 3 <= number["in_progress"] <= 40
    assert number["resolved"] > 300 and number["closed"] > 200
    assert 10 < Incident.objects.filter(urgent=True).count() < 150
    assert set(Incident.objects.values_list("source", flat=True)) == set(Source.values)
    now = timezone.now()
    unfinished = Incident.objects.filter(status__in=["open", "in_progress"]).aggregate(Min("created_at"))
    assert unfinished["created_at__min"] > now - timedelta(days=6)
    assert timedelta(days=49) < now - Incident.objects.aggregate(Min("created_at"))["created_at__min"] < timedelta(51)
    assert "1000 incidents added" in capsys.readouterr().out


def test_a_few_are_of_two_weeks(db):
    call_command("load_sample", count=20)
    oldest = Incident.objects.aggregate(Min("created_at"))["created_at__min"]
    assert timedelta(days=13) < timezone.now() - oldest < timedelta(days=15)


def test_each_history_replays_to_the_present(db):
    call_command("load_sample", count=200)
    for incident in Incident.objects.prefetch_related("changes"):
        state = {}
        entries = sorted(incident.changes.all(), key=lambda entry: entry.pk)
        for entry in entries:
            for field, (old, new) in entry.changes.items():
                assert state.get(field) == old
                state[field] = new
        assert state.pop("urgent", False) == incident.urgent
        assert state == {field: getattr(incident, field) for field in ("description", "status", "source")}
        assert entries[0].at == incident.created_at
        assert entries[-1].at <= incident.updated_at


def test_a_second_time_and_a_report_after_it(db):
    call_command("load_sample", count=3)
    call_command("load_sample", count=3)
    make_incident(description="x")
    assert Incident.objects.count() == 7


def test_timestamps_are_stored_as_django_stores_them(db):
    call_command("load_sample", count=1)
    newest = Incident.objects.get()
    assert Incident.objects.filter(created_at=newest.created_at, updated_at=newest.updated_at).exists()
    assert newest.changes.filter(at=newest.created_at).exists()


def test_a_client_that_asks_for_updates_gets_the_sample(api):
    since = timezone.now()
    call_command("load_sample", count=5)
    assert api.get("/api/v1/incidents/", {"updated_after": since.isoformat()}).json()["count"] == 5


def test_ten_million(db, monkeypatch):
    """The first of them: a year ago."""

    class EnoughError(Exception):
        pass

    written = []

    def insert_rows(model, columns, rows):
        written.extend(rows)
        raise EnoughError

    monkeypatch.setattr(store, "insert_rows", insert_rows)
    with pytest.raises(EnoughError):
        call_command("load_sample", count=10_000_000)
    created_at = written[0][load_sample.INCIDENT_COLUMNS.index("created_at")]
    assert timedelta(days=364) < timezone.now() - created_at < timedelta(days=366)


@pytest.mark.parametrize("count", ["0", "-5"])
def test_count_must_be_positive(count):
    with pytest.raises(CommandError, match="--count takes"):
        call_command("load_sample", "--count", count)
