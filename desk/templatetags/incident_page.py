"""Template filters of an incident's page."""

import re
from itertools import takewhile
from typing import NamedTuple

from django import template
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from desk.templatetags.desk import linked
from incidents.models import Source

register = template.Library()


class Difference(NamedTuple):
    """Two texts, word by word: what they begin and end with in common, and what is between in each."""

    before: str
    old: str
    new: str
    after: str


@register.filter
def difference(old: str, new: str) -> Difference:
    olds, news = (re.findall(r"\s+|\S+", text) for text in (old, new))
    begin = _common(olds, news)
    end = _common(olds[begin:][::-1], news[begin:][::-1])
    rest = len(olds) - end
    parts = olds[:begin], olds[begin:rest], news[begin : len(news) - end], olds[rest:]
    return Difference(*map("".join, parts))


def _common(one: list[str], other: list[str]) -> int:
    """Counts the words that both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


@register.filter
def tail(text: str, length: int) -> str:
    """Returns the last words of a text, as `truncatechars` does its beginning."""
    return text if len(text) <= length else f"…{text[-length:].partition(' ')[2]}"


@register.filter
def source_name(source: str) -> str:
    return str(Source(source).label)


@register.filter
def reason(error: str) -> SafeString:
    """Returns why there is no file, in the operator's language where that is known, with links."""
    return linked(gettext(error))
