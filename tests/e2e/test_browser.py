"""Swagger UI, ReDoc and the admin in Russian, in Chromium; no page requests anything from another host."""

import os
import shutil
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.helpers.servers import Gunicorn, Postgres

pytestmark = pytest.mark.e2e

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    home = tmp_path_factory.mktemp("browser")
    postgres = Postgres(home / "data")
    gunicorn = Gunicorn(postgres.port, home / "gunicorn.log", DJANGO_SUPERUSER_PASSWORD=PASSWORD)
    gunicorn.manage("createsuperuser", "--noinput", "--username", "admin", "--email", "admin@example.org")
    gunicorn.manage("load_sample", "--count", "120")
    yield gunicorn
    gunicorn.kill()
    postgres.kill()


@pytest.fixture
def page(service):
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        browser = playwright.chromium.launch(executable_path=chromium, args=quiet)
        page = browser.new_page(locale="ru-RU", viewport={"width": 1300, "height": 1000})
        elsewhere: list[str] = []
        page.on("response", lambda response: elsewhere.append(response.url) if foreign(response.url) else None)
        yield page
        if folder := os.environ.get("SCREENSHOTS"):
            page.screenshot(path=f"{folder}/{urlsplit(page.url).path.strip('/').replace('/', '-')}.png")
        browser.close()
        assert elsewhere == []


def foreign(url: str) -> bool:
    return urlsplit(url).hostname not in ("127.0.0.1", None)


def test_swagger_ui_logs_in_and_records(page, service):
    page.goto(f"{service.url}/api/v1/schema/swagger-ui/")
    page.get_by_text("/api/identity/auth/jwt/create/").click()
    page.get_by_role("button", name="Try it out").click()
    page.locator("textarea").fill(f'{{"username": "admin", "password": "{PASSWORD}"}}')
    page.get_by_role("button", name="Execute").click()
    shown = page.locator(".live-responses-table .highlight-code code").first
    expect(shown).to_contain_text("access")
    token = shown.inner_text().split('"access": "')[1].split('"')[0]
    page.get_by_role("button", name="Authorize").first.click()
    page.locator(".auth-container input").first.fill(token)
    page.locator(".auth-container button[type=submit]").first.click()
    page.locator(".auth-container .btn-done").first.click()
    page.locator("#operations-incidents-incidents_create").click()
    block = page.locator("#operations-incidents-incidents_create")
    block.get_by_role("button", name="Try it out").click()
    block.locator("textarea").fill('{"description": "Самокат номер 875643 не в сети", "source": "operator"}')
    block.locator("input[placeholder='Idempotency-Key']").fill("browser-1")
    block.get_by_role("button", name="Execute").click()
    expect(block.locator(".live-responses-table")).to_contain_text("201")
    expect(block.locator(".live-responses-table")).to_contain_text("875643")


def test_redoc_shows_the_operations(page, service):
    page.goto(f"{service.url}/api/schema/redoc/")
    expect(page.get_by_role("heading", name="Record an incident")).to_be_visible()


def test_admin_changes_a_status_and_shows_it_in_the_history(page, service):
    page.goto(f"{service.url}/api/admin/")
    page.get_by_label("Имя пользователя").fill("admin")
    page.get_by_label("Пароль").fill(PASSWORD)
    page.get_by_role("button", name="Войти").click()
    page.goto(f"{service.url}/api/admin/incidents/incident/")
    expect(page.locator("#result_list tbody tr")).to_have_count(50)
    first = page.locator("#result_list tbody tr").first
    now = first.locator("select").input_value()
    new = "closed" if now != "closed" else "resolved"
    first.locator("select").select_option(new)
    pk = first.locator("th a").first.inner_text()
    page.locator("input[name=_save]").click()
    page.goto(f"{service.url}/api/admin/incidents/incident/{pk}/history/")
    expect(page.locator("#change-history tbody tr").first).to_contain_text("admin")
    expect(page.locator("#change-history tbody tr").first).to_contain_text("→")
