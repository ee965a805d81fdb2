from django.apps import AppConfig
from django.core.signals import request_finished, request_started


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        from rest_framework.views import APIView

        from core import metrics
        from core.db import checks as database_checks  # noqa: F401
        from core.db import replica
        from core.db.time_limit import finish_request, start_request
        from core.db.vendor import database

        # No view supports OPTIONS, so Allow must not name it (RFC 9110, 10.2.1).
        APIView.http_method_names = [name for name in APIView.http_method_names if name != "options"]

        database.connect_signals()
        request_started.connect(start_request)
        request_finished.connect(finish_request)
        metrics.register(metrics.jobs)
        if replica.is_configured():
            metrics.register(replica.metrics)
