"""One active superuser always remains: without any, users could be managed only from a shell."""

from django.utils.translation import gettext_lazy as _

from identity.models import User

LAST_SUPERUSER = _("This is the last active superuser: make another one first.")


def lock_active_superusers() -> list[User]:
    """
    Locks them until the transaction ends, before one of them is deleted, deactivated or demoted.

    In one order: of two that remove each other at once, the second waits here and then finds itself the last.
    """
    superusers = User.objects.filter(is_superuser=True, is_active=True).order_by("pk")
    return list(superusers.select_for_update(no_key=True))
