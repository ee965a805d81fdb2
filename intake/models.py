from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from incidents.models import Channel, Incident, Source


class Sender(models.Model):
    """A system that reports by calling /api/v1/intake/{name}/."""

    class Format(models.TextChoices):
        ALERTMANAGER = "alertmanager", "Alertmanager, Grafana"
        GENERIC = "generic", _("any JSON object")

    name = models.SlugField(_("name"), max_length=64, unique=True)
    format = models.CharField(_("format"), max_length=16, choices=Format)
    source = models.CharField(_("source"), max_length=16, choices=Source, default=Source.MONITORING)
    # SHA-256 of the secret, which is random and long: it needs no slow hash.
    secret_hash = models.BinaryField(max_length=32, editable=False)
    is_active = models.BooleanField(_("active"), default=True)
    reopen_within_minutes = models.PositiveIntegerField(
        _("reopen within, minutes"),
        default=0,
        help_text=_("Firing again this soon after the end reopens the incident instead of making another."),
    )
    # Of the format "generic": where in the object to look
    description_path = models.CharField(_("path of the description"), max_length=255, blank=True)
    dedup_path = models.CharField(_("path of the problem's id"), max_length=255, blank=True)
    resolved_path = models.CharField(_("path of the state"), max_length=255, blank=True)
    resolved_value = models.CharField(_("value that means resolved"), max_length=255, blank=True)

    class Meta:
        verbose_name = _("sender")
        verbose_name_plural = _("senders")

    def __str__(self) -> str:
        return self.name

    @property
    def channel(self) -> Channel:
        return Channel.ALERTMANAGER if self.format == self.Format.ALERTMANAGER else Channel.WEBHOOK


class Delivery(models.Model):
    """What came from outside, stored as it came before anything is made of it."""

    class State(models.TextChoices):
        PENDING = "pending", _("Pending")
        PROCESSED = "processed", _("Processed")
        SKIPPED = "skipped", _("Skipped")  # understood, and not to be recorded
        FAULTY = "faulty", _("Faulty")  # in whole or in part

    channel = models.CharField(_("channel"), max_length=16, choices=Channel)
    sender = models.ForeignKey(
        Sender, models.PROTECT, null=True, blank=True, related_name="deliveries", verbose_name=_("sender")
    )
    # What makes it the same delivery when it comes again: of a Telegram update its bot, id and digest.
    external_id = models.CharField(max_length=200)
    # Bytes: jsonb takes neither NUL nor lone surrogates.
    body = models.BinaryField()
    request_id = models.CharField(max_length=128, blank=True)
    received_at = models.DateTimeField(_("received at"), db_default=Now())
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.PENDING)
    notes = models.TextField(_("notes"), blank=True)  # faults, warnings, why it was skipped: a line for each
    processed_at = models.DateTimeField(_("processed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = [models.UniqueConstraint(fields=["channel", "external_id"], name="delivery_once")]
        indexes = [
            models.Index(fields=["id"], name="delivery_pending", condition=Q(state="pending")),
            models.Index(fields=["state", "-id"], name="delivery_state_newest"),
            models.Index(fields=["received_at"], name="delivery_received"),
        ]

    def __str__(self) -> str:
        return f"№{self.pk}"


class Episode(models.Model):
    """A problem that a sender reported, from its first firing to its end."""

    sender = models.ForeignKey(Sender, models.PROTECT, verbose_name=_("sender"))
    fingerprint = models.CharField(max_length=200)
    # Null where the end came first: a late firing must make no incident then.
    incident = models.ForeignKey(Incident, models.PROTECT, null=True, verbose_name=_("incident"))
    delivery = models.ForeignKey(Delivery, models.SET_NULL, null=True, related_name="episodes")
    # By the sender's clock where it says so, else when the delivery was received
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["sender", "fingerprint"], name="one_open_episode", condition=Q(ended_at__isnull=True)
            )
        ]
        indexes = [models.Index(fields=["sender", "fingerprint", "-id"], name="episode_newest")]

    def __str__(self) -> str:
        return f"{self.sender_id} {self.fingerprint}"
