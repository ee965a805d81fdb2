from datetime import timedelta

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WebhooksConfig(AppConfig):
    name = "webhooks"
    verbose_name = _("Webhooks")

    def ready(self) -> None:
        from core import jobs, metrics
        from incidents import archive
        from webhooks.collecting import not_collected
        from webhooks.jobs import Sender, purge
        from webhooks.metrics import webhooks
        from webhooks.models import Event

        jobs.register(jobs.Job("webhooks_send", Sender().step, every=timedelta(seconds=1)))
        jobs.register(jobs.Job("webhooks_purge", purge, every=timedelta(hours=1)))
        metrics.register(webhooks)
        archive.tables.append(archive.Table(Event))
        archive.holds += [Event.objects.filter(state=Event.State.PENDING).all, not_collected]
