"""What every list and every form of the admin does."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import FieldDoesNotExist
from django.db import DataError, NotSupportedError, transaction
from django.http import Http404, HttpRequest

from core.forms import GuardedForm

# Django passes the value of a range in pieces; a regular expression may be malformed, or run for hours.
REFUSED_LOOKUPS = {"range", "contained_by", "regex", "iregex"}


class ListAdmin(admin.ModelAdmin):
    phone_hidden: tuple[str, ...] = ()  # of list_display: a phone has no room for them, and they are on each row's page

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        # Django looks up the field that an empty `_to_field` names.
        return super().get_object(request, object_id, from_field or None)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """
        Refuses as an invalid filter what the database refuses too, such as a year 999999.

        Raises IncorrectLookupParameters, which leads to the list without filters, or Http404 where that was tried.
        """
        lookups = {name.split("__")[-1] for name in request.GET if "__" in name}
        try:
            if lookups & REFUSED_LOOKUPS:
                raise FieldDoesNotExist
            return super().get_changelist_instance(request)
        except (DataError, FieldDoesNotExist, NotSupportedError, OverflowError, ValueError) as exc:
            if request.method != "GET" or ERROR_FLAG in request.GET:
                raise Http404 from exc
            raise IncorrectLookupParameters from exc


class GuardedAdmin(ListAdmin):
    form = GuardedForm

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Locks the row where a transaction is open: a form compares and saves in one."""
        obj = super().get_object(request, object_id, from_field)
        if obj and transaction.get_connection().in_atomic_block:
            return self.model._default_manager.select_for_update(no_key=True).filter(pk=obj.pk).first()
        return obj
