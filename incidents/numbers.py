"""The numbers by which people name a thing, such as a scooter: five or more digits in a row in a description."""

import re
from collections.abc import Sequence

from django.db.models import Q

from incidents.store import store

NUMBER = re.compile(r"(?<![0-9])[0-9]{5,50}(?![0-9])")
ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
MAX_NUMBERS = 5  # of a text: each is searched for
MAX_FOUND = 1_000  # incidents that contain the digits, the newest: a number may be in each


def numbers_in(text: str) -> list[str]:
    """Returns the first numbers of a text, each once; not those in addresses."""
    return list(dict.fromkeys(NUMBER.findall(ADDRESS.sub(" ", text))))[:MAX_NUMBERS]


def name_one_of(numbers: Sequence[str]) -> Q:
    """Returns the condition for descriptions that have one of the numbers, not as a part of a longer one."""
    whole = rf"(^|[^0-9])({'|'.join(numbers)})([^0-9]|$)"
    return store.newest_mentions(numbers, MAX_FOUND) & Q(description__regex=whole)
