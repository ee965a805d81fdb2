from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    name = "incidents"

    def ready(self) -> None:
        from django.core.signals import request_finished

        from incidents.idempotency import delete_expired_now_and_then

        request_finished.connect(delete_expired_now_and_then)
