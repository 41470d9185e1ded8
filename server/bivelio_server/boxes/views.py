"""Rows of boxes as they are shown."""

from bivelio_server.boxes.models import Box, BoxFile
from bivelio_server.boxes.roles import BoxRole
from bivelio_server.boxes.schemas import BoxFileView, BoxView, FileCounts


def box_view(row: Box, role: BoxRole | None, files: FileCounts) -> BoxView:
    return BoxView(
        id=row.id, name=row.name, description=row.description, role=role.value if role else None, files=files,
        version=row.version, created_at=row.created_at, updated_at=row.updated_at, deleted_at=row.deleted_at,
    )  # fmt: skip


def file_view(row: BoxFile) -> BoxFileView:
    same = {name: getattr(row, name) for name in BoxFileView.model_fields.keys() - {"size_bytes", "searchable"}}
    return BoxFileView.model_validate(
        {**same, "size_bytes": row.bytes, "searchable": row.ready_revision is not None and row.deleted_at is None}
    )
