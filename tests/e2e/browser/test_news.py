"""What came since a page was opened is told, and nothing moves that is being read or typed."""

from itertools import pairwise

import pytest
from playwright.sync_api import expect

from tests.e2e.browser.conftest import log_in
from tests.helpers.browser import PHONE
from tests.helpers.servers import wait_until

pytestmark = pytest.mark.e2e

BOARD = "/api/admin/"
LIST = "/api/admin/incidents/incident/"
HEARD = """
window.heard = 0;
window.notified = [];
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function (...when) { window.heard += 1; return start.apply(this, when); };
window.Notification = class extends EventTarget {
  static permission = "default";
  static requestPermission = async () => (Notification.permission = window.answer ?? "granted");
  constructor(title, { body }) { super(); window.notified.push([title, body]); }
};
document.hasFocus = () => false;
"""


@pytest.fixture
def opened(sit_down):
    """Opens a page whose time the test turns on."""

    def opened(path, username="sidorov", **options):
        desk = sit_down(username, **options)
        desk.page.clock.install()
        desk.goto(path)
        return desk

    return opened


def turn(desk, shown):
    """Lets a period pass, and again, until it is shown: for some seconds windows share what was read before."""

    def is_shown():
        desk.page.clock.fast_forward(21_000)
        return shown.is_visible()

    wait_until(is_shown)


def shown_rows(page):
    """What the rows say, and where."""
    return [(row.inner_text(), row.bounding_box()) for row in page.locator("#result_list tbody tr").all()]


def bar(desk):
    return desk.page.get_by_role("status")


def test_two_windows(opened, sit_down, device):
    desk = opened(BOARD, device=device)
    other = sit_down("petrova", device=device)
    page = other.goto(f"{LIST}add/")
    page.get_by_label("Источник").select_option("operator")
    page.get_by_label("Описание").fill("Насос 7 течёт")
    other.press(page.get_by_role("button", name="Записать", exact=True))
    expect(page.locator(".messagelist")).to_contain_text("записан")

    turn(desk, bar(desk).get_by_text("Новых с открытия страницы: 1."))
    expect(desk.page).to_have_title("(1) Открыто сейчас | Учёт инцидентов")
    desk.page.clock.fast_forward(2_000)
    assert desk.accessibility() == []
    desk.look("bar", whole=False)
    desk.press(bar(desk).get_by_role("link", name="Показать"))
    expect(desk.page.locator("#result_list tbody tr")).to_have_count(1)
    expect(desk.page.locator("#result_list")).to_contain_text("Насос 7 течёт")
    expect(desk.page).to_have_title("Инциденты | Учёт инцидентов")


def test_the_list_tells_and_stays_as_it_is(opened, record, device):
    record("Насос 1 стоит")
    desk = opened(f"{LIST}?q=насос", device=device)
    before = shown_rows(desk.page)
    numbers = [record("Насос 2 стоит"), record("Ворота не закрываются")]
    turn(desk, bar(desk).get_by_text("Новых с открытия страницы: 2."))
    assert shown_rows(desk.page) == before
    desk.look("bar", whole=False)
    link = bar(desk).get_by_role("link", name="Показать")
    assert link.get_attribute("href").endswith(f"?id__in={numbers[1]},{numbers[0]}")
    desk.press(bar(desk).get_by_role("button", name="Скрыть"))
    expect(link).to_be_hidden()
    expect(desk.page).to_have_title("Инциденты | Учёт инцидентов")
    record("Насос 3 стоит")
    turn(desk, bar(desk).get_by_text("Новых с открытия страницы: 1."))


def test_the_list_tells_who_changed_its_rows(opened, sit_down, record):
    other_number, number = record("Ворота 4 не закрываются"), record("Насос 4 стоит")
    desk = opened(f"{LIST}?q=насос+4")
    other = sit_down("petrova")
    other.press(other.goto(f"{LIST}{other_number}/change/").get_by_role("button", name="Взять"))
    desk.page.clock.fast_forward(21_000)
    expect(bar(desk).get_by_text("Изменено")).to_be_hidden()
    other.press(other.goto(f"{LIST}{number}/change/").get_by_role("button", name="Взять"))
    turn(desk, bar(desk).get_by_text("Изменено в этом списке: Анна"))
    rows = desk.page.locator("#result_list tbody")
    expect(rows).not_to_contain_text("В работе")
    assert desk.accessibility() == []
    desk.look("bar", whole=False)
    desk.page.clock.fast_forward(2_000)
    desk.press(bar(desk).get_by_role("button", name="Показать"))
    expect(rows).to_contain_text("В работе")
    assert desk.page.url.endswith("?q=%D0%BD%D0%B0%D1%81%D0%BE%D1%81+4")
    expect(bar(desk).get_by_text("Изменено")).to_be_hidden()


def test_the_incident_tells_who_changed_it_and_keeps_what_is_typed(opened, sit_down, record, device):
    number = record("Насос 5 стоит")
    desk = opened(f"{LIST}{number}/change/?_changelist_filters=q%3Dнасос", device=device)
    desk.page.get_by_label("Комментарий").fill("Выехал механик")
    other = sit_down("petrova")
    other.press(other.goto(f"{LIST}{number}/change/").get_by_role("button", name="Взять"))
    expect(other.page.locator(".incident-head")).to_contain_text("В работе")

    turn(desk, bar(desk).get_by_text("Изменено: Анна"))
    expect(desk.page.locator(".incident-head")).not_to_contain_text("В работе")
    expect(desk.page.get_by_label("Комментарий")).to_have_value("Выехал механик")
    assert desk.accessibility() == []
    desk.look("bar", whole=False)
    desk.page.clock.fast_forward(2_000)
    desk.press(bar(desk).get_by_role("button", name="Показать"))
    expect(desk.page.locator(".incident-head")).to_contain_text("В работе")
    expect(desk.page.get_by_label("Комментарий")).to_have_value("Выехал механик")
    assert desk.page.url.endswith("?_changelist_filters=q%3D%D0%BD%D0%B0%D1%81%D0%BE%D1%81")
    expect(bar(desk).get_by_text("Изменено")).to_be_hidden()


def test_what_comes_is_not_pressed_by_mistake(opened, record):
    desk = opened(BOARD)
    record("Насос 6 стоит")
    turn(desk, bar(desk).get_by_text("Новых"))
    assert bar(desk).evaluate("bar => getComputedStyle(bar).pointerEvents") in ("none", "auto")
    expect(bar(desk)).to_have_css("pointer-events", "auto")


def test_sound_and_notification_are_chosen(opened, record, device):
    desk = opened(BOARD, device=device)
    desk.context.add_init_script(HEARD)
    desk.page.reload()
    record("Насос 8 стоит")
    turn(desk, bar(desk).get_by_text("Новых"))
    assert desk.page.evaluate("[heard, notified.length]") == [0, 0]

    desk.press(desk.page.get_by_text("Сообщать о новых инцидентах"))
    desk.look("choices", whole=False)
    assert desk.accessibility() == []
    desk.press(desk.page.get_by_label("Звук"))
    desk.press(desk.page.get_by_label("Уведомление на рабочем столе"))
    expect(desk.page.get_by_label("Уведомление на рабочем столе")).to_be_checked()
    assert desk.page.evaluate("[heard, notified.length]") == [1, 1]
    record("Насос 9 стоит")
    turn(desk, bar(desk).get_by_text("Новых с открытия страницы: 2."))
    assert desk.page.evaluate("[heard, notified]")[0] == 2
    assert desk.page.evaluate("notified[1][1]") == "Новых с открытия страницы: 2."

    desk.page.reload()
    desk.press(desk.page.get_by_text("Сообщать о новых инцидентах"))
    expect(desk.page.get_by_label("Звук")).to_be_checked()
    desk.page.evaluate("answer = 'denied'")
    expect(
        desk.page.get_by_label("Уведомление на рабочем столе")
    ).not_to_be_checked()  # this browser forgot its permission
    desk.press(desk.page.get_by_label("Уведомление на рабочем столе"))
    expect(desk.page.get_by_text("Браузер не разрешает")).to_be_visible()
    expect(desk.page.get_by_label("Уведомление на рабочем столе")).not_to_be_checked()


def test_one_of_two_windows_is_heard(opened, record):
    desk = opened(LIST)
    desk.page.evaluate("localStorage.setItem('news sound', 'yes')")
    desk.context.add_init_script(HEARD)
    desk.page.reload()
    second = desk.context.new_page()
    second.clock.install()
    second.goto(desk.page.url)
    record("Насос 10 стоит")
    turn(desk, bar(desk).get_by_text("Новых"))
    second.wait_for_function(
        "() => localStorage.getItem('news told')"
    )  # what one window keeps comes to others with a delay
    second.clock.fast_forward(21_000)
    expect(second.get_by_role("status").get_by_text("Новых")).to_be_visible()
    assert sorted(page.evaluate("heard") for page in (desk.page, second)) == [0, 1]


def test_the_end_of_the_session_is_told_once(opened, service):
    desk = opened(LIST, None, storage_state=log_in(service, "petrova"))
    asked = []
    desk.page.on("request", lambda request: asked.append(request.url) if "/news/" in request.url else None)
    desk.context.clear_cookies()
    turn(desk, bar(desk).get_by_text("Сеанс завершён"))
    number = len(asked)
    desk.page.clock.fast_forward(600_000)
    desk.page.wait_for_timeout(500)
    assert len(asked) == number
    desk.press(bar(desk).get_by_role("link", name="Войти"))
    expect(desk.page.get_by_role("heading", level=1)).to_have_text("Войти")


def test_failures_make_the_pauses_longer_and_are_told(opened):
    desk = opened(BOARD)
    asked = []

    def fail(route):
        asked.append(desk.page.evaluate("Date.now()"))
        route.fulfill(status=503)

    desk.page.route("**/news/", fail)
    told = bar(desk).get_by_text("Сервис не отвечает")

    def is_told():
        desk.page.clock.run_for(2_000)
        return told.is_visible()

    wait_until(is_told)
    pauses = [round((later - one) / 1000) for one, later in pairwise(asked)]
    assert pauses == sorted(pauses) and pauses[-1] >= 40, pauses
    desk.page.unroute("**/news/")
    desk.page.clock.fast_forward(300_000)
    expect(told).to_be_hidden()
    wait_until(lambda: desk.page.wait_for_timeout(100) or len(desk.faults) >= len(asked))
    for _ in asked:
        desk.expect_fault("503")


def test_without_scripts_there_is_no_bar(sit_down):
    page = sit_down("petrova", device=PHONE, java_script_enabled=False).goto(BOARD)
    expect(page.locator("#news > *").filter(visible=True)).to_have_count(0)
    expect(page.get_by_text("Сообщать о новых инцидентах")).to_be_hidden()
