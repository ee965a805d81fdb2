"""Pages of the admin, at a desk and on a phone, light and dark: nothing is cut, axe-core finds nothing serious."""

import io

import pytest
from PIL import Image
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


FILES = """
from django.core.files.base import ContentFile
from incidents.actors import Named
from incidents.attachments.services import add_attachment, announce_attachment, fail_attachment, save_file
from incidents.attachments.thumbnails import make_thumbnails
common = {"incident_id": 2984, "actor": Named("Анна"), "channel": "telegram"}
announce_attachment(kind="video", name="Ворота склада, камера 3.mp4", size=9_000_000, **common)
lost = announce_attachment(kind="voice", name="voice.ogg", size=70_000, **common)
fail_attachment(lost, "The file is larger than 20 MB: see it in Telegram. https://t.me/c/1234567890/10")
while make_thumbnails():
    pass
"""


def test_incident_with_files(sit_down, service, device):
    photos = []
    for number, size in enumerate([(1200, 900), (900, 1600), (2000, 500)]):
        file = io.BytesIO()
        Image.linear_gradient("L").resize(size).save(file, "JPEG")
        photos.append({"name": f"фото {number}.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()})
    voice = {"name": "звонок.ogg", "mimeType": "audio/ogg", "buffer": b"OggS\0\2" + bytes(60) + b"OpusHead"}
    desk = sit_down("petrova", device=device)
    page = desk.goto("/api/admin/incidents/incident/2984/change/")
    page.get_by_label("Приложить файлы").set_input_files([*photos, voice])
    page.get_by_label("Комментарий").fill("Ворота не закрываются, три снимка и звонок")
    desk.press(page.get_by_role("button", name="Добавить комментарий"))
    row = page.locator(".entry").first
    expect(row.locator(".file")).to_have_count(4)
    service.manage("shell", "--no-imports", "-c", FILES)
    page.reload()
    row = page.locator(".entry", has_text="три снимка").first
    image = row.get_by_role("img", name="фото 1.jpg")
    image.scroll_into_view_if_needed()
    expect(image).to_have_js_property("complete", True)
    assert image.evaluate("image => image.naturalHeight") == 400
    assert desk.accessibility() == []
    desk.look()
    with desk.context.expect_page() as opened:
        desk.press(image)
    whole = opened.value.locator("img")
    expect(whole).to_have_js_property("naturalHeight", 1600)
    opened.value.close()
    desk.press(row.get_by_text("Удалить звонок.ogg"))
    desk.press(row.get_by_role("button", name="Удалить файл"))
    expect(page.get_by_text("Файл удалён: звонок.ogg").first).to_be_visible()
