"""What is SMTP's own: headers, TLS, passwords, servers that do not answer."""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bivelio_server.integrations.smtp import SmtpMailer, SmtpServer
from bivelio_server.kit.clock import Clock
from bivelio_server.kit.errors import IntegrationFailed
from bivelio_server.mail import Message
from tests.mail.sink import Sink, serving
from tests.mail.test_contract import BREAKS

pytestmark = pytest.mark.anyio

HEADERS: Final = [
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding",
    "MIME-Version",
]  # fmt: skip
MESSAGE: Final = Message("maria@example.com", "Aviso", "Hola")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For a server at 127.0.0.1 with a certificate of its own, and for a client that trusts it."""
    folder = tmp_path_factory.mktemp("tls")
    certificate = _certificate(folder)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    return server, ssl.create_default_context(cafile=str(certificate))


def mailer_to(sink: Sink, user: str = "", *, scheme: str = "smtp", tls: ssl.SSLContext | None = None) -> SmtpMailer:
    server = SmtpServer.at(f"{scheme}://{user}127.0.0.1:{sink.port}?from=avisos@example.com")
    return SmtpMailer(server, Clock(), tls_context=tls)


@pytest.mark.parametrize("line_break", BREAKS, ids=repr)
async def test_nobody_adds_a_header(line_break: str) -> None:
    hostile = f"Acme{line_break}X-Evil: 1{line_break}{line_break}<script>"
    async with serving(Sink()) as sink:
        await mailer_to(sink).send(Message("maria@example.com", hostile, hostile, hostile), f"key{line_break}1")

    [message] = sink.messages
    assert sorted(message.keys()) == sorted(HEADERS)
    assert not [line for line in sink.raw[0].partition(b"\r\n\r\n")[0].split(b"\r\n") if line.startswith(b"X-Evil")]
    assert sink.taken[0].rcpt_tos == ["maria@example.com"]


@pytest.mark.parametrize("line_break", BREAKS, ids=repr)
async def test_nor_does_the_name_of_the_sender(line_break: str) -> None:
    async with serving(Sink()) as sink:
        server = replace(
            SmtpServer.at(f"smtp://127.0.0.1:{sink.port}?from=a@example.com"), sender_name=f"A{line_break}X: 1"
        )
        await SmtpMailer(server, Clock()).send(MESSAGE, "key-1")

    assert sorted(sink.messages[0].keys()) == sorted(HEADERS)


async def test_the_message_id_follows_from_the_key() -> None:
    async with serving(Sink()) as sink:
        for key in ("key-1", "key-1", "key-2"):
            await mailer_to(sink).send(MESSAGE, key)

    first, again, other = [message["Message-ID"] for message in sink.messages]
    assert first == again != other
    assert first.endswith("@example.com>")


@pytest.mark.parametrize(("scheme", "from_the_start"), [("smtp", False), ("smtps", True)])
async def test_a_password_goes_through_tls_only(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], scheme: str, from_the_start: bool
) -> None:
    server, client = tls
    async with serving(Sink(accounts={"ana": "s:e/c@ret"}), server, from_the_start=from_the_start) as sink:
        await mailer_to(sink, "ana:s%3Ae%2Fc%40ret@", scheme=scheme, tls=client).send(MESSAGE, "key-1")

    assert (sink.signed_in, sink.encrypted, len(sink.taken)) == (["ana"], [True], 1)


async def test_without_tls_no_password_is_sent() -> None:
    async with serving(Sink()) as sink:
        sink.accounts["ana"] = "secret"
        with pytest.raises(IntegrationFailed):
            await mailer_to(sink, "ana:secret@").send(MESSAGE, "key-1")

    assert (sink.signed_in, sink.taken) == ([], [])


async def test_a_certificate_that_nobody_vouches_for_is_not_believed(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    async with serving(Sink(accounts={"ana": "secret"}), tls[0]) as sink:
        with pytest.raises(IntegrationFailed):
            await mailer_to(sink, "ana:secret@").send(MESSAGE, "key-1")

    assert (sink.signed_in, sink.taken) == ([], [])


async def test_a_wrong_password_may_be_put_right(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    server, client = tls
    async with serving(Sink(accounts={"ana": "secret"}), server) as sink:
        with pytest.raises(IntegrationFailed) as refusal:
            await mailer_to(sink, "ana:wrong@", tls=client).send(MESSAGE, "key-1")

    assert refusal.value.retryable
    assert "wrong" not in str(refusal.value.details)


async def test_a_server_that_is_away_may_come_back() -> None:
    async with serving(Sink()) as sink:
        pass
    with pytest.raises(IntegrationFailed) as refusal:
        await mailer_to(sink).send(MESSAGE, "key-1")

    assert refusal.value.retryable


@pytest.mark.parametrize("greeting", [b"", b"220 ready\r\n", b"nonsense\r\n", b"220 " + b"x" * 100_000])
async def test_a_server_that_speaks_no_sense_holds_nothing_up(greeting: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        with suppress(OSError):
            while await reader.read(1000):
                pass
        writer.close()
        left.set()

    left = asyncio.Event()
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    sink = Sink(port=server.sockets[0].getsockname()[1])
    mailer = SmtpMailer(SmtpServer.at(f"smtp://127.0.0.1:{sink.port}?from=a@example.com"), Clock(), timeout_seconds=0.2)
    try:
        with pytest.raises(IntegrationFailed):
            async with asyncio.timeout(5):
                await mailer.send(MESSAGE, "key-1")
        async with asyncio.timeout(5):
            await left.wait()  # the connection is given up too
    finally:
        server.close()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "smtp://ana%40acme.es:p%3Aw@mail.example.com:2525?from=Acme%20SL%20<avisos@acme.es>",
            SmtpServer("mail.example.com", 2525, False, "ana@acme.es", "p:w", "avisos@acme.es", "Acme SL"),
        ),
        (
            "smtps://mail.example.com?from=a@acme.es",
            SmtpServer("mail.example.com", 465, True, None, None, "a@acme.es", "BiVelio"),
        ),
    ],
)
def test_the_address_of_the_server(url: str, expected: SmtpServer) -> None:
    assert SmtpServer.at(url) == expected
    assert "p:w" not in repr(SmtpServer.at(url))


@pytest.mark.parametrize(
    "url", ["http://a?from=a@b.es", "smtp://?from=a@b.es", "smtp://host", "smtp://host?from=nobody"]
)
def test_an_address_that_lacks_something(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        SmtpServer.at(url)


def _certificate(folder: Path) -> Path:
    """Key and certificate in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sink")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "sink.pem"
    encoding, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(
        key.private_bytes(encoding, private, serialization.NoEncryption()) + certificate.public_bytes(encoding)
    )
    return path
