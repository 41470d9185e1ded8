"""Which addresses are public, and every way to spell one."""

from ipaddress import ip_address, ip_network

import pytest

from bivelio_server.kit.addresses import is_public, is_reachable, literal_address

PUBLIC = """
    1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
    168.63.129.15 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255
    192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255 2001:4860:4860::8888 2606:4700::1111
    2a00:1450::1 2001:200::1 ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2002:808:808::1
"""
NOT_PUBLIC = """
    0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.0 100.100.100.200 100.127.255.255 127.0.0.1
    127.255.255.255 168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.0 172.31.255.255
    192.0.0.1 192.0.0.192 192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1 192.168.0.1 192.175.48.1
    198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
    :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:0:127.0.0.1 64:ff9b::127.0.0.1
    64:ff9b::169.254.169.254 64:ff9b:1::8.8.8.8 100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2
    2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1::1 2002:a9fe:a9fe::1 2002:c058:6301::1 2620:4f:8000::1
    3ffe::1 3fff::1 4000::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 ff0e::1
"""


@pytest.mark.parametrize("text", PUBLIC.split())
def test_public_addresses_are_public(text):
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", NOT_PUBLIC.split())
def test_all_others_are_not(text):
    assert not is_public(ip_address(text))


@pytest.mark.parametrize(
    ("address", "network", "reachable"),
    [
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "10.1.2.0/24", True),
        ("10.1.3.3", "10.1.2.0/24", False),
        ("::ffff:10.1.2.3", "10.0.0.0/8", True),  # what the connection really reaches is what counts
        ("64:ff9b::10.1.2.3", "10.0.0.0/8", True),
        ("fd12::1", "fd12::/16", True),
        ("fd12::1", "10.0.0.0/8", False),
        ("127.0.0.1", "127.0.0.2/32", False),
        ("8.8.8.8", "10.0.0.0/8", True),  # opening a private network does not close the public one
    ],
)
def test_the_operator_opens_networks(address, network, reachable):
    assert is_reachable(ip_address(address), [ip_network(network)]) is reachable


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1.", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0X7F.1", "127.0.0.1"),
        ("0x7f.0x0.0x0.0x1", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("0177.0x0.0.1", "127.0.0.1"),
        ("0", "0.0.0.0"),
        ("134744072", "8.8.8.8"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("0:0:0:0:0:ffff:7f00:1", "::ffff:127.0.0.1"),
    ],
)
def test_every_spelling_of_an_address_is_read(host, address):
    assert literal_address(host) == ip_address(address)


@pytest.mark.parametrize("host", ["example.com", "localhost", "1.2.3.4.example", "0x7f.com", "cafe", "a.0xyz"])
def test_names_are_not_addresses(host):
    assert literal_address(host) is None


@pytest.mark.parametrize(
    "host",
    ["256.1.1.1", "1.2.3.4.5", "4294967296", "08.1", "example.1", "a.0x", "1..1", "[fe80::1%eth0]", "::g"],
)
def test_what_can_be_neither_name_nor_address_is_refused(host):
    with pytest.raises(ValueError):
        literal_address(host)
