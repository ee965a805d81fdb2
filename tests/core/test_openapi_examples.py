"""Each operation of the OpenAPI document says what it does, with examples that are true."""

import json
from urllib.parse import parse_qs, urlencode

import pytest
from django.test.client import MULTIPART_CONTENT
from drf_spectacular.generators import SchemaGenerator
from jsonschema_rs import Draft202012Validator
from rest_framework_simplejwt.tokens import RefreshToken

from core.api.json import JSONRenderer
from identity.models import User
from identity.tokens import issue
from incidents.models import Incident
from tests.helpers.api import api_for, errors
from tests.helpers.intake import make_caller

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

TOKEN = "eyJ0eXAiOiJKV1QiLCJhbGc..."  # as the reference document has it
DOCUMENT = json.loads(JSONRenderer().render(SchemaGenerator().get_schema(public=True)))
OPERATIONS = {
    operation["operationId"]: (path, method, operation)
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}
each_operation = pytest.mark.parametrize("operation_id", OPERATIONS)


def contents(operation_id):
    """The JSON of the request, under "request", and of each response, under its status; files have no examples."""
    operation = OPERATIONS[operation_id][2]
    bodies = {"request": operation.get("requestBody", {})} | operation["responses"]
    found = {name: body.get("content", {}).get("application/json") for name, body in bodies.items()}
    return {name: content for name, content in found.items() if content}


def examples(operation_id, name):
    content = contents(operation_id).get(name, {"examples": {}})
    return [example["value"] for example in content["examples"].values()]


@pytest.fixture
def chief(db):
    User.objects.create_superuser("other")
    return User.objects.create_superuser("your_username", password="your_password")


@pytest.fixture
def send(chief):
    api = api_for(chief)
    api.post("/api/v1/incidents/", {"description": "Точка не отвечает", "source": "monitoring"}, "application/json")
    incident, caller = Incident.objects.get(), make_caller()

    def send(operation_id, body=None, query="", headers=None, content_type="application/json"):
        path, method, _operation = OPERATIONS[operation_id]
        if "{sender}" in path:
            return caller.post(body)
        path = path.format(id=incident.pk if "incidents" in path else chief.pk)
        return getattr(api, method)(path + query, body, content_type=content_type, headers=headers)

    return send


def test_the_product_comes_first():
    names = [tag["name"] for tag in DOCUMENT["tags"]]
    assert names == ["incidents", "jwt", "users", "intake"]
    tags = [operation["tags"] for _path, _method, operation in OPERATIONS.values()]
    assert tags == sorted(tags, key=lambda tag: names.index(*tag))


def test_summaries_tell_operations_apart():
    assert len({operation["summary"] for _path, _method, operation in OPERATIONS.values()}) == len(OPERATIONS)


@each_operation
def test_operation_has_a_description_and_examples(operation_id):
    assert OPERATIONS[operation_id][2]["description"]
    assert all(content["examples"] for content in contents(operation_id).values())


@each_operation
def test_examples_match_their_schemas(operation_id):
    for content in contents(operation_id).values():
        schema = content["schema"] | {"components": DOCUMENT["components"]}
        validator = Draft202012Validator(schema, validate_formats=True)
        for example in content["examples"].values():
            validator.validate(example["value"])


@each_operation
def test_example_of_a_request_works_as_it_is(send, chief, operation_id):
    for body in examples(operation_id, "request"):
        real = {name: str(issue(RefreshToken, chief)) if value == TOKEN else value for name, value in body.items()}
        response = send(operation_id, real)
        if "…" in body.values():  # no account gets a password that everybody can read
            assert [attr for _code, attr in errors(response)] in (["password"], ["new_password"])
        else:
            assert response.status_code in (200, 201, 204)


def written(value):
    """As clients write it in an address."""
    return str(value).lower() if isinstance(value, bool) else value


@each_operation
def test_examples_of_parameters_match_their_schemas_and_work(send, operation_id):
    parameters = OPERATIONS[operation_id][2].get("parameters", ())
    for parameter in parameters:
        Draft202012Validator(parameter["schema"], validate_formats=True).validate(parameter["example"])
    query = {p["name"]: written(p["example"]) for p in parameters if p["in"] == "query"}
    if query:
        assert send(operation_id, query=f"?{urlencode(query, doseq=True)}").status_code == 200


def test_no_example_deletes_anything():
    for path, method, operation in OPERATIONS.values():
        if method == "delete" and "{id}" in path:
            (parameter,) = operation["parameters"]
            assert parameter["example"] == 999_999_999


@pytest.mark.parametrize("operation_id", ["incidents_retrieve", "incidents_partial_update"])
def test_examples_of_preconditions_hold(send, operation_id):
    parameters = OPERATIONS[operation_id][2]["parameters"]
    headers = {p["name"]: p["example"] for p in parameters if p["in"] == "header"}
    assert headers.keys() == {"If-Match", "If-None-Match"}
    assert send(operation_id, {"status": "closed"}, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("query", "right"),
    [
        ("status=open,in_progress", True),
        ("status=open&status=closed&source=partner", True),
        ("source=operator,partner", True),
        ("created_after=2024-01-15T00:00:00Z", True),
        ("status=bogus", False),
        ("status=open,", False),
        ("status=", False),
        ("source=open", False),
        ("search=ab", False),
        ("page_size=1001", False),
    ],
)
def test_document_allows_the_queries_that_the_service_takes(send, query, right):
    given = parse_qs(query, keep_blank_values=True)
    for parameter in OPERATIONS["incidents_list"][2]["parameters"]:
        if values := given.get(parameter["name"]):
            kind = parameter["schema"]["type"]
            value = {"array": values, "integer": int(values[0]) if kind == "integer" else 0}.get(kind, values[0])
            assert Draft202012Validator(parameter["schema"]).is_valid(value) == right
    assert send("incidents_list", query=f"?{query}").status_code == (200 if right else 400)


@pytest.mark.parametrize(
    ("body", "right"),
    [
        ({"description": "x", "source": "partner", "id": 5, "created_at": None, "updated_at": "yesterday"}, True),
        ({"description": "x", "source": "partner", "ids": 5}, False),
        ({"description": "", "source": "partner"}, False),
        ({"description": "x" * 20_001, "source": "partner"}, False),
        ({"description": 5, "source": "partner"}, False),
        ({"source": "partner"}, False),
    ],
)
def test_document_allows_the_bodies_that_the_service_takes(send, body, right):
    schema = contents("incidents_create")["request"]["schema"] | {"components": DOCUMENT["components"]}
    assert Draft202012Validator(schema).is_valid(body) == right
    assert send("incidents_create", body).status_code == (201 if right else 400)


@each_operation
def test_documented_fault_is_what_is_sent(send, operation_id):
    for fault in examples(operation_id, "400"):
        error = fault["errors"][0]
        if error["code"] == "null":
            assert error in send(operation_id, {error["attr"]: None}).json()["errors"]
        elif error["code"] == "required":  # a form
            assert error in send(operation_id, {}, content_type=MULTIPART_CONTENT).json()["errors"]
        elif fault["type"] == "validation_error":
            assert send(operation_id, query=f"?{error['attr']}=0").json() == fault


@pytest.mark.parametrize("operation_id", ["incidents_list", "incidents_history_list", "users_list"])
def test_example_of_a_page_counts_its_entries(operation_id):
    (page,) = examples(operation_id, "200")
    assert page["count"] == len(page["results"]) == 2


def test_example_of_a_report_is_of_the_reference_document(send):
    (body,) = examples("incidents_create", "request")
    assert body == {"description": "Самокат номер 875643 не в сети", "status": "open", "source": "operator"}
    assert send("incidents_create", body).json().items() >= body.items()
