"""Calls that come at the same instant."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from core.db import time_limit
from incidents.actors import Named
from incidents.models import Incident, IncidentChange
from incidents.services import change_incident
from intake import inbox
from intake.models import Delivery, Episode
from tests.helpers.intake import alert, make_caller, resolved, statuses

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*calls):
    def run(call):
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def process_all():
    while inbox.process_pending():
        pass


@pytest.mark.parametrize("alerts", [[alert()], [alert(str(number)) for number in range(20)]], ids=["one", "twenty"])
def test_a_pair_that_posts_the_same_fifty_times_makes_one_incident_of_each_alert(alertmanager, alerts):
    orders = [alerts, alerts[::-1]]
    responses = at_once(*(lambda n=n: alertmanager.post({"alerts": orders[n % 2]}) for n in range(50)))
    process_all()
    assert [response.status_code for response in responses] == [200] * 50
    assert (Incident.objects.count(), Delivery.objects.filter(state="processed").count()) == (len(alerts), 50)


def test_ends_at_once_resolve_once(alertmanager):
    alertmanager.alerts(alert("A"), alert("B"))
    at_once(*(lambda: alertmanager.alerts(resolved("B"), resolved("A")) for _ in range(20)))
    process_all()
    assert statuses() == ["resolved", "resolved"]
    assert IncidentChange.objects.count() == 4


@pytest.mark.parametrize(("status", "after"), [("closed", "closed"), ("in_progress", "resolved")])
def test_an_end_waits_for_a_person_who_changes_the_incident(alertmanager, status, after):
    alertmanager.alerts(alert())
    incident = Incident.objects.get()
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            change_incident(incident, values={"status": status}, actor=Named("petrova"), channel="admin")
            ending = pool.submit(at_once, lambda: alertmanager.alerts(resolved()))
            while not waiting_for_a_lock():
                assert not ending.done()
        ending.result()
    assert statuses() == [after]
    history = IncidentChange.objects.order_by("pk").values_list("changes__status", flat=True)
    assert list(history) == [[None, "open"], ["open", status], [status, "resolved"]][: 3 if after == "resolved" else 2]
    assert Incident.objects.get().updated_at >= incident.updated_at


def waiting_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0]


def test_different_problems_at_once_are_different_incidents(db):
    kuma = make_caller("kuma", "generic", dedup_path="id")
    at_once(*(lambda n=n: kuma.deliver({"id": n}) for n in range(30)))
    process_all()
    assert Delivery.objects.filter(state="processed").count() == 30
    assert Incident.objects.count() == Episode.objects.count() == 30


def test_a_stored_call_is_answered_while_incidents_cannot_be_written(alertmanager, monkeypatch):
    """A sender that gives up sends again, or takes the service for broken."""
    monkeypatch.setattr(time_limit, "REQUEST_SECONDS", 3600.0)
    monkeypatch.setattr(inbox, "MAX_SOON_WAIT_SECONDS", 0.5)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE incidents_incident IN SHARE MODE")
        (response,) = at_once(lambda: alertmanager.post({"alerts": [alert()]}))
    assert (response.status_code, Delivery.objects.get().state) == (200, "pending")
    process_all()
    assert statuses() == ["open"]


def test_requests_and_jobs_share_the_work(alertmanager):
    large = [alert(str(number), padding="x" * 1000) for number in range(100)]
    calls = [
        lambda: alertmanager.post({"alerts": large}),
        lambda: alertmanager.post({"alerts": large[:1]}),
        process_all,
    ]
    at_once(*calls * 5)
    process_all()
    assert Incident.objects.count() == 100
    assert set(Delivery.objects.values_list("state", flat=True)) == {"processed"}
