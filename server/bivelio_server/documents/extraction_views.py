"""Rows of extractions as they are shown."""

from bivelio_server.documents.extraction_schemas import ExtractionView
from bivelio_server.documents.models import Extraction


def extraction_view(row: Extraction) -> ExtractionView:
    shared = {name: getattr(row, name) for name in ExtractionView.model_fields.keys() - _OTHERWISE}
    return ExtractionView.model_validate(
        {
            **shared,
            "extraction_id": row.id,
            "processed_at": row.created_at,
            "needs_review": row.review_status == "pending",
        }
    )


_OTHERWISE = frozenset({"extraction_id", "processed_at", "needs_review"})
