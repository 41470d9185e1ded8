"""What the operations on boxes, their members and their files take and give."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from bivelio_server.boxes.roles import BoxRole
from bivelio_server.documents.schemas import Filename
from bivelio_server.kit.models import Email, Id, Input, Name, Output, PageInput, Pagination, Words
from bivelio_server.kit.uploads import Upload

RoleName = Literal["viewer", "editor", "admin", "owner"]
FileState = Literal["pending", "processing", "ready", "failed"]


class BoxCreate(Input):
    name: Name = Field(examples=["Manuales"])
    description: str | None = Field(None, max_length=2000)


class BoxReference(Input):
    box_id: Id


class BoxList(PageInput):
    deleted: bool = Field(False, description="The deleted boxes instead, those that `restore` brings back.")
    all: bool = Field(
        False,
        description="All boxes of the organisation, also those that one is no member of; for its owner, signed in.",
    )


class BoxUpdate(Input):
    """Only given fields change."""

    box_id: Id
    name: Name | None = None
    description: str | None = Field(None, max_length=2000)
    if_version: int | None = Field(None, ge=1, description="Refuse (409) when the box is not at this version.")


class FileCounts(Output):
    """How many files there are in each state."""

    pending: int = 0
    processing: int = 0
    ready: int = 0
    failed: int = 0
    total: int = 0


class BoxView(Output):
    """`role` is the caller's; null in a box that the organisation's owner is no member of."""

    model_config = ConfigDict(title="Box")

    id: str
    name: str
    description: str | None
    role: RoleName | None
    files: FileCounts
    version: int
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class BoxPage(Output):
    boxes: list[BoxView]
    pagination: Pagination


class BoxErased(Output):
    id: str
    erased: bool


class MemberSet(Input):
    """A member of the organisation, by the address that they sign in with."""

    box_id: Id
    email: Email = Field(examples=["ana@ejemplo.com"])
    role: BoxRole = Field(strict=False)


class MemberRemove(Input):
    box_id: Id
    email: Email = Field(examples=["ana@ejemplo.com"])


class MembersList(PageInput):
    box_id: Id


class BoxMemberView(Output):
    model_config = ConfigDict(title="BoxMember")

    box_id: str
    user_id: UUID
    email: str
    name: str | None
    role: RoleName
    created_at: datetime


class BoxMemberPage(Output):
    members: list[BoxMemberView]
    pagination: Pagination


class BoxMemberGone(Output):
    box_id: str
    user_id: UUID
    removed: bool


class _FileContent(Upload):
    """A file, as base64 or as the part `file` of multipart/form-data; or one of the organisation's documents, by
    `document_id`."""

    document_id: Id | None = Field(None, description="A document instead of a file; its content is shared, not copied.")


class FileAdd(_FileContent):
    __doc__ = _FileContent.__doc__

    box_id: Id
    filename: Filename | None = Field(
        None, examples=["manual.pdf"], description="Needed with a file; by default the document's own."
    )


class FileReplace(_FileContent):
    """The new content of a file, which keeps its id. What it held is searched until the new one is ready."""

    box_id: Id
    file_id: Id
    filename: Filename | None = Field(None, examples=["manual.pdf"], description="As it was, if not given.")
    if_version: int | None = Field(None, ge=1, description="Refuse (409) when the file is not at this version.")


class FileReference(Input):
    box_id: Id
    file_id: Id


class FileList(PageInput):
    """`search` looks in the names, whatever the case."""

    box_id: Id
    search: str | None = Field(None, min_length=1, max_length=200)
    state: FileState | None = None
    deleted: bool = Field(False, description="The deleted files instead, those that `restore` brings back.")


class FileError(Output):
    """Why a file could not be made searchable."""

    code: str
    field: str | None
    constraint: str | None
    message: Words


class BoxFileView(Output):
    """`state` is `ready` when its present content is found by searches; `searchable` says that this or an earlier one
    is. `page_count` and `chunk_count` are known once it is read; `document_id` is the document that it was taken
    from, which may be gone by now."""

    model_config = ConfigDict(title="BoxFile", json_schema_serialization_defaults_required=True, from_attributes=True)

    id: str
    box_id: str
    document_id: str | None
    file_name: str
    mime_type: str
    size_bytes: int
    sha256: str
    state: FileState
    searchable: bool
    progress: float
    error: FileError | None
    page_count: int | None
    chunk_count: int | None
    version: int
    created_at: datetime
    updated_at: datetime
    ready_at: datetime | None
    deleted_at: datetime | None


class BoxFilePage(Output):
    files: list[BoxFileView]
    pagination: Pagination


class BoxFileErased(Output):
    id: str
    erased: bool
