"""Servers on loopback for the tests of outgoing calls, and the door set up for them."""

import asyncio
import datetime
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_network

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bivelio_server.kit.http import OutgoingError, OutgoingHttp

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def redirecting(status, location):
    return f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()


class Server:
    """What a test server saw."""

    def __init__(self):
        self.port = 0
        self.connections = 0
        self.requests = []
        self.hung_up = asyncio.Event()


@asynccontextmanager
async def serving(*replies, host="127.0.0.1", port=0, tls=None, drip=None):
    """A server that gives `replies` in turn, the last one for ever; `drip` is sent again and again after them."""
    server = Server()

    async def handle(reader, writer):
        server.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                server.requests.append(head + await reader.readexactly(sum(length)))
                writer.write(replies[min(len(server.requests), len(replies)) - 1])
                await writer.drain()
                while drip:
                    writer.write(drip)
                    await writer.drain()
                    await asyncio.sleep(0.01)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            server.hung_up.set()
            writer.close()

    listener = await asyncio.start_server(handle, host, port, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await listener.wait_closed()


@asynccontextmanager
async def door(*networks, names=None, **options):
    """The outgoing door: `networks` are opened, `names` (name to addresses) replace the system's resolver."""

    async def resolve(name, port):
        return (names or {}).get(name, ["127.0.0.1"])

    http = OutgoingHttp(
        private_networks=[ip_network(network) for network in networks],
        user_agent="BiVelio-Test/1",
        resolve=resolve,
        **options,
    )
    try:
        yield http
    finally:
        await http.aclose()


async def refusal(http, url, method="GET", **options):
    """The error that the request ends with."""
    with pytest.raises(OutgoingError) as caught:
        await http.request(method, url, **options)
    return caught.value


@dataclass
class Certificate:
    """A server's TLS context, and the file that would make its certificate trusted."""

    server: ssl.SSLContext
    file: str


def self_signed(name, folder):
    """A certificate for the host `name`, written to `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return Certificate(context, str(file))
