"""Language models and embeddings behind one port (`port.py`); the adapters are `embedded/` and `generative/`."""
