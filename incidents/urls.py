from django.urls import re_path

from incidents.views import IncidentViewSet

# Ids end at 2^63: eighteen digits always fit the column, and no service comes to more.
ONE = r"^incidents/(?P<pk>[0-9]{1,18})"

urlpatterns = [
    re_path(r"^incidents/?$", IncidentViewSet.as_view({"get": "list", "post": "create"})),
    re_path(ONE + r"/?$", IncidentViewSet.as_view({"get": "retrieve", "patch": "partial_update"})),
    re_path(ONE + r"/history/?$", IncidentViewSet.as_view({"get": "history"})),
]
