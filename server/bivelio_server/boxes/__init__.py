"""Boxes of documents, searched by meaning: their members, files and keys, and their own small public API."""
