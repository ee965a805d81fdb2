"""The pages that show the API."""

from typing import Any

from drf_spectacular.views import SpectacularRedocView, SpectacularSwaggerView


class SelfContained:
    """A page that loads nothing from elsewhere: ReDoc's bundle asks a CDN for its maker's logo."""

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
    template_name = "core/redoc.html"  # without Google's fonts
