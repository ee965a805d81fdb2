"""
What a linter of stylesheets would find: there is none on PyPI, and oxfmt checks only the syntax.

tests/e2e/browser/test_stylesheets.py asks Chromium for the rest.
"""

import re
from collections import Counter
from pathlib import Path

import django.contrib.admin
import pytest

from tests.helpers.stylesheets import STYLESHEETS, read, rules

DJANGO = Path(django.contrib.admin.__file__).parent


def test_custom_properties_are_declared():
    styles = "".join(map(read, [*STYLESHEETS, *DJANGO.rglob("*.css")]))
    declared = set(re.findall(r"(--[\w-]+)\s*:", styles))
    assert set(re.findall(r"var\((--[\w-]+)", "".join(map(read, STYLESHEETS)))) <= declared


@pytest.mark.parametrize("path", STYLESHEETS, ids=lambda path: path.name)
def test_no_rule_declares_a_property_twice(path):
    for selector, body in rules(read(path)):
        names = Counter(re.findall(r"^\s*([\w-]+):", body, flags=re.MULTILINE))
        assert [name for name, n in names.items() if n > 1] == [], selector
