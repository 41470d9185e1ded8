"""Documents: files with folders and tags, what kind each is, and what is in it."""
