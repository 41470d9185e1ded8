"""Why a call to the outside failed, and whether trying again may help.

    OutgoingError
    ├── RequestInvalid      a method or header that cannot be sent        final
    ├── UrlInvalid          not an absolute http(s) URL we understand     final
    ├── AddressRefused      an address, name or port that is not public   final
    ├── DnsFailed           the name did not resolve
    ├── ConnectFailed       no connection
    ├── TlsFailed           no TLS session, or a certificate not trusted
    ├── ConnectionLost      broken after connecting; the peer may have acted on the request
    ├── TimedOut            the whole exchange took too long; likewise
    └── ProtocolFailed      the peer does not speak HTTP

Messages name at most the host: URLs and headers carry other people's credentials.
"""

from typing import ClassVar


class OutgoingError(Exception):
    """Base of all failures of `OutgoingHttp.request`."""

    code: ClassVar[str] = "outgoing_failed"
    retryable: ClassVar[bool] = True

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class RequestInvalid(OutgoingError):
    code = "request_invalid"
    retryable = False


class UrlInvalid(OutgoingError):
    code = "url_invalid"
    retryable = False


class AddressRefused(OutgoingError):
    code = "address_refused"
    retryable = False


class DnsFailed(OutgoingError):
    code = "dns_failed"


class ConnectFailed(OutgoingError):
    code = "connect_failed"


class TlsFailed(OutgoingError):
    code = "tls_failed"


class ConnectionLost(OutgoingError):
    code = "connection_lost"


class TimedOut(OutgoingError):
    code = "timeout"


class ProtocolFailed(OutgoingError):
    code = "protocol_error"
