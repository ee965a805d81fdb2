"""Senders and deliveries in the admin."""

import re

import pytest
from django.contrib.auth.models import Group

from identity.models import User
from incidents.models import Incident
from intake import inbox
from intake.models import Delivery, Sender
from tests.helpers.identity import admin_for, grant
from tests.helpers.intake import Caller, alert, make_caller, resolved, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

SENDERS, DELIVERIES = "/api/admin/intake/sender/", "/api/admin/intake/delivery/"
FIELDS = {
    **{"format": "alertmanager", "source": "monitoring", "is_active": "on", "reopen_within_minutes": 0},
    **{"sentry_client_secret": "", "description_path": "", "dedup_path": "", "resolved": ""},
}


@pytest.fixture
def admin(user):
    User.objects.filter(pk=user.pk).update(is_superuser=True)
    return admin_for(user)


def act(admin, url, action, *objects):
    body = {"action": action, "_selected_action": [one.pk for one in objects]}
    return admin.post(url, body, follow=True).content.decode()


def shown_secret(page):
    (secret,) = re.findall(r"not shown again: ([\w-]{60,})", page)
    return secret


def test_a_sender_is_made_and_its_secret_shown_once(admin):
    page = admin.post(f"{SENDERS}add/", FIELDS | {"name": "pair"}, follow=True).content.decode()
    caller = Caller(Sender.objects.get(), shown_secret(page))
    caller.alerts(alert())
    assert caller.secret not in admin.get(f"{SENDERS}{caller.sender.pk}/change/").content.decode()


def test_a_new_secret_replaces_the_old_one(admin, alertmanager):
    new = Caller(alertmanager.sender, shown_secret(act(admin, SENDERS, "make_secret", alertmanager.sender)))
    assert (alertmanager.post({}).status_code, new.post({}).status_code) == (401, 200)


def test_a_revoked_secret_is_401(admin, alertmanager):
    act(admin, SENDERS, "revoke_secret", alertmanager.sender)
    assert alertmanager.post({}).status_code == 401


@pytest.mark.parametrize(("body", "icon"), [({"alerts": []}, "icon-yes"), ({}, "icon-no")])
def test_list_of_senders_shows_which_work(admin, alertmanager, body, icon):
    alertmanager.post(body)
    assert re.search(rf'field-works"><img src="[^"]*{icon}', admin.get(SENDERS).content.decode())


@pytest.mark.parametrize("url", [SENDERS, f"{SENDERS}add/", DELIVERIES])
def test_pages_in_russian(admin, alertmanager, url):
    page = admin.get(url, headers={"accept-language": "ru"}).content.decode()
    assert re.search(r"<h1>(Отправители|Доставки|Добавление: отправитель)</h1>", page)
    assert "Select an option" not in page


def test_sentrys_secret_is_kept_and_not_shown(admin):
    sentry = make_caller("sentry", "sentry", sentry_client_secret="s" * 64).sender
    url = f"{SENDERS}{sentry.pk}/change/"
    assert "s" * 64 not in admin.get(url).content.decode()
    admin.post(url, FIELDS | {"format": "sentry", "source": "partner"})
    sentry.refresh_from_db()
    assert (sentry.source, sentry.sentry_client_secret) == ("partner", "s" * 64)


def test_wrong_paths_are_said(admin, alertmanager):
    url = f"{SENDERS}{alertmanager.sender.pk}/change/"
    page = admin.post(url, FIELDS | {"format": "generic", "resolved": "state"}).content.decode()
    assert "is not PATH=VALUE" in page


def test_the_preview_shows_what_other_paths_would_make_and_saves_nothing(admin):
    generic = make_caller("stove", "generic")
    generic.deliver({"text": "<b>Печь</b> погасла", "id": 7})
    generic.post(b"{")
    url = f"{SENDERS}{generic.sender.pk}/preview/"
    body = FIELDS | {"format": "generic", "description_path": "text", "dedup_path": "id"}
    page = admin.post(url, body).content.decode()
    assert "Incident “7”: &lt;b&gt;Печь&lt;/b&gt; погасла" in page and "the body is not JSON" in page
    assert Sender.objects.get().dedup_path == ""
    assert "is not PATH=VALUE" in admin.post(url, body | {"resolved": "x"}).content.decode()
    assert admin.get(url).status_code == 404


def test_a_sender_with_deliveries_cannot_be_deleted(admin, alertmanager):
    assert admin.post(f"{SENDERS}{alertmanager.sender.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_delivery_shows_its_payload_its_faults_and_its_incidents(admin, alertmanager):
    alertmanager.alerts(alert())
    delivery = alertmanager.alerts(resolved(), alert("B"), "<script>")
    page = admin.get(f"{DELIVERIES}{delivery.pk}/change/").content.decode()
    assert "#3: not a JSON object" in page and "&lt;script&gt;" in page and "<script>&quot;" not in page
    for pk in Incident.objects.values_list("pk", flat=True):
        assert f"/api/admin/incidents/incident/{pk}/change/" in page
    russian = admin.get(f"{DELIVERIES}{delivery.pk}/change/", headers={"accept-language": "ru"}).content.decode()
    assert "#3: это не объект JSON" in russian


@pytest.mark.parametrize("body", [b"\xff\x00{", b'{"a":' * 9_000, b'{"a": "\\ud800\\u0000"}'])
def test_any_body_can_be_shown(admin, alertmanager, body):
    alertmanager.post(body)
    assert admin.get(f"{DELIVERIES}{Delivery.objects.get().pk}/change/").status_code == 200


def test_deliveries_are_filtered(admin, alertmanager):
    good, bad = alertmanager.alerts(alert()), alertmanager.alerts("bad")
    page = admin.get(f"{DELIVERIES}?state__exact=faulty&sender__id__exact={alertmanager.sender.pk}").content.decode()
    assert f"{DELIVERIES}{bad.pk}/" in page and f"{DELIVERIES}{good.pk}/" not in page


def test_deliveries_with_warnings_are_found(admin, alertmanager):
    good, warned = alertmanager.alerts(alert()), alertmanager.alerts(alert("B"), truncatedAlerts=250)
    page = admin.get(f"{DELIVERIES}?warned=1").content.decode()
    assert "alerts left out by the sender: 250" in page
    assert f"{DELIVERIES}{warned.pk}/" in page and f"{DELIVERIES}{good.pk}/" not in page


def test_deliveries_are_processed_again(admin, alertmanager):
    deliveries = [alertmanager.alerts(alert(name)) for name in "AB"]
    assert "2 deliveries will be processed again" in act(admin, DELIVERIES, "replay", *deliveries)
    assert Delivery.objects.filter(state="pending").count() == 2
    inbox.process_pending()
    assert statuses() == ["open", "open"]


def test_deliveries_are_read_only(admin, alertmanager):
    delivery = alertmanager.alerts(alert())
    assert admin.post(f"{DELIVERIES}{delivery.pk}/change/", {"state": "skipped"}).status_code == 403
    assert admin.post(f"{DELIVERIES}{delivery.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin.get(f"{DELIVERIES}add/").status_code == 403


def test_operators_see_neither(user, alertmanager):
    user.groups.add(Group.objects.get(name="operators"))
    operator = admin_for(user)
    assert {operator.get(url).status_code for url in (SENDERS, DELIVERIES)} == {403}


def test_replaying_needs_its_permission(user, alertmanager):
    delivery = alertmanager.alerts(alert())
    viewer = admin_for(user)
    for codenames, state in ((["view_delivery"], "processed"), (["view_delivery", "replay_delivery"], "pending")):
        grant(user, *codenames)
        act(viewer, DELIVERIES, "replay", delivery)
        assert Delivery.objects.get().state == state


def test_the_list_of_deliveries_takes_the_same_number_of_queries_and_no_bodies(
    admin, alertmanager, django_assert_num_queries
):
    for _ in range(3):
        alertmanager.alerts(alert())
    admin.get(DELIVERIES)
    with django_assert_num_queries(9) as context:
        admin.get(DELIVERIES)
    assert not any('"body"' in query["sql"] for query in context.captured_queries)


def test_an_incident_leads_to_its_delivery_for_who_may_see_it(user, alertmanager):
    user.groups.add(Group.objects.get(name="operators"))
    delivery = f'href="{DELIVERIES}{alertmanager.alerts(alert()).pk}/change/"'
    operator, url = admin_for(user), f"/api/admin/incidents/incident/{Incident.objects.get().pk}/change/"
    page = operator.get(url).text
    assert delivery not in page and f"{alertmanager.sender.name}\n" in page.split('id="origins"')[1]
    grant(user, "view_delivery")
    assert delivery in operator.get(url).text
