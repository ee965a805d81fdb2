"""Two people on one page of the admin: the later save is refused where it would overwrite; nothing typed is lost."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission

from identity.models import User
from intake.models import Sender
from telegram.models import Chat
from tests.helpers.admin import form_of
from tests.helpers.identity import admin_for
from webhooks.models import Subscription

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

REFUSED = "Others changed this after you opened the page. Stored now: {}. Save again to overwrite it."


@pytest.fixture
def root(db):
    return admin_for(User.objects.create_superuser("root"))


MAKE: dict[str, Callable[[], Any]] = {
    "user": lambda: User.objects.create(username="petrova", last_name="Петрова"),
    "group": lambda: Group.objects.create(name="night"),
    "sender": lambda: Sender.objects.create(name="zabbix", format="generic", sentry_client_secret="s3cret"),
    "chat": lambda: Chat.objects.create(bot_id=1, telegram_id=2),
    "subscription": lambda: Subscription.objects.create(name="billing", url="https://billing.example/"),
}
FIELDS = [
    ("user", "last_name", "Иванова", "Сидорова", "Иванова"),
    ("user", "username", "ivanova", "sidorova", "ivanova"),
    ("group", "name", "day", "evening", "day"),
    ("sender", "format", "sentry", "alertmanager", "Sentry"),
    ("sender", "reopen_within_minutes", 5, 10, "5"),
    ("sender", "description_path", "", "a.b", "nothing"),
    ("chat", "remind_after_minutes", 5, 10, "5"),
    ("chat", "time_zone", "UTC", "Asia/Omsk", "UTC"),
    ("subscription", "url", "https://a.example/", "https://b.example/", "https://a.example/"),
    ("subscription", "events", ["incident.created"], ["incident.changed", "incident.commented"], "Created"),
]


def address(row):
    return f"/api/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/change/"


def open_page(client, row):
    return form_of(client.get(address(row)), f"{row._meta.model_name}_form")


def refuse(client, row, form):
    """The form of the page that refuses it, and the errors at its fields."""
    page = client.post(address(row), form)
    assert page.status_code == 200
    return form_of(page, f"{row._meta.model_name}_form"), dict(page.context["adminform"].form.errors)


def save(client, row, form):
    assert client.post(address(row), form).status_code == 302
    row.refresh_from_db()


@pytest.mark.parametrize(("page", "field", "theirs", "mine", "shown"), FIELDS)
def test_the_same_field_is_refused_and_saved_by_a_second_press(root, page, field, theirs, mine, shown):
    row = MAKE[page]()
    if theirs == "":
        type(row).objects.update(**{field: "c.d"})
    form = open_page(root, row) | {field: mine}
    type(row).objects.filter(pk=row.pk).update(**{field: theirs})
    again, errors = refuse(root, row, form)
    row.refresh_from_db()
    assert errors == {field: [REFUSED.format(shown)]}
    assert (getattr(row, field), again[field]) == (theirs, mine if isinstance(mine, list) else str(mine))
    save(root, row, again)
    assert getattr(row, field) == mine


@pytest.mark.parametrize(("page", "field", "theirs", "mine", "shown"), FIELDS)
def test_the_same_value_by_both_is_saved(root, page, field, theirs, mine, shown):
    row = MAKE[page]()
    form = open_page(root, row) | {field: mine}
    save(root, row, form)
    save(root, row, form)


OTHERS = [
    ("user", {"is_active": False, "email": "p@x.example"}, {"last_name": "Сидорова"}),
    ("sender", {"is_active": False, "sentry_client_secret": ""}, {"source": "partner"}),
    ("chat", {"allowed": True, "mode": "command", "remind_after_minutes": 0}, {"source": "partner"}),
    ("subscription", {"is_active": False, "statuses": ["open"]}, {"sources": ["partner"], "name": "b"}),
]


@pytest.mark.parametrize(("page", "theirs", "mine"), OTHERS)
def test_fields_that_others_changed_stay(root, page, theirs, mine):
    row = MAKE[page]()
    form = open_page(root, row) | mine
    type(row).objects.filter(pk=row.pk).update(**theirs)
    save(root, row, form)
    assert {name: getattr(row, name) for name in theirs | mine} == theirs | mine


def test_a_refused_page_shows_what_is_stored_of_the_fields_that_were_not_edited(root):
    user = MAKE["user"]()
    form = open_page(root, user) | {"last_name": "Сидорова"}
    User.objects.filter(pk=user.pk).update(last_name="Иванова", email="p@x.example", is_active=False)
    again, errors = refuse(root, user, form)
    assert list(errors) == ["last_name"]
    assert again["email"] == "p@x.example" and "is_active" not in again
    save(root, user, again)
    assert (user.last_name, user.email, user.is_active) == ("Сидорова", "p@x.example", False)


def test_groups_of_a_user(root):
    user, day, night = MAKE["user"](), Group.objects.create(name="day"), MAKE["group"]()
    form = open_page(root, user)
    user.groups.set([day])
    save(root, user, form | {"first_name": "Анна"})
    assert list(user.groups.all()) == [day]
    again, errors = refuse(root, user, form | {"groups": [night.pk]})
    assert errors == {"groups": [REFUSED.format("day")]}
    save(root, user, again)
    assert list(user.groups.all()) == [night]


def test_permissions_of_a_group(root):
    group, (view, add) = MAKE["group"](), Permission.objects.filter(codename__in=["view_user", "add_user"])
    form = open_page(root, group)
    group.permissions.set([view])
    save(root, group, form | {"name": "day"})
    assert (group.name, list(group.permissions.all())) == ("day", [view])
    again, errors = refuse(root, group, form | {"name": "day", "permissions": [add.pk]})
    assert list(errors) == ["permissions"]
    save(root, group, again)
    assert list(group.permissions.all()) == [add]


def test_a_third_value_in_the_meantime_is_refused_again(root):
    user = MAKE["user"]()
    form = open_page(root, user) | {"last_name": "Сидорова"}
    for theirs in ("Иванова", "Кузнецова"):
        User.objects.filter(pk=user.pk).update(last_name=theirs)
        form, errors = refuse(root, user, form)
        assert errors == {"last_name": [REFUSED.format(theirs)]}


@pytest.mark.parametrize("value", [" Петрова  Анна ", "Петрова\nАнна"])
def test_white_space_that_a_browser_alters_is_no_change(root, value):
    user = MAKE["user"]()
    User.objects.filter(pk=user.pk).update(last_name=value)
    form = open_page(root, user)
    save(root, user, form | {"initial-last_name": value.replace("\n", "\r\n"), "last_name": "Сидорова"})
    assert user.last_name == "Сидорова"


def test_no_page_has_a_hash_or_a_secret(root):
    user, sender = MAKE["user"](), MAKE["sender"]()
    user.set_password("correct horse battery")
    user.save()
    assert user.password not in root.get(address(user)).text
    assert "s3cret" not in root.get(address(sender)).text


def test_refused_in_russian(root):
    user = MAKE["user"]()
    form = open_page(root, user) | {"last_name": "Сидорова"}
    User.objects.filter(pk=user.pk).update(last_name="Иванова")
    page = root.post(address(user), form, headers={"accept-language": "ru"})
    assert "Сейчас сохранено: Иванова" in page.text


def test_a_script_that_sends_the_values_alone(root):
    user = MAKE["user"]()
    save(root, user, {"username": "petrova", "last_name": "Сидорова"})
    assert (user.last_name, user.is_active) == ("Сидорова", False)
