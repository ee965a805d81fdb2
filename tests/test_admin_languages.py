"""Every page of the admin in Russian has no English words, and Russian plurals."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import URLResolver, reverse
from django.utils import timezone
from django.utils.translation import gettext, override

from identity.models import User
from incidents.actors import Named
from incidents.attachments.services import announce_attachment
from incidents.models import Incident, IncidentChange
from incidents.services import add_comment, change_incident
from intake.models import Sender
from telegram import chats
from telegram.models import Account, Card, File, Message
from tests.helpers.identity import PASSWORD
from tests.helpers.incidents import make_incident
from tests.helpers.intake import alert, make_caller
from webhooks.models import Event, Subscription

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ADMIN = "/api/admin/"
# Names, formats, keys and settings; what the tests' own data are called; and the alt texts of Django's icons.
ALLOWED = """
    API Alertmanager Grafana JSON Sentry Telegram HTTP HTTPS CSRF UTC MSK CSV XLSX Excel ID Uptime Kuma Control Command
    Mac Ctrl Enter English UUID TELEGRAM_REMIND_AFTER_MINUTES alerts cookie operators operator probe root True False
"""
NAMES = re.compile(
    r"https?://\S+|application/json|[\w.+-]+@[\w.-]+|@/\./\+|/\w[\w/]*|[A-Z][A-Za-z_]+/[\w/+-]+|event_value=0|labels\.severity=critical|2xx|\{\w+\}|[\w+/=-]{20,}"
    + rf"|\b(?:{'|'.join(ALLOWED.split())})\b"
)
READ_ALOUD = {"title", "alt", "placeholder", "aria-label", "aria-description", "label"}


SILENT = ("script", "style", "pre")  # the payload of a delivery is shown as it came


class Words(HTMLParser):
    """What a person reads or hears of a page."""

    def __init__(self, page):
        super().__init__()
        self.found, self.silent = [], 0
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.silent += tag in SILENT
        for name, value in attrs:
            pressed = name == "value" and values.get("type") in ("submit", "button", "reset")
            said = name.startswith("data-") and " " in (value or "") and not value.startswith(("{", "["))
            if value and (name in READ_ALOUD or pressed or said):
                self.found.append(value)

    def handle_endtag(self, tag):
        self.silent -= tag in SILENT

    def handle_data(self, data):
        if not self.silent:
            self.found.append(data)


def english(page):
    return sorted(
        {word for text in Words(page).found for word in re.findall("[A-Za-z]{2,}.{,30}", NAMES.sub("", text))}
    )


def faults(*responses):
    """The English words of each page that has some, by its address."""
    pages = {response.request["PATH_INFO"]: response.content.decode() for response in responses}
    assert all('<html lang="ru' in page for page in pages.values())
    return {path: words for path, page in pages.items() if (words := english(page))}


@pytest.fixture
def objects(settings):
    """An object of each model that has pages, by its model."""
    settings.TELEGRAM_BOT_TOKEN = "123:" + "a" * 35
    root = User.objects.create_superuser("root", password=PASSWORD)
    root.groups.add(Group.objects.get(name="operators"))
    incident = make_incident(actor=Named("петрова"))
    change_incident(incident, values={"status": "in_progress"}, actor=Named("петрова"), channel="admin")
    add_comment(incident_id=incident.pk, text="Выехали", actor=Named("Анна"), channel="telegram")
    caller = make_caller()
    delivery = caller.alerts(alert(labels={"имя": "диск"}), "x", truncatedAlerts=2)
    caller.deliver({})
    chat = chats.add(123, -100).chat
    chat.title, chat.allowed, chat.pause_reason = "Дежурные", True, ""
    chat.save()
    card = Card.objects.create(incident=incident, chat=chat, state="failed", message_id=9)
    message = Message.objects.create(
        alias=chat.aliases.get(), message_id=1, incident=incident, role="report", words="а"
    )
    announced = {"incident_id": incident.pk, "kind": "photo", "name": "фото", "actor": Named("Анна")}
    attachment = announce_attachment(**announced, channel="telegram")
    file = File.objects.create(attachment=attachment, message=message, file_id="7", unique_id="7")
    account = Account.objects.create(telegram_id=7, user=root)
    subscription = Subscription.objects.create(name="Учёт", url="https://hooks.example/", failing_since=timezone.now())
    event = Event.objects.create(
        subscription=subscription,
        change=IncidentChange.objects.first(),
        incident=incident,
        type="incident.created",
        created_at=timezone.now(),
        due_at=timezone.now(),
        failure="timeout",
    )
    group = Group.objects.get(name="operators")
    made = (root, group, incident, caller.sender, delivery, chat, card, file, account, subscription, event)
    return {type(one): one for one in made}


@pytest.fixture
def client(objects):
    client = Client(headers={"accept-language": "ru"})
    client.force_login(objects[User])
    return client


@pytest.fixture
def operator(objects):
    client = Client(headers={"accept-language": "ru"})
    user = User.objects.create_user("петрова", is_staff=True)
    user.groups.add(Group.objects.get(name="operators"))
    client.force_login(user)
    return client


def paths(objects):
    """Every address of the admin, those of an object with the id of the one that was made."""
    by_name = {model._meta.label_lower.replace(".", "_"): one for model, one in objects.items()}
    for pattern in admin.site.get_urls():
        owner = pattern.pattern.regex.pattern.strip("^/").replace("/", "_") if isinstance(pattern, URLResolver) else ""
        for page in pattern.url_patterns if isinstance(pattern, URLResolver) else [pattern]:
            names = list(page.pattern.converters) or list(page.pattern.regex.groupindex)
            known = {
                "app_label": "incidents",
                **dict.fromkeys(("object_id", "pk", "id"), by_name.get(owner, Incident(1)).pk),
            }
            if page.name and set(names) <= known.keys():
                yield reverse(f"admin:{page.name}", kwargs={name: known[name] for name in names})


def test_each_model_with_pages_has_an_object(objects):
    assert set(objects) == {model for model in apps.get_models() if admin.site.is_registered(model)}


def pages(client, objects):
    responses = [client.get(path, follow=True) for path in paths(objects)]
    return [response for response in responses if response.content.startswith(b"<!DOCTYPE html>")]


@pytest.mark.slow
def test_every_page(client, objects):
    shown = [response for response in pages(client, objects) if response.status_code == 200]
    assert faults(*shown) == {}
    assert len(shown) > 40


def test_every_page_as_an_operator(operator, objects):
    shown = pages(operator, objects)
    assert faults(*shown) == {}
    assert {response.status_code for response in shown} >= {200, 403}


def lists(objects):
    return [reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model in objects]


@pytest.mark.slow
def test_every_filter(client, objects):
    responses = []
    for path in lists(objects):
        changelist = client.get(path).context["cl"]
        for spec in changelist.filter_specs:
            queries = [choice["query_string"] for choice in spec.choices(changelist) if "query_string" in choice]
            responses += [client.get(path + query, follow=True) for query in queries]
    assert len(responses) > 30
    for response in responses:
        assert faults(response) == {}, response.request["QUERY_STRING"]


@pytest.mark.slow
def test_every_action(client, objects):
    done = 0
    for model, path in zip(objects, lists(objects), strict=True):
        response = client.get(path)
        for name in response.context["cl"].model_admin.get_actions(response.wsgi_request):
            for selected in ([], [objects[model].pk], ["x"]):
                body = {"action": name, "_selected_action": selected, "index": 0}
                assert faults(client.post(path, body, follow=True)) == {}, name
            done += 1
    assert done > 8
    assert faults(client.post(lists(objects)[0], {"action": "", "index": 0}, follow=True)) == {}


@pytest.mark.slow
def test_every_form_with_errors(client, objects):
    refused = 0
    for path in paths(objects):
        if not path.endswith(("/add/", "/change/", "/password/", "/password_change/", "/settings/")):
            continue
        for value in ("", "x" * 30_000, "\0"):
            fields = getattr(client.get(path).context, "get", {}.get)("adminform")
            names = fields.form.fields if fields else ("old_password", "new_password1", "new_password2")
            response = client.post(path, dict.fromkeys(names, value), follow=True)
            assert faults(response) == {}, value
            refused += "errorlist" in response.content.decode()
    assert refused > 15


def test_messages_of_what_was_saved(client, objects):
    form = {"name": "Дежурные"}
    for button in ("_save", "_continue", "_addanother"):
        response = client.post(
            "/api/admin/auth/group/add/", form | {"name": button[1:] + "1", button: "1"}, follow=True
        )
        assert "Добавлено: группа «" in response.content.decode()
        pk = Group.objects.latest("pk").pk
        response = client.post(f"/api/admin/auth/group/{pk}/change/", form | {button: "1"}, follow=True)
        assert "Сохранено: группа «" in response.content.decode()
        assert faults(client.get(f"/api/admin/auth/group/{pk}/history/")) == {}
        response = client.post(f"/api/admin/auth/group/{pk}/delete/", {"post": "yes"}, follow=True)
        assert "Удалено: группа «Дежурные»" in response.content.decode()


def test_names_of_fields_in_histories(client, objects):
    """Django stores the labels of the changed fields in English and translates them as they are shown."""
    labels = set()
    for path in paths(objects):
        form = getattr(client.get(path).context, "get", {}.get)("adminform")
        if path.endswith("/change/") and form:
            with override("en"):
                labels |= {str(field.label) for field in form.form.fields.values()}
    assert len(labels) > 20
    with override("ru"):
        assert {label for label in labels if not re.search("[а-я]", gettext(label))} == set()


def test_history_of_what_was_done(client, objects):
    User.objects.create_user("иванов")
    sender, user = objects[Sender], User.objects.get(username="иванов")
    client.post("/api/admin/identity/user/", {"action": "deactivate", "_selected_action": [user.pk]})
    client.post(f"/api/admin/identity/user/{user.pk}/telegram-code/")
    for action in ("make_secret", "revoke_secret"):
        client.post("/api/admin/intake/sender/", {"action": action, "_selected_action": [sender.pk]})
    client.post(f"/api/admin/webhooks/subscription/{objects[Subscription].pk}/retry/")
    assert LogEntry.objects.count() == 5
    for one in (user, sender, objects[Subscription]):
        path = reverse(f"admin:{one._meta.app_label}_{one._meta.model_name}_history", args=[one.pk])
        assert faults(client.get(path)) == {}


@pytest.mark.slow
def test_what_does_not_exist(client, objects):
    for path in lists(objects):
        for page in ("999999/change/", "999999/delete/", "999999/history/", "x/change/", "?e=1", "?x=1"):
            assert faults(client.get(path + page, follow=True)) == {}, page
    response = client.get("/api/admin/nothing/")
    assert (response.status_code, faults(response)) == (404, {})


def test_log_in_and_out(client, objects):
    anonymous = Client(headers={"accept-language": "ru"})
    assert faults(anonymous.get("/api/admin/", follow=True)) == {}
    for _ in range(7):
        body = {"username": "root", "password": "wrong"}
        assert faults(anonymous.post("/api/admin/login/", body)) == {}
    assert faults(anonymous.post("/api/admin/login/", {})) == {}
    assert faults(client.post("/api/admin/logout/")) == {}


def test_crash_and_missing_csrf_token(client, objects, monkeypatch):
    careful = Client(headers={"accept-language": "ru"}, enforce_csrf_checks=True)
    response = careful.post("/api/admin/login/", {})
    assert (response.status_code, english(response.content.decode())) == (403, [])
    monkeypatch.setattr(admin.ModelAdmin, "get_changelist_instance", lambda *args: 1 / 0)
    client.raise_request_exception = False
    response = client.get("/api/admin/auth/group/")
    assert (response.status_code, faults(response)) == (500, {})


def test_numbers_of_rows(client, objects):
    for count, words in ((1, "1 запись"), (2, "2 записи"), (5, "5 записей")):
        while User.objects.count() < count:
            User.objects.create_user(f"user{User.objects.count()}")
        assert words in client.get("/api/admin/identity/user/").content.decode()


def test_dates_are_russian(client, objects):
    User.objects.update(date_joined=datetime(2024, 1, 15, 10, 30, tzinfo=UTC))
    page = client.get(f"/api/admin/identity/user/{objects[User].pk}/change/").content.decode()
    assert "15 января 2024 г. 13:30" in page
