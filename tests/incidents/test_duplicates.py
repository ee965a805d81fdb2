"""A duplicate and its main incident: linked in one transaction, in both histories, by every writer."""

import pytest

from incidents.actors import Named
from incidents.exceptions import NotADuplicate
from incidents.models import Incident, IncidentChange
from incidents.services import change_incident, change_statuses
from tests.helpers.archive import content, restore, write
from tests.helpers.duplicates import link
from tests.helpers.incidents import URL, make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def main(db):
    return make_incident()


@pytest.fixture
def duplicate(main):
    return link(make_incident(), main)


def entries(incident):
    return [entry.changes for entry in incident.changes.order_by("pk")][1:]


def main_of(incident):
    incident.refresh_from_db()
    return incident.duplicate_of_id


def test_both_histories_and_both_etags_tell_of_it(main):
    before, incident = main.updated_at, make_incident()
    known = set(IncidentChange.objects.values_list("pk", flat=True))
    link(incident, main)
    main.refresh_from_db()
    assert entries(incident) == [{"status": ["open", "closed"], "duplicate_of": [None, str(main.pk)]}]
    assert entries(main) == [{"duplicate": [None, str(incident.pk)]}]
    assert main.updated_at > before and main.status == "open"
    assert set(IncidentChange.objects.exclude(pk__in=known).values_list("actor", "channel")) == {("b", "admin")}


def test_the_api_shows_the_entries_and_the_six_fields(api, main, duplicate):
    assert api.get(f"{URL}{duplicate.pk}/").json().keys() == {
        *("id", "description", "status", "source", "created_at", "updated_at")
    }
    history = api.get(f"{URL}{main.pk}/history/").json()["results"]
    assert history[-1]["changes"] == {"duplicate": [None, str(duplicate.pk)]}
    values = [value for entry in history for pair in entry["changes"].values() for value in pair]
    assert {type(value) for value in values} == {str, type(None)}  # as the OpenAPI document says


@pytest.mark.parametrize("status", ["open", "in_progress"])
def test_a_duplicate_that_is_reopened_by_the_api_is_none_any_more(api, main, duplicate, status):
    api.patch(f"{URL}{duplicate.pk}/", {"status": status}, "application/json")
    assert main_of(duplicate) is None
    number = str(main.pk)
    assert entries(duplicate)[-1] == {"status": ["closed", status], "duplicate_of": [number, None]}
    assert entries(main)[-1] == {"duplicate": [str(duplicate.pk), None]}


def test_resolved_it_stays_one(api, main, duplicate):
    api.patch(f"{URL}{duplicate.pk}/", {"status": "resolved"}, "application/json")
    api.patch(f"{URL}{duplicate.pk}/", {"description": "x"}, "application/json")
    assert main_of(duplicate) == main.pk
    assert len(entries(main)) == 1


def test_a_sender_that_reopens_a_resolved_one_takes_the_link_away(main, duplicate):
    other = make_incident(status="resolved")
    change_incident(duplicate, values={"status": "resolved"}, actor=Named("b"), channel="admin")
    change_statuses([duplicate.pk, other.pk], "open", actor=Named("zabbix"), channel="webhook")
    assert main_of(duplicate) is None
    assert entries(main)[-1] == {"duplicate": [str(duplicate.pk), None]}
    assert set(Incident.objects.values_list("status")) == {("open",)}


def test_a_sender_leaves_closed_ones_alone(main, duplicate):
    change_statuses([duplicate.pk], "open", actor=Named("zabbix"), channel="webhook")
    assert main_of(duplicate) == main.pk and duplicate.status == "closed"


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (lambda main, duplicate, other: (other, other), "An incident is no duplicate of itself."),
        (lambda main, duplicate, other: (other, duplicate), "is itself a duplicate: enter №"),
        (lambda main, duplicate, other: (main, other), "has duplicates of its own, such as №"),
        (lambda main, duplicate, other: (other, Incident(pk=2**63 - 1)), "There is no incident with this number."),
    ],
)
def test_what_cannot_be_linked_changes_nothing(main, duplicate, pair, reason):
    incident, of = pair(main, duplicate, make_incident())
    before = content()
    with pytest.raises(NotADuplicate, match=reason):
        link(incident, of)
    assert content() == before


def test_the_main_incident_stays_until_its_duplicates_are_archived(tmp_path, main, duplicate):
    """Older than its duplicate, it is found before it: one run takes both, the duplicate first."""
    newer = link(make_incident(), main)
    main.refresh_from_db()
    change_incident(main, values={"status": "closed"}, actor=Named("b"), channel="admin")
    change_incident(newer, values={"description": "x"}, actor=Named("b"), channel="admin")
    before, path = content(), tmp_path / "archive.jsonl.gz"
    write(path)
    assert not Incident.objects.exists()
    for _ in range(2):
        restore(path)
        assert content() == before
    assert main_of(duplicate) == main_of(newer) == main.pk


def test_a_duplicate_is_archived_before_its_main_incident_and_finds_it_again(tmp_path, main, duplicate):
    before, path = content(), tmp_path / "archive.jsonl.gz"
    write(path)
    assert list(Incident.objects.all()) == [main]
    restore(path)
    assert content() == before


def test_a_main_incident_with_a_duplicate_that_stays_stays(tmp_path, main, duplicate):
    main.refresh_from_db()
    change_incident(main, values={"status": "closed"}, actor=Named("b"), channel="admin")
    change_incident(duplicate, values={"status": "resolved"}, actor=Named("b"), channel="admin")
    write(tmp_path / "archive.jsonl.gz")
    assert Incident.objects.count() == 2


def test_a_duplicate_whose_main_incident_is_not_restored_is_restored_without_it(tmp_path, main, duplicate):
    path, other = tmp_path / "duplicate.jsonl.gz", tmp_path / "main.jsonl.gz"
    write(path)
    main.refresh_from_db()
    change_incident(main, values={"status": "closed"}, actor=Named("b"), channel="admin")
    write(other)
    restore(path)
    assert main_of(duplicate) is None
    restore(other)
    restore(path)
    assert main_of(duplicate) == main.pk


def test_a_duplicate_that_was_reopened_since_it_was_restored_stays_open(tmp_path, main, duplicate):
    path = tmp_path / "archive.jsonl.gz"
    write(path)
    restore(path)
    duplicate.refresh_from_db()
    change_incident(duplicate, values={"status": "open"}, actor=Named("b"), channel="admin")
    restore(path)
    assert main_of(duplicate) is None
