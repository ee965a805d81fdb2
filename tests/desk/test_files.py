"""Files on the page of an incident: shown, added with a comment, fetched again, deleted."""

import io
import re
from unittest.mock import patch

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from identity.models import User
from incidents.actors import Named
from incidents.attachments.services import add_attachment, announce_attachment, fail_attachment, save_file
from incidents.attachments.thumbnails import make_thumbnails
from incidents.models import Attachment, IncidentChange
from incidents.services import add_comment
from tests.helpers.admin import INCIDENTS, form_of, open_form, told
from tests.helpers.incidents import make_incident

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.fixture(autouse=True)
def storage(settings, tmp_path):
    backend = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = settings.STORAGES | {"attachments": backend}
    return lambda: [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.fixture
def incident(db):
    return make_incident(actor=Named("Анна"), channel="telegram")


def jpeg(colour="red"):
    file = io.BytesIO()
    Image.new("RGB", (800, 600), colour).save(file, "JPEG")
    return file.getvalue()


def attach(incident, data=None, name="фото.jpg", author="Анна", channel="telegram"):
    stored = save_file(ContentFile(jpeg() if data is None else data))
    return add_attachment(incident_id=incident.pk, stored=stored, name=name, actor=Named(author), channel=channel)


def announce(incident, error="", channel="telegram", name="запись.ogg"):
    file = announce_attachment(
        incident_id=incident.pk, kind="voice", name=name, size=5000, actor=Named("Борис"), channel=channel
    )
    if error:
        fail_attachment(file, error)
    return file


def page_of(client, incident):
    page = client.get(f"{INCIDENTS}{incident.pk}/change/")
    assert page.status_code == 200
    return page


def rows(page):
    return page.text.split('<li class="entry')[1:]


def url_of(file, rest=""):
    return f"{INCIDENTS}{file.incident_id}/files/{file.pk}/{rest}"


def send(client, incident, form, *files, **typed):
    uploads = [SimpleUploadedFile(name, data) for name, data in files]
    return client.post(f"{INCIDENTS}{incident.pk}/comment/", form | typed | {"file": uploads})


def said():
    return [change for entry in IncidentChange.objects.order_by("id") if "status" not in (change := entry.changes)]


class TestShown:
    def test_files_stand_in_the_row_of_the_words_they_came_with(self, site, incident):
        attach(incident, name="отчёт.jpg")
        add_comment(incident_id=incident.pk, text="Вот ещё", actor=Named("Борис"), channel="telegram")
        for number in range(3):
            attach(incident, name=f"{number}.jpg", author="Борис")
        newest, oldest = rows(page_of(site, incident))
        assert "Вот ещё" in newest and re.findall(r'file-name"[^>]*>(.*?)<', newest) == ["0.jpg", "1.jpg", "2.jpg"]
        assert "Записан" in oldest and "отчёт.jpg" in oldest

    def test_files_of_others_have_rows_of_their_own(self, site, incident):
        attach(incident)
        attach(incident, author="Борис")
        attach(incident, author="Борис", channel="api")
        assert len(rows(page_of(site, incident))) == 3

    def test_a_thumbnail_leads_to_the_whole_image(self, site, incident):
        data = jpeg()
        file = attach(incident, data)
        make_thumbnails()
        page = page_of(site, incident).text
        assert f'<img\n              src="{url_of(file, "thumbnail/")}"\n              alt="фото.jpg"' in page
        assert f'href="{url_of(file)}"' in page
        small, whole = site.get(url_of(file, "thumbnail/")), site.get(url_of(file))
        assert small["Content-Type"] == "image/webp"
        assert Image.open(io.BytesIO(small.getvalue())).size == (400, 300)
        assert (whole["Content-Type"], whole.getvalue()) == ("image/jpeg", data)
        for response in (small, whole):
            assert response["Content-Disposition"].startswith("inline")
            assert response["X-Content-Type-Options"] == "nosniff"
            assert {"default-src 'none'", "sandbox"} <= set(response["Content-Security-Policy"].split("; "))
            assert "script-src" not in response["Content-Security-Policy"]

    def test_what_the_storage_has_lost_is_503(self, site, incident, storage):
        file = attach(incident)
        make_thumbnails()
        for path in storage():
            path.unlink()
        site.raise_request_exception = False
        assert [site.get(url_of(file, path)).status_code for path in ("", "thumbnail/")] == [503, 503]

    @pytest.mark.parametrize("name", ["a.svg", "a.jpg", "a.html"])
    def test_what_is_no_image_by_its_content_is_only_downloaded(self, site, incident, name):
        file = attach(incident, SVG, name)
        make_thumbnails()
        page = page_of(site, incident).text
        assert f'href="/api/v1/incidents/{incident.pk}/attachments/{file.pk}" download' in " ".join(page.split())
        assert site.get(url_of(file)).status_code == site.get(url_of(file, "thumbnail/")).status_code == 404
        sent = site.get(f"/api/v1/incidents/{incident.pk}/attachments/{file.pk}/")
        assert sent["Content-Disposition"].startswith("attachment") and sent["Content-Type"] == "text/plain"

    def test_what_is_not_stored_says_why(self, site, incident):
        announce(incident)
        failed = announce(incident, "The file was deleted.", name="<b>.ogg")
        page = page_of(site, incident).text
        assert "Ждёт скачивания" in page
        assert "Файл удалён." in page and "&lt;b&gt;.ogg" in page
        assert page.count(url_of(failed, "fetch/")) == 1

    def test_the_page_takes_as_many_queries_for_many_files_as_for_none(
        self, site, incident, django_assert_num_queries, django_assert_max_num_queries
    ):
        page_of(site, incident)
        with django_assert_max_num_queries(50) as none:
            page_of(site, incident)
        for _ in range(20):
            attach(incident)
            announce(incident)
        with django_assert_num_queries(len(none)):
            page_of(site, incident)

    def test_who_may_not_see_incidents_gets_no_bytes(self, incident):
        file = attach(incident)
        make_thumbnails()
        stranger, staff = Client(), Client()
        staff.force_login(User.objects.create_user("guest", is_staff=True))
        for path in ("", "thumbnail/"):
            assert stranger.get(url_of(file, path)).status_code == 302
            assert staff.get(url_of(file, path)).status_code == 403

    def test_the_file_of_another_incident_is_unknown(self, site, incident):
        file = attach(make_incident())
        assert site.get(f"{INCIDENTS}{incident.pk}/files/{file.pk}/").status_code == 404
        assert site.get(f"{INCIDENTS}{incident.pk}/files/{10**30}/").status_code == 404


class TestChanged:
    def test_fetched_again(self, site, incident):
        file = announce(incident, "Bad Request: wrong file_id")
        response = site.post(url_of(file, "fetch/"))
        assert response["Location"] == f"{INCIDENTS}{incident.pk}/change/"
        assert Attachment.objects.get().state == "pending"
        assert told(response) == ["Файл «запись.ogg» будет скачан ещё раз."]

    def test_what_was_deleted_is_not_fetched(self, site, incident):
        file = attach(incident)
        site.post(url_of(file, "delete/"))
        assert told(site.post(url_of(file, "fetch/")))[-1] == "Скачивать нечего."
        assert Attachment.objects.get().state == "failed"

    def test_deleted_by_a_second_press(self, site, incident):
        file = attach(incident, name="паспорт.jpg")
        page = page_of(site, incident).text
        assert page.index("<summary>Удалить") < page.index(url_of(file, "delete/"))
        site.post(url_of(file, "delete/"))
        row = Attachment.objects.get()
        assert row.state == "failed" and row.deleted_at
        assert said()[-1] == {"attachment": ["паспорт.jpg", None]}
        assert site.get(url_of(file)).status_code == 404
        page, history = page_of(site, incident).text, site.get(f"{INCIDENTS}{incident.pk}/history/").text
        assert "Файл удалён: <del>паспорт.jpg</del>" in page
        assert "паспорт.jpg → —" in " ".join(history.split())
        site.post(url_of(file, "delete/"))
        assert len(said()) == 2

    def test_who_may_only_look_changes_nothing(self, viewer, incident):
        stored, failed = attach(incident), announce(incident, "no")
        assert viewer.get(url_of(stored)).status_code == 200
        page = page_of(viewer, incident).text
        assert "/delete/" not in page and "/fetch/" not in page
        assert viewer.post(url_of(stored, "delete/")).status_code == 403
        assert viewer.post(url_of(failed, "fetch/")).status_code == 403
        assert {each.state for each in Attachment.objects.all()} == {"stored", "failed"}


@pytest.fixture
def form(site, incident):
    return open_form(site, f"{incident.pk}/change/", "comment_form")


class TestAdded:
    def test_a_comment_with_files(self, site, incident, form, storage):
        response = send(site, incident, form, ("a.jpg", jpeg()), ("b.txt", b"words"), text="Вот")
        assert (response.status_code, response["Location"]) == (302, f"{INCIDENTS}{incident.pk}/change/")
        assert said() == [{"comment": [None, "Вот"]}, {"attachment": [None, "a.jpg"]}, {"attachment": [None, "b.txt"]}]
        assert [(file.content_type, file.change.channel) for file in Attachment.objects.order_by("id")] == [
            ("image/jpeg", "admin"),
            ("text/plain", "admin"),
        ]
        assert len(storage()) == 2
        assert "Вот" in (row := rows(page_of(site, incident))[0]) and "a.jpg" in row and "b.txt" in row

    def test_files_alone(self, site, incident, form):
        assert send(site, incident, form, ("a.jpg", jpeg())).status_code == 302
        assert said() == [{"attachment": [None, "a.jpg"]}]

    def test_the_button_pressed_twice_records_them_once(self, site, incident, form, storage):
        for _ in range(2):
            assert send(site, incident, form, ("a.jpg", jpeg()), text="Вот").status_code == 302
        assert len(said()) == 2 and len(storage()) == 1

    def test_other_files_by_the_same_page_are_asked_about(self, site, incident, form, storage):
        send(site, incident, form, ("a.jpg", jpeg()), text="Вот")
        asked = send(site, incident, form, ("a.jpg", jpeg("blue")), text="Вот")
        assert asked.status_code == 200 and "Отправьте ещё раз" in asked.text
        assert len(said()) == 2 and len(storage()) == 1

    @pytest.mark.parametrize(
        ("files", "message"),
        [
            ([("b.txt", b"x" * 2001)], "Файл «b.txt» больше 2,0\xa0КБ: ничего не записано."),
            ([("a.txt", b"x"), ("b.txt", b"")], "Отправленный файл пуст."),
            ([("a.txt", b"x")] * 4, "У инцидента может быть не больше 3 файлов: ничего не записано."),
        ],
    )
    def test_what_is_refused_is_said_and_keeps_the_text(self, settings, site, incident, form, storage, files, message):
        settings.ATTACHMENT_MAX_BYTES, settings.ATTACHMENT_MAX_NUMBER = 2000, 3
        refused = send(site, incident, form, *files, text="Вот")
        assert (refused.status_code, refused.context["comment_form"].errors) == (200, {"file": [message]})
        assert form_of(refused, "comment_form")["text"] == "Вот"
        assert said() == [] and storage() == []

    def test_a_file_that_another_upload_leaves_no_room_for(self, settings, site, incident, form, storage):
        """It came between the look at the form and the write."""
        settings.ATTACHMENT_MAX_NUMBER = 1
        save = FileSystemStorage.save

        def slowly(self, name, content, **options):
            if not Attachment.objects.exists():
                Attachment.objects.create(incident=incident, change=incident.changes.get(), kind="file", state="failed")
            return save(self, name, content, **options)

        with patch.object(FileSystemStorage, "save", slowly):
            refused = send(site, incident, form, ("a.jpg", jpeg()), text="Вот")
        assert refused.context["comment_form"].errors == {
            "file": ["У инцидента может быть не больше 1 файлов: ничего не записано."]
        }
        assert form_of(refused, "comment_form")["text"] == "Вот"
        assert said() == [] and storage() == []

    def test_files_that_were_cut_off_are_refused(self, site, incident, form):
        del form["end"]
        refused = send(site, incident, form, ("a.jpg", jpeg()), text="Вот")
        assert refused.context["comment_form"].errors.keys() == {"file"} and said() == []

    def test_a_storage_that_is_away_is_said(self, site, incident, form):
        with patch.object(FileSystemStorage, "save", side_effect=ConnectionError):
            refused = send(site, incident, form, ("a.jpg", jpeg()), text="Вот")
        assert refused.context["comment_form"].errors.keys() == {"file"} and said() == []
        assert form_of(refused, "comment_form")["text"] == "Вот"
        assert send(site, incident, form, ("a.jpg", jpeg()), text="Вот").status_code == 302

    def test_more_than_the_body_of_other_pages(self, site, incident, form):
        assert send(site, incident, form, ("a.bin", b"\xff" * 3_000_000)).status_code == 302
        assert Attachment.objects.get().size == 3_000_000

    def test_a_body_that_is_too_large_is_refused(self, settings, site, incident, form):
        settings.ATTACHMENT_MAX_BYTES = 1000
        assert send(site, incident, form, ("a.bin", b"\xff" * 3_000_000)).status_code == 413

    def test_other_pages_take_no_files(self, site, incident):
        form = open_form(site, f"{incident.pk}/change/")
        site.post(f"{INCIDENTS}{incident.pk}/change/", form | {"file": SimpleUploadedFile("a.jpg", jpeg())})
        assert not Attachment.objects.exists()

    def test_the_text_outlives_the_session_and_files_are_asked_for(self, site, incident, form, storage):
        stranger = Client(headers={"accept-language": "ru"})
        form["csrfmiddlewaretoken"] = "x"
        asked = send(stranger, incident, form, ("a.jpg", jpeg()), text="Вот")
        assert asked.status_code == 200 and storage() == []
        user = User.objects.get(username="petrova")
        user.set_password("pw")
        user.save()
        typed = {"username": "petrova", "password": "pw", "draft": asked.context["draft"]}
        page = stranger.post("/api/admin/login/", typed, follow=True)
        assert form_of(page, "comment_form")["text"] == "Вот"
        assert "Файлы не сохраняются: если вы выбирали их, выберите заново." in page.text

    def test_without_a_csrf_token_nothing_is_recorded(self, incident, storage):
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(User.objects.create_superuser("root"))
        sent = send(strict, incident, {"end": ""}, ("a.jpg", jpeg()))
        assert sent.status_code == 403 and said() == [] and storage() == []
