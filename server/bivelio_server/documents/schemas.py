"""What the operations on files take and give."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field

from bivelio_server.kit.models import Id, Input, Output, PageInput, Pagination, Tag, Words
from bivelio_server.kit.text import Text
from bivelio_server.kit.uploads import Upload
from bivelio_server.kit.validation import FieldError

DocumentStatus = Literal["uploaded", "processing", "processed", "failed"]


def _filename(value: str) -> str:
    if not value.strip() or any(char in "/\\" or not char.isprintable() for char in value):
        raise FieldError("filename", _FILENAME)
    return value


def _folder(value: str) -> str:
    parts = value.split("/")
    if not value.isprintable() or any(part.strip() in ("", ".", "..") for part in parts):
        raise FieldError("folder", _FOLDER)
    return value


_FILENAME: Final = Text(
    "El campo '{field}' debe ser el nombre de un fichero, sin carpetas ni caracteres de control.",
    "The field '{field}' must be the name of a file, without folders or control characters.",
)
_FOLDER: Final = Text(
    "El campo '{field}' debe ser una carpeta como contracts o contracts/2026.",
    "The field '{field}' must be a folder such as contracts or contracts/2026.",
)

Filename = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_filename)]
Folder = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_folder)]
Tags = Annotated[list[Tag], Field(max_length=50), AfterValidator(lambda tags: list(dict.fromkeys(tags)))]


class DocumentUpload(Upload):
    """A file, as base64 or as the part `file` of multipart/form-data, with what is to be done with it."""

    filename: Filename = Field(examples=["contrato_cliente_abc.pdf"])
    folder: Folder | None = Field(None, examples=["contracts"])
    tags: Tags = Field(default=[], examples=[["cliente_abc", "2026"]])
    auto_classify: bool = Field(False, description="Find out what kind of document it is (2 credits).")
    auto_extract: bool = Field(False, description="Read its fields (3 credits).")


class DocumentReference(Input):
    document_id: Id


class DocumentProcess(DocumentReference):
    """What is not given is done as it was asked for the last time."""

    auto_classify: bool | None = Field(None, description="Find out what kind of document it is (2 credits).")
    auto_extract: bool | None = Field(None, description="Read its fields (3 credits).")


class DocumentList(PageInput):
    """`search` looks in the names, whatever the accents and case; `tags` must all be there."""

    search: str | None = Field(None, max_length=200, examples=["contrato"])
    folder: Folder | None = None
    tags: Tags = Field(default=[])
    type: str | None = Field(None, min_length=1, max_length=60, description="What it was classified as.")
    status: DocumentStatus | None = None
    deleted: bool = Field(False, description="The deleted documents instead, those that `restore` brings back.")


class DocumentUpdate(Input):
    """Only given fields change."""

    document_id: Id
    filename: Filename | None = None
    folder: Folder | None = None
    tags: Tags | None = None
    if_version: int | None = Field(None, ge=1, description="Refuse (409) when the document is not at this version.")


class DocumentClassification(Output):
    """`type` is null where no category is likely enough; `confidence` is then that of the likeliest."""

    type: str | None
    confidence: float
    subcategory: str | None
    summary: str | None
    detected_language: str | None
    engine: str


class DocumentError(Output):
    """Why a document could not be processed."""

    code: str
    field: str | None
    constraint: str | None
    message: Words


class Document(Output):
    """`url` is good for an hour, for whoever has it; asking again gives another. `error` says why the status is
    `failed`; `extraction_id` names the newest extraction."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True, from_attributes=True)

    document_id: str
    filename: str
    url: str
    size_bytes: int
    mime_type: str
    folder: str | None
    tags: list[str]
    classification: DocumentClassification | None
    uploaded_at: datetime
    sha256: str
    status: DocumentStatus
    progress: float
    error: DocumentError | None
    page_count: int | None
    extraction_id: str | None
    version: int
    updated_at: datetime
    processed_at: datetime | None
    deleted_at: datetime | None


class DocumentPage(Output):
    documents: list[Document]
    pagination: Pagination


class FolderList(Input):
    """All folders that have documents in them."""


class FolderSummary(Output):
    folder: str | None
    documents: int


class Folders(Output):
    """By name; null stands for the documents in no folder."""

    folders: list[FolderSummary]


class DocumentErased(Output):
    document_id: str
    erased: bool
