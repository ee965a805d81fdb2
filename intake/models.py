import hmac
import secrets
from dataclasses import replace
from hashlib import sha256

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from incidents.models import Channel, Incident, Source
from intake.parsers import Format
from intake.parsers.paths import Paths

RESERVED_NAMES = ("telegram",)  # a route of its own


class Sender(models.Model):
    """A system that reports by calling /api/v1/intake/{name}/."""

    name = models.SlugField(_("name"), max_length=64, unique=True)
    format = models.CharField(_("format"), max_length=16, choices=Format)
    source = models.CharField(_("source"), max_length=16, choices=Source, default=Source.MONITORING)
    # SHA-256 of the secret, which is random and long: it needs no slow hash. Empty once revoked. Of Sentry's senders it
    # is a key that signs.
    secret_hash = models.BinaryField(max_length=32, editable=False)
    sentry_client_secret = models.CharField(
        _("Sentry's client secret"),
        max_length=255,
        blank=True,
        help_text=_(
            "Where Sentry's integration signs with a secret of its own; for its format only. It is not shown again."
        ),
    )
    is_active = models.BooleanField(_("active"), default=True)
    reopen_within_minutes = models.PositiveIntegerField(
        _("reopen within, minutes"),
        default=0,
        help_text=_("Firing again this soon after the end reopens the incident instead of making another."),
    )
    description_path = models.CharField(_("path of the description"), max_length=200, blank=True)
    dedup_path = models.CharField(_("path of the problem's id"), max_length=200, blank=True)
    resolved = models.CharField(
        _("resolved where"),
        max_length=400,
        blank=True,
        help_text=_("PATH=VALUE, for example event_value=0."),
    )
    urgent = models.CharField(
        _("urgent where"),
        max_length=400,
        blank=True,
        db_default="",
        default="",
        help_text=_(
            "PATH=VALUE or PATH=VALUE,VALUE, for example labels.severity=critical. The path begins at the alert of "
            "Alertmanager or Grafana, at the issue or event of Sentry, otherwise at the call. Empty: nothing is urgent."
        ),
    )
    # Of the last delivery: the critical-errors chat is told once, and again after a delivery without faults.
    has_faults = models.BooleanField(_("faulty"), default=False, editable=False)

    class Meta:
        verbose_name = _("sender")
        verbose_name_plural = _("senders")
        constraints = [models.CheckConstraint(condition=Q(source__in=Source.values), name="sender_source_known")]

    def __str__(self) -> str:
        return self.name

    @property
    def channel(self) -> Channel:
        return Channel.ALERTMANAGER if self.format == Format.ALERTMANAGER else Channel.WEBHOOK

    @property
    def paths(self) -> Paths:
        return Paths(self.description_path, self.dedup_path, self.resolved, self.urgent)

    def clean(self) -> None:
        if self.name in RESERVED_NAMES:
            raise ValidationError({"name": _("This name is taken by a route of the service.")})
        try:
            paths = self.paths
        except ValueError as exc:
            raise ValidationError(str(exc)) from None
        if self.format != Format.GENERIC and replace(paths, urgent="") != Paths():
            raise ValidationError(_("Only the format for any JSON has these paths."))

    def make_secret(self) -> str:
        """Makes a new secret in place of the old one; the caller shows it once and saves the sender."""
        secret = secrets.token_urlsafe(64)
        self.secret_hash = sha256(secret.encode()).digest()
        return secret

    def accepts_secret(self, secret: bytes) -> bool:
        return hmac.compare_digest(sha256(secret).digest(), bytes(self.secret_hash))

    def accepts_signature(self, signature: bytes, body: bytes) -> bool:
        """
        Returns whether it is the HMAC-SHA256 of the body with the secret, or with Sentry's own, in hexadecimal digits.

        Only Sentry signs, and only for its format the database holds what a caller must know. The work is the same for
        all senders, so that its time does not tell them apart.
        """
        # The secret itself is not needed: HMAC hashes keys longer than its block of 64 bytes (RFC 2104, 2).
        keys = bytes(self.secret_hash), self.sentry_client_secret.encode()
        matches = [hmac.compare_digest(hmac.new(key, body, sha256).hexdigest().encode(), signature) for key in keys]
        signs = self.format == Format.SENTRY
        return signs and any(key and matching for key, matching in zip(keys, matches, strict=True))


class Delivery(models.Model):
    """What came from outside, stored as it came before anything is made of it."""

    class State(models.TextChoices):
        PENDING = "pending", _("Pending")
        PROCESSED = "processed", _("Processed")
        SKIPPED = "skipped", _("Skipped")  # understood, and not to be recorded
        FAULTY = "faulty", _("Faulty")  # in whole or in part

    WITHOUT_FAULTS = (State.PROCESSED, State.SKIPPED)

    channel = models.CharField(_("channel"), max_length=16, choices=Channel)
    sender = models.ForeignKey(
        Sender, models.PROTECT, null=True, blank=True, related_name="deliveries", verbose_name=_("sender")
    )
    # What makes it the same delivery when it comes again: of a Telegram update its bot, id and digest.
    external_id = models.CharField(max_length=200)
    # Bytes: jsonb takes neither NUL nor lone surrogates.
    body = models.BinaryField()
    content_type = models.TextField(_("content type"), blank=True, db_default="")  # as it came: a form has no other
    request_id = models.CharField(_("request"), max_length=128, blank=True)
    received_at = models.DateTimeField(_("received at"), db_default=Now())
    state = models.CharField(_("state"), max_length=16, choices=State, default=State.PENDING)
    parts_done = models.PositiveIntegerField(default=0)  # of a pending one that is processed in several transactions
    faults = models.PositiveIntegerField(_("faulty parts"), default=0)
    warnings = models.PositiveIntegerField(_("warnings"), default=0)
    notes = models.TextField(_("notes"), blank=True)  # faults, warnings, why it was skipped: a line for each
    processed_at = models.DateTimeField(_("processed at"), null=True, blank=True)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        permissions = [("replay_delivery", "Can replay delivery")]
        constraints = [
            models.UniqueConstraint(fields=["channel", "external_id"], name="delivery_once"),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "processed", "skipped", "faulty"]), name="delivery_state_known"
            ),
        ]
        indexes = [
            models.Index(fields=["id"], name="delivery_pending", condition=Q(state="pending")),
            models.Index(fields=["channel", "state"], name="delivery_channel_state"),
            models.Index(fields=["channel", "-id"], name="delivery_warned", condition=Q(warnings__gt=0)),
            models.Index(fields=["state", "-id"], name="delivery_state_newest"),
            models.Index(fields=["sender", "-id"], name="delivery_sender_newest"),
            models.Index(
                fields=["received_at"], name="delivery_purged", condition=Q(state__in=("processed", "skipped"))
            ),
        ]

    def __str__(self) -> str:
        return f"№{self.pk}"


class Episode(models.Model):
    """A problem that a sender reported, from its first firing to its end."""

    sender = models.ForeignKey(Sender, models.PROTECT, db_index=False, verbose_name=_("sender"))
    fingerprint = models.CharField(max_length=200)
    # Null where the end came first: a late firing must make no incident then; and while the incident is archived.
    # Several where it was reopened.
    incident = models.ForeignKey(Incident, models.PROTECT, null=True, related_name="+", verbose_name=_("incident"))
    opened_by = models.ForeignKey(Delivery, models.SET_NULL, null=True, related_name="opened", db_index=False)
    part = models.PositiveIntegerField(null=True)  # of the call that opened it: replaying that opens no other
    closed_by = models.ForeignKey(Delivery, models.SET_NULL, null=True, related_name="closed")
    # By the sender's clock; null if the sender does not say
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    # When the end was received; null while the episode is open
    closed_at = models.DateTimeField(null=True)
    # SHA-256 of the description it was opened with; null where the sender makes the ids itself
    description_hash = models.BinaryField(max_length=32, null=True)
    # Id of the delivery that was the first to repeat it with another description; it may have been deleted since.
    varied_by = models.BigIntegerField(null=True)
    # Whether it was reported as urgent: only the first such report marks the incident, so that a person may unmark it.
    urgent = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["sender", "fingerprint"], name="one_open_episode", condition=Q(closed_at__isnull=True)
            ),
            models.UniqueConstraint(fields=["opened_by", "part"], name="episode_once"),
        ]
        indexes = [models.Index(fields=["sender", "fingerprint", "-id"], name="episode_newest")]

    def __str__(self) -> str:
        return f"{self.sender_id} {self.fingerprint}"
