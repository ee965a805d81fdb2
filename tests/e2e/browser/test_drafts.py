"""What was typed is kept through a log-in, with and without scripts."""

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.conftest import log_in
from tests.helpers.browser import PASSWORD

pytestmark = pytest.mark.e2e

INCIDENTS = "/api/admin/incidents/incident/"


@pytest.fixture(params=[True, False], ids=["scripts", "no-scripts"])
def desk(sit_down, service, device, request):
    """With a session of its own."""
    options = {"storage_state": log_in(service, "petrova"), "java_script_enabled": request.param}
    return sit_down(device=device, **options)


def log_in_again(desk):
    page = desk.page
    expect(page.get_by_role("heading", level=1)).to_have_text("Войти")
    expect(page.get_by_text("Введённое сохраняется")).to_be_visible()
    desk.look("log-in")
    page.get_by_label("Имя пользователя").fill("petrova")
    page.get_by_label("Пароль").fill(PASSWORD)
    desk.press(page.get_by_role("button", name="Войти"))
    expect(page.get_by_text("Введённое ещё не сохранено")).to_be_visible()
    desk.look("shown-again")


def end_session(desk):
    cookies = [cookie for cookie in desk.context.cookies() if cookie["name"] != "sessionid"]
    desk.context.clear_cookies()
    desk.context.add_cookies(cookies)


def test_a_new_incident(desk):
    page = desk.goto(f"{INCIDENTS}add/")
    page.get_by_label("Источник").select_option("operator")
    page.get_by_label("Описание").fill("Насос 3 течёт\nуже час")
    end_session(desk)
    desk.press(page.get_by_role("button", name="Записать", exact=True))
    log_in_again(desk)
    expect(page.get_by_label("Описание")).to_have_value("Насос 3 течёт\nуже час")
    desk.press(page.get_by_role("button", name="Записать", exact=True))
    expect(page.locator(".messagelist")).to_contain_text("записан")


def test_a_comment(desk, record):
    page = desk.goto(f"{INCIDENTS}{record('Насос 4 стоит')}/change/")
    page.get_by_placeholder("Напишите комментарий").fill("Выехал механик")
    end_session(desk)
    desk.press(page.get_by_role("button", name="Добавить комментарий"))
    log_in_again(desk)
    expect(page.get_by_placeholder("Напишите комментарий")).to_have_value("Выехал механик")
    desk.press(page.get_by_role("button", name="Добавить комментарий"))
    expect(page.locator(".timeline")).to_contain_text("Выехал механик")


def test_a_description_after_a_log_in_in_another_tab(desk, record, service):
    page = desk.goto(f"{INCIDENTS}{record('Насос 5 стоит')}/change/")
    page.locator("summary").get_by_text("Изменить").click()
    page.get_by_label("Описание").fill("Насос 5 течёт")
    desk.context.add_cookies(log_in(service, "sidorov")["cookies"])
    desk.press(page.get_by_role("button", name="Сохранить"))
    expect(page.get_by_text("Введённое ещё не сохранено")).to_be_visible()
    expect(page.get_by_label("Описание")).to_have_value("Насос 5 течёт")
    desk.press(page.get_by_role("button", name="Сохранить"))
    expect(page.locator(".messagelist")).to_contain_text("Сохранено")
