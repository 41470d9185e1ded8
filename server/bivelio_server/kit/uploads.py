"""Files in a request: `content_base64` in JSON, or the same envelope as multipart/form-data with a part `file`."""

import base64
import binascii
from collections.abc import AsyncGenerator
from typing import Final

from pydantic import Field
from starlette.datastructures import FormData, Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from bivelio_server.kit import json
from bivelio_server.kit.errors import Problem, ValidationFailed
from bivelio_server.kit.models import Input
from bivelio_server.kit.text import Text

MULTIPART: Final = "multipart/form-data"
MAX_DATA_BYTES: Final = 1_048_576
_PIECE_BYTES: Final = 262_144
_PARTS: Final = ("action", "data", "file")


class Upload(Input):
    """The base of an input that carries a file."""

    content_base64: str | None = Field(
        None,
        description="The file in base64. Or send multipart/form-data with a part `file` instead.",
        json_schema_extra={"contentEncoding": "base64"},
    )

    def content(self) -> bytes:
        """The file's bytes. Raises ValidationFailed."""
        if self.content_base64 is None:
            raise ValidationFailed(Problem("content_base64", "required", _NO_FILE))
        try:
            return base64.b64decode(self.content_base64, validate=True)
        except (binascii.Error, ValueError):
            raise ValidationFailed(Problem("content_base64", "base64", _NOT_BASE64)) from None


async def read_parts(headers: Headers, body: bytes) -> json.JSONValue:
    """The envelope out of a multipart body: its file becomes `content_base64` of its data. Raises ValidationFailed."""
    parser = _InMemory(headers, _in_pieces(body), max_files=2, max_fields=len(_PARTS), max_part_size=MAX_DATA_BYTES)
    try:
        return await _envelope(await parser.parse())
    except MultiPartException:
        raise ValidationFailed(Problem("body", "multipart", _NOT_MULTIPART)) from None
    finally:
        parser.close()


async def _envelope(form: FormData) -> json.JSONValue:
    if len(form.multi_items()) != len(form):
        raise ValidationFailed(Problem("body", "multipart", _REPEATED))
    unknown = [name for name in form if name not in _PARTS]
    if unknown:
        raise ValidationFailed([Problem(name[:100], "unknown_field", _UNKNOWN_PART) for name in unknown])
    file, action, data = form.get("file"), form.get("action"), await _json_part(form)
    if not isinstance(file, UploadFile):
        raise ValidationFailed(Problem("file", "required", _NO_FILE))
    if not isinstance(data, dict):
        raise ValidationFailed(Problem("data", "object", _NOT_AN_OBJECT))
    if data.get("content_base64") is not None:
        raise ValidationFailed(Problem("content_base64", "one_of", _TWO_FILES))
    content = base64.b64encode(await file.read()).decode()
    return {"data": {**data, "content_base64": content}, **({} if action is None else {"action": action})}


class _InMemory(MultiPartParser):
    """The whole body is in memory already, and it is bounded."""

    spool_max_size = 1 << 30

    def close(self) -> None:
        """All files that were begun, those that never ended too."""
        for file in self._files_to_close_on_error:
            file.close()


async def _in_pieces(body: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(body), _PIECE_BYTES):
        yield body[start : start + _PIECE_BYTES]


async def _json_part(form: FormData) -> json.JSONValue:
    part = form.get("data", "{}")
    text = await part.read() if isinstance(part, UploadFile) else part
    if len(text) > MAX_DATA_BYTES:
        raise ValidationFailed(Problem("data", "max_length", _TOO_LONG))
    try:
        return json.loads(text)
    except (json.InvalidJSON, UnicodeEncodeError):
        raise ValidationFailed(Problem("data", "json", _NOT_JSON)) from None


_NO_FILE: Final = Text(
    "Falta el fichero: envía 'content_base64', o multipart/form-data con una parte 'file'.",
    "The file is missing: send 'content_base64', or multipart/form-data with a part 'file'.",
)
_TWO_FILES: Final = Text(
    "Envía 'content_base64' o la parte 'file', no ambas.", "Send 'content_base64' or the part 'file', not both."
)
_NOT_BASE64: Final = Text("El campo 'content_base64' no es base64.", "The field 'content_base64' is not base64.")
_UNKNOWN_PART: Final = Text(
    "Las partes posibles son: action, data, file.", "The parts that may be sent are: action, data, file."
)
_NOT_AN_OBJECT: Final = Text("La parte 'data' debe ser un objeto JSON.", "The part 'data' must be a JSON object.")
_NOT_JSON: Final = Text("La parte 'data' no es JSON válido.", "The part 'data' is not valid JSON.")
_TOO_LONG: Final = Text(
    f"La parte 'data' supera los {MAX_DATA_BYTES} bytes.", f"The part 'data' is larger than {MAX_DATA_BYTES} bytes."
)
_NOT_MULTIPART: Final = Text(
    "El cuerpo no es multipart/form-data válido.", "The body is not valid multipart/form-data."
)
_REPEATED: Final = Text("Hay una parte repetida.", "A part is repeated.")
