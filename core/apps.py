from django.apps import AppConfig
from django.core.signals import request_started
from django.db.backends.signals import connection_created


class CoreConfig(AppConfig):
    name = "core"

    def ready(self) -> None:
        from core import checks  # noqa: F401  # registers them
        from core.db.postgresql import drop_dead_connection
        from core.db.sqlite import add_unicode_upper

        connection_created.connect(add_unicode_upper)
        request_started.connect(drop_dead_connection)
