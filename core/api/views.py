"""HTML views: the API's documentation, and redirects to the admin."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.vary import vary_on_headers
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerView


class SelfContained:
    """Sets a Content-Security-Policy that allows nothing from other hosts."""

    POLICY = (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; worker-src 'self' blob:"
    )

    def finalize_response(self, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(*args, **kwargs)  # type: ignore[misc]
        response["Content-Security-Policy"] = self.POLICY
        return response


class SwaggerView(SelfContained, SpectacularSwaggerView):
    pass


class RedocView(SelfContained, SpectacularRedocView):
    template_name = "core/redoc.html"  # without Google's fonts and Redocly's logo


@vary_on_headers("Accept")
def home(request: HttpRequest) -> HttpResponse:
    """Redirects browsers to the admin. Raises Http404 for other clients."""
    if "text/html" in request.META.get("HTTP_ACCEPT", "") and request.method in ("GET", "HEAD"):
        return redirect("admin:index")
    raise Http404


def append_slash(request: HttpRequest) -> HttpResponse:
    """Redirects to the path with a slash. Raises Http404 for methods whose body a redirect would lose."""
    if request.method in ("GET", "HEAD"):
        return redirect(request.get_full_path(force_append_slash=True))
    raise Http404
