"""What is kept of an attempt for its endpoint's owner: enough to find a fault, nothing that opens a door."""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from bivelio_server.kit.charsets import charset_of
from bivelio_server.kit.http import OutgoingResponse

MASK: Final = "***"
MAX_BODY_BYTES: Final = 64 * 1024
_MAX_HEADERS: Final = 64
_MAX_VALUE_LENGTH: Final = 1000
#: A signature is no secret, but whoever reads it could send the message once more.
_SIGNATURES: Final = frozenset({"webhook-signature", "x-bivelio-signature", "x-bivelio-signature-new"})
_CREDENTIAL: Final = re.compile(
    r"cookie|auth(?!or\b)|token|secret|signature|password|credential|session|api-?key|csrf|xsrf"
)


@dataclass(frozen=True, slots=True)
class Exchange:
    """What an attempt sent and got, fit to be kept and shown. What it got is null when no response came."""

    url: str
    request_headers: Mapping[str, str] | None = None
    response_headers: Mapping[str, str] | None = None
    response_body: str | None = None
    response_truncated: bool | None = None

    def columns(self) -> dict[str, Any]:
        """By the names of the attempt's columns."""
        return {
            "url": self.url,
            "request_headers": self.request_headers,
            "response_headers": self.response_headers,
            "response_body": self.response_body,
            "response_truncated": self.response_truncated,
        }


def keep(url: str, sent: Mapping[str, str], response: OutgoingResponse | None) -> Exchange:
    """The exchange with `sent` headers, credentials and signatures masked, also where the receiver echoes them."""
    shown = {name: MASK if name.lower() in _SIGNATURES else value for name, value in sent.items()}
    if response is None:
        return Exchange(url, shown)
    signatures = [part for name in sent if name.lower() in _SIGNATURES for part in sent[name].split(" ")]
    return Exchange(
        url, shown, _response_headers(response.headers, signatures), _text_of(response, signatures), response.truncated
    )


def _response_headers(headers: Mapping[str, str], signatures: list[str]) -> dict[str, str]:
    kept = {}
    for name, value in list(headers.items())[:_MAX_HEADERS]:
        shown = MASK if _is_credential(name) else _masked(_storable(value[:_MAX_VALUE_LENGTH]), signatures)
        kept[_storable(name[:100])] = shown
    return kept


@lru_cache(maxsize=256)
def _is_credential(name: str) -> bool:
    return _CREDENTIAL.search(name) is not None


def _text_of(response: OutgoingResponse, signatures: list[str]) -> str:
    """The body as text, whatever it is: what does not decode becomes a replacement character."""
    if not response.body:
        return ""
    # A character that was cut in two at the end is left out.
    decoder = codecs.getincrementaldecoder(charset_of(response.headers.get("content-type", "")))("replace")
    text = decoder.decode(response.body[:MAX_BODY_BYTES], final=not response.truncated)
    return _masked(_storable(text), signatures)


def _masked(text: str, signatures: list[str]) -> str:
    for signature in signatures:
        text = text.replace(signature.removeprefix("v1,"), MASK)
    return text


def _storable(text: str) -> str:
    """PostgreSQL keeps no NUL."""
    return text.replace("\x00", "\ufffd")
