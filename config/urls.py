from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from core.api.json import JSONRenderer
from core.api.views import RedocView, SwaggerView

urlpatterns = [
    path("api/v1/", include("incidents.urls")),
    path("api/identity/auth/", include("identity.urls")),
    path("api/schema/", SpectacularAPIView.as_view(renderer_classes=[JSONRenderer]), name="schema"),
    path("api/v1/schema/swagger-ui/", SwaggerView.as_view()),
    path("api/schema/redoc/", RedocView.as_view()),
    path("api/admin/", admin.site.urls),
]
