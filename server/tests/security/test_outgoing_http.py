"""Nobody reaches the inner network through the server's outgoing calls."""

from ipaddress import ip_network

import pytest

from bivelio_server.kit.http import OutgoingError, OutgoingHttp, check_url
from tests.kit.outgoing import OK, door, redirecting, refusal, serving
from tests.security.hostile_urls import HOSTILE

pytestmark = pytest.mark.anyio


def test_the_table_is_long_enough():
    assert len(HOSTILE) == len(set(HOSTILE)) >= 120


@pytest.mark.parametrize("url", HOSTILE, ids=lambda url: ascii(url)[1:60])
async def test_a_hostile_url_reaches_nothing(url):
    async with serving(OK) as canary, door() as http:
        error = await refusal(http, url.replace("{p}", str(canary.port)), timeout=5)
    assert error.code in {"address_refused", "url_invalid"}
    assert not error.retryable
    assert canary.connections == 0


@pytest.mark.parametrize(
    "url",
    [url for url in HOSTILE if "example" not in url and "xn--" not in url],
    ids=lambda url: ascii(url)[1:60],
)
def test_a_hostile_url_is_refused_when_it_is_saved(url):
    with pytest.raises(OutgoingError):
        check_url(url.replace("{p}", "8080"), ())


@pytest.mark.parametrize(
    ("url", "networks"),
    [
        ("https://example.com/hook?x=1", ()),
        ("http://example.com:8080/", ()),
        ("https://münchen.example/", ()),
        ("https://[2606:4700::1111]/", ()),
        ("http://n8n:5678/webhook", ["172.16.0.0/12"]),
        ("http://10.1.2.3:25/", ["10.0.0.0/8"]),
        ("http://mail.internal:25/", ["10.0.0.0/8"]),
        ("http://localhost/", ["127.0.0.0/8"]),
    ],
)
def test_a_good_url_may_be_saved(url, networks):
    check_url(url, [ip_network(network) for network in networks])


@pytest.mark.parametrize(
    "addresses",
    [
        ["8.8.8.8", "127.0.0.1"],
        ["127.0.0.1", "8.8.8.8"],
        ["2606:4700::1111", "::1"],
        ["8.8.8.8", "::ffff:127.0.0.1"],
        ["8.8.8.8", "8.8.4.4", "1.1.1.1", "9.9.9.9", "10.0.0.1"],
    ],
)
async def test_one_private_address_among_public_ones_is_enough(addresses):
    async with serving(OK) as canary, door(names={"mixed.example.com": addresses}) as http:
        error = await refusal(http, f"http://mixed.example.com:{canary.port}/")
    assert error.code == "address_refused"
    assert canary.connections == 0


async def test_a_name_is_resolved_once_so_it_cannot_change_its_mind():
    answers = iter([["127.0.0.2"], ["127.0.0.1"]])
    asked = []

    async def resolve(name, port):
        asked.append(name)
        return next(answers)

    http = OutgoingHttp(private_networks=[ip_network("127.0.0.2/32")], user_agent="t", resolve=resolve)
    async with serving(OK) as canary, serving(OK, host="127.0.0.2", port=canary.port) as allowed:
        response = await http.request("GET", f"http://rebound.example.com:{canary.port}/")
        await http.request("GET", f"http://rebound.example.com:{canary.port}/")  # the checked connection, kept alive
        await http.aclose()
    assert response.body == b"ok"
    assert asked == ["rebound.example.com"]
    assert (allowed.connections, canary.connections) == (1, 0)


async def test_a_name_that_turned_private_is_refused_on_the_next_connection():
    answers = iter([["127.0.0.2"], ["127.0.0.1"]])

    async def resolve(name, port):
        return next(answers)

    closing = OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
    http = OutgoingHttp(private_networks=[ip_network("127.0.0.2/32")], user_agent="t", resolve=resolve)
    async with serving(OK) as canary, serving(closing, host="127.0.0.2", port=canary.port):
        await http.request("GET", f"http://rebound.example.com:{canary.port}/")
        error = await refusal(http, f"http://rebound.example.com:{canary.port}/")
        await http.aclose()
    assert error.code == "address_refused"
    assert canary.connections == 0


_LOCATIONS = """
    http://127.0.0.1:{p}/ //127.0.0.1:{p}/ http://localhost:{p}/ http://0x7f.1:{p}/
    http://[::ffff:127.0.0.1]:{p}/ http://inner.example.com:{p}/ http://user:pass@127.0.0.1:{p}/
    http://169.254.169.254/ file:///etc/passwd gopher://127.0.0.1:{p}/ http://127.0.0.2:{p}@127.0.0.1:{p}/
    http://127。0。0。1:{p}/
"""


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", _LOCATIONS.split())
async def test_a_redirect_is_checked_like_the_first_url(location, status):
    async with serving(OK) as canary:
        redirect = redirecting(status, location.replace("{p}", str(canary.port)))
        async with serving(redirect, host="127.0.0.2") as allowed, door("127.0.0.2/32") as http:
            error = await refusal(http, f"http://127.0.0.2:{allowed.port}/", "POST", content=b"{}", follow_redirects=3)
    assert error.code in {"address_refused", "url_invalid"}
    assert (allowed.connections, canary.connections) == (1, 0)


async def test_a_redirect_is_not_followed_unless_asked():
    async with serving(redirecting(302, "/next"), OK) as server, door("127.0.0.0/8") as http:
        response = await http.request("GET", f"http://127.0.0.1:{server.port}/")
    assert (response.status, response.headers["location"]) == (302, "/next")
    assert len(server.requests) == 1


async def test_redirects_are_followed_as_often_as_asked():
    async with serving(redirecting(302, "/again")) as server, door("127.0.0.0/8") as http:
        response = await http.request("GET", f"http://127.0.0.1:{server.port}/", follow_redirects=3)
    assert response.status == 302
    assert len(server.requests) == 4


async def test_secrets_do_not_follow_a_redirect_to_another_origin():
    async with serving(OK) as other:
        redirect = redirecting(307, f"http://127.0.0.1:{other.port}/")
        async with serving(redirect, host="127.0.0.2") as first, door("127.0.0.0/8") as http:
            await http.request(
                "POST",
                f"http://127.0.0.2:{first.port}/",
                headers={"Authorization": "Bearer s3cret", "X-Api-Key": "s3cret", "Accept": "text/plain"},
                content=b"body",
                follow_redirects=1,
            )
    assert first.requests[0].count(b"s3cret") == 2
    assert b"s3cret" not in other.requests[0]
    assert b"accept: text/plain" in other.requests[0]
    assert other.requests[0].endswith(b"\r\n\r\nbody")


async def test_a_see_other_becomes_a_get_without_body():
    async with serving(redirecting(303, "done"), OK) as server, door("127.0.0.0/8") as http:
        await http.request("POST", f"http://127.0.0.1:{server.port}/a/b?c", content=b"body", follow_redirects=1)
    assert server.requests[1].startswith(b"GET /a/done HTTP/1.1\r\n")
    assert server.requests[1].endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "a\r\nHost: inner"},
        {"X-A": "a\nb"},
        {"X-A": "a\rb"},
        {"X-A": "a\x00b"},
        {"X-A": "señal"},
        {"X-A\r\nX-B": "a"},
        {"X A": "a"},
        {"": "a"},
        {"Host": "inner.example.com"},
        {"Content-Length": "0"},
        {"transfer-encoding": "chunked"},
        {"Connection": "upgrade"},
        {"Accept-Encoding": "gzip"},
    ],
)
async def test_a_header_that_would_change_the_request_is_refused(headers):
    async with serving(OK) as server, door("127.0.0.0/8") as http:
        error = await refusal(http, f"http://127.0.0.1:{server.port}/", headers=headers)
    assert (error.code, error.retryable) == ("request_invalid", False)
    assert server.connections == 0


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "get", "GET / HTTP/1.1\r\nX: y", ""])
async def test_other_methods_are_refused(method):
    async with serving(OK) as server, door("127.0.0.0/8") as http:
        error = await refusal(http, f"http://127.0.0.1:{server.port}/", method)
    assert error.code == "request_invalid"
    assert server.connections == 0


async def test_errors_keep_credentials_to_themselves():
    async with door() as http:
        errors = [
            await refusal(http, "https://user:s3cret@example.com/"),
            await refusal(http, "http://127.0.0.1/?token=s3cret"),
            await refusal(http, "https://example.com/", headers={"Authorization": "s3cret\n"}),
        ]
    assert not any("s3cret" in str(error) for error in errors)
