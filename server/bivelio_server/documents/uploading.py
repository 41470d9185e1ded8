"""The content of an uploaded document. What other features call, too."""

from typing import Final

from bivelio_server.kit.errors import BodyTooLarge, Problem, ValidationFailed
from bivelio_server.kit.text import Text
from bivelio_server.kit.uploads import Upload
from bivelio_server.settings import MAX_DOCUMENT_BYTES

#: The largest file in base64, and its envelope.
MAX_BODY_BYTES: Final = MAX_DOCUMENT_BYTES * 4 // 3 + 1_048_576


def content_of(data: Upload, max_bytes: int) -> bytes:
    """Raises ValidationFailed, BodyTooLarge."""
    content = data.content()
    if not content:
        raise ValidationFailed(Problem("content_base64", "min_length", _EMPTY))
    if len(content) > max_bytes:
        raise BodyTooLarge(Problem("content_base64", "max_length", _TOO_LARGE.format(bytes=max_bytes)))
    return content


_EMPTY: Final = Text(
    "El fichero ('content_base64', o la parte 'file') está vacío.",
    "The file ('content_base64', or the part 'file') is empty.",
)
_TOO_LARGE: Final = Text(
    "El fichero ('content_base64', o la parte 'file') supera los {bytes} bytes.",
    "The file ('content_base64', or the part 'file') is larger than {bytes} bytes.",
)
