import pytest
from django.test import RequestFactory

from core.client_address import client_address

PEER = "198.51.100.7"


def address(**meta):
    return client_address(RequestFactory().get("/", **{"REMOTE_ADDR": PEER, **meta}))


@pytest.mark.both_databases
@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        *(("203.0.113.1", "203.0.113.1"), ("203.0.113.1:5000", "203.0.113.1"), ("203.0.113.1:", "203.0.113.1")),
        *(("2001:db8::1", "2001:db8::1"), ("[2001:db8::1]:443", "2001:db8::1"), ("[2001:DB8:0::1]", "2001:db8::1")),
        *(("fe80::1%eth0", "fe80::1"), (f"fe80::1%{'e' * 60}", "fe80::1"), ("[fe80::1%25eth0]:1", "fe80::1")),
        *(("::ffff:203.0.113.1", "203.0.113.1"), ("[::ffff:cb00:7101]:1", "203.0.113.1")),
        *(
            ('"203.0.113.1:5000"', "203.0.113.1"),
            (' "[2001:db8::1]" ', "2001:db8::1"),
            (" 203.0.113.1\t", "203.0.113.1"),
        ),
        *(("9.9.9.9, 203.0.113.1", "203.0.113.1"), ("x,203.0.113.1:1", "203.0.113.1"), ("203.0.113.1,", PEER)),
        *(
            (value, PEER)
            for value in ("", "x", "unknown", "_hidden", "1.2.3", "[::1", "%eth0", ":80", "[]", "1\0", "٣.1.1.1")
        ),
    ],
)
def test_last_entry_behind_one_proxy(settings, forwarded, client):
    settings.TRUSTED_PROXIES = 1
    assert address(HTTP_X_FORWARDED_FOR=forwarded) == client


@pytest.mark.parametrize(("proxies", "client"), [(0, PEER), (1, "3.3.3.3"), (2, "2.2.2.2"), (3, "1.1.1.1"), (4, PEER)])
def test_entry_is_chosen_by_the_number_of_trusted_proxies(settings, proxies, client):
    settings.TRUSTED_PROXIES = proxies
    assert address(HTTP_X_FORWARDED_FOR="1.1.1.1, 2.2.2.2, 3.3.3.3") == client


@pytest.mark.parametrize(("peer", "client"), [("", ""), ("::ffff:1.2.3.4", "1.2.3.4"), ("fe80::1%eth0", "fe80::1")])
def test_peer_address_without_a_proxy(settings, peer, client):
    settings.TRUSTED_PROXIES = 0
    assert address(REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR="1.1.1.1") == client
