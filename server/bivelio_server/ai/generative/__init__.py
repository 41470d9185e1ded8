"""Models of a provider, by its API."""
