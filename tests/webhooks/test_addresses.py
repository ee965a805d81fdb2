"""Where webhooks may be sent."""

import socket
import ssl
import subprocess
from ipaddress import ip_address

import pytest

from tests.helpers.receiver import Receiver, serve
from webhooks import http
from webhooks.http import Connections, FailureError, is_public
from webhooks.models import Failure

pytestmark = pytest.mark.both_databases

PRIVATE = [
    *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1"),
    *("255.255.255.255", "240.0.0.1", "198.18.0.1", "192.0.2.1", "::", "::1", "fe80::1", "fc00::1", "fec0::1"),
    *("ff02::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe"),
    *("64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a00:1::1", "2001::1", "2001:db8::1", "100::1", "fe80::1%eth0"),
]


@pytest.fixture
def names(monkeypatch):
    """A resolver: the addresses of each name, a list for each time that it is asked."""
    answers = {}
    real = socket.getaddrinfo

    def resolve(host, port, *args, **kwargs):
        if host not in answers:
            return real(host, port, *args, **kwargs)
        found = answers[host].pop(0) if len(answers[host]) > 1 else answers[host][0]
        return [entry for address in found for entry in real(address, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return answers


def failure(url):
    with pytest.raises(FailureError) as caught:
        Connections().post(url, b"{}", {})
    return caught.value.failure


@pytest.mark.parametrize("address", PRIVATE)
def test_private_address(address):
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1"])
def test_public_address(address):
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "127.1", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_loopback_is_not_connected_to_however_it_is_written(host):
    with serve(Receiver()) as receiver:
        assert failure(f"http://{host}:{receiver.port}/") == Failure.PRIVATE
    assert receiver.requests == []


def test_name_with_one_private_address_of_several(names):
    names["mixed.example"] = [["8.8.8.8", "10.0.0.1"]]
    assert failure("http://mixed.example/") == Failure.PRIVATE


def test_rebound_name_is_not_followed(names, monkeypatch):
    """The name is public when it is checked, and the loopback address when it is asked for again."""
    connected = []

    def refuse(address, *timeout):
        connected.append(address)
        raise ConnectionRefusedError

    names["rebound.example"] = [["8.8.8.8"], ["127.0.0.1"]]
    monkeypatch.setattr(socket, "create_connection", refuse)
    assert failure("http://rebound.example/") == Failure.UNREACHABLE
    assert connected == [("8.8.8.8", 80)]


@pytest.mark.parametrize("host", ["faß.example", "xn--fa-hia.example", "FAẞ.example"])
def test_international_name_is_that_of_idna_2008(names, settings, host):
    """By IDNA 2003, as Python's own codec has it, faß.example is fass.example, which may be a stranger's."""
    settings.WEBHOOK_ALLOW_PRIVATE = True
    names |= {"xn--fa-hia.example": [["127.0.0.1"]], "fass.example": [["127.0.0.2"]]}
    with serve(Receiver()) as receiver:
        assert Connections().post(f"http://{host}:{receiver.port}/", b"{}", {}).status == 204
    assert receiver.requests[0][1]["host"] == f"xn--fa-hia.example:{receiver.port}"


@pytest.mark.parametrize("url", ["http://a_ä.example/", "http://[::1/", "http://ma\u200dn.example/"])
def test_address_of_an_earlier_release_that_is_no_longer_valid(url):
    assert failure(url) == Failure.UNRESOLVED


def test_host_header_keeps_the_name(names, settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    names["hooks.example"] = [["127.0.0.1"]]
    with serve(Receiver()) as receiver:
        Connections().post(f"http://hooks.example:{receiver.port}/путь?a=б", b"{}", {})
    ((path, headers, _),) = receiver.requests
    assert headers["host"] == f"hooks.example:{receiver.port}"
    assert path == "/%D0%BF%D1%83%D1%82%D1%8C?a=%D0%B1"


def test_second_address_where_the_first_refuses(names, settings):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    names["hooks.example"] = [["127.0.0.2", "127.0.0.1"]]
    with serve(Receiver()) as receiver:
        assert Connections().post(f"http://hooks.example:{receiver.port}/", b"{}", {}).status == 204


def test_name_that_does_not_exist(names, monkeypatch):
    def unknown(*args, **kwargs):
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert failure("http://hooks.example/") == Failure.UNRESOLVED


def test_proxies_of_the_environment_are_not_asked(settings, monkeypatch):
    settings.WEBHOOK_ALLOW_PRIVATE = True
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    with serve(Receiver()) as receiver:
        assert Connections().post(receiver.url, b"{}", {}).status == 204


@pytest.fixture
def secure(settings, tmp_path, monkeypatch, names):
    """An HTTPS receiver whose certificate is for two names, and is trusted; it keeps the names it was asked for."""
    settings.WEBHOOK_ALLOW_PRIVATE = True
    names |= {host: [["127.0.0.1"]] for host in ("hooks.example", "hooks.example.", "xn--fa-hia.example")}
    names |= {host: [["127.0.0.1"]] for host in ("other.example", "fass.example")}
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=hooks.example"]
    command += ["-addext", "subjectAltName=DNS:hooks.example,DNS:xn--fa-hia.example", "-keyout", key]
    subprocess.run([*command, "-out", certificate], check=True, capture_output=True)
    monkeypatch.setattr(http.certifi, "where", lambda: str(certificate))
    http.tls_context.cache_clear()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.sni_callback = lambda _socket, name, _context: secure_names.append(name)
    secure_names = []
    with serve(Receiver(), context) as receiver:
        receiver.server_names = secure_names
        yield receiver
    http.tls_context.cache_clear()


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("hooks.example", "hooks.example"),
        ("hooks.example.", "hooks.example"),
        ("faß.example", "xn--fa-hia.example"),
        ("xn--fa-hia.example", "xn--fa-hia.example"),
    ],
)
def test_certificate_of_the_name_is_accepted(secure, host, name):
    assert Connections().post(f"https://{host}:{secure.port}/", b"{}", {}).status == 204
    assert secure.server_names == [name]


def test_connection_with_tls_is_kept(secure):
    connections = Connections()
    for _ in range(3):
        assert connections.post(f"https://hooks.example:{secure.port}/", b"{}", {}).status == 204
    assert (secure.server_names, len(secure.requests)) == (["hooks.example"], 3)


@pytest.mark.parametrize("host", ["other.example", "fass.example", "127.0.0.1"])
def test_certificate_of_another_name_is_refused(secure, host):
    assert failure(f"https://{host}:{secure.port}/") == Failure.TLS
    assert secure.requests == []
