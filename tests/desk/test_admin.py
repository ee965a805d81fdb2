import pytest

from incidents.actors import Named
from incidents.models import Incident, IncidentChange
from incidents.services import change_incident
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/admin/incidents/incident/"


def form(client, url):
    """What the browser would send of the page's form, hidden initial values included."""
    data = {}
    for field in client.get(url).context["adminform"].form:
        data[field.html_name] = field.value()
        data[field.html_initial_name] = data[field.html_name]
    return data


def test_adding_writes_history(site):
    response = site.post(URL + "add/", {"description": " Точка не отвечает ", "status": "open", "source": "partner"})
    assert response.status_code == 302
    change = IncidentChange.objects.get()
    assert change.incident.description == "Точка не отвечает"
    assert (change.actor, change.channel) == ("petrova", "admin")


def test_changing_writes_what_was_edited(site):
    incident = make_incident()
    url = f"{URL}{incident.pk}/change/"
    data = form(site, url)
    change_incident(incident, values={"status": "resolved"}, actor=Named("b"), channel="api")
    assert site.post(url, data | {"description": "другое"}).status_code == 302
    incident.refresh_from_db()
    assert (incident.status, incident.description) == ("resolved", "другое")
    last = IncidentChange.objects.order_by("-id")[0]
    assert (last.channel, last.changes) == ("admin", {"description": ["Самокат не в сети", "другое"]})


def test_saving_without_an_edit_changes_nothing(site):
    incident = make_incident()
    url = f"{URL}{incident.pk}/change/"
    assert site.post(url, form(site, url)).status_code == 302
    assert IncidentChange.objects.count() == 1
    assert Incident.objects.get().updated_at == incident.updated_at


def test_history_is_shown_and_not_editable(site):
    incident = make_incident()
    change_incident(incident, values={"status": "closed"}, actor=Named("Alertmanager"), channel="alertmanager")
    page = site.get(f"{URL}{incident.pk}/history/").content.decode()
    assert "Alertmanager" in page and "Открыт → Закрыт" in page.replace("\n", " ")
    assert site.get("/api/admin/incidents/incidentchange/").status_code == 404


def test_history_of_a_missing_incident(site):
    assert site.get(f"{URL}77/history/").status_code == 302
    assert site.get(f"{URL}abc/history/").status_code == 302


def test_nothing_is_deleted(site, admin_user):
    incident = make_incident()
    site.force_login(admin_user)
    assert site.post(f"{URL}{incident.pk}/delete/", {"post": "yes"}).status_code == 403
    site.post(URL, {"action": "delete_selected", "_selected_action": [incident.pk], "post": "yes"})
    assert Incident.objects.exists()


def test_operators_see_incidents_and_nothing_else(site):
    index = site.get("/api/admin/").context["available_apps"]
    assert [model["object_name"] for app in index for model in app["models"]] == ["Incident"]
    assert site.get("/api/admin/identity/user/").status_code == 403
