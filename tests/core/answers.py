"""A WSGI application whose answers are of all kinds, after as many seconds as the query says."""

from pathlib import Path
from time import sleep

CONTENT = Path(__file__).read_bytes()


def application(environ, start_response):
    sleep(float(environ["QUERY_STRING"] or 0))
    length = [("Content-Length", str(len(CONTENT)))]
    match environ["PATH_INFO"]:
        case "/parts":
            start_response("200 OK", length)
            return [CONTENT[:10], b"", CONTENT[10:]]
        case "/chunks":
            start_response("200 OK", [])
            return [CONTENT[:10], b"", CONTENT[10:]]
        case "/file":
            start_response("200 OK", length)
            return environ["wsgi.file_wrapper"](Path(__file__).open("rb"))
        case "/nothing":
            start_response("204 No Content", [])
            return []
        case "/failing":
            start_response("200 OK", length)
            return (CONTENT[: 10 // n] for n in (1, 0))
    start_response("200 OK", length)
    return [CONTENT]
