"""Pages of the admin in WebKit, which is what phones from Apple have: nothing is cut, and the log-in works."""

import pytest

from tests.e2e.browser.test_pages import PAGES
from tests.helpers.webkit import webkit

pytestmark = pytest.mark.e2e

# A select is cut where it is lower than its text makes it.
CUT = """[...document.querySelectorAll("select")].filter((select) => {
  const height = select.offsetHeight;
  select.style.setProperty("height", "auto", "important");
  return height < select.offsetHeight;
}).map((select) => select.name)"""


@pytest.fixture(scope="module")
def browser(service, cookies):
    with webkit() as browser:
        browser.goto(f"{service.url}/api/admin/login/")
        for cookie in cookies["admin"]["cookies"]:
            browser.add_cookie(cookie["name"], cookie["value"])
        yield browser


@pytest.mark.parametrize("width", [390, 1280], ids=["phone", "desktop"])
@pytest.mark.parametrize("name", PAGES)
def test_page(browser, service, width, name):
    browser.resize(width, 844)
    browser.goto(f"{service.url}{PAGES[name]}")
    assert browser.evaluate("document.querySelectorAll('h1').length") == 1
    assert browser.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    assert browser.evaluate(CUT) == []
