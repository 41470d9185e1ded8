"""The outgoing door at work: reuse, limits, TLS and the names of failures."""

import asyncio
import gzip
from ipaddress import ip_network

import pytest

from bivelio_server.kit.http import OutgoingHttp
from tests.kit.outgoing import OK, door, refusal, self_signed, serving

pytestmark = pytest.mark.anyio


async def test_an_allowed_server_gets_the_request_whole():
    async with serving(OK) as server, door("127.0.0.0/8") as http:
        response = await http.request(
            "POST", f"http://127.0.0.1:{server.port}/hook?a=b#c", headers={"X-Event": "e"}, content=b"{}"
        )
    assert (response.status, response.body, response.truncated) == (200, b"ok", False)
    head, body = server.requests[0].split(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"POST /hook?a=b HTTP/1.1",
        b"host: 127.0.0.1:%d" % server.port,
        b"user-agent: BiVelio-Test/1",
        b"x-event: e",
        b"accept-encoding: identity",
        b"content-length: 2",
    ]
    assert body == b"{}"


async def test_a_healthy_connection_is_used_again_and_keeps_no_cookies():
    cookie = OK.replace(b"\r\n", b"\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n", 1)
    async with serving(cookie) as server, door("127.0.0.0/8") as http:
        for _ in range(3):
            response = await http.request("GET", f"http://127.0.0.1:{server.port}/")
    assert response.headers["set-cookie"] == "a=b, c=d"
    assert (server.connections, len(server.requests)) == (1, 3)
    assert not any(b"cookie" in request.lower() for request in server.requests)


async def test_an_idle_connection_with_unasked_bytes_is_not_used_again():
    unasked = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"
    async with serving(OK, drip=unasked) as server, door("127.0.0.0/8") as http:
        for _ in range(2):
            response = await http.request("GET", f"http://127.0.0.1:{server.port}/")
            await asyncio.sleep(0.05)
    assert response.status == 200
    assert server.connections == 2


async def test_many_requests_share_a_few_connections():
    async with serving(OK) as server, door("127.0.0.0/8", max_connections=4) as http:
        url = f"http://127.0.0.1:{server.port}/"
        responses = await asyncio.gather(*(http.request("GET", url) for _ in range(40)))
    assert [response.status for response in responses] == [200] * 40
    assert server.connections <= 4


async def test_a_dead_address_does_not_hide_a_living_one():
    names = {"two.example.com": ["127.0.0.9", "127.0.0.1"]}
    async with serving(OK) as server, door("127.0.0.0/8", names=names) as http:
        response = await http.request("GET", f"http://two.example.com:{server.port}/")
    assert response.status == 200


async def test_the_systems_resolver_finds_localhost():
    http = OutgoingHttp(private_networks=[ip_network("127.0.0.0/8"), ip_network("::1/128")], user_agent="t")
    async with serving(OK, host="localhost") as server:
        response = await http.request("GET", f"http://localhost:{server.port}/")
        await http.aclose()
    assert response.status == 200


async def test_ipv6_works_where_it_is_opened():
    async with serving(OK, host="::1") as server:
        url = f"http://[::1]:{server.port}/"
        async with door("::1/128") as http:
            response = await http.request("GET", url)
        async with door("127.0.0.0/8") as http:
            error = await refusal(http, url)
    assert response.status == 200
    assert b"host: [::1]:%d\r\n" % server.port in server.requests[0]
    assert error.code == "address_refused"
    assert server.connections == 1


async def test_a_dripping_body_ends_with_the_overall_timeout():
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with serving(endless, drip=b"1\r\nx\r\n") as server, door("127.0.0.0/8") as http:
        started = asyncio.get_running_loop().time()
        error = await refusal(http, f"http://127.0.0.1:{server.port}/", timeout=0.3)
        took = asyncio.get_running_loop().time() - started
        await asyncio.wait_for(server.hung_up.wait(), 5)
    assert (error.code, error.retryable) == ("timeout", True)
    assert took < 2


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "])
async def test_a_dripping_head_ends_with_the_overall_timeout(start):
    drip = start if start.startswith(b"HTTP/1.1 100") else b"x"
    async with serving(start, drip=drip if start else b"") as server, door("127.0.0.0/8") as http:
        error = await refusal(http, f"http://127.0.0.1:{server.port}/", timeout=0.3)
    assert error.code == "timeout"


async def test_a_slow_name_server_ends_with_the_overall_timeout():
    async def resolve(name, port):
        await asyncio.Event().wait()

    http = OutgoingHttp(user_agent="t", resolve=resolve)
    error = await refusal(http, "https://slow.example.com/", timeout=0.1)
    await http.aclose()
    assert error.code == "timeout"


async def test_waiting_for_a_free_connection_counts_and_frees_it_again():
    async with serving(b"") as silent, serving(OK) as server, door("127.0.0.0/8", max_connections=1) as http:
        url = f"http://127.0.0.1:{silent.port}/"
        errors = await asyncio.gather(*(refusal(http, url, timeout=seconds) for seconds in (1.5, 0.2)))
        response = await http.request("GET", f"http://127.0.0.1:{server.port}/")
    assert [error.code for error in errors] == ["timeout", "timeout"]
    assert silent.connections == 1
    assert response.status == 200


async def test_a_huge_body_is_cut():
    endless = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"
    async with serving(endless, drip=b"x" * 65536) as server, door("127.0.0.0/8") as http:
        response = await http.request("GET", f"http://127.0.0.1:{server.port}/", max_response_bytes=100_000)
        await asyncio.wait_for(server.hung_up.wait(), 5)
    assert response.truncated
    assert response.body == b"x" * 100_000


@pytest.mark.parametrize(("size", "truncated"), [(9, False), (10, False), (11, True)])
async def test_the_cut_is_exact(size, truncated):
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
    async with serving(reply) as server, door("127.0.0.0/8") as http:
        response = await http.request("GET", f"http://127.0.0.1:{server.port}/", max_response_bytes=10)
    assert (len(response.body), response.truncated) == (min(size, 10), truncated)


async def test_a_compressed_body_is_never_unpacked():
    bomb = gzip.compress(bytes(10_000_000))
    reply = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb) + bomb
    async with serving(reply) as server, door("127.0.0.0/8") as http:
        response = await http.request("GET", f"http://127.0.0.1:{server.port}/")
    assert response.body == bomb


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "protocol_error"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", "protocol_error"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, "protocol_error"),
    ],
)
async def test_what_is_not_http_is_named(reply, code):
    async with serving(reply) as server, door("127.0.0.0/8") as http:
        error = await refusal(http, f"http://127.0.0.1:{server.port}/", timeout=5)
    assert (error.code, error.retryable) == (code, True)


async def test_nobody_listening_is_named():
    async with serving(OK) as server:
        pass
    async with door("127.0.0.0/8") as http:
        error = await refusal(http, f"http://127.0.0.1:{server.port}/")
    assert (error.code, error.retryable) == ("connect_failed", True)


async def test_an_unknown_name_is_named():
    async with door(names={"gone.example.com": []}) as http:
        error = await refusal(http, "https://gone.example.com/")
    assert (error.code, error.retryable) == ("dns_failed", True)


async def test_a_self_signed_certificate_is_refused(tmp_path):
    async with serving(OK, tls=self_signed("hook.example.com", tmp_path).server) as server, door("127.0.0.0/8") as http:
        error = await refusal(http, f"https://hook.example.com:{server.port}/")
    assert (error.code, error.retryable) == ("tls_failed", True)
    assert server.requests == []


async def test_a_certificate_for_another_name_is_refused(tmp_path, monkeypatch):
    other = self_signed("other.example.com", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", other.file)
    async with serving(OK, tls=other.server) as server, door("127.0.0.0/8") as http:
        error = await refusal(http, f"https://hook.example.com:{server.port}/")
    assert error.code == "tls_failed"
    assert server.requests == []


async def test_tls_asks_for_the_name_and_keeps_the_connection(tmp_path, monkeypatch):
    trusted = self_signed("hook.example.com", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", trusted.file)
    asked = []
    trusted.server.sni_callback = lambda _socket, name, _context: asked.append(name)
    async with serving(OK, tls=trusted.server) as server, door("127.0.0.0/8") as http:
        for _ in range(2):
            response = await http.request("GET", f"https://hook.example.com:{server.port}/")
    assert response.status == 200
    assert asked == ["hook.example.com"]
    assert b"host: hook.example.com:%d\r\n" % server.port in server.requests[0]
    assert (server.connections, len(server.requests)) == (1, 2)


async def test_bytes_before_the_handshake_are_not_an_answer():
    async def chatty(reader, writer):
        writer.write(OK)
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(chatty, "127.0.0.1", 0)
    async with door("127.0.0.0/8") as http:
        error = await refusal(http, f"https://a.example.com:{listener.sockets[0].getsockname()[1]}/")
    listener.close()
    assert error.code == "tls_failed"


async def test_a_silent_handshake_ends_with_the_overall_timeout():
    async with serving(b"") as server, door("127.0.0.0/8") as http:
        error = await refusal(http, f"https://a.example.com:{server.port}/", timeout=0.3)
    assert error.code in {"timeout", "tls_failed"}
    assert server.requests == []
