from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.functional import cached_property

COUNTED = 10_000
MOST_AT_ONCE = 500  # Django reads a form of at most DATA_UPLOAD_MAX_NUMBER_FIELDS, which is 1000


class BoundedPaginator(Paginator):
    """Counts no further than an operator pages: a count of a million rows would cost more than the page."""

    @cached_property
    def count(self) -> int:
        return min(self._counted, COUNTED)

    @property
    def more(self) -> bool:
        """Whether there are more rows than `count`."""
        return self._counted > COUNTED

    @cached_property
    def _counted(self) -> int:
        return self.object_list[: COUNTED + 1].count()  # type: ignore[attr-defined]


class BoundedChangeList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if self.paginator.more:
            # The search form would say "10000 results".
            self.full_result_count = self.result_count

    @property
    def can_select_all(self) -> bool:
        return self.result_count <= MOST_AT_ONCE and not self.paginator.more
