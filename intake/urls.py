from django.urls import re_path

from intake.views import IntakeView

urlpatterns = [
    re_path(r"^intake/(?P<sender>[^/]+)/?$", IntakeView.as_view(), name="intake"),
    # For systems that can set no header. Not in the OpenAPI document: a secret does not belong into a path.
    re_path(
        r"^intake/(?P<sender>[^/]+)/(?P<secret>[^/]+)/?$", IntakeView.as_view(schema=None), name="intake-with-secret"
    ),
]
