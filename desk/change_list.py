import re

from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property

from incidents.history import names_of_takers

MAX_COUNTED = 10_000  # rows
MAX_AT_ONCE = 500  # incidents: Django reads a form of at most DATA_UPLOAD_MAX_NUMBER_FIELDS, which is 1000
MAX_WORDS = 20
NUMBER = re.compile(r"\s*[№#]?\s*([0-9]{1,19})\s*")
# The trigram index of PostgreSQL knows three letters or digits in a row: without them, every description is read.
INDEXED = re.compile(r"[^\W_]{3}")


def number_in(query: str) -> int | None:
    """Returns the number of `2985`, `№2985` or `#2985`, if an incident can have it."""
    match = NUMBER.fullmatch(query)
    return number if match and (number := int(match[1])) < 2**63 else None


def words_in(query: str) -> list[str]:
    """Returns what a description must contain: each word, or the whole text where it is in quotes."""
    query = query.strip()
    if len(query) > 2 and query[0] == query[-1] == '"':
        return [query[1:-1]]
    if NUMBER.fullmatch(query):
        query = query.lstrip("№# ")
    return query.split(maxsplit=MAX_WORDS - 1)


def is_too_short(words: list[str]) -> bool:
    """Tells whether no index can find the words. Shorter words are searched for together with a longer one."""
    return bool(words) and not any(map(INDEXED.search, words))


class BoundedPaginator(Paginator):
    """Counts no further than an operator pages: a count of a million rows would cost more than the page."""

    @cached_property
    def count(self) -> int:
        return min(self._counted, MAX_COUNTED)

    @property
    def more(self) -> bool:
        """Whether there are more rows than `count`."""
        return self._counted > MAX_COUNTED

    @cached_property
    def _counted(self) -> int:
        # Without an order the database stops at the first rows that it finds.
        return self.object_list.order_by()[: MAX_COUNTED + 1].count()  # type: ignore[attr-defined]


class BoundedChangeList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if self.paginator.more:
            # The search form would say "10000 results".
            self.full_result_count = self.result_count
        self.result_list = list(self.result_list)

    def find_takers(self) -> None:
        takers = names_of_takers(self.result_list)
        for incident in self.result_list:
            incident.taker = takers.get(incident.pk, "")

    @property
    def number(self) -> int | None:
        """The incident's number, if that is what is searched for."""
        return number_in(self.query)

    @property
    def is_too_short(self) -> bool:
        return is_too_short(words_in(self.query))

    @property
    def can_select_all(self) -> bool:
        return self.result_count <= MAX_AT_ONCE and not self.paginator.more
