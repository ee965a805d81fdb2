"""A call in two presses, a comment instead on the same scooter's incident, one on many, a reason, and paper."""

import random

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.e2e

LIST = "/api/admin/incidents/incident/"


@pytest.fixture
def scooter():
    return random.randrange(10**7, 10**8)


@pytest.fixture
def desk(sit_down, device):
    return sit_down("petrova", device=device)


@pytest.mark.parametrize("path", ["/api/admin/", LIST, f"{LIST}2985/change/"])
def test_a_call_in_two_presses(desk, scooter, path):
    with desk.task("record a call", presses=2, path=path) as page:
        desk.press(page.get_by_role("link", name="Новый инцидент"))
        expect(page.get_by_label("Описание")).to_be_focused()
        page.keyboard.type(f"Звонили: самокат {scooter} мешает проезду")
        desk.press(page.get_by_role("button", name="Записать", exact=True))
        expect(page.locator(".record")).to_contain_text("Оператор")
        expect(page.locator(".messagelist")).to_contain_text("записан")


def test_the_same_scooter_gets_a_comment_by_one_press(desk, record, scooter):
    number = record(f"Самокат {scooter} не в сети")
    for other in range(3):
        record(f"Самокат {scooter}{other} не в сети")
    with desk.task("comment instead", presses=2) as page:
        desk.press(page.get_by_role("link", name="Новый инцидент"))
        expect(page.get_by_label("Описание")).to_be_focused()
        asked = []
        page.on("request", lambda request: "same-number" in request.url and asked.append(request.url))
        page.keyboard.type(f"Звонили: самокат {scooter} лежит", delay=5)
        there = page.get_by_role("button", name="Дописать туда")
        expect(there).to_have_count(1)
        assert len(asked) <= 3
        page.keyboard.type(" на дороге")
        desk.look("offered")
        assert desk.accessibility() == []
        desk.press(there)
        expect(page.locator(".incident-head")).to_contain_text(f"№{number}")
        expect(page.locator(".entry").first).to_contain_text(f"Звонили: самокат {scooter} лежит на дороге")


def test_the_offer_goes_with_the_number(operator, record, scooter):
    record(f"Самокат {scooter} не в сети")
    page = operator.goto(f"{LIST}add/")
    page.get_by_label("Описание").fill(f"{scooter}")
    expect(page.locator("#same-number li")).to_have_count(1)
    page.get_by_label("Описание").fill(f"{scooter}1")
    expect(page.locator("#same-number li")).to_have_count(0)
    page.get_by_label("Описание").fill("")


def test_enter_records(operator, record, scooter):
    record(f"Самокат {scooter} не в сети")
    page = operator.goto(f"{LIST}add/")
    page.get_by_label("Описание").fill(f"Самокат {scooter} горит")
    expect(page.locator("#same-number li")).to_have_count(1)
    page.get_by_label("Срочно").check()
    page.keyboard.press("Enter")
    expect(page.locator(".messagelist")).to_contain_text("записан.")
    expect(page.locator(".record")).to_contain_text(f"Самокат {scooter} горит")


def test_recording_needs_no_offer(operator, scooter):
    page = operator.goto(f"{LIST}add/")
    page.route("**/same-number/**", lambda route: route.fulfill(status=503))
    with page.expect_response("**/same-number/**"):
        page.keyboard.type(f"Самокат {scooter}")
    page.get_by_role("button", name="Записать", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("записан")
    operator.expect_fault("503")


def test_without_scripts_they_are_looked_for_by_a_button(sit_down, device, record, scooter):
    number = record(f"Самокат {scooter} не в сети")
    desk = sit_down("petrova", device=device, java_script_enabled=False)
    page = desk.goto(f"{LIST}add/")
    page.get_by_label("Описание").fill(f"{scooter} лежит")
    desk.press(page.get_by_role("button", name="Найти тот же номер"))
    expect(page.get_by_label("Описание")).to_have_value(f"{scooter} лежит")
    desk.press(page.get_by_role("button", name=f"Дописать туда №{number}"))
    expect(page.locator(".entry").first).to_contain_text(f"{scooter} лежит")


def test_one_comment_on_three(desk, record):
    numbers = [record(f"Насос {number} стоит") for number in range(3)]
    page = desk.goto(LIST)
    for number in numbers:
        page.locator("#result_list tr").filter(has=page.locator(f"#incident-{number}")).get_by_role("checkbox").check()
    button = page.get_by_role("button", name="Добавить комментарий")
    expect(button).to_be_in_viewport(ratio=1)
    desk.press(button)
    expect(page.get_by_label("Комментарий")).to_be_focused()
    assert desk.accessibility() == []
    desk.look("asked")
    page.keyboard.type("Ждём поставку")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".messagelist")).to_contain_text(f"Комментарий добавлен: №{numbers[0]}")
    desk.goto(f"{LIST}{numbers[2]}/change/")
    expect(page.locator(".entry").first).to_contain_text("Ждём поставку")


def test_close_with_a_reason(desk, record):
    number = record("Самокат 733333 не в сети")
    with desk.task("close with a reason", presses=2, path=f"{LIST}{number}/change/") as page:
        desk.press(page.get_by_text("Закрыть с причиной"))
        page.get_by_label("Причина").focus()
        page.keyboard.type("Ложный вызов")
        desk.look("reason")
        assert desk.accessibility() == []
        desk.press(page.locator("#close_form button"))
        expect(page.locator(".incident-head .pill")).to_have_text("Закрыт")
        expect(page.locator(".entry").first).to_contain_text("Ложный вызов")
        expect(page.locator(".entry").first).to_contain_text("Закрыт")


def test_a_typed_reason_is_asked_about(operator, record):
    page = operator.goto(f"{LIST}{record('Самокат 744444 не в сети')}/change/")
    page.get_by_text("Закрыть с причиной").click()
    page.get_by_label("Причина").click()
    page.keyboard.type("Не всё")
    asked = []
    page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.get_by_role("link", name="Обзор").click(no_wait_after=True)
    expect(page.get_by_label("Причина")).to_have_value("Не всё")
    assert asked == ["beforeunload"]
    page.get_by_text("Закрыть с причиной").click()  # the press beside it has closed the menu
    page.get_by_label("Причина").fill("")


def test_on_paper_are_the_words_and_nothing_to_press(operator, record):
    number = record("Самокат 755555 не в сети\n" + "слово " * 2_000 + "конец")
    page = operator.goto(f"{LIST}{number}/change/")
    page.get_by_placeholder("Напишите комментарий").fill("начало " + "слово " * 200 + "https://example.org/карта")
    page.get_by_role("button", name="Добавить комментарий").click()
    expect(page.locator(".entry")).to_have_count(2)
    page.emulate_media(media="print")
    for path in (f"{LIST}{number}/change/", LIST):
        operator.goto(path)
        shown = page.locator("button, input, textarea, select, summary, #header, .breadcrumbs").filter(visible=True)
        expect(shown).to_have_count(0)
        cut = """() => [...document.querySelectorAll("main *")].filter((each) =>
          each.checkVisibility() && each.scrollHeight > each.clientHeight + 2 && /hidden|auto|scroll/.test(
            getComputedStyle(each).overflowY)).map((each) => each.outerHTML.slice(0, 80))"""
        assert page.evaluate(cut) == []
        if path != LIST:
            expect(page.get_by_text("конец").first).to_be_visible()
            expect(page.get_by_text("https://example.org/карта").last).to_be_visible()
        operator.look("list" if path == LIST else "incident")
    page.emulate_media(media="screen")
