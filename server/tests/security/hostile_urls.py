"""URLs that must reach nothing: `{p}` stands for the canary's port, and every name resolves to its address."""

_WITHOUT_SPACES = """
    http://127.0.0.1:{p}/ http://127.0.0.2:{p}/ http://127.255.255.254:{p}/ http://127.1:{p}/
    http://127.0.1:{p}/ http://2130706433:{p}/ http://0x7f000001:{p}/ http://0x7f.1:{p}/
    http://0X7F.0X0.0X0.0X1:{p}/ http://0x7f.0.0.1:{p}/ http://017700000001:{p}/ http://0177.0.0.1:{p}/
    http://0177.1:{p}/ http://00000177.0.0.1:{p}/ http://0177.0x0.0.1:{p}/ http://127.0.0.1.:{p}/
    http://127.1.:{p}/ http://0x7f000001.:{p}/ http://0:{p}/ http://0.0.0.0:{p}/ http://0.0:{p}/
    http://0x0:{p}/ http://00:{p}/ http://127.0.0.01:{p}/ http://127.000.000.001:{p}/
    http://0127.0.0.1:{p}/ http://4294967295:{p}/ http://4294967296:{p}/ http://6425673729:{p}/
    http://127.0.0.1.1:{p}/ http://256.0.0.1:{p}/ http://127.0.0.0x1:{p}/ http://127.0x1:{p}/
    http://0x:{p}/ http://1.0x:{p}/ http://10.0.0.1:{p}/ http://172.16.0.1:{p}/ http://172.31.255.255:{p}/
    http://192.168.1.1:{p}/ http://192.168.257:{p}/ http://167772161:{p}/ http://100.64.0.1:{p}/
    http://100.100.100.200:{p}/ http://169.254.169.254/latest/meta-data/ http://169.254.169.254:{p}/
    http://2852039166/ http://0xA9FEA9FE/ http://0xa9.0xfe.0xa9.0xfe/ http://0251.0376.0251.0376/
    http://169.254.43518/ http://169.16689662/ http://168.63.129.16/ http://192.0.0.192/
    http://198.18.0.1:{p}/ http://203.0.113.7:{p}/ http://192.88.99.1:{p}/ http://224.0.0.1:{p}/
    http://240.0.0.1:{p}/ http://255.255.255.255:{p}/ http://[::1]:{p}/ http://[::]:{p}/
    http://[0:0:0:0:0:0:0:1]:{p}/ http://[0000::0001]:{p}/ http://[::127.0.0.1]:{p}/
    http://[::ffff:127.0.0.1]:{p}/ http://[::FFFF:7F00:1]:{p}/ http://[0:0:0:0:0:ffff:127.0.0.1]:{p}/
    http://[::ffff:0:127.0.0.1]:{p}/ http://[::ffff:169.254.169.254]/ http://[64:ff9b::127.0.0.1]:{p}/
    http://[64:ff9b::7f00:1]:{p}/ http://[64:ff9b:1::127.0.0.1]:{p}/ http://[2002:7f00:1::]:{p}/
    http://[2002:a9fe:a9fe::1]/ http://[2001:0:7f00:1::1]:{p}/ http://[2001:db8::1]:{p}/
    http://[fc00::1]:{p}/ http://[fd00:ec2::254]/ http://[fe80::1]:{p}/ http://[fe80::1%25lo]:{p}/
    http://[fe80::1%25]:{p}/ http://[::1%25lo]:{p}/ http://[fec0::1]:{p}/ http://[ff02::1]:{p}/
    http://[100::1]:{p}/ http://[3fff::1]:{p}/ http://[::1:{p}/ http://::1:{p}/ http://[127.0.0.1]:{p}/
    http://[::1].example.com:{p}/ http://[]:{p}/ http://[localhost]:{p}/ http://localhost:{p}/
    http://LOCALHOST:{p}/ http://localhost.:{p}/ http://a.localhost:{p}/ http://localhost.localdomain:{p}/
    http://ip6-localhost:{p}/ http://intranet:{p}/ http://db.internal:{p}/
    http://metadata.google.internal/ http://printer.local:{p}/ http://nas.lan:{p}/
    http://router.home.arpa:{p}/ http://rebound.example.com:{p}/ http://127.0.0.1.nip.example:{p}/
    http://xn--nxasmq6b.example:{p}/ http://café.example:{p}/ http://a_b.example.com:{p}/
    https://rebound.example.com:{p}/ http://１２７.０.０.１:{p}/ http://127。0。0。1:{p}/ http://127．0．0．1:{p}/
    http://127｡0｡0｡1:{p}/ http://①②⑦.⓪.⓪.①:{p}/ http://127.0.0.⑴:{p}/ http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:{p}/
    http://ｌｏｃａｌｈｏｓｔ:{p}/ http://locaｌhost:{p}/ http://loc\u00adalhost:{p}/ http://127.0.0.\u0661:{p}/
    http://0\u200b.0.0.0:{p}/ http://%31%32%37.0.0.1:{p}/ http://127.0.0.1%2f:{p}/
    http://127.0.0.1%00:{p}/ http://local%68ost:{p}/ http://127.0.0.1%23.example.com:{p}/
    http://example.com%40127.0.0.1:{p}/ http://user@127.0.0.1:{p}/ http://user:pass@example.com:{p}/
    http://example.com@127.0.0.1:{p}/ http://example.com:80@127.0.0.1:{p}/ http://:@example.com:{p}/
    http://@127.0.0.1:{p}/ http://example.com#@127.0.0.1:{p}/ http://127.0.0.1:{p}#@example.com/
    http://127.0.0.1:{p}?@example.com/ http://example.com\\@127.0.0.1:{p}/
    http://127.0.0.1:{p}\\@example.com/ http://127.0.0.1\\.example.com:{p}/ http:\\\\127.0.0.1:{p}/
    http:/127.0.0.1:{p}/ http:127.0.0.1:{p}/ http:///127.0.0.1:{p}/ //127.0.0.1:{p}/ 127.0.0.1:{p} http://
    http://:{p}/ http://.:{p}/ http://..:{p}/ http://a..example.com:{p}/ http://.127.0.0.1:{p}/
    http://127.0.0.1..:{p}/ http://-:{p}/ http://*:{p}/ http://example.com;127.0.0.1:{p}/
    http://127.0.0.1:0/ http://127.0.0.1:65536/ http://127.0.0.1:-1/ http://127.0.0.1:{p}{p}/
    http://127.0.0.1:{p}:80/ http://127.0.0.1:x/ http://example.com:22/ http://example.com:25/
    https://example.com:993/ http://8.8.8.8:53/ https://[2606:4700::1111]:853/ file:///etc/passwd
    ftp://127.0.0.1:{p}/ gopher://127.0.0.1:{p}/_ dict://127.0.0.1:{p}/ ws://127.0.0.1:{p}/
    wss://127.0.0.1:{p}/ unix:///var/run/docker.sock data:text/plain,x javascript:alert(1)
    jar:http://127.0.0.1:{p}!/ HTTP+UNIX://%2Fvar%2Frun%2Fdocker.sock/
"""
HOSTILE = [
    *_WITHOUT_SPACES.split(),
    "",
    "http://127.0.0.1 :{p}/",
    "http://127.0.0.1\t:{p}/",
    "http://example.com\r\nHost:127.0.0.1:{p}/",
    "http://127.0.0.1:{p}/\r\nX-Injected: 1",
    "http://exam\nple.com:{p}/",
    "http://127.0.0.1\x00.example.com:{p}/",
    "http://\ud800.example.com:{p}/",
    "http://" + "a" * 64 + ".example.com:{p}/",
    "http://" + "a." * 130 + "example.com:{p}/",
    "http://example.com/" + "a" * 70000,
]
