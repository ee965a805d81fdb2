import re
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request

WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d*)?|([^:]*):\d*")  # [2001:db8::1]:443, 203.0.113.1:5000


def client_address(request: HttpRequest | Request) -> str:
    """
    Returns the client's IP address; empty if the server has none, as on a Unix socket.

    X-Forwarded-For is used only behind TRUSTED_PROXIES: each proxy appends the address of its peer, so that with one
    trusted proxy the last entry is the client's, and earlier entries may be forged.
    """
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    if 0 < settings.TRUSTED_PROXIES <= len(forwarded) and (client := _parse(forwarded[-settings.TRUSTED_PROXIES])):
        return client
    return _parse(request.META.get("REMOTE_ADDR", ""))


def _parse(text: str) -> str:
    """Returns the address without port and zone; an IPv4-mapped one (RFC 4291, 2.5.5.2) as IPv4; empty if malformed."""
    text = text.strip(' \t"')
    if match := WITH_PORT.fullmatch(text):
        text = match[1] or match[2] or ""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return ""
    return str(getattr(address, "ipv4_mapped", None) or address)
