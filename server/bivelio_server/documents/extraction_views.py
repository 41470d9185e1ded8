"""Rows of extractions as they are shown."""

from bivelio_server.documents.extraction_schemas import ExtractionView
from bivelio_server.documents.models import Extraction


def extraction_view(row: Extraction) -> ExtractionView:
    shared = {name: getattr(row, name) for name in ExtractionView.model_fields.keys() - _OTHERWISE}
    return ExtractionView.model_validate(
        {
            **shared,
            # One with the data of a person who was erased has lost its figures with them.
            "fields": [field for field in row.fields if field["confidence"] is not None],
            "extraction_id": row.id,
            "processed_at": row.created_at,
            "needs_review": row.review_status == "pending",
        }
    )


_OTHERWISE = frozenset({"fields", "extraction_id", "processed_at", "needs_review"})
