"""An export occupies a thread for as long as its client reads: a process sends one at a time."""

import pytest
from django.http import StreamingHttpResponse

from desk import export
from identity.models import User
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/admin/incidents/incident/"


def test_second_export_waits_for_the_end_of_the_first(site):
    make_incident()
    first = site.get(f"{URL}export/csv/")
    assert first.status_code == 200
    second = site.get(f"{URL}export/xlsx/?status__in=open", follow=True)
    assert second.redirect_chain == [(f"{URL}?status__in=open", 302)]
    assert "Уже отправляется другая выгрузка" in second.text
    assert b"".join(first.streaming_content)
    assert site.get(f"{URL}export/xlsx/").status_code == 200


@pytest.mark.django_db(transaction=True)  # the end of a request closes the connection
@pytest.mark.parametrize("chunks", [0, 1])
def test_next_export_after_one_whose_client_has_gone(client, chunks):
    client.force_login(User.objects.create_superuser("chief"))
    for _ in range(3):
        response = client.get(f"{URL}export/csv/")
        assert response.status_code == 200
        for _ in range(chunks):
            next(iter(response.streaming_content))
        response.close()


def test_next_export_after_one_that_failed(site, monkeypatch):
    def fails(*args):
        yield b"1"
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(export, "response", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            site.get(f"{URL}export/csv/")
        patched.setattr(export, "response", lambda *args: StreamingHttpResponse(fails()))
        with pytest.raises(ZeroDivisionError):
            b"".join(site.get(f"{URL}export/csv/").streaming_content)
    assert site.get(f"{URL}export/csv/").status_code == 200
