from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request


def client_address(request: HttpRequest | Request) -> str:
    """
    The IP address that the request came from; empty where the server does not say, as on a Unix socket.

    X-Forwarded-For counts only behind proxies of ours: each appends the address it was asked from, so that
    with TRUSTED_PROXIES=1 the last entry is the client's, whatever the client wrote before it.
    """
    address: str = request.META.get("REMOTE_ADDR", "")
    if settings.TRUSTED_PROXIES:
        forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        if len(forwarded) >= settings.TRUSTED_PROXIES:
            address = forwarded[-settings.TRUSTED_PROXIES].strip() or address
    try:
        return str(ip_address(address))
    except ValueError:
        return ""
