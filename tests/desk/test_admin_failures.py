"""A bug in a page of the admin is a 500 and is logged, whatever the address's parameters."""

import logging

import pytest
from django.contrib.admin import ModelAdmin
from django.contrib.admin.models import LogEntry
from django.test import Client

from desk import change_list, incident_page
from desk.admin import IncidentAdmin
from identity.models import User
from incidents.models import Incident
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

INCIDENTS = "/api/admin/incidents/incident/"


@pytest.fixture
def staff(db):
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("chief"))
    return client


def fail(*args, **kwargs):
    raise ValueError("a bug")


@pytest.mark.parametrize("query", ["", "?status__in=open", "?q=xyz", "?created=7d&_popup=1"])
@pytest.mark.parametrize(
    ("path", "owner", "name"),
    [
        ("", change_list, "names_of_takers"),
        ("", IncidentAdmin, "number"),
        ("{pk}/change/", incident_page, "names_of_takers"),
        ("{pk}/history/", Incident, "__str__"),
        ("add/", incident_page, "AddForm"),
    ],
)
def test_bug_is_a_logged_500(staff, monkeypatch, caplog, path, owner, name, query):
    incident = make_incident(description="xyz")
    monkeypatch.setattr(owner, name, fail)
    response = staff.get(INCIDENTS + path.format(pk=incident.pk) + query)
    assert response.status_code == 500
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info[1].args == ("a bug",)


def test_bug_of_the_suggestions_is_a_logged_500(staff, monkeypatch, caplog):
    monkeypatch.setattr(IncidentAdmin, "get_search_results", fail)
    query = "app_label=telegram&model_name=card&field_name=incident&term=x"
    assert staff.get(f"/api/admin/autocomplete/?{query}").status_code == 500
    assert [record.name for record in caplog.records if record.levelno >= logging.ERROR] == ["django.request"]


def test_bug_of_an_action_is_a_logged_500(staff, monkeypatch, caplog):
    user = User.objects.create_user("petrova")
    monkeypatch.setattr(ModelAdmin, "log_change", fail)
    form = {"action": "deactivate", "_selected_action": user.pk, "index": 0}
    assert staff.post("/api/admin/identity/user/?is_active__exact=1", form).status_code == 500
    assert not LogEntry.objects.exists()
    assert [record.name for record in caplog.records if record.levelno >= logging.ERROR] == ["django.request"]
