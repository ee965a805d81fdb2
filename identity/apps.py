from datetime import timedelta

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class IdentityConfig(AppConfig):
    name = "identity"
    verbose_name = _("Identity")

    def ready(self) -> None:
        from core import jobs
        from identity import username_keys
        from identity.throttling import purge_login_failures

        jobs.register(jobs.Job("purge_login_failures", purge_login_failures, every=timedelta(minutes=15)))
        post_migrate.connect(username_keys.fill, sender=self)
