"""What apps register with the desk: lists and pages, places in the navigation, columns that a phone leaves out."""

import re
from pathlib import Path

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.contrib.staticfiles import finders

from incidents.models import Incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

NAVIGATION = ["incidents", "telegram", "intake", "webhooks", "identity"]


def apps_of(client):
    return [app["app_label"] for app in client.get("/api/admin/").context["available_apps"]]


def test_the_navigation_is_in_the_order_of_use(admin_client):
    assert apps_of(admin_client) == NAVIGATION


@pytest.mark.parametrize("named", [[], ["webhooks"], ["identity", "intake"]])
def test_an_app_that_no_list_names_follows(admin_client, settings, named):
    settings.DESK_NAVIGATION = [*named, "unknown"]
    found = apps_of(admin_client)
    assert found[: len(named)] == named
    assert sorted(found) == sorted(NAVIGATION)


def test_each_page_is_of_a_class_of_its_own_app():
    """No app replaces the class of another, so that the one to be found there is the one that runs."""
    found = {model: type(model_admin).__module__.split(".")[0] for model, model_admin in admin.site._registry.items()}
    own = {model: model._meta.app_label for model in found}
    assert found == own | {Incident: "desk", Group: "identity"}


@pytest.mark.parametrize("model", admin.site._registry, ids=str)
def test_what_a_phone_hides_are_columns_that_its_stylesheet_can_hide(model):
    model_admin = admin.site.get_model_admin(model)
    assert set(model_admin.phone_hidden) < set(model_admin.list_display)
    styles = Path(finders.find("desk/site.css")).read_text()
    places = re.findall(r"\.phone-hides-(\d+) #result_list tr > :nth-child\(\1\)", styles)
    assert list(map(int, places)) == list(range(2, 13))
    assert len(model_admin.list_display) + 1 <= 12  # with the checkbox


def test_a_list_says_which_columns_a_phone_hides(admin_client):
    page = admin_client.get("/api/admin/webhooks/event/")
    columns = page.context["cl"].list_display
    hidden = re.findall(r"phone-hides-(\d+)", page.text)
    assert [columns[int(place) - 1] for place in hidden] == [
        *("subscription", "attempts", "attempted_at", "status_code", "failure", "due_at")
    ]
    assert "phone-hides" not in admin_client.get("/api/admin/auth/group/").text


def test_a_list_needs_no_class_of_ours(admin_user, rf):
    """Apps of others register ModelAdmins of Django's."""
    request = rf.get("/api/admin/auth/group/")
    request.user = admin_user
    page = admin.ModelAdmin(Group, admin.site).changelist_view(request).render()
    assert page.status_code == 200
    assert "phone-hides" not in page.text
