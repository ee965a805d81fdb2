import re
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request

WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d*)?|([^:]*):\d*")  # [2001:db8::1]:443, 203.0.113.1:5000


def client_address(request: HttpRequest | Request) -> str:
    """
    The IP address that the request came from; empty where the server does not say, as on a Unix socket.

    X-Forwarded-For counts only behind proxies of ours: each appends the address it was asked from, so that
    with TRUSTED_PROXIES=1 the last entry is the client's, whatever the client wrote before it.
    """
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if 0 < settings.TRUSTED_PROXIES <= len(forwarded) and (client := _parse(forwarded[-settings.TRUSTED_PROXIES])):
        return client
    return _parse(request.META.get("REMOTE_ADDR", ""))


def _parse(text: str) -> str:
    """Without port and zone, and an IPv4 address where IPv6 carries one (RFC 4291, 2.5.5.2); empty if it is none."""
    text = text.strip(' \t"')
    if match := WITH_PORT.fullmatch(text):
        text = match[1] or match[2] or ""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)
