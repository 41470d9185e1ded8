"""Agents: what a model does for an organisation, as data: instructions or labels, granted operations, limits."""
