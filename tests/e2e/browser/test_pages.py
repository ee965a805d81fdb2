"""Pages of the admin, at a desk and on a phone, light and dark: nothing is cut, axe-core finds nothing serious."""

import pytest
from playwright.sync_api import expect

from tests.helpers.browser import PASSWORD, PHONE

pytestmark = pytest.mark.e2e

PAGES = {
    "board": "/api/admin/",
    "list": "/api/admin/incidents/incident/",
    "found": "/api/admin/incidents/incident/?q=самокат",
    "incident": "/api/admin/incidents/incident/2985/change/",
    "add": "/api/admin/incidents/incident/add/",
    "users": "/api/admin/identity/user/",
    "user": "/api/admin/identity/user/2/change/",
    "add-user": "/api/admin/identity/user/add/",
    "chats": "/api/admin/telegram/chat/",
    "chat": "/api/admin/telegram/chat/1/change/",
    "cards": "/api/admin/telegram/card/",
    "files": "/api/admin/telegram/file/",
    "deliveries": "/api/admin/intake/delivery/",
    "delivery": "/api/admin/intake/delivery/1/change/",
    "senders": "/api/admin/intake/sender/",
    "subscriptions": "/api/admin/webhooks/subscription/",
    "groups": "/api/admin/auth/group/",
    "password": "/api/admin/password_change/",
    "password-done": "/api/admin/password_change/done/",
    "settings": "/api/admin/identity/user/settings/",
    "history": "/api/admin/incidents/incident/2985/history/",
    "user-history": "/api/admin/identity/user/2/history/",
    "app": "/api/admin/identity/",
}


@pytest.mark.parametrize("name", PAGES)
def test_page(sit_down, device, name):
    desk = sit_down("admin", device=device)
    desk.goto(PAGES[name])
    assert desk.accessibility() == []
    desk.look()
    desk.page.emulate_media(color_scheme="dark")
    assert desk.accessibility(runOnly=["color-contrast"]) == []
    desk.name += "-dark"


@pytest.mark.parametrize("name", PAGES)
def test_every_page_has_the_same_navigation_and_one_heading(sit_down, name):
    page = sit_down("admin").goto(PAGES[name])
    expect(page.get_by_role("navigation", name="Разделы")).to_be_visible()
    expect(page.get_by_role("link", name="Мои настройки")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.locator("#nav-sidebar")).to_have_count(0)


@pytest.mark.parametrize("name", ["user", "chat", "delivery"])
def test_a_phone_shows_every_field(sit_down, name):
    page = sit_down("admin", device=PHONE).goto(PAGES[name])
    rows = page.locator(".form-row")
    expect(rows.filter(visible=True)).to_have_count(rows.count())


def test_log_in(sit_down, device):
    desk = sit_down(device=device)
    page = desk.goto("/api/admin/")
    assert desk.accessibility() == []
    desk.look("form")
    expect(page.get_by_role("heading", level=1)).to_have_text("Войти")
    page.get_by_label("Имя пользователя").fill("petrova")
    page.get_by_label("Пароль").fill(PASSWORD)
    desk.press(page.get_by_role("button", name="Войти"))
    expect(page.get_by_role("heading", name="Открыто сейчас")).to_be_visible()


@pytest.mark.parametrize(
    ("path", "shown"),
    [("telegram/chat/", "не может писать"), ("telegram/card/", "№2986"), ("intake/delivery/", "Telegram")],
    ids=["chats", "cards", "deliveries"],
)
def test_lists_of_telegram(sit_down, path, shown):
    page = sit_down("admin").goto(f"/api/admin/{path}")
    expect(page.locator("#result_list")).to_contain_text(shown)
    page.locator("#result_list tbody tr th a").first.click()
    expect(page.locator("#content h1")).to_be_visible()


def test_incident_leads_to_its_message(operator):
    page = operator.goto("/api/admin/incidents/incident/?q=875643")
    page.locator("#result_list tbody tr th a").last.click()
    expect(page.locator('.origins a[href="https://t.me/c/1234567890/1"]')).to_be_visible()
