"""HTML views: the API's documentation, and redirects to the admin."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.vary import vary_on_headers
from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerView


class SelfContained:
    """Sets a Content-Security-Policy that allows nothing from other hosts, and nothing inline."""

    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )

    def finalize_response(self, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(*args, **kwargs)  # type: ignore[misc]
        response["Content-Security-Policy"] = self.policy
        return response


class SwaggerView(SelfContained, SpectacularSwaggerView):
    template_name = "core/swagger_ui.html"


class RedocView(SelfContained, SpectacularRedocView):
    template_name = "core/redoc.html"
    # Of ReDoc's style elements: empty ones, which its script fills by insertRule(), and that of its scroll bar
    EMPTY = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    SCROLL_BAR = "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='"
    policy = SelfContained.policy.replace("style-src", f"worker-src blob:; style-src {EMPTY} {SCROLL_BAR}")


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
