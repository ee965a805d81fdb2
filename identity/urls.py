from django.urls import re_path

from core.api.paths import ID_PATTERN
from identity import views

users = views.UserViewSet.as_view
DETAIL = {"get": "retrieve", "put": "update", "patch": "partial_update", "delete": "destroy"}

urlpatterns = [
    re_path(r"^jwt/create/?$", views.TokenObtainView.as_view(), name="jwt-create"),
    re_path(r"^jwt/refresh/?$", views.TokenRefreshView.as_view(), name="jwt-refresh"),
    re_path(r"^jwt/verify/?$", views.TokenVerifyView.as_view(), name="jwt-verify"),
    re_path(r"^users/?$", users({"get": "list", "post": "create"})),
    re_path(r"^users/me/?$", views.CurrentUserViewSet.as_view(DETAIL)),
    re_path(r"^users/set_password/?$", users({"post": "set_password"})),
    re_path(rf"^users/(?P<id>{ID_PATTERN})/?$", users(DETAIL)),
]
