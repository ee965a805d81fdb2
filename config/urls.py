from inspect import unwrap

from django.contrib import admin
from django.urls import include, path, re_path
from django.views import defaults
from drf_spectacular.views import SpectacularAPIView

from core.api.json import JSONRenderer
from core.api.views import RedocView, SwaggerView, append_slash, home
from core.metrics import MetricsView

schema = SpectacularAPIView.as_view(renderer_classes=[JSONRenderer])

urlpatterns = [
    path("", home, name="home"),
    path("api/v1/", include("incidents.urls")),
    path("api/v1/", include("telegram.urls")),
    path("api/v1/", include("intake.urls")),
    path("api/identity/auth/", include("identity.urls")),
    path("api/schema/", schema, name="schema"),
    path("api/schema", schema),
    re_path(r"^api/v1/schema/swagger-ui/?$", SwaggerView.as_view(), name="swagger-ui"),
    re_path(r"^api/schema/redoc/?$", RedocView.as_view()),
    re_path(r"^api/metrics/?$", MetricsView.as_view(schema=None), name="metrics"),
    path("api/admin/", admin.site.urls),
    path("api/admin", append_slash),
]

# Django's views without their CSRF check, which reads the body and fails if it is malformed.
handler400 = unwrap(defaults.bad_request)
handler403 = unwrap(defaults.permission_denied)
handler404 = unwrap(defaults.page_not_found)
handler500 = unwrap(defaults.server_error)
