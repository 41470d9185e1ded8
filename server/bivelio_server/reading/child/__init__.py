"""Runs as a process of its own, limited in memory, time and processor: whatever opens a file."""
