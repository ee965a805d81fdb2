from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class User(AbstractUser):
    patronymic = models.CharField(_("patronymic"), max_length=150, blank=True)
    # Tokens carry this moment: a token of another moment belongs to an earlier password.
    password_changed_at = models.DateTimeField(_("password changed at"), default=timezone.now, editable=False)

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        # Django clears _password when it merely upgrades the hash at login: that is no change.
        if self._password is not None:  # type: ignore[attr-defined]
            self.password_changed_at = timezone.now()
            update_fields = update_fields and {*update_fields, "password_changed_at"}
        super().save(*args, update_fields=update_fields, **kwargs)

    def get_full_name(self) -> str:
        """As Russian documents write it: last name, first name, patronymic."""
        return " ".join(filter(None, (self.last_name, self.first_name, self.patronymic)))


class LoginFailure(models.Model):
    """A wrong password, remembered for as long as it slows the next guess."""

    address = models.CharField(max_length=45)
    # SHA-256 of the name: of any length, and people type passwords there
    account = models.BinaryField(max_length=32)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        indexes = [models.Index(fields=["address", "-at"], name="login_failure_recent")]

    def __str__(self) -> str:
        return f"{self.address} {self.at}"
