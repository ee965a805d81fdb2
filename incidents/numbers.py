"""The numbers by which people name a thing, such as a scooter: five or more digits in a row in a description."""

import re
from collections.abc import Iterable

from django.db.models import Q

from incidents.store import store

NUMBER = re.compile(r"(?<![0-9])[0-9]{5,30}(?![0-9])")
MAX_NUMBERS = 5  # of a text: each is searched for


def numbers_in(text: str) -> list[str]:
    """Returns the first numbers of a text, each once."""
    return list(dict.fromkeys(NUMBER.findall(text)))[:MAX_NUMBERS]


def names_any(numbers: Iterable[str]) -> Q:
    """Returns the condition for descriptions that have one of the numbers, not as a part of a longer one."""
    found = list(numbers)
    # An index finds what contains the digits; the expression is left to check few rows.
    whole = Q(description__regex=rf"(^|[^0-9])({'|'.join(found)})([^0-9]|$)")
    return store.mentions_any(*found) & whole
