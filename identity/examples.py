"""Examples in the OpenAPI document. A request cannot set a password that is public: `…` is too short for one."""

from core.api.openapi import in_request, in_response

ACCESS, REFRESH = {"access": "eyJ0eXAiOiJKV1QiLCJhbGc..."}, {"refresh": "eyJ0eXAiOiJKV1QiLCJhbGc..."}
LOG_IN = [
    in_request("Credentials", {"username": "your_username", "password": "your_password"}),
    in_response("Tokens", ACCESS | REFRESH),
]
RENEW = [in_request("The refresh token", REFRESH), in_response("A new access token", ACCESS)]
VERIFY = [in_request("A token", {"token": ACCESS["access"]}), in_response("The token is valid", {})]

_NAMES = {"first_name": "Анна", "last_name": "Петрова", "patronymic": "Сергеевна"}
_PETROVA = {"id": 2, "username": "petrova", "email": "petrova@example.org", **_NAMES}
_SIDOROV = {"id": 3, "username": "sidorov", "email": "", "first_name": "", "last_name": "", "patronymic": ""}
USER = in_response("A user", _PETROVA)
USERS = in_response("Two users", [_PETROVA, _SIDOROV])
CREATE_USER = [
    in_request("A user", {"username": "petrova", "password": "…", "email": "petrova@example.org", **_NAMES}),
    USER,
]
CHANGE_USER = [in_request("Names", _NAMES), USER]
SET_PASSWORD = [in_request("Both passwords", {"current_password": "your_password", "new_password": "…"})]
DELETE_YOURSELF = [in_request("Your password", {"current_password": "your_password"})]
