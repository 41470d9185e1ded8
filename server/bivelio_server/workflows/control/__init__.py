"""Steering runs: cancel, pause, resume, retry, run again, one by one or many at once."""
