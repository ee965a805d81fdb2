from django.contrib import admin
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView

from core.api.json import JSONRenderer
from core.api.views import RedocView, SwaggerView, home, lead_on

schema = SpectacularAPIView.as_view(renderer_classes=[JSONRenderer])

urlpatterns = [
    path("", home),
    path("api/v1/", include("telegram.urls")),
    path("api/v1/", include("incidents.urls")),
    path("api/identity/auth/", include("identity.urls")),
    path("api/schema/", schema, name="schema"),
    path("api/schema", schema),
    re_path(r"^api/v1/schema/swagger-ui/?$", SwaggerView.as_view()),
    re_path(r"^api/schema/redoc/?$", RedocView.as_view()),
    path("api/admin/", admin.site.urls),
    path("api/admin", lead_on),
]
