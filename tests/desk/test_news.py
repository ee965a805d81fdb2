"""What windows are told of what was recorded since they were opened."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache

from desk import news
from identity.models import User
from incidents.actors import Named
from incidents.models import Incident
from incidents.services import add_comment, change_incident
from tests.helpers.admin import INCIDENTS
from tests.helpers.incidents import MIDNIGHT, make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

BOARD = "/api/admin/"
NEWS = f"{BOARD}news/"


@pytest.fixture(autouse=True)
def nothing_shared():
    cache.clear()


def known_to(page, name="incidents"):
    """What the page says that it knows."""
    (ids,) = re.findall(rf'data-{name}="([\d ]*)"', page.text)
    return [int(pk) for pk in ids.split()]


def test_the_newest_incidents_by_id(site):
    first = make_incident()
    make_incident(status="closed", created_at=MIDNIGHT)
    response = site.get(NEWS)
    assert response.json() == {"incidents": [first.pk + 1, first.pk], "entries": []}


def test_entries_of_the_incident_that_is_shown(site):
    User.objects.create_user("ivanov", last_name="Иванов")
    incident, other = make_incident(), make_incident()
    change_incident(incident, values={"status": "in_progress"}, actor=Named("ivanov"), channel="admin")
    add_comment(incident_id=other.pk, text="Выехал техник", actor=Named("ivanov"), channel="admin")
    entries = site.get(f"{NEWS}?incident={incident.pk}").json()["entries"]
    stored = incident.changes.order_by("-pk")
    assert entries == [
        [entry.pk, author, entry.at.isoformat()] for entry, author in zip(stored, ["Иванов", "a"], strict=True)
    ]


def test_entries_of_the_incidents_of_a_list(site):
    incidents = [make_incident() for _ in range(3)]
    page = site.get(INCIDENTS)
    for incident in incidents:
        add_comment(incident_id=incident.pk, text="Выехал техник", actor=Named("ivanov"), channel="admin")
    (address,) = re.findall(r'data-url="([^"]*news/[^"]*)"', page.text)
    assert address == f"{NEWS}?incident={','.join(str(incident.pk) for incident in reversed(incidents))}"
    entries = [pk for pk, *_ in site.get(address).json()["entries"]]
    assert sorted(set(entries) - set(known_to(page, "entries"))) == [
        incident.changes.latest("pk").pk for incident in incidents
    ]
    two = site.get(f"{NEWS}?incident={incidents[0].pk},x,{incidents[1].pk}").json()["entries"]
    assert len(two) == 4


@pytest.mark.parametrize(
    "incident", ["", "x", "-1", "0", "9" * 19, "9" * 30, "%00", "%ED%A0%80", "1&incident=2", ",", "x,,0"]
)
def test_another_number_has_no_entries(site, incident):
    response = site.get(f"{NEWS}?incident={incident}", follow=True)
    if response.status_code != 404:  # a NUL is an invalid parameter of every page
        assert response.json()["entries"] == []


@pytest.mark.parametrize("path", [BOARD, INCIDENTS, f"{INCIDENTS}{{}}/change/"])
def test_a_page_knows_what_there_is_when_it_is_opened(site, path):
    site.get(NEWS)  # what windows share is older
    incident = make_incident()
    page = site.get(path.format(incident.pk))
    assert known_to(page) == [incident.pk]
    cache.clear()
    later = make_incident()
    assert site.get(NEWS).json()["incidents"] == [later.pk, incident.pk]


def test_the_page_of_an_incident_knows_each_entry_that_it_shows(site):
    incident = make_incident()
    add_comment(incident_id=incident.pk, text="Выехал техник", actor=Named("a"), channel="api")
    page = site.get(f"{INCIDENTS}{incident.pk}/change/")
    assert known_to(page, "entries") == [entry.pk for entry in incident.changes.order_by("-pk")]


def test_a_smaller_id_that_appears_later_is_told(site):
    """A transaction that took its id first may end last."""
    Incident.objects.create(pk=1_000_000, description="Насос 2 стоит", source="operator")
    page = site.get(BOARD)
    Incident.objects.create(pk=999_999, description="Насос 1 стоит", source="operator")
    assert known_to(page) == [1_000_000] and 'data-floor="0"' in page.text
    assert site.get(NEWS).json()["incidents"] == [1_000_000, 999_999]


def test_no_more_than_the_newest(site):
    incidents = [make_incident() for _ in range(news.NEWEST + 1)]
    newest = [incident.pk for incident in reversed(incidents[1:])]
    page = site.get(BOARD)
    assert site.get(NEWS).json()["incidents"] == known_to(page) == newest
    assert f'data-floor="{newest[-1]}"' in page.text


@pytest.mark.parametrize("codename", ["view_incident", "change_incident"])
def test_who_may_not_view_incidents_learns_nothing(client, codename):
    make_incident()
    user = User.objects.create_user("staff", is_staff=True)
    client.force_login(user)
    assert client.get(NEWS).status_code == 403
    assert 'id="news' not in client.get(BOARD).text
    user.user_permissions.set([Permission.objects.get(codename=codename)])
    cache.clear()
    assert client.get(NEWS).status_code == 200
    user.user_permissions.clear()
    cache.clear()
    assert client.get(NEWS).status_code == 403


def test_a_superuser_is_told(client):
    client.force_login(User.objects.create_superuser("chief"))
    assert client.get(NEWS).status_code == 200


@pytest.mark.parametrize("field", ["is_active", "is_staff"])
def test_who_is_revoked_is_refused_at_once(site, field):
    assert site.get(NEWS).status_code == 200
    User.objects.update(**{field: False})
    assert site.get(NEWS)["Location"] == f"/api/admin/login/?next={NEWS}"


def test_unchanged_is_a_response_without_content(site):
    first = site.get(NEWS)
    headers = {"if-none-match": first["ETag"]}
    again = site.get(NEWS, headers=headers)
    assert again.status_code == 304 and not again.content
    assert "no-store" in first["Cache-Control"]
    cache.clear()
    make_incident()
    assert site.get(NEWS, headers=headers).status_code == 200


def test_windows_share_what_was_read(site, django_assert_num_queries):
    make_incident()
    with django_assert_num_queries(2 + 5):
        site.get(NEWS)
    with django_assert_num_queries(2):  # the session and the user
        site.get(NEWS)


@pytest.mark.parametrize("rows", [1, 60])
def test_queries(site, rows, django_assert_num_queries):
    for _ in range(rows):
        make_incident()
    with django_assert_num_queries(7):
        site.get(NEWS)


def test_the_link_to_the_new_ones_shows_these(site):
    shown = [make_incident(), make_incident(created_at=MIDNIGHT)]
    make_incident()
    page = site.get(INCIDENTS, {"id__in": ",".join(str(incident.pk) for incident in shown)})
    assert list(page.context["cl"].result_list) == shown
