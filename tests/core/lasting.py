"""A WSGI application whose answers take as many seconds as the query says."""

from time import sleep


def application(environ, start_response):
    sleep(float(environ["QUERY_STRING"] or 0))
    start_response("200 OK", [("Content-Length", "0")])
    return [b""]
