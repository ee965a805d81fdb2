"""Swagger UI, ReDoc and the admin in Russian, in Chromium; no page requests anything from another host."""

import os
import shutil
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.helpers.bot_api import TOKEN, BotAPI
from tests.helpers.servers import Gunicorn, Jobs, Postgres, wait_until
from tests.helpers.telegram_messages import ANNA, CHANNEL, GROUP, message

pytestmark = pytest.mark.e2e
expect.set_options(timeout=30_000)  # ReDoc's script is a megabyte, and other tests may be running

PASSWORD = "correct horse battery"
SILENCED = GROUP | {"id": -1001234567891, "title": "Склад: бот не может писать"}
UNKNOWN = GROUP | {"id": -1001234567892, "title": "Чат, который никто не разрешил"}


@pytest.fixture(scope="module")
def telegram():
    with BotAPI() as api:
        yield api


@pytest.fixture(scope="module")
def service(tmp_path_factory, telegram):
    home = tmp_path_factory.mktemp("browser")
    postgres = Postgres(home / "data")
    environment = {
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        "TELEGRAM_API_URL": telegram.url,
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_INTAKE_CHATS": ",".join(str(chat["id"]) for chat in (GROUP, SILENCED, CHANNEL)),
    }
    gunicorn = Gunicorn(postgres.port, home / "gunicorn.log", **environment)
    gunicorn.manage("createsuperuser", "--noinput", "--username", "admin", "--email", "admin@example.org")
    gunicorn.manage("load_sample", "--count", "120")
    jobs = Jobs(gunicorn.env, home / "jobs.log")
    write_in_chats(telegram)
    wait_until(lambda: not telegram.pending and len(telegram.messages) == 3, 60)
    jobs.kill()
    yield gunicorn
    gunicorn.kill()
    postgres.kill()


def write_in_chats(telegram):
    telegram.members[SILENCED["id"]] = "restricted"
    telegram.write(**message(chat=UNKNOWN, message_id=1, text="Кому-нибудь это видно?"))
    telegram.write(**message(chat=SILENCED, message_id=1, text="Не открываются ворота склада"))
    telegram.write(**message(message_id=1, text="Самокат номер 875643 не в сети"))
    telegram.write(**message(message_id=2, text="Выехал механик", reply_to_message=message(message_id=1)))
    telegram.write(**message(message_id=3, hologram={"size": 3}))
    member = {"user": {"id": 110201543, "is_bot": True, "first_name": "Reports"}, "status": "administrator"}
    moved = {"chat": CHANNEL, "from": ANNA, "date": 1705314600, "old_chat_member": member, "new_chat_member": member}
    telegram.deliver("my_chat_member", moved)
    telegram.deliver("message", {"chat": GROUP, "message_id": "не число", "text": ["?"]})
    telegram.write("channel_post", **message(chat=CHANNEL, message_id=5, text="Нет связи со складом", **{"from": None}))


@pytest.fixture
def page(service):
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        browser = playwright.chromium.launch(executable_path=chromium, args=quiet)
        page = browser.new_page(locale="ru-RU", viewport={"width": 1300, "height": 1000})
        elsewhere: list[str] = []
        errors: list[str] = []
        page.on("request", lambda request: elsewhere.append(request.url) if foreign(request.url) else None)
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=f"{folder}/{urlsplit(page.url).path.strip('/').replace('/', '-')}.png")
        browser.close()
        assert elsewhere == []
        assert [error for error in errors if "status of 401" not in error] == []


def foreign(url: str) -> bool:
    return urlsplit(url).hostname not in ("127.0.0.1", None)


SWAGGER_UI = "/api/v1/schema/swagger-ui/"


def log_in_to_swagger_ui(page, service, password=PASSWORD):
    page.goto(service.url + SWAGGER_UI)
    page.get_by_label("Имя пользователя").fill("admin")
    page.get_by_label("Пароль").fill(password)
    page.get_by_role("button", name="Войти").click()


def execute(page, operation):
    """Opens an operation and sends what it shows, as it is."""
    block = page.locator(f"#operations-{operation}")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Execute").click()
    return block.locator(".live-responses-table").first


def test_swagger_ui_logs_in_and_records_the_example(page, service):
    log_in_to_swagger_ui(page, service)
    expect(page.locator("#log-in output")).to_have_text("Выполнен вход: admin")
    response = execute(page, "incidents-incidents_create")
    expect(response).to_contain_text("201")
    expect(response).to_contain_text("Самокат номер 875643 не в сети")
    expect(execute(page, "incidents-incidents_list")).to_contain_text("200")


def test_swagger_ui_shows_why_a_log_in_failed(page, service):
    log_in_to_swagger_ui(page, service, "wrong")
    expect(page.locator("#log-in output")).to_contain_text("Нет активной учётной записи с такими именем и паролем")
    expect(execute(page, "incidents-incidents_list")).to_contain_text("401")


def test_swagger_ui_uses_the_token_of_its_own_log_in(page, service):
    page.goto(service.url + SWAGGER_UI)
    block = page.locator("#operations-jwt-jwt_create_create")
    block.locator(".opblock-summary-control").click()
    block.locator("textarea").fill(f'{{"username": "admin", "password": "{PASSWORD}"}}')
    block.get_by_role("button", name="Execute").click()
    expect(block.locator(".live-responses-table").first).to_contain_text("access")
    expect(execute(page, "incidents-incidents_list")).to_contain_text("200")


def test_swagger_ui_begins_with_the_product(page, service):
    page.goto(service.url + SWAGGER_UI)
    tags = page.locator(".opblock-tag a span")
    expect(tags).to_have_text(["incidents", "jwt", "users", "intake"])


def test_redoc_shows_the_operations_and_finds_one(page, service):
    page.goto(f"{service.url}/api/schema/redoc/")
    expect(page.get_by_role("heading", name="Record an incident")).to_be_visible()
    page.get_by_placeholder("Search...").fill("comment")
    expect(page.get_by_role("search").get_by_text("Comment on an incident")).to_be_visible()


def log_in(page, service):
    page.goto(f"{service.url}/api/admin/")
    page.get_by_label("Имя пользователя").fill("admin")
    page.get_by_label("Пароль").fill(PASSWORD)
    page.get_by_role("button", name="Войти").click()


def test_admin_changes_a_status_and_shows_it_in_the_history(page, service):
    log_in(page, service)
    page.goto(f"{service.url}/api/admin/incidents/incident/")
    expect(page.locator("#result_list tbody tr")).to_have_count(50)
    first = page.locator("#result_list tbody tr").first
    pk = first.locator("th a").inner_text().removeprefix("№")
    first.locator(".field-status_buttons button").first.click()
    expect(page.locator(".messagelist")).to_contain_text(f"№{pk}: теперь")
    page.goto(f"{service.url}/api/admin/incidents/incident/{pk}/history/")
    expect(page.locator("#change-history tbody tr").first).to_contain_text("admin")
    expect(page.locator("#change-history tbody tr").first).to_contain_text("→")


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("telegram/chat/", "не может писать"),
        ("telegram/card/", "№122"),
        ("intake/delivery/", "Telegram"),
    ],
)
def test_admin_shows_telegram(page, service, path, shown):
    log_in(page, service)
    page.goto(f"{service.url}/api/admin/{path}")
    expect(page.locator("#result_list")).to_contain_text(shown)


@pytest.mark.parametrize("path", ["telegram/chat/", "telegram/card/", "intake/delivery/"])
def test_admin_shows_one(page, service, path):
    log_in(page, service)
    page.goto(f"{service.url}/api/admin/{path}")
    page.locator("#result_list tbody tr th a").first.click()
    expect(page.locator("#content h1")).to_be_visible()


def test_incident_shows_its_messages(page, service):
    log_in(page, service)
    page.goto(f"{service.url}/api/admin/incidents/incident/?q=875643")
    page.locator("#result_list tbody tr th a").last.click()
    expect(page.locator(".field-telegram")).to_contain_text("t.me/c/1234567890/1")
