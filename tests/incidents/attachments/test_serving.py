import pytest

from incidents.attachments import serving

pytestmark = pytest.mark.both_databases


@pytest.mark.parametrize(
    ("filename", "inline", "disposition"),
    [
        ("a.jpg", False, 'attachment; filename="a.jpg"'),
        ("отчёт.pdf", False, "attachment; filename*=utf-8''%D0%BE%D1%82%D1%87%D1%91%D1%82.pdf"),
        ("a.jpg", True, 'inline; filename="a.jpg"'),
    ],
)
def test_nginx_is_told_all_that_the_client_is_to_know(settings, filename, inline, disposition):
    settings.ATTACHMENT_X_ACCEL = "/attachments/"
    sent = serving.response("2026/11/30/0f", size=3, content_type="image/jpeg", filename=filename, inline=inline)
    assert sent["X-Accel-Redirect"] == "/attachments/2026/11/30/0f"
    assert (sent["Content-Type"], sent["Content-Disposition"]) == ("image/jpeg", disposition)
    assert "Accept-Ranges" not in sent, "nginx says so itself"
