"""Chromium knows every property, value and selector of the stylesheets: a misspelt one is silently without effect."""

import re

import pytest

from tests.helpers.stylesheets import STYLESHEETS, read, rules

pytestmark = pytest.mark.e2e

UNKNOWN = """(rules) => rules.flatMap(([selector, declarations]) => {
  const unknown = declarations.filter(([name, value]) => !CSS.supports(name, value)).map((pair) => pair.join(": "));
  try { if (selector !== "@page") document.querySelector(selector); } catch { unknown.push(selector); }
  return unknown;
})"""


@pytest.mark.parametrize("path", STYLESHEETS, ids=lambda path: path.name)
def test_every_rule_is_understood(browser, path):
    found = [
        (selector, re.findall(r"([\w-]+):\s*([^;]+?)(?: !important)?;", body)) for selector, body in rules(read(path))
    ]
    page = browser.new_page()
    assert len(found) > 2 and page.evaluate(UNKNOWN, found) == []
    page.close()
