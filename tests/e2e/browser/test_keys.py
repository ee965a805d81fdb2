"""The desk by single keys, on a Latin and a Russian layout, and without them."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.e2e

BOARD = "/api/admin/"
LIST = "/api/admin/incidents/incident/"
FOCUSED_ROW = "() => document.activeElement.closest('tr, .board-open li')?.innerText ?? ''"
# What the physical keys write on ЙЦУКЕН; `/` and `?` are elsewhere there.
RUSSIAN = {"n": "т", "j": "о", "k": "л", "t": "е", "r": "к", "c": "с", "/": ".", "?": ","}
SEND = """([key, code, options]) => {
  const event = new KeyboardEvent("keydown", { key, code, bubbles: true, cancelable: true, ...options });
  return !document.activeElement.dispatchEvent(event);
}"""


def type_latin(page, key):
    page.keyboard.press(key)


def type_russian(page, key):
    """As a browser tells of the same key on another layout."""
    code = "Slash" if key in "/?" else f"Key{key.upper()}"
    page.evaluate(SEND, [RUSSIAN[key], code, {"shiftKey": key == "?"}])


@pytest.fixture(params=[type_latin, type_russian], ids=["latin", "russian"])
def press(request):
    return request.param


def of(number):
    return f"{LIST}{number}/change/"


@pytest.mark.parametrize("path", [BOARD, LIST])
def test_rows_are_walked_through(operator, press, path):
    page = operator.goto(path)
    texts = page.locator("#result_list tbody tr, .board-open li").all_inner_texts()
    for key, index in [("j", 0), ("j", 1), ("j", 2), ("k", 1), ("k", 0), ("k", 0)]:
        press(page, key)
        assert page.evaluate(FOCUSED_ROW) == texts[index]
    expect(page.locator(":focus")).to_be_in_viewport()
    assert operator.accessibility() == []
    operator.look("row", whole=False)
    page.keyboard.press("Enter")
    expect(page.locator(".incident-head")).to_be_visible()


def test_take_and_resolve_the_row_that_has_the_focus(operator, press, record):
    number = record("Точка 17 не отвечает")
    page = operator.goto(LIST)
    row = page.locator("#result_list tbody tr").filter(has=page.locator(f"#incident-{number}"))
    press(page, "t")  # of no row
    press(page, "j")
    press(page, "t")
    expect(row).to_contain_text("В работе")
    page.wait_for_load_state()  # The row has the focus once the page has its scripts.
    press(page, "r")
    expect(row).to_contain_text("Решён")


def test_take_comment_and_resolve_on_its_page(operator, press, record):
    number = record("Точка 18 не отвечает")
    page = operator.goto(of(number))
    press(page, "t")
    expect(page.locator(".incident-head")).to_contain_text("Кто взял: Анна")
    page.wait_for_load_state()
    press(page, "c")
    expect(page.get_by_placeholder("Напишите комментарий")).to_be_focused()
    expect(page.get_by_placeholder("Напишите комментарий")).to_have_value("")
    page.keyboard.type("trn ок")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".timeline li").first).to_contain_text("trn ок")
    expect(page.locator(".incident-head .pill")).to_have_text("В работе")
    page.wait_for_load_state()
    press(page, "r")
    expect(page.locator(".incident-head .pill")).to_have_text("Решён")


def test_search_and_a_new_incident(sit_down, press):
    for size in ({"width": 1280, "height": 800}, {"width": 800, "height": 800}):
        page = sit_down("petrova", device={"viewport": size}).goto(BOARD)
        press(page, "/")
        expect(page.get_by_role("searchbox").filter(visible=True)).to_be_focused()
        expect(page.get_by_role("searchbox").filter(visible=True)).to_have_value("")
        page = sit_down("petrova", device={"viewport": size}).goto(LIST)
        press(page, "n")
        page.wait_for_url(f"**{LIST}add/")
        expect(page.get_by_label("Описание")).to_be_focused()


def test_the_list_of_keys(sit_down, press, device):
    desk = sit_down("petrova", device=device)
    page = desk.goto(BOARD)
    press(page, "?")
    dialog = page.get_by_role("dialog", name="Клавиши")
    expect(dialog).to_be_visible()
    desk.look("keys", whole=False)
    assert desk.accessibility() == []
    press(page, "n")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    if desk.phone:
        desk.press(page.get_by_role("button", name="Меню"))
    desk.press(page.get_by_role("button", name="Клавиши"))
    expect(dialog).to_be_visible()
    desk.press(dialog.get_by_role("button", name="Закрыть"))
    expect(dialog).to_be_hidden()
    assert page.url.endswith(BOARD)


def test_they_are_turned_off_and_on(operator):
    page = operator.goto(BOARD)
    new = page.get_by_role("link", name="Новый инцидент")
    expect(new).to_have_attribute("aria-keyshortcuts", "n")
    page.keyboard.press("?")
    page.get_by_label("Клавиши включены").uncheck()
    page.keyboard.press("Escape")
    for _ in range(2):
        expect(new).not_to_have_attribute("aria-keyshortcuts", "n")
        for key in "nj?/":
            page.keyboard.press(key)
        assert page.evaluate(FOCUSED_ROW) == ""
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.reload()
    page.get_by_role("button", name="Клавиши").click()
    page.get_by_label("Клавиши включены").check()
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.wait_for_url(f"**{LIST}add/")


@pytest.mark.parametrize("modifier", ["Control", "Alt", "Meta"])
def test_none_with_a_modifier(operator, modifier):
    page = operator.goto(BOARD)
    for key, code in [("n", "KeyN"), ("/", "Slash"), ("т", "KeyN")]:
        options = {{"Control": "ctrlKey", "Alt": "altKey", "Meta": "metaKey"}[modifier]: True}
        assert page.evaluate(SEND, [key, code, options]) is False
    assert page.evaluate(SEND, ["N", "KeyN", {"shiftKey": True}]) is False
    assert page.evaluate(SEND, ["n", "KeyN", {"repeat": True}]) is False
    assert page.url.endswith(BOARD)


def test_none_while_text_is_typed(operator, record):
    page = operator.goto(of(record("Точка 19 не отвечает")))
    for field in page.locator("main").locator("textarea, select, input:not([type=hidden])").filter(visible=True).all():
        field.focus()
        for key in ("t", "n", "?"):
            assert page.evaluate(SEND, [key, f"Key{key.upper()}", {}]) is False
    page.evaluate("document.querySelector('h1').contentEditable = true")
    page.locator("h1").focus()
    assert page.evaluate(SEND, ["t", "KeyT", {}]) is False
    expect(page.locator(".incident-head .pill")).to_have_text("Открыт")


def test_none_twice_while_a_form_is_being_sent(operator, record):
    page = operator.goto(of(record("Точка 20 не отвечает")))
    posts = []
    page.on("request", lambda request: request.method == "POST" and posts.append(request.url))
    used = page.evaluate(
        """() => ["t", "t", "r", "n"].map((key) => {
          const options = { key, code: `Key${key.toUpperCase()}`, bubbles: true, cancelable: true };
          return !document.body.dispatchEvent(new KeyboardEvent("keydown", options));
        })"""
    )
    assert used == [True, False, False, False]
    expect(page.locator(".incident-head .pill")).to_have_text("В работе")
    assert len(posts) == 1


def test_a_ticked_row_is_no_text(operator):
    page = operator.goto(LIST)
    page.get_by_role("checkbox").nth(2).check()
    page.keyboard.press("j")
    assert page.evaluate(FOCUSED_ROW) != ""
