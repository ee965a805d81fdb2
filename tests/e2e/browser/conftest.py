"""One service and one browser for all tests of this folder; each test has windows of its own."""

import re
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial

import pytest
import requests
from playwright.sync_api import expect, sync_playwright

from tests.helpers import telegram_messages, two_months
from tests.helpers.bot_api import TOKEN, BotAPI
from tests.helpers.browser import DESKTOP, PASSWORD, PHONE, Desk, chromium
from tests.helpers.servers import Gunicorn, Jobs, Postgres, wait_until
from tests.helpers.telegram_messages import ANNA, CHANNEL, GROUP

SILENCED = GROUP | {"id": -1001234567891, "title": "Склад: бот не может писать"}
UNKNOWN = GROUP | {"id": -1001234567892, "title": "Чат, который никто не разрешил"}
OPERATORS = f"""
from django.contrib.auth.models import Group
from identity.models import User
for username, first_name in [("petrova", "Анна"), ("sidorov", "Олег")]:
    user = User.objects.create_user(username, password="{PASSWORD}", first_name=first_name, is_staff=True)
    user.groups.add(Group.objects.get(name="operators"))
"""


@pytest.fixture(scope="package")
def service(tmp_path_factory):
    home = tmp_path_factory.mktemp("browser")
    with ExitStack() as stack:
        telegram = stack.enter_context(BotAPI())
        postgres = stack.enter_context(Postgres(home / "data"))
        environment = {
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
            "MEDIA_ROOT": str(home / "media"),
            "TELEGRAM_API_URL": telegram.url,
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_INTAKE_CHATS": ",".join(str(chat["id"]) for chat in (GROUP, SILENCED, CHANNEL)),
        }
        gunicorn = stack.enter_context(Gunicorn(postgres.port, home / "gunicorn.log", **environment))
        gunicorn.manage("createsuperuser", "--noinput", "--username", "admin", "--email", "admin@example.org")
        gunicorn.manage("shell", "--no-imports", "-c", OPERATORS)
        with postgres.connect() as connection:
            two_months.fill(connection, datetime.now(UTC))
        with Jobs(gunicorn.env, home / "jobs.log"):
            write_in_chats(telegram)
            wait_until(lambda: not telegram.pending and len(telegram.messages) == 3, 60)
        yield gunicorn


def write_in_chats(telegram):
    message = partial(telegram_messages.message, date=int(time.time()) - 1800)
    telegram.members[SILENCED["id"]] = "restricted"
    telegram.write(**message(chat=UNKNOWN, message_id=1, text="Кому-нибудь это видно?"))
    telegram.write(**message(chat=SILENCED, message_id=1, text="Не открываются ворота склада"))
    telegram.write(**message(message_id=1, text="Самокат номер 875643 не в сети"))
    telegram.write(**message(message_id=2, text="Выехал механик", reply_to_message=message(message_id=1)))
    telegram.write(**message(message_id=3, hologram={"size": 3}))
    member = {"user": {"id": 110201543, "is_bot": True, "first_name": "Reports"}, "status": "administrator"}
    moved = {
        "chat": CHANNEL,
        "from": ANNA,
        "date": int(time.time()),
        "old_chat_member": member,
        "new_chat_member": member,
    }
    moved |= {"date": int(time.time()), "new_chat_member": member}
    telegram.deliver("my_chat_member", moved)
    telegram.deliver("message", {"chat": GROUP, "message_id": "не число", "text": ["?"]})
    telegram.write("channel_post", **message(chat=CHANNEL, message_id=5, text="Нет связи со складом", **{"from": None}))


@pytest.fixture(scope="package")
def browser():
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright, chromium(playwright) as browser:
        yield browser


@pytest.fixture(scope="package")
def cookies(service):
    """Logs each user in once: the storage state of a browser, by username."""
    return {name: log_in(service, name) for name in ("admin", "petrova", "sidorov")}


def log_in(service, username):
    with requests.Session() as session:
        page = f"{service.url}/api/admin/login/"
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', session.get(page).text)[1]
        form = {"username": username, "password": PASSWORD, "csrfmiddlewaretoken": token}
        session.post(page, form, headers={"Referer": page}, allow_redirects=False)
        stored = {
            "domain": "127.0.0.1",
            "path": "/",
            "expires": -1,
            "httpOnly": True,
            "secure": False,
            "sameSite": "Lax",
        }
        return {"cookies": [stored | {"name": name, "value": value} for name, value in session.cookies.items()]}


@pytest.fixture
def sit_down(browser, service, cookies, request):
    """A desk for a user, or for one who has not logged in; no test passes with a fault at it."""
    desks = []

    def sit_down(username=None, *, device=DESKTOP, **options):
        state = {"storage_state": cookies[username]} if username else {}
        context = browser.new_context(locale="ru-RU", **device, **state, **options)
        name = re.sub(r"[^\w-]+", "-", request.node.name.removeprefix("test_")).strip("-")
        desks.append(Desk(context, service.url, f"{name}{'-' + str(len(desks)) if desks else ''}"))
        return desks[-1]

    yield sit_down
    for desk in desks:
        desk.look()
        desk.context.close()
    assert [fault for desk in desks for fault in desk.faults] == []


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def device(request):
    return request.param


@pytest.fixture
def operator(sit_down):
    return sit_down("petrova")


@pytest.fixture(scope="package")
def token(service):
    return service.manage("issue_token", "admin", "--days", "1")


@pytest.fixture
def record(service, token):
    """Records an incident as another system does; returns its id."""

    def record(description, **fields):
        response = requests.post(
            f"{service.url}/api/v1/incidents/",
            json={"description": description, "source": "monitoring"} | fields,
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )
        return response.json()["id"]

    return record
