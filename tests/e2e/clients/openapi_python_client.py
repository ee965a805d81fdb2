"""The job by the client that openapi-python-client makes."""

import json
import sys
from datetime import datetime
from typing import Any

from openapi_python import models  # type: ignore[import-not-found]
from openapi_python.api.incidents import (  # type: ignore[import-not-found]
    incidents_comments_create,
    incidents_create,
    incidents_history_list,
    incidents_list,
    incidents_partial_update,
    incidents_retrieve,
)
from openapi_python.api.jwt import (  # type: ignore[import-not-found]
    jwt_create_create,
    jwt_refresh_create,
    jwt_verify_create,
)
from openapi_python.api.users import (  # type: ignore[import-not-found]
    users_list,
    users_me_destroy,
    users_me_partial_update,
)
from openapi_python.client import AuthenticatedClient, Client  # type: ignore[import-not-found]

URL = sys.argv[1]
client: Any = Client(base_url=URL, raise_on_unexpected_status=True)


class RefusedError(Exception):
    def __init__(self, status: int, error: Any) -> None:
        self.status, self.error = status, error


def send(operation: Any, *args: Any, **kwargs: Any) -> Any:
    """The response, which holds the parsed body."""
    response = operation.sync_detailed(*args, client=client, **kwargs)
    if isinstance(response.parsed, models.Error):
        raise RefusedError(response.status_code.value, response.parsed.errors[0])
    return response


def use_token(token: str) -> None:
    global client
    client = AuthenticatedClient(base_url=URL, token=token, raise_on_unexpected_status=True)


def log_in(username: str, password: str) -> Any:
    tokens = send(jwt_create_create, body=models.TokenObtainRequest(username=username, password=password)).parsed
    use_token(tokens.access)
    return tokens.to_dict()


def renew(refresh: str) -> Any:
    renewed = send(jwt_refresh_create, body=models.TokenRefreshRequest(refresh=refresh)).parsed
    send(jwt_verify_create, body=models.TokenVerifyRequest(token=renewed.access))
    return renewed.to_dict()


def record(description: str, source: str, key: str) -> Any:
    body = models.IncidentRequest(description=description, source=models.SourceEnum(source))
    response = send(incidents_create, body=body, idempotency_key=key)
    return with_tag(response) | {"replayed": response.headers.get("Idempotency-Replayed") == "true"}


def list(created_after: str, status: Any, **filters: Any) -> Any:  # noqa: A001
    at, statuses = datetime.fromisoformat(created_after), [models.StatusEnum(value) for value in status]
    return send(incidents_list, created_after=at, status=statuses, **filters).parsed.to_dict()


def read(id: int) -> Any:  # noqa: A002
    return with_tag(send(incidents_retrieve, id))


def change(id: int, status: str, if_match: str) -> Any:  # noqa: A002
    body = models.PatchedIncidentRequest(status=models.StatusEnum(status))
    return with_tag(send(incidents_partial_update, id, body=body, if_match=if_match))


def comment(id: int, text: str) -> Any:  # noqa: A002
    return send(incidents_comments_create, id, body=models.CommentRequest(text=text)).parsed.to_dict()


def history(id: int) -> Any:  # noqa: A002
    return send(incidents_history_list, id).parsed.to_dict()


def name_oneself(first_name: str) -> Any:
    return send(users_me_partial_update, body=models.PatchedUserRequest(first_name=first_name)).parsed.to_dict()


def users() -> Any:
    return send(users_list).parsed.to_dict()


def delete_oneself(password: str) -> None:
    send(users_me_destroy, body=models.CurrentPasswordRequest(current_password=password))


def with_tag(response: Any) -> dict[str, Any]:
    return {"incident": response.parsed.to_dict(), "etag": response.headers.get("ETag")}


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        try:
            out = globals()[request["call"]](**request["arguments"])
        except RefusedError as refused:
            out = {"status": refused.status, "code": refused.error.code, "attr": refused.error.attr}
        print(json.dumps(out), flush=True)


main()
