"""One press in a row of the list, or on an incident's page, changes its status."""

import re

import pytest

from incidents.actors import Named
from incidents.models import IncidentChange
from incidents.services import change_incident
from tests.helpers.admin import told, undo
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/admin/incidents/incident/"


def press(site, incident, status, *, shown=None, **data):
    return site.post(f"{URL}{incident.pk}/status/", {"status": status, "shown": shown or incident.status, **data})


def test_it_changes_the_status_and_says_so(site):
    incident = make_incident()
    response = press(site, incident, "in_progress", next=f"{URL}?status__in=open")
    assert (response.status_code, response.url) == (302, f"{URL}?status__in=open")
    assert told(response) == [f"{incident}: теперь «В работе»."]
    change = incident.changes.latest("id")
    assert (change.actor, change.channel, change.changes) == ("petrova", "admin", {"status": ["open", "in_progress"]})


def test_it_is_undone_by_one_press(site):
    incident = make_incident()
    press(site, incident, "resolved")
    response = undo(site)
    incident.refresh_from_db()
    assert (incident.status, response.url) == ("open", URL)


@pytest.mark.parametrize("status", ["in_progress", "resolved", "open"])
def test_what_is_not_as_the_page_showed_it_is_left_alone(site, status):
    incident = make_incident()
    change_incident(incident, values={"status": "closed"}, actor=Named("<b>sidorov"), channel="api")
    response = press(site, incident, status, shown="open")
    assert told(response) == [f"{incident} не изменён: его статус теперь «Закрыт», автор — <b>sidorov."]
    assert "<b>sidorov" not in site.get(URL).content.decode()
    incident.refresh_from_db()
    assert incident.status == "closed"


@pytest.mark.parametrize(
    ("status", "buttons"),
    [
        ("open", [("in_progress", "Взять"), ("resolved", "Решить")]),
        ("in_progress", [("resolved", "Решить")]),
        ("resolved", [("open", "Открыть снова")]),
        ("closed", [("open", "Открыть снова")]),
    ],
)
def test_the_buttons_of_a_row_say_what_they_do(site, status, buttons):
    incident = make_incident(status=status)
    row = site.get(URL).content.decode().partition("<tbody>")[2]
    found = re.findall(r'formaction="([^"]+)" formmethod="post" name="status" value="(\w+)">([^<]+)<', row)
    assert [button for _, *button in found] == [list(button) for button in buttons]
    url, value, _ = found[0]
    site.post(url, {"status": value})
    incident.refresh_from_db()
    assert incident.status == buttons[0][0]


@pytest.mark.parametrize(
    "path", ["https://example.org/", "//example.org/", "/\\example.org", "javascript:alert(1)", ""]
)
def test_it_leads_to_no_other_site(site, path):
    assert press(site, make_incident(), "resolved", next=path).url == URL


@pytest.mark.parametrize("status", ["", "bogus", "\0", "Open"])
def test_an_unknown_status_is_refused(site, status):
    incident = make_incident()
    assert press(site, incident, status).status_code == 400
    assert press(site, incident, "closed", shown=status or "x").status_code == 400
    assert IncidentChange.objects.count() == 1


@pytest.mark.parametrize("pk", [999_999, 2**63, 10**40])
def test_an_unknown_number_is_said(site, pk):
    response = site.post(f"{URL}{pk}/status/", {"status": "closed", "shown": "open"})
    assert (response["Location"], told(response)) == ("/api/admin/", ["Нет инцидента с таким номером."])


def test_only_a_post_presses(site):
    assert site.get(f"{URL}{make_incident().pk}/status/?status=closed&shown=open").status_code == 405
    assert site.get(f"{URL}moves/").status_code == 405


def test_who_only_views_has_no_buttons_and_may_not_press(viewer):
    incident = make_incident()
    page = viewer.get(URL).content.decode()
    assert "formaction" not in page and 'name="action"' not in page and str(incident) in page
    assert press(viewer, incident, "closed").status_code == 403
    assert viewer.post(f"{URL}moves/", {"moves": ""}).status_code == 403
    assert viewer.get(f"{URL}export/csv/").status_code == 200


def test_a_stranger_is_asked_to_log_in(client):
    assert press(client, make_incident(), "closed").url.startswith("/api/admin/login/")
    assert client.get(f"{URL}export/csv/").url.startswith("/api/admin/login/")
    assert IncidentChange.objects.count() == 1
