import pytest

pytestmark = pytest.mark.django_db


@pytest.fixture
def document(client):
    response = client.get("/api/schema/", headers={"accept": "text/html"})
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    return response.json()


def codes(response):
    """The codes of errors that a response may have: its examples show each, and its description names them."""
    content = response["content"]["application/json"]
    assert content["schema"] == {"$ref": "#/components/schemas/Error"}
    shown = {code: example["value"]["errors"][0]["code"] for code, example in content["examples"].items()}
    assert [*shown] == [*shown.values()]
    assert [code.partition(" ")[2] for code in shown] == response["description"].split(", ")
    return [*shown]


def operations(document):
    return [operation for path in document["paths"].values() for operation in path.values()]


def schemas(node):
    """The node, and every part of it that is an object."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from schemas(child)


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
    headers = operation["responses"]["201"]["headers"].keys()
    assert headers == {"ETag", "Location", "Idempotency-Replayed", "X-Request-ID"}
    parameters = document["paths"]["/api/v1/incidents/{id}/"]["patch"]["parameters"]
    described = {parameter["name"]: parameter.get("description", "") for parameter in parameters}
    assert "412 unless" in described["If-Match"] and "412 if" in described["If-None-Match"]


def test_headers_of_each_response_are_documented(document):
    assert document["components"]["headers"].keys() == {"Retry-After", "WWW-Authenticate", "X-Request-ID"}
    for operation in operations(document):
        for status, response in operation["responses"].items():
            assert response["headers"]["X-Request-ID"] == {"$ref": "#/components/headers/X-Request-ID"}
            assert ("Retry-After" in response["headers"]) == (status in ("409", "429", "503"))
            assert ("WWW-Authenticate" in response["headers"]) == (status == "401")


def test_what_generators_of_clients_do_not_read_is_not_used(document):
    for schema in schemas(document["components"]["schemas"]):
        assert not schema.keys() & {"anyOf", "oneOf", "allOf", "pattern"}
    for schema in schemas(document):
        assert "$ref" not in schema or schema.keys() == {"$ref"}
    patterns = [schema["pattern"] for schema in schemas(document["paths"]) if isinstance(schema.get("pattern"), str)]
    assert patterns and all(pattern.isascii() and "\\" not in pattern for pattern in patterns)


def test_responses_allow_what_a_later_release_adds_and_bind_no_lengths(document):
    components = document["components"]["schemas"]
    sent = [schema for name, schema in components.items() if not name.endswith("Request")]
    for schema in schemas(sent):
        assert schema.get("additionalProperties") is not False
        assert not schema.keys() & {"minLength", "maxLength", "readOnly"}
    assert components["IncidentChange"]["properties"]["channel"]["type"] == "string"


def test_ids_have_64_bits(document):
    components = document["components"]["schemas"]
    ids = [components[name]["properties"]["id"] for name in ("Incident", "User")]
    ids += [components["Receipt"]["properties"]["delivery"]]
    in_paths = [
        parameter["schema"]
        for operation in operations(document)
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "path" and parameter["name"] == "id"
    ]
    assert len(in_paths) == 13
    assert all((schema["type"], schema["format"]) == ("integer", "int64") for schema in ids + in_paths)


def test_open_routes_need_no_token(document):
    is_open = {path for path, methods in document["paths"].items() for each in methods.values() if not each["security"]}
    assert is_open == {f"/api/identity/auth/jwt/{name}/" for name in ("create", "refresh", "verify")}


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({"host": "testserver"}, "http://testserver"),
        ({"host": "127.0.0.1:8000"}, "http://127.0.0.1:8000"),
        ({"host": "testserver", "x-forwarded-proto": "https"}, "https://testserver"),
    ],
)
def test_server_is_the_address_that_the_document_was_asked_from(client, settings, headers, url):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    assert client.get("/api/schema/", headers=headers).json()["servers"] == [{"url": url}]


def test_server_has_the_prefix_before_the_service(client, settings):
    settings.FORCE_SCRIPT_NAME = "/svc"
    document = client.get("/api/schema/").json()
    assert document["servers"] == [{"url": "http://testserver/svc"}]
    assert "/api/v1/incidents/" in document["paths"]


def test_every_parameter_has_an_example(document):
    for operation in operations(document):
        for parameter in operation.get("parameters", ()):
            assert "example" in parameter, parameter["name"]


@pytest.mark.parametrize("path", ["/api/v1/schema/swagger-ui/", "/api/schema/redoc/"])
def test_pages_load_nothing_from_other_hosts_and_nothing_inline(client, path):
    response = client.get(path)
    page, policy = response.content.decode(), response["Content-Security-Policy"]
    assert "/static/drf_spectacular_sidecar/" in page
    assert "https://" not in page and "<style" not in page and "<script>" not in page and "style=" not in page
    assert policy.startswith("default-src 'none'; script-src 'self'; ") and "unsafe" not in policy
