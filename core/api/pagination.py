from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response


class PageNumbers(PageNumberPagination):
    """Pagination by page number: 404 past the end, 400 for a page size out of range."""

    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 1000

    def get_page_size(self, request: Request) -> int:
        """Raises ValidationError."""
        size = _last(request.query_params.getlist("page_size") or [str(self.page_size)], self.max_page_size)
        if size is None:
            raise page_size_out_of_range()
        return size

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Raises NotFound."""
        return self.paginate(lambda offset, limit: (queryset.count(), list(queryset[offset : offset + limit])), request)

    def paginate(self, read: Callable[[int, int], tuple[int, list[Any]]], request: Request) -> list[Any]:
        """Reads the rows of the page; `read` takes offset and limit, returns count and rows. Raises NotFound."""
        self._request = request
        size = self.get_page_size(request)
        # With 15 digits and the largest page size the offset still fits a bigint.
        number = _last(request.query_params.getlist("page") or ["1"], 10**15 - 1)
        if number is None:
            raise NotFound
        self.count, rows = read((number - 1) * size, size)
        if number > 1 and not rows:
            raise NotFound
        self.number, self.has_next = number, number * size < self.count
        return rows

    def get_next_link(self) -> str | None:
        return self._link(self.number + 1) if self.has_next else None

    def get_previous_link(self) -> str | None:
        return self._link(self.number - 1) if self.number > 1 else None

    def _link(self, page: int) -> str:
        # From the parsed query: the raw one may contain UTF-8, which WSGI passes as Latin-1.
        query = dict(self._request.query_params.lists()) | {"page": page}
        address = f"{self._request.scheme}://{self._request.get_host()}{self._request.path}"
        return f"{address}?{urlencode(query, doseq=True, safe=',')}"

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        page = {"type": "integer", "minimum": 1, "default": 1, "example": 1}
        size = {
            "type": "integer",
            "minimum": 1,
            "maximum": self.max_page_size,
            "default": self.page_size,
            "example": 100,
        }
        return [
            {"name": "page", "in": "query", "description": "404 past the end.", "schema": page},
            {"name": "page_size", "in": "query", "description": "Entries of a page.", "schema": size},
        ]

    def get_paginated_response_schema(self, schema: Any) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri", "example": None}
        return {
            "type": "object",
            "required": ["count", "next", "previous", "results"],
            "properties": {
                "count": {"type": "integer", "minimum": 0, "description": "Of all pages.", "example": 0},
                "next": {**link, "description": "The address of the next page."},
                "previous": {**link, "description": "The address of the previous page."},
                "results": schema,
            },
        }

    def body(self, rows: list[Any]) -> dict[str, Any]:
        return {
            "count": self.count,
            "next": self.get_next_link(),
            "previous": self.get_previous_link(),
            "results": rows,
        }

    def get_paginated_response(self, data: Any) -> Response:
        return Response(self.body(data))


def page_size_out_of_range() -> ValidationError:
    message = _("Ensure this value is an integer from 1 to %(limit)d.") % {"limit": PageNumbers.max_page_size}
    return ValidationError({"page_size": [message]}, code="invalid")


def _last(given: list[str], most: int) -> int | None:
    """Returns the last of the repeated values; None if any of them is no integer from 1 to `most`."""
    numbers = [int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0 for text in given]
    return numbers[-1] if all(0 < number <= most for number in numbers) else None
