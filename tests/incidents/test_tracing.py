"""A call's request id stands in the changes that it made."""

import pytest

from incidents.models import IncidentChange
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

LIST = "/api/v1/incidents/"


def request_ids():
    return list(IncidentChange.objects.order_by("pk").values_list("request_id", flat=True))


def test_of_each_call(api):
    body = {"description": "Насос стоит", "source": "operator"}
    pk = api.post(LIST, body, "application/json", headers={"x-request-id": "created"}).json()["id"]
    api.patch(f"{LIST}{pk}/", {"status": "closed"}, "application/json", headers={"x-request-id": "changed"})
    api.post(f"{LIST}{pk}/comments/", {"text": "Готово"}, "application/json", headers={"x-request-id": "commented"})
    assert request_ids() == ["created", "changed", "commented"]


def test_one_that_the_service_made(api):
    body = {"description": "Насос стоит", "source": "operator"}
    response = api.post(LIST, body, "application/json")
    assert request_ids() == [response["X-Request-ID"]]


def test_of_a_change_in_the_admin(site):
    incident = make_incident()
    data = {"description": incident.description, "source": incident.source, "status": "closed"}
    path = f"/api/admin/incidents/incident/{incident.pk}/change/"
    response = site.post(path, data, headers={"x-request-id": "order-66"})
    assert (response.status_code, request_ids()[1:]) == (302, ["order-66"])


@pytest.mark.parametrize("page", ["change", "history"])
def test_shown_in_the_admin(site, api, page):
    body = {"description": "Насос стоит", "source": "operator"}
    pk = api.post(LIST, body, "application/json", headers={"x-request-id": "order-66"}).json()["id"]
    other = make_incident().pk
    url = "/api/admin/incidents/incident/{}/{}/"
    assert 'title="Запрос: order-66"' in site.get(url.format(pk, page)).text
    assert "Запрос: " not in site.get(url.format(other, page)).text


def test_none_outside_of_requests_and_jobs():
    make_incident()
    assert request_ids() == [""]


def test_not_shown_by_the_api(api):
    incident = make_incident()
    (entry,) = api.get(f"{LIST}{incident.pk}/history/").json()["results"]
    assert entry.keys() == {"at", "actor", "channel", "changes"}
