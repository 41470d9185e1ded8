"""Secrets that steps send and nobody reads: kept sealed, rendered in memory, masked in whatever is recorded."""
