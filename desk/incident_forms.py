"""The forms of an incident's pages."""

from typing import Any, NamedTuple
from uuid import uuid4

from django import forms
from django.conf import settings
from django.contrib.admin.widgets import AdminTextareaWidget
from django.core.exceptions import ValidationError
from django.template.defaultfilters import filesizeformat
from django.utils.functional import cached_property
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from core.forms import GuardedForm
from desk import drafts
from incidents.models import Incident, IncidentChange, Source, Status
from incidents.services import WRITABLE
from incidents.text import DESCRIPTION_MAX_LENGTH, is_blank, normalize_line_breaks

CONFLICT = _("Nothing has been saved yet: others changed this incident after you opened it. Compare, then choose.")
END = "end"
MAX_REASON = 1_000  # characters
LABELS = {"status": dict(Status.choices), "source": dict(Source.choices)}


def display(field: str, value: str) -> str:
    """Returns a value as people read it."""
    return str(LABELS[field].get(value, value)) if field in LABELS else value


class TextField(forms.CharField):
    """Text by the rules of the API's own field."""

    def to_python(self, value: str | None) -> str:
        text = normalize_line_breaks(super().to_python(value) or "")
        return "" if is_blank(text) else text


class OnceField(forms.UUIDField):
    """
    Names one rendering of a form: however often it is sent, it records once.

    Optional, so that scripts can post without it.
    """

    widget = forms.HiddenInput(attrs={"autocomplete": "off"})

    def __init__(self) -> None:
        super().__init__(required=False, initial=uuid4)


class IncidentForm(GuardedForm):
    """A draft is shown with what was typed before a log-in, and is never valid."""

    class Meta:
        model = Incident
        fields = WRITABLE
        field_classes = {"description": TextField}
        widgets: dict[str, Any] = {"description": AdminTextareaWidget}

    def __init__(self, *args: Any, is_draft: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.is_draft = is_draft

    def clean(self) -> dict[str, Any]:
        if self.is_draft:
            self.add_error(None, drafts.NOT_SAVED)
        return super().clean()


class AddForm(IncidentForm):
    urgent = forms.BooleanField(label=_("Urgent"), required=False)
    once = OnceField()

    class Meta(IncidentForm.Meta):
        widgets = {"description": AdminTextareaWidget(attrs={"autofocus": True})}


class Conflict(NamedTuple):
    """A field that was changed after the operator saw it."""

    seen: str
    theirs: str
    entry: IncidentChange | None  # which changed it last


class ChangeForm(IncidentForm):
    """Where others changed what the operator edited, shows both values and offers to keep either."""

    class Meta(IncidentForm.Meta):
        widgets = {**IncidentForm.Meta.widgets, "status": forms.HiddenInput}  # it has buttons of its own

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conflicts: dict[str, Conflict] = {}

    @cached_property
    def changed_data(self) -> list[str]:
        kept = self.data.get("keep", "").split()
        return [name for name in super().changed_data if name not in kept]

    def clean(self) -> dict[str, Any]:
        sent = self.data
        values = super().clean()
        if not self.conflicts:
            # Refused for another reason, the page does not show what others changed: it is told once this is saved.
            self.data = sent
        return values

    def add_conflict(self, bound: forms.BoundField, seen: list[str]) -> None:
        if not self.conflicts:
            self.add_error(None, CONFLICT)
        entry = self.instance.changes.filter(changes__has_key=bound.name).order_by("-id").first()
        before, now = str(bound.field.to_python("".join(seen))), str(bound.initial)
        self.conflicts[bound.name] = Conflict(display(bound.name, before), display(bound.name, now), entry)

    def rows(self) -> list[tuple[forms.BoundField, Conflict | None]]:
        return [(field, self.conflicts.get(field.name)) for field in self.visible_fields()]


class FileInput(forms.FileInput):
    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Any number of files, by the limits of the API."""

    widget = FileInput

    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        files = [super(FilesField, self).clean(each) for each in data or []]
        for file in files:
            if file.size > settings.ATTACHMENT_MAX_BYTES:
                limit = filesizeformat(settings.ATTACHMENT_MAX_BYTES)
                raise ValidationError(
                    _("The file “%(name)s” is larger than %(limit)s: nothing was recorded."),
                    code="max_size",
                    params={"name": file.name, "limit": limit},
                )
        return files


class ReasonForm(forms.Form):
    """Why an incident is closed; a comment on it."""

    reason = TextField(
        label=_("Reason, recorded as a comment"),
        required=False,
        max_length=MAX_REASON,
        widget=forms.Textarea(attrs={"rows": 2}),
    )


class SharedCommentForm(forms.Form):
    """Words that are added to each of many incidents."""

    text = TextField(
        label=_("Comment"),
        max_length=DESCRIPTION_MAX_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3, "autofocus": True}),
    )
    once = OnceField()


def too_many_files() -> str:
    return gettext("An incident has at most %d files: nothing was recorded.") % settings.ATTACHMENT_MAX_NUMBER


class CommentForm(forms.Form):
    """Words, files or both, added to an incident that has `already` so many files."""

    text = TextField(
        label=_("Comment"),
        required=False,
        max_length=DESCRIPTION_MAX_LENGTH,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": _("Write a comment")}),
    )
    file = FilesField(label=_("Attach files"), required=False)
    once = OnceField()

    def __init__(self, *args: Any, already: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.already = already

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        files = values.get("file", [])
        # The last field of the page's form: a body that was cut off has no such field, and its last file is not whole.
        if files and END not in self.data:
            self.add_error("file", _("The files did not arrive whole: nothing was recorded. Send them again."))
        if self.already + len(files) > settings.ATTACHMENT_MAX_NUMBER:
            self.add_error("file", too_many_files())
        if not (values.get("text") or files or self.errors):
            self.add_error("text", _("Write a comment or choose a file."))
        return values
