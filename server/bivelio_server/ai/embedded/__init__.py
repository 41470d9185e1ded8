"""The models that this server carries: real work without a network."""
