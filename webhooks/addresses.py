"""Addresses of receivers: what is stored and shown is what is connected to."""

import re
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import SplitResult, urlsplit

import idna
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

# Parsers of URLs disagree on these: one drops a tab, another takes a backslash for a slash.
AMBIGUOUS = re.compile(r"[\s\\\x00-\x1f\x7f]")
# As DNS has names, and with an underscore, as container networks do
NAME = re.compile(r"(?=.{1,254}\Z)([a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")
# inet_aton takes these for an IPv4 address, whose usual form looks different.
NUMBER = re.compile(r"(.*\.)?(\d+|0x[0-9a-f]*)\.?")


def normalize_url(url: str) -> str:
    """Returns the address with its host in ASCII and without a fragment. Raises ValidationError."""
    try:
        parts = urlsplit(url)
        host, port = ascii_host(parts), parts.port
        if NUMBER.fullmatch(host):
            IPv4Address(host)
        valid = parts.scheme in ("http", "https") and port != 0 and "@" not in parts.netloc
    except ValueError:
        valid = False
    if not valid or AMBIGUOUS.search(url):
        raise ValidationError(_("Write an http or https address with a valid host, without a user name or password."))
    return parts._replace(netloc=authority(host, port), fragment="").geturl()


def ascii_host(parts: SplitResult) -> str:
    """
    Returns an IP address without brackets, or a name whose international labels are A-labels (IDNA 2008).

    Raises ValueError. Names are mapped as browsers do (UTS 46, non-transitional). Python's own codec is of IDNA 2003,
    by which ß is ss, the name of another host.
    """
    netloc = parts.netloc.rpartition("@")[2]
    if netloc.startswith("["):
        literal, bracket, rest = netloc[1:].partition("]")
        address = IPv6Address(literal)
        if not bracket or address.scope_id or (rest and not rest.startswith(":")):
            raise ValueError(netloc)
        return address.compressed
    name = netloc.partition(":")[0]
    host = name.lower() if name.isascii() else idna.encode(name, uts46=True, std3_rules=True).decode()
    if not NAME.fullmatch(host):
        raise ValueError(host)
    return host


def authority(host: str, port: int | None) -> str:
    """Joins host and port as a URL and the header Host have them."""
    name = f"[{host}]" if ":" in host else host
    return name if port is None else f"{name}:{port}"


def mask_userinfo(url: str) -> str:
    """Hides a user name and password, which earlier releases accepted in part."""
    parts = urlsplit(url)
    _userinfo, at, rest = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"***@{rest}").geturl() if at else url
