"""All that imports pydantic-ai and the providers' libraries. Imported by `loading.py` alone."""
