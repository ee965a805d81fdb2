"""The admin shows times in the zone of each user; the API speaks UTC."""

import re
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from identity.models import User
from incidents.models import Incident
from tests.helpers.api import api_for
from tests.helpers.identity import USER_ADMIN, admin_for
from tests.helpers.incidents import URL, make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

SETTINGS = USER_ADMIN + "settings/"


def operator(zone="", name="operator"):
    user = User.objects.create_user(name, time_zone=zone)
    user.groups.add(Group.objects.get(name="operators"))
    return user


def page(user, *time):
    """The page of an incident that was created at this time in UTC."""
    incident = make_incident()
    Incident.objects.update(created_at=datetime(*time, tzinfo=UTC))
    client = admin_for(user, headers={"accept-language": "ru"})
    return client.get(f"/api/admin/incidents/incident/{incident.pk}/change/").content.decode()


def test_each_user_sees_an_incident_in_their_own_zone():
    assert "20:30" in page(operator("Asia/Vladivostok", "a"), 2024, 1, 15, 10, 30)
    assert "11:30" in page(operator("Europe/Berlin", "b"), 2024, 1, 15, 10, 30)


def test_without_a_choice_the_zone_is_that_of_the_service(settings):
    assert "13:30" in page(operator(name="a"), 2024, 1, 15, 10, 30)
    settings.TIME_ZONE_DISPLAY = "Asia/Omsk"
    assert "16:30" in page(operator(name="b"), 2024, 1, 15, 10, 30)


@pytest.mark.parametrize(
    ("time", "local"),
    [
        # The clocks go from 02:00 to 03:00, and from 03:00 back to 02:00.
        *(((2024, 3, 31, 0, 59), "1:59"), ((2024, 3, 31, 1, 0), "3:00")),
        *(((2024, 10, 27, 0, 30), "2:30"), ((2024, 10, 27, 1, 30), "2:30")),
    ],
)
def test_days_on_which_the_clocks_change(time, local):
    assert re.search(rf"\b0?{local}", page(operator("Europe/Berlin"), *time))


def test_the_day_in_the_zone_may_be_another():
    assert "16 января 2024" in page(operator("Asia/Vladivostok"), 2024, 1, 15, 20, 30)


@pytest.mark.parametrize("path", ["/api/admin/", "/api/admin/nothing/", "/api/admin/identity/user/"])
def test_the_zone_does_not_leak_into_the_next_request_of_the_thread(path):
    user = operator("Asia/Vladivostok")
    admin_for(user).get(path)
    assert timezone.get_current_timezone_name() == "UTC"
    body = api_for(user).post(URL, {"description": "a", "source": "operator"}, "application/json").json()
    assert body["created_at"].endswith("Z")
    assert abs(datetime.fromisoformat(body["created_at"]) - timezone.now()).total_seconds() < 60


def test_a_zone_that_the_system_no_longer_has_is_that_of_the_service():
    assert "13:30" in page(operator("Mars/Phobos"), 2024, 1, 15, 10, 30)


def test_operators_choose_their_own_zone():
    user, other = operator(), operator(name="other")
    client = admin_for(user)
    assert 'value="Europe/Paris"' in client.get(SETTINGS).content.decode()
    assert client.post(SETTINGS, {"time_zone": "Asia/Omsk"}).status_code == 302
    assert {*User.objects.values_list("username", "time_zone")} == {("operator", "Asia/Omsk"), ("other", "")}
    assert other.time_zone == ""


@pytest.mark.parametrize("zone", ["Mars/Phobos", "../etc/passwd", "europe/moscow", "a\0", "x" * 300])
def test_an_unknown_zone_is_refused(zone):
    client = admin_for(operator(), headers={"accept-language": "ru"})
    response = client.post(SETTINGS, {"time_zone": zone})
    assert response.status_code == 200
    assert "errorlist" in response.content.decode()
    assert User.objects.get().time_zone == ""


def test_one_is_not_made_a_superuser_by_the_page_of_ones_settings():
    client = admin_for(operator())
    client.post(SETTINGS, {"time_zone": "UTC", "is_superuser": "on", "username": "root", "is_active": ""})
    user = User.objects.get()
    assert (user.username, user.is_superuser, user.is_active, user.time_zone) == ("operator", False, True, "UTC")


def test_choosing_a_zone_does_not_undo_a_deactivation(monkeypatch):
    client = admin_for(operator())
    save = User.save

    def deactivated_meanwhile(self, **kwargs):
        User.objects.update(is_active=False)
        save(self, **kwargs)

    monkeypatch.setattr(User, "save", deactivated_meanwhile)
    client.post(SETTINGS, {"time_zone": "UTC"})
    assert not User.objects.get().is_active


def test_settings_are_for_staff():
    assert Client().get(SETTINGS).status_code == 302
    user = operator()
    client = admin_for(user)
    User.objects.update(is_staff=False)
    assert client.get(SETTINGS).status_code == 302


def test_a_lost_database_is_503(monkeypatch):
    client = admin_for(operator())

    def lost(*args, **kwargs):
        raise OperationalError("no route to host")

    monkeypatch.setattr(connection, "cursor", lost)
    response = client.get("/api/admin/")
    assert (response.status_code, response.has_header("Retry-After")) == (503, True)
