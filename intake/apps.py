from datetime import timedelta

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IntakeConfig(AppConfig):
    name = "intake"
    verbose_name = _("Intake")

    def ready(self) -> None:
        from core import jobs, metrics
        from incidents import archive
        from incidents.models import Channel
        from intake import episodes
        from intake.inbox import handlers, process_pending, purge_old_deliveries
        from intake.metrics import deliveries
        from intake.models import Episode

        handlers |= {Channel.ALERTMANAGER: episodes.handle, Channel.WEBHOOK: episodes.handle}
        jobs.register(jobs.Job("process_deliveries", process_pending, every=timedelta(seconds=2)))
        jobs.register(jobs.Job("purge_old_deliveries", purge_old_deliveries, every=timedelta(hours=1)))
        metrics.register(deliveries)
        archive.tables.append(archive.Table(Episode, remains={"incident_id": None}))
        archive.holds.append(Episode.objects.filter(closed_at=None).all)
