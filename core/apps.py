from django.apps import AppConfig
from django.core.signals import request_finished, request_started
from django.db.backends.signals import connection_created


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        from rest_framework.views import APIView

        from core import metrics
        from core.db import checks as database_checks  # noqa: F401
        from core.db.postgresql import drop_dead_connection
        from core.db.sqlite import add_unicode_upper
        from core.db.time_limit import finish_request, start_request

        # No view supports OPTIONS, so Allow must not name it (RFC 9110, 10.2.1).
        APIView.http_method_names = [name for name in APIView.http_method_names if name != "options"]

        connection_created.connect(add_unicode_upper)
        request_started.connect(drop_dead_connection)
        request_started.connect(start_request)
        request_finished.connect(finish_request)
        metrics.register(metrics.jobs)
