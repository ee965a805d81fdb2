"""Subscriptions and events in the admin."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from identity.models import User
from tests.helpers.identity import admin_for, grant
from tests.helpers.incidents import make_incident
from tests.helpers.receiver import event_of, run
from webhooks import jobs
from webhooks.models import Event, Pause, Subscription

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

SUBSCRIPTIONS, EVENTS = "/api/admin/webhooks/subscription/", "/api/admin/webhooks/event/"


@pytest.fixture
def admin(user):
    User.objects.filter(pk=user.pk).update(is_superuser=True)
    return admin_for(user)


def shown_secret(page):
    (secret,) = re.findall(r"not shown again: (whsec_[\w+/=]+)", page)
    return secret


def add(admin, url, **fields):
    body = {"name": "billing", "url": url, "is_active": "on", **fields}
    return admin.post(f"{SUBSCRIPTIONS}add/", body, follow=True).content.decode()


def test_subscription_is_made_and_its_secret_shown_once(admin, receiver):
    page = add(admin, receiver.url, events=["incident.created"], statuses=["open"])
    subscription = Subscription.objects.get()
    assert (subscription.events, subscription.statuses, subscription.sources) == (["incident.created"], ["open"], [])
    make_incident()
    run()
    Webhook(shown_secret(page)).verify(receiver.requests[0][2], receiver.requests[0][1])
    for path in (SUBSCRIPTIONS, f"{SUBSCRIPTIONS}{subscription.pk}/change/"):
        assert subscription.secret not in admin.get(path).content.decode()


def rotate(admin, hook):
    body = {"action": "rotate_secret", "_selected_action": [hook.pk]}
    return shown_secret(admin.post(SUBSCRIPTIONS, body, follow=True).content.decode())


def accepted(receiver, secret):
    """Whether the last request is signed with the secret."""
    try:
        Webhook(secret).verify(receiver.requests[-1][2], receiver.requests[-1][1])
    except WebhookVerificationError:
        return False
    return True


def test_new_secret_replaces_the_old_one_within_a_day(admin, hook, receiver):
    secret = rotate(admin, hook)
    for age, old_too in ((0, True), (23, True), (25, False)):
        Subscription.objects.update(rotated_at=timezone.now() - timedelta(hours=age))
        make_incident()
        run()
        assert (accepted(receiver, secret), accepted(receiver, hook.secret)) == (True, old_too)


def test_second_new_secret_drops_the_first_at_once(admin, hook, receiver):
    secrets = [hook.secret, rotate(admin, hook), rotate(admin, hook)]
    make_incident()
    run()
    assert [accepted(receiver, secret) for secret in secrets] == [False, True, True]


def test_old_secret_is_forgotten_after_the_day(admin, hook):
    rotate(admin, hook)
    jobs.purge()
    assert Subscription.objects.get().previous_secret == hook.secret
    Subscription.objects.update(rotated_at=timezone.now() - timedelta(hours=25))
    jobs.purge()
    assert Subscription.objects.get().previous_secret == ""


@pytest.mark.parametrize(
    "url",
    [
        *("", "hooks.example", "ftp://hooks.example/", "file:///etc/passwd", "http://", "http://u:p@hooks.example/"),
        *("http://hooks.example:99999/", "http://hooks.example:x/", "http://[::1/", "http://a b/", "http://a/\r\nX: y"),
        *("http://" + "a" * 70 + ".example/", "http://a..example/", "gopher://hooks.example/"),
        *("http://:pw@hooks.example/", "http://u@hooks.example/", "http://@hooks.example/", "http://:@hooks.example/"),
        *("http://good.example\\@evil.example/", "http://evil.example\\.good.example/", "http:\\\\a.example/"),
        *(
            "http://hooks\t.example/",
            "http://hooks\n.example/",
            "http://hooks.example/\u00a0a",
            "http://a\x1f.example/",
        ),
        *("http://hooks%2eexample/", "http://%68ooks.example/", "http://f%C3%A4.example/", "http://hooks.example%00/"),
        *("http://ma\u200dn.example/", "http://\u2100.example/", "http://i\u2764.example/", "http://a_ä.example/"),
        *("http://[::1]evil.example/", "http://[fe80::1%25eth0]/", "http://[v1.a]/", "http://[hooks.example]/"),
        *("http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://0177.0.0.1/", "http://1.2.3.4.5/"),
        *(
            "http://\uff10x7f.1/",
            "http://hooks.example:0/",
            "http://hooks.example:+80/",
            "http://hooks.example:\uff18/",
        ),
    ],
)
def test_bad_address_is_refused(admin, url):
    assert "errorlist" in add(admin, url)
    assert not Subscription.objects.exists()


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("https://faß.example/", "https://xn--fa-hia.example/"),
        ("https://FAẞ.example/", "https://xn--fa-hia.example/"),
        ("https://fass.example/", "https://fass.example/"),
        ("https://xn--fa-hia.example/", "https://xn--fa-hia.example/"),
        ("https://Инциденты.РФ:8443/путь?a=б", "https://xn--d1achayd9a1a4c.xn--p1ai:8443/путь?a=б"),
        ("https://вебхук.example/", "https://xn--90abjv8bl.example/"),
        ("https://βόλος.example/", "https://xn--nxasmm1c.example/"),
        ("https://ශ්\u200dරී.example/", "https://xn--10cl1a0b660p.example/"),
        ("https://\uff48ooks\u3002example/", "https://hooks.example/"),
        ("https://\u0430pple.example/", "https://xn--pple-43d.example/"),
        ("https://Hooks.Example/Path", "https://hooks.example/Path"),
        ("HTTP://hooks.example./#part", "http://hooks.example./"),
        ("http://my_receiver:8000", "http://my_receiver:8000"),
        ("http://[2001:DB8:0::1]:8000/", "http://[2001:db8::1]:8000/"),
        ("http://127.0.0.1:8000/a@b", "http://127.0.0.1:8000/a@b"),
    ],
)
def test_shown_address_is_the_one_connected_to(admin, typed, stored):
    add(admin, typed)
    subscription = Subscription.objects.get()
    assert subscription.url == stored
    assert f'value="{stored}"' in admin.get(f"{SUBSCRIPTIONS}{subscription.pk}/change/").content.decode()


def test_password_of_an_earlier_release_is_not_shown_and_does_not_hinder(admin, hook):
    Subscription.objects.update(url="http://:hunter2@hooks.example:8000/path")
    page = f"{SUBSCRIPTIONS}{hook.pk}/change/"
    content = admin.get(page).content.decode()
    assert "hunter2" not in content and "http://***@hooks.example:8000/path" in content
    masked = "http://***@hooks.example:8000/path"
    body = {
        "name": "billing",
        "url": masked,
        "initial-url": masked,
        "initial-name": "billing",
        "initial-is_active": "True",
    }
    assert "hunter2" not in admin.post(page, body, follow=True).content.decode()
    hook.refresh_from_db()
    assert (hook.is_active, hook.url) == (False, "http://:hunter2@hooks.example:8000/path")
    assert "hunter2" not in admin.get(SUBSCRIPTIONS).content.decode()
    assert "errorlist" in admin.post(page, body | {"url": masked.replace("path", "other")}).content.decode()


def test_edit_does_not_undo_what_the_job_wrote(admin, hook):
    Subscription.objects.update(cursor=77, pause_reason=Pause.FAILING)
    body = {"name": "other", "url": hook.url, "is_active": "on"}
    admin.post(f"{SUBSCRIPTIONS}{hook.pk}/change/", body)
    hook.refresh_from_db()
    assert (hook.name, hook.cursor, hook.pause_reason) == ("other", 77, Pause.FAILING)


def test_attempts_are_seen_and_one_press_sends_again(admin, hook, receiver):
    receiver.statuses = [500]
    event_pk = (make_incident(), run(), Event.objects.get().pk)[2]
    page = admin.get(EVENTS).content.decode()
    assert ">500<" in page and "The response is not 2xx" in page
    admin.post(f"{EVENTS}{event_pk}/retry/")
    run()
    assert (len(receiver.ids()), len(set(receiver.ids()))) == (2, 1)
    assert Event.objects.get().state == "delivered"


def test_delivered_event_can_be_sent_again(admin, hook, receiver):
    incident = make_incident()
    run()
    admin.post(f"{EVENTS}{event_of(incident).pk}/retry/")
    run()
    assert len(receiver.requests) == 2


def test_events_are_sent_again_together(admin, hook, receiver):
    for _ in range(3):
        make_incident()
    run()
    run()
    action = {"action": "retry_chosen", "_selected_action": [event.pk for event in Event.objects.all()]}
    admin.post(EVENTS, action)
    Subscription.objects.update(retry_at=None)
    run()
    assert (len(receiver.requests), len(set(receiver.ids()))) == (6, 3)


def test_one_press_ends_the_pause(admin, hook, receiver):
    receiver.statuses = [410]
    make_incident()
    run()
    assert "410" in admin.get(SUBSCRIPTIONS).content.decode()
    admin.post(f"{SUBSCRIPTIONS}{hook.pk}/retry/")
    run()
    assert Event.objects.get().state == "delivered"


@pytest.mark.parametrize("path", [SUBSCRIPTIONS, f"{SUBSCRIPTIONS}add/", EVENTS])
def test_only_superusers_see_webhooks(user, path):
    grant(user, "view_subscription", "add_subscription", "change_subscription", "view_event", "change_event")
    assert admin_for(user).get(path).status_code == 403


def test_only_superusers_send_again(user, hook):
    incident = make_incident()
    run()
    grant(user, "view_event", "change_event")
    assert admin_for(user).post(f"{EVENTS}{event_of(incident).pk}/retry/").status_code == 403
