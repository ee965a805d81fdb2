from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from core.api.middleware import GetResponse, unavailable
from core.db.postgresql import DOWN
from identity.time_zones import zone_of


class AdminSettingsMiddleware:
    """
    Shows the admin in the user's language, and times in the user's zone.

    The API speaks UTC and the language of Accept-Language, which before a log-in decides in the admin too.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            zone = zone_of(request.user)
            language = getattr(request.user, "language", "") or translation.get_language()
        except DOWN as exc:  # process_exception gets those of views only
            return unavailable(request, exc)
        # Only for this request: the thread serves others afterwards.
        with timezone.override(zone), translation.override(language):
            response = self.get_response(request)
        response.headers.setdefault("Content-Language", language)  # else LanguageMiddleware names the browser's
        return response
