"""What is kept of workflows beside their runs: versions, documents to carry them elsewhere, templates."""
