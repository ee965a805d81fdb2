"""Presses in a row, by mouse, finger and keyboard: the page stays in place and the focus at the row."""

import pytest
from playwright.sync_api import expect

from tests.helpers.browser import MEASURE

pytestmark = pytest.mark.e2e

LIST = "/api/admin/incidents/incident/"
NAME = "Константинопольская-Преображенская Александра Владиславовна"
TAKEN = f"""
from identity.models import User
from incidents.actors import Named
from incidents.services import create_incident
last_name, first_name, patronymic = "{NAME}".split()
names = {{"last_name": last_name, "first_name": first_name, "patronymic": patronymic}}
User.objects.update_or_create(username="vladislavovna", defaults=names)
report = {{"description": "Насос стоит", "status": "in_progress", "source": "operator"}}
create_incident(**report, actor=Named("vladislavovna"), channel="admin")
"""
FOCUSED = "() => document.activeElement.closest('tr, .board-open li')?.innerText ?? document.activeElement.tagName"


@pytest.fixture(params=[True, False], ids=["scripts", "no-scripts"])
def desk(sit_down, device, request):
    return sit_down("petrova", device=device, java_script_enabled=request.param)


def top_of(row):
    return row.bounding_box()["y"]


def row_of(page, number):
    return page.locator("#result_list tbody tr").filter(has=page.locator(f"#incident-{number}"))


@pytest.fixture
def numbers(record):
    return [record(f"Насос {number} стоит") for number in range(30)]


def test_a_press_in_the_21st_row_leads_back_to_it(desk, numbers):
    page, number = desk.goto(LIST), numbers[-21]
    button = page.get_by_role("button", name=f"Взять №{number}")
    button.scroll_into_view_if_needed()
    desk.press(button)
    expect(row_of(page, number)).to_contain_text("В работе")
    expect(row_of(page, number)).to_be_in_viewport(ratio=1)
    expect(page.get_by_role("button", name="Отменить")).to_be_in_viewport(ratio=1)
    assert f"№{number}" in page.evaluate(FOCUSED)


def test_a_row_that_is_gone_leaves_the_focus_to_the_next(sit_down, numbers):
    desk = sit_down("petrova")
    page, number, following = desk.goto(f"{LIST}?status__in=open"), numbers[-21], numbers[-22]
    button = page.get_by_role("button", name=f"Взять №{number}")
    button.scroll_into_view_if_needed()
    before = top_of(row_of(page, number))
    desk.press(button)
    expect(page.locator(".undo")).to_be_visible()
    expect(row_of(page, number)).to_have_count(0)
    page.wait_for_function("() => document.activeElement !== document.body")
    assert f"№{following}" in page.evaluate(FOCUSED)
    assert abs(top_of(row_of(page, following)) - before) < 3
    desk.press(page.get_by_role("button", name="Отменить"))
    expect(row_of(page, number)).to_be_in_viewport()


def test_the_place_is_exact_with_scripts(sit_down, numbers):
    desk = sit_down("petrova")
    page, number = desk.goto(LIST), numbers[-21]
    button = page.get_by_role("button", name=f"Решить №{number}")
    button.scroll_into_view_if_needed()
    before = top_of(row_of(page, number))
    desk.press(button)
    expect(row_of(page, number)).to_contain_text("Решён")
    page.wait_for_function("() => document.activeElement !== document.body")
    assert abs(top_of(row_of(page, number)) - before) < 3


def test_a_press_on_the_board_leaves_the_focus_at_its_row(sit_down):
    desk = sit_down("petrova")
    page = desk.goto("/api/admin/")
    button = page.get_by_role("button", name="Взять №").last
    number = button.inner_text().split("№")[1]
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator(f".board-taken li:has(#incident-{number})")).to_contain_text("Анна")
    assert f"№{number}" in page.evaluate(FOCUSED)


def test_the_bar_of_the_ticked_is_in_sight_to_its_end(sit_down, device, numbers):
    page = sit_down("petrova", device=device).goto(LIST)
    row_of(page, numbers[-1]).get_by_role("checkbox").check()
    expect(page.locator("#changelist .actions .action-counter")).to_be_in_viewport(ratio=1)


def test_a_long_name_is_shown_whole(sit_down, service, device):
    service.manage("shell", "--no-imports", "-c", TAKEN)
    page = sit_down("petrova", device=device).goto(LIST)
    expect(page.locator("#result_list")).to_contain_text(NAME)
    assert page.evaluate(MEASURE) == []


def test_three_rows_are_closed_by_keyboard(sit_down, numbers):
    page = sit_down("petrova").goto(LIST)
    for number in numbers[-3:]:
        row_of(page, number).get_by_role("checkbox").focus()
        page.keyboard.press("Space")
    page.locator("#action-toggle").focus()
    steps = 0
    while page.evaluate("() => document.activeElement.innerText") != "Закрыть":
        page.keyboard.press("Shift+Tab")
        steps += 1
        assert steps < 10
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Вы уверены?")).to_be_visible()


def test_the_buttons_of_rows_have_names_of_their_own(sit_down):
    page = sit_down("petrova").goto(LIST)
    names = page.locator("#result_list tbody button").all_inner_texts()
    assert len(names) == len(set(names)) > 50


def test_escape_leaves_the_focus_at_the_menu(sit_down):
    page = sit_down("petrova").goto(LIST)
    menu = page.locator(".list-menu summary").first
    menu.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    expect(page.locator(".list-menu[open]")).to_have_count(0)
    expect(menu).to_be_focused()
