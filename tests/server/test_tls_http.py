"""Pages and API with TLS: a real uvicorn, real clients, and a certificate that is renewed while it runs."""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import uvicorn

from calza_server.access.tls_files import TlsError, serving_context, tls_files
from calza_server.adapters.certificates import read_facts
from calza_server.ca import establish
from calza_wire.tls import trusting
from tests.server.authority import BAD, case, today_ms

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from calza_server.access.tls_files import Leaf

LIMIT_S = 10.0


async def hello(scope: Any, _receive: Any, send: Any) -> None:
    """The smallest application: it says by which scheme it was asked."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": scope["scheme"].encode()})


@contextmanager
def serving(leaf: Leaf) -> Iterator[int]:
    """uvicorn as the server runs it, in a thread; its port."""
    context = serving_context(leaf)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            hello, log_config=None, access_log=False, lifespan="off", ssl_context_factory=lambda *_: context
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: server.run(sockets=[listener]))
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


def ask(port: int, client: ssl.SSLContext, host: str = "127.0.0.1") -> str:
    """One request; the fingerprint of the certificate that was shown. Raises ssl.SSLError."""
    connection = http.client.HTTPSConnection(host, port, timeout=LIMIT_S, context=client)
    try:
        connection.request("GET", "/")
        assert isinstance(connection.sock, ssl.SSLSocket)
        shown = connection.sock.getpeercert(binary_form=True)
        assert connection.getresponse().read() == b"https"
        assert shown is not None
        return read_facts(ssl.DER_cert_to_PEM_cert(shown)).fingerprint
    finally:
        connection.close()


def test_it_is_spoken_to_by_https_and_by_nothing_else(tmp_path: Path) -> None:
    authority, leaf = case("good", tmp_path)
    with serving(leaf) as port:
        with httpx2.Client(verify=trusting(authority)) as client:
            assert client.get(f"https://localhost:{port}/").text == "https"
        with httpx2.Client() as client, pytest.raises(httpx2.TransportError):
            client.get(f"http://localhost:{port}/")


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_certificate_is_refused_by_who_trusts_the_authority(tmp_path: Path, kind: str) -> None:
    authority, leaf = case(kind, tmp_path)
    with serving(leaf) as port, pytest.raises(ssl.SSLCertVerificationError):
        ask(port, trusting(authority))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_renewed_certificate_is_shown_from_the_next_connection_on(tmp_path: Path, host: str) -> None:
    """Whether the client names the host in its first words (a name) or not (an address). What is open stays open."""
    establish(tmp_path, [], "this-machine", today_ms(), renew=False)
    files = tls_files(tmp_path)
    with serving(files.server) as port, httpx2.Client(verify=trusting(files.ca)) as open_before:
        before = ask(port, trusting(files.ca), host)
        assert open_before.get(f"https://{host}:{port}/").text == "https"
        establish(tmp_path, [], "this-machine", today_ms(), renew=True)
        after = ask(port, trusting(files.ca), host)
        assert after != before
        assert after == read_facts(files.server.certificate.read_text()).fingerprint
        assert open_before.get(f"https://{host}:{port}/").text == "https"


def test_a_session_from_before_the_renewal_may_be_resumed_or_begun_anew(tmp_path: Path) -> None:
    """A client that kept its session must not be shut out by it."""
    establish(tmp_path, [], "this-machine", today_ms(), renew=False)
    files = tls_files(tmp_path)
    client = trusting(files.ca)

    def visit(session: ssl.SSLSession | None) -> ssl.SSLSession | None:
        with socket.create_connection(("127.0.0.1", port), LIMIT_S) as plain:
            with client.wrap_socket(plain, server_hostname="localhost", session=session) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = b""
                while chunk := connection.recv(4096):
                    answer += chunk
                assert b"https" in answer
                return connection.session

    with serving(files.server) as port:
        kept = visit(None)
        assert kept is not None
        visit(kept)
        establish(tmp_path, [], "this-machine", today_ms(), renew=True)
        visit(kept)


def test_a_spoilt_certificate_leaves_the_one_before_it_in_use(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    authority, leaf = case("good", tmp_path)
    with serving(leaf) as port:
        before = ask(port, trusting(authority))
        good = leaf.certificate.read_text()
        for spoilt in ("spoilt", None):
            if spoilt is None:
                leaf.certificate.unlink()
            else:
                leaf.certificate.write_text(spoilt)
            with caplog.at_level(logging.WARNING):
                assert ask(port, trusting(authority)) == before
            assert "the certificate before is still in use" in caplog.text
        leaf.certificate.write_text(good)
        assert ask(port, trusting(authority)) == before


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_tls_1_1_is_refused(tmp_path: Path) -> None:
    authority, leaf = case("good", tmp_path)
    old = trusting(authority)
    old.set_ciphers("ALL:@SECLEVEL=0")  # this library can, if the other side can
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with serving(leaf) as port:
        with pytest.raises(ssl.SSLError, match=r"(?i)protocol"):
            ask(port, old)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        assert ask(port, old)


def test_without_a_certificate_the_sentence_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(TlsError, match=r"there is no .*server\.pem: `calza server ca` makes one") as caught:
        serving_context(tls_files(tmp_path).server)
    assert caught.value.code == "tls_no_certificate"
