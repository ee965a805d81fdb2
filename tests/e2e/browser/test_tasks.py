"""What operators do all day, from the board: how often they press, and that it works."""

import csv
import io
import random
import zipfile

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.e2e

LIST = "/api/admin/incidents/incident/"


def of(number):
    return f"{LIST}{number}/change/"


def edit(page):
    """The field of the description, once the form is open."""
    page.locator("summary").get_by_text("Изменить").click()
    return page.get_by_label("Описание")


def row_of(page, number):
    return page.locator("#result_list tbody tr").filter(has=page.get_by_role("link", name=f"№{number}", exact=True))


@pytest.fixture
def desk(sit_down, device):
    return sit_down("petrova", device=device)


def test_board_shows_the_oldest_first(operator):
    with operator.task("what is open now", presses=0) as page:
        expect(page.locator(".board-open li").nth(9)).to_be_in_viewport(ratio=1)
        for rows in page.locator(".board-open ol").all():
            urgent, others = (
                [time.get_attribute("datetime") for time in rows.locator(f"li{which} time").all()]
                for which in (":has(.urgent)", ":not(:has(.urgent))")
            )
            assert [time.get_attribute("datetime") for time in rows.locator("li time").all()] == [*urgent, *others]
            assert urgent == sorted(urgent) and others == sorted(others) and others


def test_take_and_resolve_on_the_board(desk):
    with desk.task("take on the board", presses=1) as page:
        button = page.get_by_role("button", name="Взять №").first
        number = button.inner_text().split("№")[1]
        desk.press(button)
        row = page.locator(".board-taken li").filter(has_text=f"№{number}")
        expect(row).to_contain_text("Анна")
    with desk.task("resolve on the board", presses=1) as page:
        desk.press(page.get_by_role("button", name=f"Решить №{number}"))
        expect(page.locator(".board-open li").filter(has_text=f"№{number}")).to_have_count(0)
        expect(page.locator(".messagelist")).to_contain_text(f"№{number}")


def test_take_and_resolve_in_the_list(desk, record):
    number = record("Точка 17 не отвечает")
    with desk.task("take in the list", presses=1, path=LIST) as page:
        desk.press(row_of(page, number).get_by_role("button", name="Взять"))
        expect(row_of(page, number)).to_contain_text("В работе")
        expect(row_of(page, number)).to_contain_text("Анна")
    with desk.task("resolve in the list", presses=1, path=LIST) as page:
        desk.press(row_of(page, number).get_by_role("button", name="Решить"))
        expect(row_of(page, number)).to_contain_text("Решён")


def test_take_and_resolve_on_its_page(desk, record):
    number = record("Точка 18 не отвечает")
    with desk.task("take on its page", presses=1, path=of(number)) as page:
        desk.press(page.get_by_role("button", name="Взять"))
        expect(page.locator(".incident-head")).to_contain_text("Кто взял: Анна")
        expect(page.locator(".timeline li").first).to_contain_text("В работе")
    with desk.task("resolve on its page", presses=1, path=of(number)) as page:
        desk.press(page.get_by_role("button", name="Решить"))
        expect(page.locator(".incident-head .pill")).to_have_text("Решён")


def test_close_ten_and_undo(desk, record):
    numbers = [record(f"Самокат {number} перевёрнут") for number in range(400_000, 400_010)]
    with desk.task("close ten", presses=12, path=LIST) as page:
        for number in numbers:
            desk.press(row_of(page, number).get_by_role("checkbox"))
        close = page.get_by_role("button", name="Закрыть")
        expect(close).to_be_in_viewport(ratio=1)
        desk.look("ticked", whole=False)
        desk.press(close)
        expect(page.locator("#content")).to_contain_text("10 инцидентов")
        desk.look("asked")
        assert desk.accessibility() == []
        desk.press(page.get_by_role("button", name="Да, изменить"))
        for number in numbers:
            expect(page.locator(".messagelist")).to_contain_text(f"№{number}")
            expect(row_of(page, number)).to_contain_text("Закрыт")
    desk.look("closed")
    desk.presses = 0
    desk.press(page.get_by_role("button", name="Отменить"))
    for number in numbers:
        expect(row_of(page, number)).to_contain_text("Открыт")
    assert desk.presses == 1


def test_comment(desk, record):
    number = record("Самокат номер 512345 не в сети")
    with desk.task("add a comment", presses=1, path=of(number)) as page:
        desk.press(page.get_by_placeholder("Напишите комментарий"))
        page.keyboard.type("Выехал техник, будет через час")
        page.keyboard.press("Control+Enter")
        expect(page.locator(".timeline li").first).to_contain_text("Выехал техник, будет через час")
        expect(page.locator(".timeline li").first).to_contain_text("Анна")


def test_find_by_number(operator, record):
    number = record("Не работает терминал")
    for query in (f"{number}", f"№{number}", f"#{number}"):
        with operator.task(f"find {query}", presses=1) as page:
            operator.press(page.get_by_role("searchbox"))
            page.keyboard.type(query)
            page.keyboard.press("Enter")
            page.wait_for_url(f"**{of(number)}")


def test_find_by_words_in_any_order(desk, record):
    scooter = random.randrange(10**6, 10**9)
    number = record(f"Самокат {scooter} лежит поперёк тротуара у метро «Киевская»")
    with desk.task("find by words", presses=1, path=LIST) as page:
        desk.press(page.get_by_role("searchbox"))
        page.keyboard.type(f"киевская тротуара {scooter}")
        page.keyboard.press("Enter")
        expect(page.locator("#result_list tbody tr")).to_have_count(1)
        expect(row_of(page, number)).to_be_visible()


def test_unknown_number(desk):
    page = desk.goto(f"{LIST}?q=№999999")
    expect(page.get_by_role("main")).to_contain_text("Нет инцидента с таким номером")


def test_edit_the_description(desk, record):
    number = record("Самокат 600000 не в сети")
    with desk.task("edit the description", presses=2, path=of(number)) as page:
        expect(page.locator(".record")).to_contain_text("Самокат 600000 не в сети")
        desk.press(page.locator("summary").get_by_text("Изменить"))
        expect(page.get_by_label("Описание")).to_be_focused()
        page.keyboard.press("Control+A")
        page.keyboard.type("Самокат 600000 украден")
        desk.press(page.get_by_role("button", name="Сохранить"))
        expect(page.locator(".record > .text")).to_have_text("Самокат 600000 украден")
        expect(page.get_by_label("Описание")).to_be_hidden()


def test_a_typed_description_is_in_sight_after_a_comment(operator, record):
    page = operator.goto(of(record("Самокат 600001 не в сети")))
    edit(page).fill("Самокат 600001 украден")
    page.get_by_placeholder("Напишите комментарий").fill("Проверила камеры")
    page.get_by_role("button", name="Добавить комментарий").click()
    expect(page.locator(".timeline li").first).to_contain_text("Проверила камеры")
    expect(page.get_by_label("Описание")).to_be_visible()
    expect(page.get_by_label("Описание")).to_have_value("Самокат 600001 украден")
    page.get_by_label("Описание").fill("Самокат 600001 не в сети")


def test_two_windows(sit_down, record):
    number = record("Самокат 611111 не в сети")
    anna, oleg = sit_down("petrova"), sit_down("sidorov")
    for desk, text in ((anna, "Самокат 611111 нашёлся на складе"), (oleg, "Самокат 611111 украден")):
        edit(desk.goto(of(number))).fill(text)
    anna.page.get_by_placeholder("Напишите комментарий").fill("Проверила камеры")
    oleg.press(oleg.page.get_by_role("button", name="Сохранить"))
    expect(oleg.page.locator(".messagelist")).to_contain_text("Сохранено")
    anna.press(anna.page.get_by_role("button", name="Сохранить"))
    theirs, mine = anna.page.locator(".theirs"), anna.page.locator(".mine textarea")
    expect(theirs).to_contain_text("Самокат 611111 украден")
    expect(theirs).to_contain_text("Олег")
    expect(mine).to_have_value("Самокат 611111 нашёлся на складе")
    expect(anna.page.get_by_placeholder("Напишите комментарий")).to_have_value("Проверила камеры")
    anna.look("refused")
    anna.press(anna.page.get_by_role("button", name="Сохранить моё поверх"))
    expect(anna.page.locator(".record > .text")).to_have_text("Самокат 611111 нашёлся на складе")
    expect(anna.page.get_by_placeholder("Напишите комментарий")).to_have_value("Проверила камеры")
    anna.page.get_by_placeholder("Напишите комментарий").fill("")


def test_a_page_with_unsaved_text_asks(operator, record):
    page = operator.goto(of(record("Самокат 622222 не в сети")))
    page.get_by_placeholder("Напишите комментарий").click()
    page.keyboard.type("Ещё не всё")
    asked = []
    page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.get_by_role("link", name="Обзор").click(no_wait_after=True)
    expect(page.get_by_placeholder("Напишите комментарий")).to_have_value("Ещё не всё")
    assert asked == ["beforeunload"]


def test_this_week_as_a_spreadsheet(operator, record):
    record('=HYPERLINK("http://example.org";"Нажмите")')
    files = {}
    for kind in ("CSV", "Excel"):
        with operator.task(f"this week as {kind}", presses=2) as page:
            operator.press(page.get_by_role("row", name="Новые").get_by_role("link").first)
            with page.expect_download() as download:
                operator.press(page.get_by_role("link", name=kind, exact=True))
            files[kind] = download.value.path().read_bytes()
    rows = list(csv.DictReader(io.StringIO(files["CSV"].decode("utf-8-sig")), delimiter=";"))
    assert len(rows) > 50 and rows[0]["Описание"].startswith("'=HYPERLINK") and rows[0]["Статус"] == "Открыт"
    with zipfile.ZipFile(io.BytesIO(files["Excel"])) as book:
        assert book.testzip() is None
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<row ") == len(rows) + 1 and "HYPERLINK" in sheet and "<f>" not in sheet


def test_this_week_against_last(operator):
    with operator.task("this week against last", presses=0) as page:
        new = page.get_by_role("row", name="Новые").get_by_role("cell")
        expect(new).to_have_count(2)
        expect(new.last).to_be_in_viewport()
        this_week, last_week = (int(cell.inner_text()) for cell in new.all())
        assert this_week and last_week
        expect(page.get_by_role("row", name="Медиана до решения")).to_be_visible()


def test_board_keeps_itself_up_to_date(operator, record):
    operator.page.clock.install()
    page = operator.goto("/api/admin/")
    new = page.get_by_role("row", name="Новые").get_by_role("cell").first
    before = int(new.inner_text())
    record("Точка 19 не отвечает")
    page.clock.run_for(31_000)
    expect(new).to_have_text(str(before + 1))


def test_hostile_text_is_inert(desk, record):
    number = record(
        '"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}\u202e<style>*{display:none}</style>'
    )
    for path in (LIST, of(number), f"{LIST}{number}/history/"):
        page = desk.goto(path)
        expect(page.get_by_text("<script>alert(2)</script>{{7*7}}").first).to_be_visible()
        desk.look(path.strip("/").split("/")[-1])


def test_a_long_link_wraps_and_can_be_pressed(desk, record):
    url = "https://yandex.ru/maps/213/moscow/?ll=37.622504%2C55.753215&text=" + "x" * 1_000
    number = record(f"Точка на карте: {url}")
    page = desk.goto(of(number))
    page.get_by_placeholder("Напишите комментарий").fill(url)
    desk.press(page.get_by_role("button", name="Добавить комментарий"))
    expect(page.locator(f'.timeline a[href="{url}"]')).to_have_count(1)
    expect(page.locator(f'.incident-main a[href="{url}"]')).to_be_visible()
    if not desk.phone:
        end = page.locator(".incident-main").bounding_box()
        assert end["x"] + end["width"] <= page.locator(".timeline").bounding_box()["x"]
        assert edit(page).bounding_box()["width"] < end["width"]
    for path in ("/api/admin/", f"{LIST}?q=карте", of(number), f"{LIST}{number}/history/"):
        desk.goto(path)
        assert page.evaluate("() => document.scrollingElement.scrollWidth <= innerWidth"), path
        desk.look(path.strip("/").split("/")[-1][:9])
