import pytest

from incidents.models import Incident
from tests.helpers.api import errors

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

URL = "/api/v1/incidents/"


@pytest.fixture
def created(api):
    return api.post(URL, {"description": "x", "source": "operator"}, "application/json")


def patch(api, created, body, **headers):
    return api.patch(f"{URL}{created.json()['id']}/", body, "application/json", headers=headers)


def get(api, created, **headers):
    return api.get(f"{URL}{created.json()['id']}/", headers=headers)


def test_the_tag_changes_with_each_change(api, created):
    assert created["ETag"].startswith('"')
    assert get(api, created)["ETag"] == created["ETag"]
    changed = patch(api, created, {"status": "closed"})["ETag"]
    back = patch(api, created, {"status": "open"})["ETag"]
    assert len({created["ETag"], changed, back}) == 3
    assert patch(api, created, {"status": "open"})["ETag"] == back == get(api, created)["ETag"]


COMPRESSED = ["-gzip", "-br", "-zstd", "-deflate", "--gzip"]
FORMS = ["{}", "W/{}", '"other", {}', '"other" , W/{},"third"', "*"]


@pytest.mark.parametrize("form", FORMS)
def test_if_match_with_the_current_tag(api, created, form):
    response = patch(api, created, {"status": "closed"}, if_match=form.format(created["ETag"]))
    assert response.status_code == 200
    assert get(api, created, if_match=form.format(response["ETag"])).status_code == 200


@pytest.mark.parametrize("weak", ["", "W/"])
@pytest.mark.parametrize("suffix", COMPRESSED)
def test_tag_that_a_compressing_proxy_has_changed(api, created, suffix, weak):
    tag = f'"x-gzip", {weak}{created["ETag"][:-1]}{suffix}"'
    assert get(api, created, if_none_match=tag).status_code == 304
    assert get(api, created, if_match=tag).status_code == 200
    changed = patch(api, created, {"status": "closed"}, if_match=tag)
    assert (changed.status_code, changed.json()["status"]) == (200, "closed")
    assert get(api, created, if_none_match=tag).status_code == 200
    assert patch(api, created, {"status": "open"}, if_match=tag).status_code == 412


@pytest.mark.parametrize("form", ['"{}-"', '"{}-x"', '"{}gzip"', '"{}-gzip-"', '"{}-GZIP"', '"-gzip"', '"{}"-gzip-x'])
def test_other_suffixes_are_another_tag(api, created, form):
    tag = form.format(created["ETag"].strip('"'))
    assert patch(api, created, {"status": "closed"}, if_match=tag).status_code == 412


@pytest.mark.parametrize("form", ['"other"', "unquoted", "", '"a", "b"', "{}x"])
def test_if_match_with_another_tag_is_412(api, created, form):
    response = patch(api, created, {"status": "closed"}, if_match=form.format(created["ETag"].strip('"')))
    assert (response.status_code, errors(response)) == (412, [("412 precondition_failed", None)])
    assert Incident.objects.get().status == "open"


def test_the_second_of_two_editors_gets_412(api, created):
    assert patch(api, created, {"status": "closed"}, if_match=created["ETag"]).status_code == 200
    assert patch(api, created, {"status": "resolved"}, if_match=created["ETag"]).status_code == 412
    assert patch(api, created, {"status": "closed"}, if_match=created["ETag"]).status_code == 412
    assert Incident.objects.get().status == "closed"


def test_if_none_match(api, created):
    for form in (created["ETag"], f"W/{created['ETag']}", f'"other", {created["ETag"]}', "*"):
        response = get(api, created, if_none_match=form)
        assert (response.status_code, response.content, response["ETag"]) == (304, b"", created["ETag"])
        assert patch(api, created, {"status": "closed"}, if_none_match=form).status_code == 412
    assert get(api, created, if_none_match='"other"').status_code == 200
    assert patch(api, created, {"status": "closed"}, if_none_match='"other"').status_code == 200


def test_a_missing_incident_is_404_before_any_precondition(api):
    assert api.patch(f"{URL}5/", {}, "application/json", headers={"if-match": '"x"'}).status_code == 404
