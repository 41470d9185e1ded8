"""Workflows that other systems start: each has a URL of its own, and a secret that whoever calls it must prove."""
