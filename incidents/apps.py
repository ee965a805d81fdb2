from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class IncidentsConfig(AppConfig):
    name = "incidents"
    verbose_name = _("Incidents")

    def ready(self) -> None:
        from django.core.signals import request_finished

        from incidents.idempotency import delete_expired_now_and_then

        request_finished.connect(delete_expired_now_and_then)
