from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

OVERWRITES = _("Others changed this after you opened the page. Stored now: %s. Save again to overwrite it.")


class GuardedForm(forms.ModelForm):
    """
    Refuses to overwrite what others have changed since the person opened the page; sent again, it overwrites.

    The form sends with each value the one that the person saw. Fields that the person did not edit stay as stored.
    """

    data: QueryDict

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.changed_by_others: list[str] = []
        # Scripts may send the values alone.
        if self.instance.pk and (not self.is_bound or any(name.startswith("initial-") for name in self.data)):
            for field in self.fields.values():
                # Neither a password's hash nor a secret is shown.
                field.show_hidden_initial = not (field.disabled or isinstance(field.widget, forms.PasswordInput))

    def clean(self) -> dict[str, Any]:
        """Returns the values that the person edited."""
        values: dict[str, Any] = super().clean() or {}
        if not self.instance.pk:
            return values
        shown = self.data.copy()
        for bound in self:
            stored, seen = _sent(bound), self.data.getlist(bound.html_initial_name)
            if not bound.field.show_hidden_initial or _is_same(seen, stored):
                continue
            self.changed_by_others.append(bound.name)
            shown.setlist(bound.html_initial_name, stored)
            if bound.name not in self.changed_data:
                shown.setlist(bound.html_name, stored)
            elif bound.field.has_changed(bound.initial, bound.data):
                self.add_conflict(bound, seen)
        if self.errors:
            self.data = shown
        return {name: value for name, value in values.items() if name in self.changed_data}

    def add_conflict(self, bound: forms.BoundField, seen: list[str]) -> None:
        """Adds the error of a field that was edited, and changed by others after the person saw it."""
        self.add_error(bound.name, OVERWRITES % (_display(bound) or gettext("nothing")))


def _sent(bound: forms.BoundField) -> list[str]:
    """Returns what a page sends in hidden inputs of the stored value."""
    value = bound.field.prepare_value(bound.initial)
    return ["" if one is None else str(one) for one in (value if isinstance(value, list) else [value])]


def _is_same(seen: list[str], stored: list[str]) -> bool:
    """Compares by lines: browsers send `\\r\\n`, and fields strip white space."""
    return sorted("\n".join(text.strip().splitlines()) for text in seen) == sorted(
        "\n".join(text.strip().splitlines()) for text in stored
    )


def _display(bound: forms.BoundField) -> str:
    values, choices = _sent(bound), getattr(bound.field, "choices", ())
    return ", ".join([str(label) for value, label in choices if str(value) in values] or values)
