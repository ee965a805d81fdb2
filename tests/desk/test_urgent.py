"""The mark of what is urgent at the desk: seen, filtered by, set and taken away by one press."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.test import Client

from desk import board
from identity.models import User
from incidents.models import Incident
from tests.helpers.admin import form_of, open_form, told
from tests.helpers.incidents import HOUR, MIDNIGHT, make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/admin/incidents/incident/"
MARK = '<strong class="urgent"><span aria-hidden="true">!</span> Срочно</strong>'


@pytest.fixture(autouse=True)
def nothing_shared():
    cache.clear()


def press(client, incident, urgent="true", **data):
    return client.post(f"{URL}{incident.pk}/urgent/", {"urgent": urgent, **data})


def marks(client, path):
    return client.get(path).content.decode().count(MARK)


def button(page):
    """The value of the button, and what it says."""
    text = page.content.decode()
    return re.search(r'formaction="[^"]*/urgent/"\s+name="urgent"\s+value="(\w+)"\s*>\s*([^<]*?)\s*</button>', text)


def test_one_press_marks_and_another_takes_it_away(site):
    incident = make_incident()
    page = f"{URL}{incident.pk}/change/"
    assert button(site.get(page)).groups() == ("true", "Пометить срочным")
    response = press(site, incident, next=page)
    assert (response.status_code, response.url) == (302, page)
    assert told(response) == [f"{incident} теперь срочный."]
    assert button(site.get(page)).groups() == ("false", "Не срочно")
    assert told(press(site, incident, "false")) == [f"{incident} больше не срочный."]
    entries = incident.changes.order_by("-id")[:2]
    assert [entry.changes for entry in entries] == [{"urgent": [True, False]}, {"urgent": [False, True]}]
    assert {(entry.actor, entry.channel) for entry in entries} == {("petrova", "admin")}


def test_a_second_press_records_nothing(site):
    incident = make_incident()
    for _ in range(2):
        assert press(site, incident).status_code == 302
    assert incident.changes.count() == 2


def test_the_page_of_an_incident_shows_it(site):
    incident = make_incident(urgent=True)
    page = f"{URL}{incident.pk}/change/"
    assert marks(site, page) == 2  # above, and in the first entry of the history
    press(site, incident, "false")
    assert marks(site, page) == 1
    assert "Больше не срочно" in site.get(page).content.decode()
    assert "Срочный: да → нет" in site.get(f"{URL}{incident.pk}/history/").content.decode()


@pytest.mark.parametrize("path", [URL, "/api/admin/", "/api/admin/board/"])
def test_it_is_shown_in_the_list_and_on_the_board(site, path):
    make_incident()
    assert marks(site, path) == 0
    make_incident(urgent=True, description="<b>Горит")
    cache.clear()  # of what windows share
    assert marks(site, path) == 1
    assert "<b>Горит" not in site.get(path).content.decode()


def test_the_board_has_it_first(site):
    old = make_incident(created_at=MIDNIGHT)
    new = make_incident(created_at=MIDNIGHT + HOUR, urgent=True)
    text = site.get("/api/admin/").content.decode()
    assert text.index(f'id="incident-{new.pk}"') < text.index(f'id="incident-{old.pk}"')


def test_the_board_tells_the_age_of_the_oldest_whatever_is_urgent(site):
    make_incident(status="in_progress", created_at=MIDNIGHT)
    make_incident(status="in_progress", urgent=True)
    page = site.get("/api/admin/")
    assert [incident.created_at for incident in page.context["oldest_taken"]] == [MIDNIGHT]


def test_more_urgent_ones_than_the_board_has_room_for(site, monkeypatch):
    monkeypatch.setattr(board, "MAX_ROWS", 2)
    _plain, *urgent = [make_incident(created_at=MIDNIGHT + HOUR * n, urgent=n > 0) for n in range(4)]
    shown = [incident.pk for incident, *_ in site.get("/api/admin/").context["incidents"]["open"]]
    assert shown == [incident.pk for incident in urgent[:2]]


def test_the_list_is_filtered_by_it(site):
    plain, urgent = make_incident(), make_incident(urgent=True)
    for query, found in {"true": urgent, "false": plain}.items():
        page = site.get(f"{URL}?urgent={query}")
        assert [each.pk for each in page.context["cl"].result_list] == [found.pk]
    assert site.get(f"{URL}?urgent=maybe").url == f"{URL}?e=1"


def test_a_new_incident_may_be_urgent(site):
    for marked, description in ((True, "Горит"), (False, "Не горит")):
        form = open_form(site, "add/")
        sent = form | {"description": description, "source": "operator"} | ({"urgent": "on"} if marked else {})
        for _ in range(2):  # pressed twice, it is recorded once
            assert site.post(f"{URL}add/", sent).status_code == 302
        incident = Incident.objects.get(description=description)
        assert incident.urgent == marked == ("urgent" in incident.changes.get().changes)


def test_a_comment_instead_of_a_new_incident_marks_the_other(site):
    other = make_incident()
    form = open_form(site, "add/") | {"description": "Горит", "source": "operator", "urgent": "on", "instead": other.pk}
    for _ in range(2):
        site.post(f"{URL}add/", form)
    assert Incident.objects.get().urgent
    entries = [entry.changes for entry in other.changes.order_by("pk")[1:]]
    assert entries == [{"comment": [None, "Горит"]}, {"urgent": [False, True]}]


def test_a_new_incident_that_is_refused_stays_marked(site):
    page = site.post(f"{URL}add/", {"description": "", "source": "operator", "urgent": "on"})
    assert form_of(page)["urgent"] == "on"


def test_the_form_of_an_incident_leaves_the_mark_alone(site):
    incident = make_incident(urgent=True)
    form = open_form(site, f"{incident.pk}/change/")
    assert "urgent" not in form
    site.post(f"{URL}{incident.pk}/change/", form | {"description": "Другое", "urgent": ""})
    incident.refresh_from_db()
    assert (incident.description, incident.urgent) == ("Другое", True)


@pytest.mark.parametrize("urgent", ["", "yes", "1", "\0", "true\ud800"])
def test_other_values_are_refused(site, urgent):
    incident = make_incident()
    assert press(site, incident, urgent.encode("utf-8", "surrogatepass")).status_code == 400
    assert incident.changes.count() == 1


@pytest.mark.parametrize("permissions", [[], ["view_incident"]])
def test_who_may_not_change_an_incident_may_not_mark_it(permissions):
    incident = make_incident()
    user = User.objects.create_user("guest", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    assert press(client, incident).status_code == 403
    assert "/urgent/" not in client.get(f"{URL}{incident.pk}/change/").content.decode()
    assert incident.changes.count() == 1


def test_only_a_post_with_its_token_marks(site):
    incident = make_incident()
    assert site.get(f"{URL}{incident.pk}/urgent/").status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = site.cookies
    assert press(strict, incident).status_code == 403
    assert incident.changes.count() == 1


@pytest.mark.parametrize("pk", [10**9, 2**63, 2**70])
def test_an_unknown_incident(site, pk):
    assert press(site, Incident(pk=pk)).url == "/api/admin/"
