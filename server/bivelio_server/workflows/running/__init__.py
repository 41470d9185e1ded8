"""Running an instance: its state, its walk through the tree, its transactions."""
