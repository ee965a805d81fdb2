from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from django.conf import settings
from django.core.files.storage import Storage, storages
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Left
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from core.log.context import current_request_id
from incidents.text import DESCRIPTION_MAX_LENGTH

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EXCERPT_LENGTH = 300  # characters: more than two lines


class Status(models.TextChoices):
    OPEN = "open", _("Open")
    IN_PROGRESS = "in_progress", _("In progress")
    RESOLVED = "resolved", _("Resolved")
    CLOSED = "closed", _("Closed")


UNRESOLVED = (Status.OPEN, Status.IN_PROGRESS)


class Source(models.TextChoices):
    OPERATOR = "operator", _("Operator")
    MONITORING = "monitoring", _("Monitoring")
    PARTNER = "partner", _("Partner")


class Channel(models.TextChoices):
    """The way a change came in."""

    API = "api", _("API")
    ADMIN = "admin", _("Admin site")
    ALERTMANAGER = "alertmanager", _("Alertmanager")
    TELEGRAM = "telegram", _("Telegram")
    WEBHOOK = "webhook", _("Webhook")
    COMMAND = "command", _("Command")


def etag(updated_at: datetime) -> str:
    """Returns the strong entity tag of an incident: every change moves `updated_at` by a microsecond or more."""
    return f'"{(updated_at - EPOCH) // timedelta(microseconds=1):x}"'


class IncidentQuerySet(models.QuerySet["Incident"]):
    def newest_first(self) -> "IncidentQuerySet":
        return self.in_order("-created_at")

    def in_order(self, ordering: str) -> "IncidentQuerySet":
        """Orders by a field, descending with a minus before it; ties go by id in the same direction."""
        return self.order_by(ordering, "-id" if ordering.startswith("-") else "id")

    def with_excerpts(self) -> "IncidentQuerySet":
        """Reads the beginning of each description, as `excerpt`, in place of the whole."""
        return self.defer("description").annotate(excerpt=Left("description", EXCERPT_LENGTH))


class Incident(models.Model):
    """A report of a problem. Written by `services` alone, which keep its history."""

    description = models.TextField(_("description"), max_length=DESCRIPTION_MAX_LENGTH)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.OPEN)
    source = models.CharField(_("source"), max_length=16, choices=Source)
    # Not one of the six fields of the API. db_default: the release before this column inserts too.
    urgent = models.BooleanField(
        _("urgent"), choices=[(True, _("yes")), (False, _("no"))], default=False, db_default=False
    )
    # The main report of the same problem, which is no duplicate itself. An unresolved incident is no duplicate.
    duplicate_of = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        editable=False,
        db_index=False,
        related_name="duplicates",
        verbose_name=_("duplicate of"),
    )
    created_at = models.DateTimeField(_("created at"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("updated at"), default=timezone.now, editable=False)
    # The username or name of the person who has it, or had it when it was resolved or closed; "" where there is none.
    # A trigger keeps it by the history (migration 0025_taken_by), also of what the release before this column writes.
    taken_by = models.CharField(_("taken by"), max_length=150, default="", db_default="", editable=False)

    objects = IncidentQuerySet.as_manager()

    class Meta:
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="incident_newest"),
            models.Index(fields=["status", "-created_at", "-id"], name="incident_status_newest"),
            models.Index(fields=["source", "-created_at", "-id"], name="incident_source_newest"),
            models.Index(fields=["status", "source", "-created_at", "-id"], name="incident_status_source_newest"),
            models.Index(fields=["-created_at", "-id"], name="incident_urgent_newest", condition=Q(urgent=True)),
            models.Index(
                fields=["status", "-created_at", "-id"], name="incident_urgent_status_newest", condition=Q(urgent=True)
            ),
            models.Index(
                fields=["taken_by", "-created_at", "-id"], name="incident_taken_newest", condition=~Q(taken_by="")
            ),
            # Those that a person has now: their number is on each page of the desk.
            models.Index(
                fields=["taken_by", "-created_at", "-id"],
                name="incident_taken_now",
                condition=Q(status="in_progress"),
            ),
            # What follows the id lets wide ranges be counted in the index.
            models.Index(
                fields=["-updated_at", "-id", "status", "source", "created_at"], name="incident_updated_covering"
            ),
            models.Index(fields=["duplicate_of"], name="incident_duplicates", condition=Q(duplicate_of__isnull=False)),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(updated_at__gte=F("created_at")), name="incident_created_then_updated"),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="incident_status_known"),
            models.CheckConstraint(condition=Q(source__in=Source.values), name="incident_source_known"),
        ]

    def __str__(self) -> str:
        return f"№{self.pk}"

    @property
    def etag(self) -> str:
        return etag(self.updated_at)


# The entries by which an incident became resolved, or closed without that; not an undo, which restores an earlier one.
RESOLUTION = Q(taken_by=None) & (
    Q(changes__status__1="resolved")
    | Q(changes__status__1="closed")
    & (Q(changes__status__0=None) | Q(changes__status__0="open") | Q(changes__status__0="in_progress"))
)


class IncidentChange(models.Model):
    """One entry of an incident's history: who changed what, from what to what. Append-only; archived with it."""

    incident = models.ForeignKey(
        Incident, models.PROTECT, related_name="changes", db_index=False, verbose_name=_("incident")
    )
    at = models.DateTimeField(_("at"), default=timezone.now, editable=False)
    actor = models.CharField(_("actor"), max_length=150)
    channel = models.CharField(_("channel"), max_length=16, choices=Channel)
    # {"status": ["open", "closed"]}: the old and the new value of each field that changed. Numbers of incidents are
    # strings: {"duplicate_of": [null, "12"]}, and of the main incident {"duplicate": [null, "34"]}.
    changes = models.JSONField(_("changes"))
    # Of the call that made the change, as in its log lines. db_default: the release before this column inserts too.
    request_id = models.CharField(max_length=128, default=current_request_id, db_default="", editable=False)
    # Of an entry that undoes another: who had taken the incident before that, "" if no one had. None: no undo
    taken_by = models.CharField(max_length=150, null=True, editable=False)  # noqa: DJ001
    author: str  # set by history.name_authors, and so are the next
    taker_names: list[str]  # of a change of `taken_by`: the old and the new one

    class Meta:
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        indexes = [
            models.Index(fields=["incident", "id"], name="incident_change_history"),
            models.Index(fields=["at", "incident"], name="incident_change_resolution", condition=RESOLUTION),
            # The first entries of all incidents, those that have no earlier status
            models.Index(
                fields=["channel", "-at", "-incident"],
                name="incident_change_created",
                condition=Q(changes__status__0=None),
            ),
        ]

    def __str__(self) -> str:
        return f"№{self.incident_id}: {', '.join(name for name, _old, _new in self.display_changes())}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise TypeError("History is append-only")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("History is append-only")

    def values(self) -> dict[str, Any]:
        """Returns the new values that belong into the incident's row, by column: comments, for one, do not."""
        fields = [field for field in Incident._meta.concrete_fields if field.name in self.changes]
        return {field.attname: field.to_python(self.changes[field.name][1]) for field in fields}

    def display_changes(self) -> list[tuple[str, str | None, str | None]]:
        """Returns the name, old and new value of each changed field, for people. So do comments and attachments."""
        fields = [field for field in Incident._meta.fields if field.name in self.changes and not field.is_relation]
        values = self.changes | {"taken_by": getattr(self, "taker_names", self.changes.get("taken_by"))}
        changes = [
            (str(field.verbose_name), *(dict(field.flatchoices).get(value, value) for value in values[field.name]))
            for field in fields
        ]
        for key, name in (("duplicate_of", gettext("duplicate of")), ("duplicate", gettext("duplicate"))):
            if key in self.changes:
                changes.append((name, *(number and f"№{number}" for number in self.changes[key])))
        if "comment" in self.changes:
            changes.append((gettext("comment"), *self.changes["comment"]))
        if "attachment" in self.changes:
            changes.append((gettext("attachment"), *self.changes["attachment"]))
        return changes


def attachment_storage() -> Storage:
    return storages["attachments"]


class Attachment(models.Model):
    """A file that came with a report. Written by `attachments.services`; the file is never in the database."""

    class Kind(models.TextChoices):
        PHOTO = "photo", _("photo")
        VIDEO = "video", _("video")
        VOICE = "voice", _("voice message")
        AUDIO = "audio", _("audio")
        FILE = "file", _("file")

    class State(models.TextChoices):
        STORED = "stored", _("stored")
        PENDING = "pending", _("waits to be fetched")
        FAILED = "failed", _("failed")

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="attachments", db_index=False)
    # Its entry in the history: {"attachment": [null, name]}
    change = models.OneToOneField(IncidentChange, models.PROTECT, related_name="attachment")
    kind = models.CharField(max_length=8, choices=Kind)
    name = models.CharField(max_length=255)  # for people, without a path; never the name of the stored file
    state = models.CharField(max_length=8, choices=State)
    # Why there is no file, for people, in English
    error = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Of the stored file: the type is told by its content, and the size may be announced before it is fetched.
    file = models.FileField(storage=attachment_storage, blank=True)
    content_type = models.CharField(max_length=100, blank=True)
    size = models.BigIntegerField(null=True)
    sha256 = models.CharField(max_length=64, blank=True)
    thumbnail = models.FileField(storage=attachment_storage, blank=True)
    thumbnail_due = models.BooleanField(default=False)  # a job makes it
    # Set when a person deletes the file. A job deletes what is still named by `file` and `thumbnail` then.
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()  # who may see or change an incident, may so its attachments
        indexes = [
            models.Index(fields=["incident", "id"], name="attachment_of_incident"),
            models.Index(fields=["file"], name="attachment_file"),
            models.Index(fields=["thumbnail"], name="attachment_thumbnail", condition=~Q(thumbnail="")),
            # For the cards that are to tell of new ones
            models.Index(fields=["-created_at", "incident"], name="attachment_newest"),
            models.Index(fields=["state", "id"], name="attachment_not_stored", condition=~Q(state="stored")),
            models.Index(fields=["id"], name="attachment_thumbnail_due", condition=Q(thumbnail_due=True)),
            models.Index(
                fields=["id"], name="attachment_to_delete", condition=Q(deleted_at__isnull=False) & ~Q(file="")
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=["photo", "video", "voice", "audio", "file"]), name="attachment_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "failed"])
                | Q(state="stored", deleted_at=None, size__gte=0) & ~Q(file="") & ~Q(sha256="") & ~Q(content_type=""),
                name="attachment_stored_or_not",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class IdempotencyKey(models.Model):
    """The response to a POST that carried an Idempotency-Key, kept for a day to be replayed."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, db_index=False)
    key = models.CharField(max_length=255)
    request_hash = models.BinaryField(max_length=32)
    response = models.BinaryField()
    incident = models.ForeignKey(Incident, models.PROTECT, db_index=False)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once")]
        indexes = [models.Index(fields=["incident"], name="idempotency_key_incident")]

    def __str__(self) -> str:
        return self.key


# PostgreSQL keeps these tables by triggers, which are their only writers. SQLite does not have them.


class _Count(models.Model):
    # For Django, which wants a key: the days of IncidentCount may be NULL, and deltas may be alike.
    pk = models.CompositePrimaryKey("day", "status", "source", "urgent")
    day = models.DateField()  # in UTC
    status = models.CharField(max_length=16, choices=Status)
    source = models.CharField(max_length=16, choices=Source)
    urgent = models.BooleanField()
    n = models.BigIntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.day} {self.status} {self.source}: {self.n}"


class IncidentCount(_Count):
    """How many incidents there are of a day, status, source and urgency; without a day, of all days. Add the deltas."""

    class Meta:
        managed = False  # migrations 0004_counts and 0023_urgent
        db_table = "incidents_count"
        default_permissions = ()


class IncidentCountDelta(_Count):
    """What a write adds to an IncidentCount, or takes away, until a later write merges it."""

    class Meta:
        managed = False  # migrations 0004_counts and 0023_urgent
        db_table = "incidents_countdelta"
        default_permissions = ()


class IncidentText(models.Model):
    """A description as it is searched: in one case, with an index of its trigrams."""

    incident = models.OneToOneField(Incident, models.DO_NOTHING, primary_key=True, related_name="+")
    text = models.TextField()

    class Meta:
        managed = False  # migration 0005_search
        db_table = "incidents_search"
        default_permissions = ()

    def __str__(self) -> str:
        return self.text
