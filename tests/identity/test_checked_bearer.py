"""A view that does not check its bearer cannot send a response. PostgreSQL only: SQLite checks before the view."""

import pytest

from identity.models import User
from incidents.views import IncidentViewSet, json_response
from tests.helpers.api import errors

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("active", [True, False])
def test_response_without_a_check_is_500(api, monkeypatch, active):
    monkeypatch.setattr(IncidentViewSet, "list", lambda self, request: json_response({"secret": 1}))
    User.objects.update(is_active=active)
    api.raise_request_exception = False
    response = api.get("/api/v1/incidents/")
    assert (response.status_code, errors(response)) == (500, [("500 error", None)])


def test_unchecked_bearer_is_not_authenticated(api, monkeypatch):
    seen = []
    monkeypatch.setattr(IncidentViewSet, "list", lambda self, request: seen.append(request.user.is_authenticated))
    api.raise_request_exception = False
    api.get("/api/v1/incidents/")
    assert seen == [False]
