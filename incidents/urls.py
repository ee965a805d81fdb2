from django.urls import re_path

from core.api.paths import ID_PATTERN
from incidents.attachments.views import AttachmentViewSet
from incidents.views import IncidentViewSet

DETAIL = rf"^incidents/(?P<pk>{ID_PATTERN})"

urlpatterns = [
    re_path(r"^incidents/?$", IncidentViewSet.as_view({"get": "list", "post": "create"}), name="incident-list"),
    re_path(
        DETAIL + r"/?$",
        IncidentViewSet.as_view({"get": "retrieve", "patch": "partial_update"}),
        name="incident-detail",
    ),
    re_path(DETAIL + r"/history/?$", IncidentViewSet.as_view({"get": "history"}), name="incident-history"),
    re_path(
        DETAIL + r"/urgent/?$",
        IncidentViewSet.as_view({"get": "urgency", "put": "set_urgency"}),
        name="incident-urgency",
    ),
    re_path(DETAIL + r"/comments/?$", IncidentViewSet.as_view({"post": "comment"}), name="incident-comments"),
    re_path(
        DETAIL + r"/attachments/?$",
        AttachmentViewSet.as_view({"get": "list", "post": "create"}),
        name="incident-attachments",
    ),
    re_path(
        DETAIL + rf"/attachments/(?P<number>{ID_PATTERN})/?$",
        AttachmentViewSet.as_view({"get": "retrieve"}),
        name="incident-attachment",
    ),
]
