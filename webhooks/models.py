import base64
import secrets
from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from incidents.models import Incident, IncidentChange

ROTATION = timedelta(hours=24)


class EventType(models.TextChoices):
    CREATED = "incident.created", _("Created")
    CHANGED = "incident.changed", _("Changed")
    COMMENTED = "incident.commented", _("Commented")


class Failure(models.TextChoices):
    """Why an attempt was no success."""

    RESPONSE = "response", _("The response is not 2xx")
    TIMEOUT = "timeout", _("Time-out")
    UNREACHABLE = "unreachable", _("No connection, or no HTTP")
    TLS = "tls", _("No secure connection: certificate or protocol")
    UNRESOLVED = "unresolved", _("The host name was not found")
    PRIVATE = "private", _("The address is not public")


class Pause(models.TextChoices):
    """Why nothing is sent to a subscription."""

    FAILING = "failing", _("No attempt succeeded for a day")
    GONE = "gone", _("The receiver wants no more: 410")


def last_change_id() -> int:
    return IncidentChange.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def make_secret() -> str:
    """Returns a secret as Standard Webhooks have it: 24 to 64 random bytes in base64."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


class Subscription(models.Model):
    """An address that gets the events of incidents. Empty lists of events, statuses and sources mean all."""

    name = models.CharField(_("name"), max_length=100)
    url = models.CharField(_("address"), max_length=2000)  # normalized by the form
    events = models.JSONField(_("events"), default=list, blank=True)
    statuses = models.JSONField(_("statuses"), default=list, blank=True)
    sources = models.JSONField(_("sources"), default=list, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    secret = models.CharField(max_length=100, default=make_secret, editable=False)
    # The one before, which still signs for ROTATION after `rotated_at`
    previous_secret = models.CharField(max_length=100, blank=True, db_default="", default="", editable=False)
    rotated_at = models.DateTimeField(null=True, editable=False)
    # Every change up to this id has its event, or needs none.
    cursor = models.BigIntegerField(default=last_change_id, editable=False)
    tried_at = models.DateTimeField(_("last attempt"), null=True, editable=False)
    # Since the last success
    failures = models.PositiveIntegerField(default=0, editable=False)
    failing_since = models.DateTimeField(_("failing since"), null=True, editable=False)
    retry_at = models.DateTimeField(null=True, editable=False)
    paused_since = models.DateTimeField(_("rests since"), null=True, editable=False, db_column="rests_since")
    pause_reason = models.CharField(
        _("reason"), max_length=16, choices=Pause, blank=True, editable=False, db_column="rest_reason"
    )

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")

    def __str__(self) -> str:
        return self.name

    def rotate_secret(self) -> None:
        self.previous_secret, self.secret, self.rotated_at = self.secret, make_secret(), timezone.now()
        self.save(update_fields=["previous_secret", "secret", "rotated_at"])

    @property
    def signing_secrets(self) -> list[str]:
        """The secrets that sign, two for a while after a rotation: receivers accept any signature that they know."""
        old = self.rotated_at and timezone.now() - self.rotated_at < ROTATION and self.previous_secret
        return [self.secret, *([old] if old else [])]

    def resume(self) -> None:
        """Ends a pause, and sends at once what waits."""
        self.failures, self.pause_reason = 0, ""
        self.failing_since = self.retry_at = self.paused_since = None
        self.save(update_fields=["failures", "pause_reason", "failing_since", "retry_at", "paused_since"])
        waiting = Event.objects.filter(subscription=self, state=Event.State.PENDING, attempts__gt=0)
        waiting.update(attempts=0, due_at=timezone.now())


class Event(models.Model):
    """A change that a subscription is told of."""

    class State(models.TextChoices):
        PENDING = "pending", _("Pending")
        DELIVERED = "delivered", _("Delivered")
        FAILED = "failed", _("Given up")

    subscription = models.ForeignKey(
        Subscription, models.CASCADE, db_index=False, related_name="+", verbose_name=_("subscription")
    )
    change = models.ForeignKey(
        IncidentChange, models.PROTECT, db_index=False, related_name="+", verbose_name=_("change")
    )
    incident = models.ForeignKey(Incident, models.PROTECT, db_index=False, related_name="+", verbose_name=_("incident"))
    type = models.CharField(_("event"), max_length=32, choices=EventType)
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.PENDING)
    created_at = models.DateTimeField(_("created at"))
    due_at = models.DateTimeField(_("due at"))
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    attempted_at = models.DateTimeField(_("last attempt"), null=True)
    status_code = models.PositiveIntegerField(_("HTTP status"), null=True)
    failure = models.CharField(_("error"), max_length=16, choices=Failure, blank=True)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = [
            models.UniqueConstraint(fields=["subscription", "change"], name="webhook_event_once"),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "delivered", "failed"]), name="webhook_event_state_known"
            ),
        ]
        indexes = [
            models.Index(
                fields=["subscription", "incident", "change"],
                name="webhook_event_order",
                condition=Q(state="pending"),
            ),
            models.Index(fields=["subscription", "due_at"], name="webhook_event_due", condition=Q(state="pending")),
            models.Index(fields=["created_at"], name="webhook_event_purged", condition=Q(state="delivered")),
            models.Index(fields=["created_at"], name="webhook_event_pending", condition=Q(state="pending")),
            models.Index(fields=["id"], name="webhook_event_failed", condition=Q(state="failed")),
            models.Index(fields=["incident"], name="webhook_event_incident"),
            models.Index(fields=["change"], name="webhook_event_change"),
        ]

    def __str__(self) -> str:
        return self.webhook_id

    @property
    def webhook_id(self) -> str:
        """The same in each attempt: by it a receiver knows what it has had already."""
        return f"{self.subscription_id}-{self.change_id}"


def send_again(events: models.QuerySet[Event]) -> None:
    """Makes the events due now, with all of their attempts before them."""
    subscriptions = list(events.values_list("subscription", flat=True).distinct())
    events.update(state=Event.State.PENDING, attempts=0, due_at=timezone.now())
    Subscription.objects.filter(pk__in=subscriptions).update(retry_at=None)
