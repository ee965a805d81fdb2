"""What subscriptions are told of."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from standardwebhooks import Webhook, WebhookVerificationError

from incidents.actors import Named
from incidents.models import IncidentChange
from incidents.services import add_comment
from tests.helpers.incidents import BODY, DAY, MIDNIGHT, URL, make_incident
from tests.helpers.receiver import run, subscribe
from webhooks import collecting
from webhooks.jobs import Sender
from webhooks.models import Event

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def patch(api, number, **values):
    return api.patch(f"{URL}{number}/", values, content_type="application/json")


def comment(api, number, text="Выехали"):
    return api.post(f"{URL}{number}/comments/", {"text": text}, content_type="application/json")


def test_report_change_and_comment_come_in_order(api, hook, receiver):
    number = api.post(URL, BODY, content_type="application/json").json()["id"]
    patch(api, number, status="closed")
    comment(api, number)
    run()
    assert receiver.events == [("created", number), ("changed", number), ("commented", number)]


def test_body_has_the_incident_and_the_change(api, hook, receiver):
    created = api.post(URL, BODY, content_type="application/json").json()
    entry = api.get(f"{URL}{created['id']}/history/").json()["results"][0]
    run()
    data = {"incident": created, "change": entry}
    assert receiver.bodies == [{"type": "incident.created", "timestamp": entry["at"], "data": data}]


def test_a_file_that_was_attached_is_a_change(api, hook, receiver, settings, tmp_path):
    entry = settings.STORAGES["attachments"]
    folder = entry | {"OPTIONS": entry["OPTIONS"] | {"location": tmp_path}}
    settings.STORAGES = settings.STORAGES | {"attachments": folder}
    incident = make_incident()
    api.post(f"{URL}{incident.pk}/attachments/", {"file": SimpleUploadedFile("a.txt", b"x")})
    run()
    assert receiver.bodies[-1]["type"] == "incident.changed"
    assert receiver.bodies[-1]["data"]["change"]["changes"] == {"attachment": [None, "a.txt"]}


def test_signature_is_checked_with_the_secret(hook, receiver):
    make_incident()
    run()
    ((_, headers, body),) = receiver.requests
    Webhook(hook.secret).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(hook.secret).verify(body + b" ", headers)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"events": ["incident.commented"]}, ["commented"]),
        ({"events": ["incident.created", "incident.changed"]}, ["created", "changed"]),
        ({"statuses": ["open"]}, ["created", "changed"]),
        ({"statuses": ["closed"]}, ["changed", "commented"]),
        ({"statuses": ["closed"], "sources": ["partner"]}, []),
        ({"statuses": ["resolved"]}, []),
        ({"sources": ["operator"]}, ["created", "changed", "commented"]),
        ({"sources": ["partner"]}, []),
        ({"sources": ["operator"], "statuses": ["closed"], "events": ["incident.changed"]}, ["changed"]),
        ({"is_active": False}, []),
    ],
)
def test_filter(api, receiver, fields, expected):
    subscribe(receiver.url, **fields)
    number = make_incident().pk
    patch(api, number, status="closed")
    comment(api, number)
    run()
    assert [kind for kind, _ in receiver.events] == expected


def tell_a_story(api):
    """An incident is open while it is commented and edited, then closed, commented, taken over by a partner, edited."""
    number = api.post(URL, BODY, content_type="application/json").json()["id"]
    comment(api, number)
    patch(api, number, description="Два самоката")
    patch(api, number, status="closed")
    comment(api, number)
    patch(api, number, source="partner")
    patch(api, number, description="Три самоката")
    patch(api, number, status="resolved")


STORY = [
    ({"statuses": ["open"]}, ["created", "commented", "changed", "changed"]),
    ({"statuses": ["closed"]}, ["changed", "commented", "changed", "changed", "changed"]),
    ({"statuses": ["resolved"]}, ["changed"]),
    ({"statuses": ["in_progress"]}, []),
    ({"sources": ["operator"]}, ["created", "commented", "changed", "changed", "commented", "changed"]),
    ({"sources": ["partner"]}, ["changed", "changed", "changed"]),
    ({"sources": ["monitoring"]}, []),
    ({"statuses": ["open"], "sources": ["operator"], "events": ["incident.commented"]}, ["commented"]),
    ({"statuses": ["open"], "sources": ["partner"]}, []),
]


@pytest.mark.parametrize(("fields", "expected"), STORY)
@pytest.mark.parametrize("page", [1, 2, 3, 500])
def test_filters_look_at_the_values_at_the_time_of_the_change(api, receiver, monkeypatch, fields, expected, page):
    monkeypatch.setattr(collecting, "MAX_PAGE", page)
    subscribe(receiver.url, **fields)
    tell_a_story(api)
    make_incident(source="monitoring", status="in_progress")
    run()
    first = receiver.events[0][1] if receiver.events else 0
    assert [kind for kind, number in receiver.events if number == first][: len(expected)] == expected


@pytest.mark.parametrize("away", [{"is_active": False}, {"paused_since": MIDNIGHT, "pause_reason": "gone"}])
@pytest.mark.parametrize(("fields", "expected"), STORY)
def test_filters_of_a_subscription_that_was_away(api, receiver, fields, expected, away):
    hook = subscribe(receiver.url, **fields, **away)
    tell_a_story(api)
    run()
    type(hook).objects.update(is_active=True, paused_since=None, pause_reason="")
    run()
    assert [kind for kind, _ in receiver.events] == expected


def test_filters_tell_incidents_apart(api, receiver):
    subscribe(receiver.url, statuses=["open"], events=["incident.commented"])
    incidents = [make_incident().pk for _ in range(3)]
    patch(api, incidents[0], status="closed")
    for number in incidents:
        comment(api, number)
    patch(api, incidents[2], status="closed")
    run()
    assert sorted(receiver.events) == [("commented", number) for number in incidents[1:]]


def test_nothing_from_before_the_subscription(receiver, db):
    make_incident()
    subscribe(receiver.url)
    run()
    assert receiver.requests == []


def test_report_that_is_older_than_its_record(hook, receiver):
    incident = make_incident(created_at=MIDNIGHT - 300 * DAY)
    run()
    assert receiver.events == [("created", incident.pk)]


def test_each_subscription_gets_its_own(hook, receiver):
    subscribe(receiver.url)
    make_incident()
    run()
    assert len(set(receiver.ids())) == 2


def test_history_of_many_pages(hook, receiver, monkeypatch):
    monkeypatch.setattr(collecting, "MAX_PAGE", 2)
    incidents = [make_incident() for _ in range(7)]
    run()
    assert sorted(receiver.events) == [("created", incident.pk) for incident in incidents]


def test_cursor_follows_the_history(hook, receiver):
    make_incident()
    sender = Sender()
    for _ in range(3):
        sender.step()
    hook.refresh_from_db()
    assert hook.cursor == IncidentChange.objects.latest("pk").pk


def test_inactive_subscription_gets_later_what_it_missed(hook, receiver):
    type(hook).objects.update(is_active=False)
    incident = make_incident()
    run()
    type(hook).objects.update(is_active=True)
    run()
    assert receiver.events == [("created", incident.pk)]


@pytest.mark.parametrize("restart", [True, False])
def test_nothing_is_sent_twice(hook, receiver, restart):
    make_incident()
    sender = Sender()
    for _ in range(3):
        sender = Sender() if restart else sender
        sender.step()
    assert len(receiver.requests) == Event.objects.count() == 1


@pytest.mark.parametrize(("fields", "queries"), [({}, 5), ({"statuses": ["open"]}, 6)])
def test_page_costs_no_query_for_each_change(receiver, django_assert_num_queries, fields, queries):
    subscribe(receiver.url, **fields)
    for _ in range(20):
        add_comment(incident_id=make_incident().pk, text="a", actor=Named("a"), channel="api")
    with django_assert_num_queries(queries):
        collecting.Collector().collect()


def test_nothing_is_read_while_nothing_changes(hook, django_assert_num_queries):
    make_incident()
    collector = collecting.Collector()
    collector.collect()
    with django_assert_num_queries(2):
        collector.collect()
