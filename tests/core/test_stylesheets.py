"""What a linter of stylesheets would find: there is none on PyPI, and oxfmt checks only the syntax."""

import re
from collections import Counter
from pathlib import Path

import django.contrib.admin
import pytest

ROOT = Path(__file__).resolve().parents[2]
DJANGO = Path(django.contrib.admin.__file__).parent
STYLESHEETS = sorted(ROOT.glob("*/static/*/*.css"))
RULE = re.compile(r"([^{};]+)\{([^{}]*)\}")


def _read(path):
    return re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)


def test_custom_properties_are_declared():
    styles = "".join(map(_read, [*STYLESHEETS, *DJANGO.rglob("*.css")]))
    declared = set(re.findall(r"(--[\w-]+)\s*:", styles))
    assert set(re.findall(r"var\((--[\w-]+)", "".join(map(_read, STYLESHEETS)))) <= declared


@pytest.mark.parametrize("path", STYLESHEETS, ids=lambda path: path.name)
def test_no_rule_declares_a_property_twice(path):
    for selector, body in RULE.findall(_read(path)):
        names = Counter(re.findall(r"^\s*([\w-]+):", body, flags=re.MULTILINE))
        assert [name for name, n in names.items() if n > 1] == [], selector
