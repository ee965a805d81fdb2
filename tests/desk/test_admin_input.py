"""Malformed input to the admin never causes a 500 or an alert, logged in or not."""

import logging

import pytest
from django.contrib import admin
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from identity.models import User
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

INCIDENTS = "/api/admin/incidents/incident/"


@pytest.fixture(autouse=True)
def no_alert(caplog):
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.fixture
def staff(db):
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.create_superuser("chief"))
    return client


@pytest.mark.parametrize("key", ['"\\000aaaaaaaa"', "a\0aaaaaaaaaa", "\xff" * 32, "' OR 1=1 -- ", "x" * 5000, ""])
def test_malformed_session_key_is_ignored(client, key):
    response = client.get("/api/admin/", headers={"cookie": f"sessionid={key}"})
    assert response.status_code == 302
    assert response["Location"].startswith("/api/admin/login/")


@pytest.mark.parametrize("parameter", ["status__exact", "q", "o", "p", "created_at__gte", "id", "_popup", "foo"])
def test_parameter_with_a_nul_is_a_wrong_filter(staff, parameter):
    response = staff.get(f"{INCIDENTS}?{parameter}=a%00b")
    assert (response.status_code, response["Location"]) == (302, f"{INCIDENTS}?e=1")
    assert staff.get(f"{INCIDENTS}?{parameter}=a%00b&e=1").status_code == 404


@pytest.mark.parametrize("path", ["", "export/csv/"])
@pytest.mark.parametrize("query", ["description__regex=(", "status__iregex=(a|a)*$"])
def test_regular_expression_is_a_wrong_filter(staff, path, query):
    make_incident(description="a" * 30)
    response = staff.get(f"{INCIDENTS}{path}?{query}")
    assert (response.status_code, response["Location"]) == (302, f"{INCIDENTS}?e=1")


@pytest.mark.parametrize("model", admin.site._registry, ids=str)
@pytest.mark.parametrize("query", ["id__regex=(", "x=%00"])
def test_every_list_refuses_a_wrong_filter(staff, model, query):
    url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    response = staff.get(f"{url}?{query}")
    assert (response.status_code, response["Location"]) == (302, f"{url}?e=1")


@pytest.mark.parametrize(
    "query",
    [
        f"id={'9' * 30}",
        "p=-1",
        f"p={'9' * 30}",
        "o=x.9.%FF",
        "created_at__gte=x",
        "created_at__year=999999",
        "updated_at__year=-1",
        "q=%ED%A0%80",
    ],
)
def test_parameter_out_of_range(staff, query):
    assert staff.get(f"{INCIDENTS}?{query}").status_code in (200, 302)


@pytest.mark.parametrize(
    "lookup", ["regex=[", "iregex=(", "regex=(a%2B)%2B$", "range=1,2", "year__range=1", "contained_by=1"]
)
@pytest.mark.parametrize("field", ["description", "created_at", "id"])
def test_lookup_that_no_page_offers(staff, lookup, field):
    make_incident()
    url = f"{INCIDENTS}?{field}__{lookup}"
    assert (staff.get(url).status_code, staff.get(url)["Location"]) == (302, f"{INCIDENTS}?e=1")
    assert staff.post(url, {"action": "close", "_selected_action": 1, "index": 0}).status_code == 404


@pytest.mark.parametrize(
    "lookup", ["contains=1", "contains=[", "contained_by=1", "has_key=%22", "a%22b=1", "0__regex=["]
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_lookup_in_json(staff, method, lookup):
    url = f"/api/admin/webhooks/subscription/?events__{lookup}"
    assert getattr(staff, method)(url).status_code in (200, 302, 404)


@pytest.mark.parametrize("query", ["created_at__year=999999", "id=" + "9" * 30, "updated_at__year=-1", "q=%00"])
def test_parameter_out_of_range_of_an_action(staff, query):
    incident = make_incident()
    body = {"action": "close", "_selected_action": incident.pk, "index": 0, "confirmed": "yes"}
    assert staff.post(f"{INCIDENTS}?{query}", body).status_code in (200, 302, 404)
    incident.refresh_from_db()
    assert incident.status == "open"


@pytest.mark.parametrize("selected", ["x", "", "\0", "1.5", "9" * 30, ["1", "x"]])
@pytest.mark.parametrize("page", ["incidents/incident/", "identity/user/", "auth/group/"])
def test_malformed_selection(staff, page, selected):
    data = {"action": "delete_selected", "_selected_action": selected, "index": 0}
    response = staff.post(f"/api/admin/{page}", data)
    assert (response.status_code, response["Location"]) == (302, f"/api/admin/{page}")
    assert [str(message) for message in get_messages(response.wsgi_request)] == [
        "The selection is not valid: nothing was changed."
    ]


@pytest.mark.parametrize("field", ["", "x", "id__in", "description"])
@pytest.mark.parametrize("page", ["", "add/", "1/change/"])
def test_reference_to_an_unknown_field(staff, page, field):
    assert staff.get(f"{INCIDENTS}{page}?_to_field={field}").status_code in (200, 302, 400)


@pytest.mark.parametrize("pk", ["%00", "9" * 30, "%ED%A0%80", "-1", "x"])
@pytest.mark.parametrize(
    "page", [INCIDENTS + "{}/change/", "/api/admin/identity/user/{}/password/", "/api/admin/r/{}/1/"]
)
def test_malformed_id(staff, page, pk):
    assert staff.get(page.format(pk)).status_code in (302, 404)


@pytest.mark.parametrize("page", ["autocomplete/?term=%00", "login/?next=%00", "jsi18n/?x=%00", "nothing/?x=%00"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_nul_on_other_pages(staff, page, method):
    assert getattr(staff, method)(f"/api/admin/{page}").status_code in (200, 302, 404)


@pytest.mark.parametrize("text", [b"a%00b", b"a%ed%a0%80b"])
def test_form_with_text_that_cannot_be_stored(staff, text):
    form = b"status=open&source=operator&description=" + text
    response = staff.post(f"{INCIDENTS}add/", form, "application/x-www-form-urlencoded")
    assert response.status_code == (200 if b"%00" in text else 302)  # half a surrogate pair becomes U+FFFD
    login = b"password=x&username=" + text
    assert Client().post("/api/admin/login/", login, "application/x-www-form-urlencoded").status_code == 200
