from collections.abc import Iterable
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.contrib.auth.models import UserManager as DjangoUserManager
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from identity.time_zones import validate_time_zone
from identity.usernames import MAX_LENGTH, username_key, validate_username

USERNAME_TAKEN = _("A user with that username already exists.")


class UserManager(DjangoUserManager["User"]):
    use_in_migrations = False

    def get_by_natural_key(self, username: str | None) -> "User":
        """Returns the user who logs in with `username`, in any case. Raises DoesNotExist."""
        try:
            return self.get(username=username)
        except User.DoesNotExist:
            return self.get(username_key=username_key(username or ""))


class User(AbstractUser):
    username = models.CharField(
        _("username"),
        max_length=MAX_LENGTH,
        unique=True,
        help_text=_(
            "Required. 150 characters or fewer. Latin or Russian letters (not both), digits and @/./+/-/_ only."
        ),
        validators=[validate_username],
        error_messages={"unique": USERNAME_TAKEN},
    )
    # Nullable, since the previous release inserts rows without it during an upgrade.
    username_key = models.CharField(max_length=3 * MAX_LENGTH, unique=True, null=True, editable=False)  # noqa: DJ001
    patronymic = models.CharField(_("patronymic"), max_length=150, blank=True)
    # Both of the admin's pages. With a default of the database, since the previous release inserts rows without it.
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        default="",
        db_default="",
        validators=[validate_time_zone],
        help_text=_("Of the times on these pages, for example Europe/Moscow. Empty: the service's own."),
    )
    language = models.CharField(
        _("language"),
        max_length=8,
        blank=True,
        default="",
        db_default="",
        choices=[("", _("As the browser")), *settings.LANGUAGES],
        help_text=_("Of these pages."),
    )
    # Tokens contain this timestamp; one that differs was issued for an earlier password and is revoked.
    password_changed_at = models.DateTimeField(_("password changed at"), default=timezone.now, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    def clean(self) -> None:
        """Raises ValidationError where another user's name differs only in case or look-alike letters."""
        super().clean()
        # It is empty if a form has already rejected it.
        others = User.objects.filter(username_key=username_key(self.username or "")).exclude(pk=self.pk)
        if self.username and others.exists():
            raise ValidationError({"username": ValidationError(USERNAME_TAKEN, code="unique")})

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        # _password is None when Django only upgrades the hash at log-in: the password is the same.
        if self._password is not None:  # type: ignore[attr-defined]
            self.password_changed_at = timezone.now()
            update_fields = update_fields and {*update_fields, "password_changed_at"}
        if update_fields is None or "username" in update_fields:
            self.username_key = username_key(self.username)
            update_fields = update_fields and {*update_fields, "username_key"}
        super().save(*args, update_fields=update_fields, **kwargs)

    def get_full_name(self) -> str:
        """Returns it in Russian order: last name, first name, patronymic."""
        return " ".join(filter(None, (self.last_name, self.first_name, self.patronymic)))


class LoginFailure(models.Model):
    """A failed log-in, kept for the throttling window."""

    # An IPv6 client is its /64 network
    address = models.CharField(max_length=45)
    # SHA-256, since a username may have any length, and users type passwords into this field
    username_hash = models.BinaryField(max_length=32, db_column="account")
    created_at = models.DateTimeField(default=timezone.now, db_index=True, db_column="at")

    class Meta:
        indexes = [models.Index(fields=["address", "-created_at"], name="login_failure_recent")]

    def __str__(self) -> str:
        return f"{self.address} {self.created_at}"
