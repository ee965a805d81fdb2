import pytest

pytestmark = pytest.mark.django_db


@pytest.fixture
def document(client):
    response = client.get("/api/schema/", headers={"accept": "text/html"})
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    return response.json()


def codes(response):
    """The codes of errors that the schema of a response allows, as its description names them."""
    schema = response["content"]["application/json"]["schema"]
    assert schema["$ref"] == "#/components/schemas/Error"
    allowed = schema["properties"]["errors"]["items"]["properties"]["code"]["enum"]
    assert [code.partition(" ")[2] for code in allowed] == response["description"].split(", ")
    return allowed


def test_documented_routes(document):
    assert document["openapi"].startswith("3.")
    paths = {path: sorted(operations) for path, operations in document["paths"].items()}
    assert paths["/api/v1/incidents/"] == ["get", "post"]
    assert paths["/api/v1/incidents/{id}/"] == ["get", "patch"]
    assert paths["/api/v1/incidents/{id}/history/"] == ["get"]
    assert "/api/identity/auth/jwt/create/" in paths


def test_one_error_component_with_the_codes_of_each_answer(document):
    assert [name for name in document["components"]["schemas"] if "Error" in name] == ["Error"]
    responses = document["paths"]["/api/v1/incidents/"]["post"]["responses"]
    assert {"201", "400", "401", "409", "411", "413", "415", "422", "500", "503"} == responses.keys()
    assert codes(responses["422"]) == ["422 idempotency_key_reused"]
    assert codes(responses["401"]) == ["401 not_authenticated", "401 token_not_valid"]
    responses = document["paths"]["/api/v1/incidents/{id}/"]["patch"]["responses"]
    assert {"200", "400", "401", "404", "411", "412", "413", "415", "500", "503"} == responses.keys()


def test_headers_are_documented(document):
    operation = document["paths"]["/api/v1/incidents/"]["post"]
    assert "Idempotency-Key" in [parameter["name"] for parameter in operation["parameters"]]
    assert operation["responses"]["201"]["headers"].keys() == {"ETag", "Location", "Idempotency-Replayed"}
    names = [parameter["name"] for parameter in document["paths"]["/api/v1/incidents/{id}/"]["patch"]["parameters"]]
    assert {"If-Match", "If-None-Match"} <= set(names)


@pytest.mark.parametrize("path", ["/api/v1/schema/swagger-ui/", "/api/schema/redoc/"])
def test_pages_load_nothing_from_other_hosts_and_nothing_inline(client, path):
    response = client.get(path)
    page, policy = response.content.decode(), response["Content-Security-Policy"]
    assert "/static/drf_spectacular_sidecar/" in page
    assert "https://" not in page and "<style" not in page and "<script>" not in page and "style=" not in page
    assert policy.startswith("default-src 'none'; script-src 'self'; ") and "unsafe" not in policy
