from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from core.api.middleware import GetResponse, is_admin, unavailable
from core.db.postgresql import DOWN
from identity.time_zones import zone_of


class AdminTimeZoneMiddleware:
    """Shows the times in the admin in the user's zone. The API speaks UTC."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not is_admin(request):
            return self.get_response(request)
        try:
            zone = zone_of(request.user)
        except DOWN as exc:  # process_exception gets those of views only
            return unavailable(request, exc)
        with timezone.override(zone):  # only for this request: the thread serves others afterwards
            return self.get_response(request)
