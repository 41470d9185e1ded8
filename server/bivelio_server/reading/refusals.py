"""Why a file cannot be read, in one word and in a sentence for people."""

from collections.abc import Mapping
from typing import Final

from bivelio_server.kit.text import Text
from bivelio_server.reading.port import Unreadable

#: The sentences by constraint; what is in braces is given with the refusal.
REFUSALS: Final[Mapping[str, Text]] = {
    "encrypted": Text(
        "El archivo está protegido con contraseña: súbelo sin ella.",
        "The file is protected by a password: upload it without one.",
    ),
    "damaged": Text(
        "El archivo está dañado o incompleto y no se puede leer.",
        "The file is damaged or incomplete and cannot be read.",
    ),
    "empty": Text("El archivo está vacío.", "The file is empty."),
    "max_bytes": Text(
        "El archivo, o lo que hay comprimido en él, ocupa más de los {allowed} bytes permitidos.",
        "The file, or what is compressed in it, takes more than the {allowed} bytes allowed.",
    ),
    "max_pages": Text(
        "El archivo tiene más páginas ({found}) que las {allowed} permitidas.",
        "The file has more pages ({found}) than the {allowed} allowed.",
    ),
    "max_page_size": Text(
        "La página {page} mide {found} puntos de lado; se permiten {allowed}.",
        "Page {page} is {found} points long; {allowed} are allowed.",
    ),
    "max_pixels": Text(
        "Hay una imagen de {found} píxeles; se permiten {allowed}.",
        "There is an image of {found} pixels; {allowed} are allowed.",
    ),
    "max_seconds": Text(
        "Leer el archivo lleva demasiado tiempo.",
        "Reading the file takes too long.",
    ),
    "max_memory": Text(
        "Leer el archivo necesita demasiada memoria.",
        "Reading the file needs too much memory.",
    ),
    "max_text": Text(
        "El archivo contiene más texto del que se puede leer de una vez.",
        "The file contains more text than can be read at once.",
    ),
    "max_depth": Text(
        "El archivo está anidado a demasiados niveles.",
        "The file is nested too deeply.",
    ),
    "mime_type": Text(
        "No se leen archivos de este tipo ({found}). Se leen: {allowed}.",
        "Files of this type ({found}) are not read. These are: {allowed}.",
    ),
    "file_name": Text(
        "El archivo se llama .{named}, pero su contenido es {found}.",
        "The file is named .{named}, but its content is {found}.",
    ),
}  # fmt: skip


def refusal(constraint: str, **values: object) -> Unreadable:
    """The Unreadable of a constraint, its sentence filled in."""
    return Unreadable(constraint, REFUSALS[constraint].format(**values))
