"""Taking secrets out of whatever is recorded: an answer may repeat what was sent, in one form or another."""

import base64
import html
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any, Final
from urllib.parse import quote, quote_plus

MASK: Final = "••••"
#: A shorter piece says nothing of a secret, and is found in any text.
_LEAST: Final = 6


class Masking:
    """Masks these secrets, as they are and as JSON, URLs, HTML, base64 and hexadecimal write them, in either case."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= _LEAST}
        self._forms = {form: form.casefold() for form in sorted(forms, key=lambda form: (-len(form), form))}

    def text(self, text: str) -> str:
        found = self._found_in(text)
        return found.sub(MASK, text) if found else text

    def value(self, value: Any) -> Any:
        """A JSON value with its texts and keys masked; a number that holds a secret becomes the mask."""
        found = self._found_in("\n".join(_texts(value)))
        return _masked(value, found) if found else value

    def _found_in(self, text: str) -> re.Pattern[str] | None:
        """Those that may be in there. A pattern of all of them would take a hundred times as long to tell."""
        folded = text.casefold()
        found = [re.escape(form) for form, form_folded in self._forms.items() if form_folded in folded]
        return re.compile("|".join(found), re.IGNORECASE) if found else None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
    elif _is_number(value):
        yield str(value)


def _masked(value: Any, found: re.Pattern[str]) -> Any:
    if isinstance(value, dict):
        return {found.sub(MASK, key): _masked(member, found) for key, member in value.items()}
    if isinstance(value, list):
        return [_masked(item, found) for item in value]
    if isinstance(value, str):
        return found.sub(MASK, value)
    return MASK if _is_number(value) and found.search(str(value)) else value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def _forms(secret: str) -> Iterator[str]:
    yield from (secret, html.escape(secret), secret.encode().hex())
    yield from (quote(secret), quote(secret, safe=""), quote_plus(secret))
    for encoded in (encode_basestring(secret)[1:-1], encode_basestring_ascii(secret)[1:-1]):
        yield from (encoded, encoded.replace("/", "\\/"))
    yield from _base64_forms(secret.encode())


def _base64_forms(secret: bytes) -> Iterator[str]:
    """What base64 makes of the secret wherever it begins in a longer text, but for the edges that depend on that."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + secret).decode().rstrip("=")
        complete = (before + len(secret)) % 3 == 0
        form = encoded[-(-before * 4 // 3) : len(encoded) if complete else -1]
        yield form
        yield form.replace("+", "-").replace("/", "_")
