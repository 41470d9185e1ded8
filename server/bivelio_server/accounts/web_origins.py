"""Web origins, as a browser's `Origin` header writes them: `https://app.example.com`, with a port if not the usual."""

import re
from typing import Final
from urllib.parse import urlsplit

_SECURE: Final = "https"
_USUAL_PORTS: Final = {"https": 443, "http": 80}
_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
_LABEL: Final = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_WHOLE: Final = re.compile(r"https?://[^/?#@\\\s]+/?", re.IGNORECASE)


def normalised(origin: str) -> str | None:
    """The origin in the one form that browsers send; None when it is none, or not a safe one.

    Plain `http` is for the developer's own machine only.
    """
    if not origin.isascii() or not _WHOLE.fullmatch(origin):
        return None
    try:
        parts = urlsplit(origin)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if not (host in _LOCAL or (parts.scheme == _SECURE and len(host) <= 253 and _NAME.fullmatch(host))) or port == 0:
        return None
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + ("" if port in (None, _USUAL_PORTS[parts.scheme]) else f":{port}")


def host_of(origin: str) -> str:
    """Host and port as a `Host` header writes them; empty when there is none."""
    return origin.partition("://")[2]
