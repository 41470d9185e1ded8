"""A box's vectors are of one model. Where another is configured, they are computed anew beside the search."""
