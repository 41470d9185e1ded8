"""The public API of boxes, for the keys that are made for it: `/api/public/v1`."""
