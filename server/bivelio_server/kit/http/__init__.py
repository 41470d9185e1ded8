"""The one outgoing HTTP door.

`OutgoingHttp` calls; `check_url` judges a URL when it is saved; the tree of failures is drawn in `errors.py`.
`configured_client` is for the client library of a provider whose address the operator has set.
"""

from bivelio_server.kit.http.client import OutgoingHttp, OutgoingResponse, check_header_name
from bivelio_server.kit.http.configured import configured_client
from bivelio_server.kit.http.errors import (
    AddressRefused,
    ConnectFailed,
    ConnectionLost,
    DnsFailed,
    OutgoingError,
    ProtocolFailed,
    RequestInvalid,
    TimedOut,
    TlsFailed,
    UrlInvalid,
)
from bivelio_server.kit.http.network import Resolver
from bivelio_server.kit.http.targets import check_url, check_url_form

__all__ = [
    "AddressRefused",
    "ConnectFailed",
    "ConnectionLost",
    "DnsFailed",
    "OutgoingError",
    "OutgoingHttp",
    "OutgoingResponse",
    "ProtocolFailed",
    "RequestInvalid",
    "Resolver",
    "TimedOut",
    "TlsFailed",
    "UrlInvalid",
    "check_header_name",
    "check_url",
    "check_url_form",
    "configured_client",
]
