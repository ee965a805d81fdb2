"""The job by the client that openapi-generator makes for Python."""

import json
import sys
from datetime import datetime
from typing import Any

from openapi_client import (  # type: ignore[import-not-found]
    ApiClient,
    ApiException,
    CommentRequest,
    Configuration,
    CurrentPasswordRequest,
    IncidentRequest,
    IncidentsApi,
    JwtApi,
    PatchedIncidentRequest,
    PatchedUserRequest,
    TokenObtainRequest,
    TokenRefreshRequest,
    TokenVerifyRequest,
    UsersApi,
)

client = ApiClient(Configuration(host=sys.argv[1]))
incidents = IncidentsApi(client)


def use_token(token: str) -> None:
    client.configuration.access_token = token


def log_in(username: str, password: str) -> Any:
    tokens = JwtApi(client).jwt_create_create(TokenObtainRequest(username=username, password=password))
    use_token(tokens.access)
    return shown(tokens)


def renew(refresh: str) -> Any:
    renewed = JwtApi(client).jwt_refresh_create(TokenRefreshRequest(refresh=refresh))
    JwtApi(client).jwt_verify_create(TokenVerifyRequest(token=renewed.access))
    return shown(renewed)


def record(description: str, source: str, key: str) -> Any:
    body = IncidentRequest(description=description, source=source)
    response = incidents.incidents_create_with_http_info(body, idempotency_key=key)
    return with_tag(response) | {"replayed": header(response, "Idempotency-Replayed") == "true"}


def list(created_after: str, **filters: Any) -> Any:  # noqa: A001
    return shown(incidents.incidents_list(created_after=datetime.fromisoformat(created_after), **filters))


def read(id: int) -> Any:  # noqa: A002
    return with_tag(incidents.incidents_retrieve_with_http_info(id))


def change(id: int, status: str, if_match: str) -> Any:  # noqa: A002
    body = PatchedIncidentRequest(status=status)
    response = incidents.incidents_partial_update_with_http_info(id, if_match=if_match, patched_incident_request=body)
    return with_tag(response)


def comment(id: int, text: str) -> Any:  # noqa: A002
    return shown(incidents.incidents_comments_create(id, CommentRequest(text=text)))


def history(id: int) -> Any:  # noqa: A002
    return shown(incidents.incidents_history_list(id))


def name_oneself(first_name: str) -> Any:
    return shown(UsersApi(client).users_me_partial_update(PatchedUserRequest(first_name=first_name)))


def users() -> Any:
    return shown(UsersApi(client).users_list())


def delete_oneself(password: str) -> None:
    UsersApi(client).users_me_destroy(CurrentPasswordRequest(current_password=password))


def header(response: Any, name: str) -> str | None:
    return {key.lower(): value for key, value in response.headers.items()}.get(name.lower())


def with_tag(response: Any) -> dict[str, Any]:
    return {"incident": shown(response.data), "etag": header(response, "ETag")}


def shown(model: Any) -> Any:
    return model.to_dict()


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        try:
            out = globals()[request["call"]](**request["arguments"])
        except ApiException as exc:
            error = exc.data.errors[0]
            out = {"status": exc.status, "code": error.code, "attr": error.attr}
        print(json.dumps(out, default=lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ")), flush=True)


main()
