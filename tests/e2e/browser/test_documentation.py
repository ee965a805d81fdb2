"""Swagger UI and ReDoc in Chromium."""

import pytest
from playwright.sync_api import expect

from tests.helpers.browser import PASSWORD

pytestmark = pytest.mark.e2e

# axe rules that the markup of the Swagger UI bundle violates in an expanded operation
OF_THE_BUNDLE = ("color-contrast", "label", "scrollable-region-focusable", "select-name")
SWAGGER, REDOC = "/api/v1/schema/swagger-ui/", "/api/schema/redoc/"


def log_in(page, password=PASSWORD):
    page.get_by_label("Имя пользователя").fill("petrova")
    page.get_by_label("Пароль").fill(password)
    page.get_by_role("button", name="Войти").click()


def execute(page, operation, body=None):
    """Opens an operation and sends what it shows, or the body."""
    block = page.locator(f"#operations-{operation}")
    block.locator(".opblock-summary-control").click()
    if body:
        block.locator("textarea").fill(body)
    block.get_by_role("button", name="Execute").click()
    return block.locator(".live-responses-table").first


def test_swagger_ui_logs_in_and_records_the_example(sit_down):
    desk = sit_down()
    page = desk.goto(SWAGGER)
    log_in(page)
    expect(page.locator("#log-in output")).to_have_text("Выполнен вход: petrova")
    response = execute(page, "incidents-incidents_create")
    expect(response).to_contain_text("201")
    expect(response).to_contain_text("Самокат номер 875643 не в сети")
    assert desk.accessibility(rules={rule: {"enabled": False} for rule in OF_THE_BUNDLE}) == []
    expect(execute(page, "incidents-incidents_list")).to_contain_text("200")


def test_swagger_ui_shows_why_a_log_in_failed(sit_down):
    desk = sit_down()
    page = desk.goto(SWAGGER)
    log_in(page, "wrong")
    expect(page.locator("#log-in output")).to_contain_text("Нет активной учётной записи с такими именем и паролем")
    desk.expect_fault("401")


def test_swagger_ui_uses_the_token_of_its_own_log_in(sit_down):
    page = sit_down().goto(SWAGGER)
    body = f'{{"username": "petrova", "password": "{PASSWORD}"}}'
    expect(execute(page, "jwt-jwt_create_create", body)).to_contain_text("access")
    expect(execute(page, "incidents-incidents_list")).to_contain_text("200")


def test_swagger_ui_begins_with_the_product(sit_down, device):
    desk = sit_down(device=device)
    page = desk.goto(SWAGGER)
    expect(page.locator(".opblock-tag a span")).to_have_text(["incidents", "jwt", "users", "intake"])
    assert desk.accessibility() == []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert desk.accessibility(context="#log-in") == []


def test_redoc_shows_the_operations_and_finds_one(sit_down, device):
    desk = sit_down(device=device)
    page = desk.goto(REDOC)
    expect(page.get_by_role("heading", name="Record an incident")).to_be_visible()
    assert desk.accessibility() == []  # it has no dark look
    if not desk.phone:
        page.get_by_placeholder("Search...").fill("comment")
        expect(page.get_by_role("search").get_by_text("Comment on an incident")).to_be_visible()
