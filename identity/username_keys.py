"""Keys of usernames that the previous release wrote during an upgrade; called after each `migrate`."""

import logging
from typing import Any

from django.apps import apps as current_apps
from django.apps.registry import Apps
from django.core.exceptions import FieldDoesNotExist
from django.db import IntegrityError, transaction

from identity.usernames import username_key

logger = logging.getLogger(__name__)


def fill(apps: Apps = current_apps, using: str = "default", **kwargs: Any) -> None:
    """Writes the keys that are missing or belong to an earlier username."""
    users = apps.get_model("identity", "User")._base_manager.using(using)
    try:
        users.model._meta.get_field("username_key")
    except FieldDoesNotExist:  # migrated to an earlier release
        return
    for pk, username, stored in list(users.values_list("pk", "username", "username_key")):
        key = username_key(username)
        if key == stored:
            continue
        try:
            with transaction.atomic(using):
                users.filter(pk=pk).update(username_key=key)
        except IntegrityError:
            logger.warning("Rename the user %s (id %d): another name differs only in case or look-alikes", username, pk)
